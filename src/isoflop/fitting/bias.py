"""The bias of approach 2 without any noise: a loss surface along a budget is not a parabola.

With w = ln(D/D*) the loss along an isoFLOP line is E + R (e^(alpha w)/alpha + e^(-beta w)/beta): one side is
steeper than the other wherever alpha and beta differ, and a least-squares parabola's vertex is off towards the
flatter side (Czech et al. 2026, arXiv 2603.22339). On grids that are alike at every budget the shift is the same at
all of them: exponents are right and prefactors wrong. Where the grids' centres drift, exponents are wrong too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.fitting.isoflop import power_law
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Fit, Minimum
from isoflop.laws import Law
from isoflop.runs import Runs


@dataclass(frozen=True)
class Bias:
    """What a surface says of the bias of the parabolas at the design at hand.

    ``shift`` (budgets,) is ln N of each noise-free vertex less ln N* of the surface; ``flops`` (budgets,).
    ``classical`` and ``corrected`` are the exponents a of N* before and after every vertex is moved back by its shift,
    ``params_at_pivot`` N* at the geometric mean of the budgets, likewise.
    """

    flops: FloatArray
    shift: FloatArray
    classical: float
    corrected: float
    params_at_pivot: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "flops": self.flops.tolist(),
            "params_bias": np.expm1(self.shift).tolist(),
            "a": {"classical": self.classical, "corrected": self.corrected},
        }

    def describe(self) -> str:
        """The bias in a sentence."""
        low, high = np.expm1(self.shift.min()), np.expm1(self.shift.max())
        span = f"{low:+.1%}" if abs(high - low) < 5e-4 else f"{low:+.1%} to {high:+.1%}"
        return (
            f"On these grids, without any noise, parabolas put N* of that surface off by {span}; moved back by that, "
            f"the profiles' a is {self.corrected:.3f} instead of {self.classical:.3f}."
        )


def parabola_shift(law: Law, params: FloatArray, tokens: FloatArray) -> float:
    """ln N of the vertex of a least-squares parabola through the law's own losses at N and D, less ln N*.

    N and D, arrays of shape (R,), lie on one budget; N* is the law's at the budget of each run, at the vertex.

    >>> import isoflop as iso
    >>> law = iso.law("hoffmann2022_rounded")
    >>> centre = float(law.optimum(1e20).params)
    >>> N = centre * np.geomspace(1 / 4, 4, 15)
    >>> round(100 * float(np.expm1(-parabola_shift(law, N, 1e20 / (6 * N)))), 3)  # D*, which moves the other way
    -1.301
    """
    x = np.log(params)
    centre = x.mean()
    c2, c1, _ = np.polyfit(x - centre, law.predict(params, tokens), 2)
    at = -c1 / (2 * c2)
    log_flops = np.polyval(np.polyfit(x - centre, np.log(6 * params * tokens), 1), at)
    return float(centre + at - np.log(law.optimum(np.exp(log_flops)).params))


def symmetric_shift(alpha: float, beta: float, w: FloatArray) -> float:
    """The shift of the vertex in ln D on a grid of w = ln(D/D*) symmetric about 0, in closed form.

    delta = -1/2 [sum w o / sum w^2] / [sum (w^2 - mean w^2) e / sum (w^2 - mean w^2)^2], with o and e the odd and even
    parts of e^(alpha w)/alpha + e^(-beta w)/beta.
    """
    odd = np.sinh(alpha * w) / alpha - np.sinh(beta * w) / beta
    even = np.cosh(alpha * w) / alpha + np.cosh(beta * w) / beta
    square = w**2 - np.mean(w**2)
    return float(-0.5 * (w @ odd / (w @ w)) / (square @ even / (square @ square)))


def vertex_bias(law: Law, runs: Runs, minima: Sequence[Minimum]) -> FloatArray:
    """The shift in ln N of every minimum, were the law the truth: on the very runs that its parabola went through."""
    rows = [np.array(found.used) for found in minima]
    return np.array([parabola_shift(law, runs.params[row], runs.tokens[row]) for row in rows])


def bias(profiles: Fit, surface: Fit) -> Bias | None:
    """The bias of a fit by approach 2, taken from a surface fitted to the same runs; None where either has no law."""
    if profiles.fitted is None or surface.fitted is None or surface.law.allocation() is None:
        return None
    interior = [found for found in profiles.minima if found.interior]
    shift = vertex_bias(surface.law, profiles.runs, interior)
    flops = np.array([found.flops for found in interior])
    params = np.array([found.params_opt for found in interior])
    (before, classical), (after, corrected) = power_law(flops, params), power_law(flops, params * np.exp(-shift))
    return Bias(flops, shift, float(classical), float(corrected), (float(before), float(after)))

"""Profile likelihood: how bad the best fit becomes when one number is held, and where it becomes too bad.

A bootstrap says how an estimate scatters; a profile says which values the runs rule out, and shows an open end where
they rule out none. For a robust objective the likelihood ratio is a quasi-likelihood's: twice the excess over the
minimum, in units of the objective's dispersion, is a chi squared of one degree (Ronchetti 1997; for least squares the
textbook case).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri

from isoflop.errors import DataError, UnknownName, UsageError
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.question import Question
from isoflop.fitting.result import Fit
from isoflop.fitting.solve import minimise
from isoflop.fitting.surface import family_runs
from isoflop.fitting.uncertainty import dispersion
from isoflop.laws import Coefficient, Family
from isoflop.quantities import format_estimate, format_flops
from isoflop.runs import Runs

FURTHEST = 3.0
"""Of the logarithm of a positive coefficient, or of an exponent: beyond, an end is open."""
POINTS = 21


class AtBudget(Family):
    """Chinchilla's surface with A replaced by N*, the compute-optimal parameters at a budget C = 6 N D.

    At the optimum alpha A / N^alpha = beta B / D^beta, which gives A.
    """

    reference = "Hoffmann et al. 2022, arXiv 2203.15556, equation 4, solved for A"
    inputs = ("params", "tokens")
    formula = "L = E + A/N^alpha + B/D^beta, A = (beta B / alpha) N*^alpha (C / 6 N*)^-beta"

    def __init__(self, chinchilla: Family, flops: float) -> None:
        self.name = f"chinchilla at {format_flops(flops)}"
        self.chinchilla, self.flops = chinchilla, flops
        others = tuple(c for c in chinchilla.coefficients if c.name != "A")
        self.coefficients = (*others, Coefficient("N*", "compute-optimal parameters"))

    def loss(self, theta: Mapping[str, FloatArray], inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, alpha, beta, B = theta["N*"], theta["alpha"], theta["beta"], theta["B"]
        A = beta * B / alpha * N**alpha * (self.flops / (6 * N)) ** -beta
        return self.chinchilla.loss({**theta, "A": A}, inputs)


@dataclass(frozen=True)
class Profile:
    """The profile of one number: ``values`` (K,) and the ``excess`` there, in units of chi squared of one degree.

    ``interval`` holds the values whose excess the level allows; an end is None where the runs rule nothing out.
    """

    name: str
    estimate: float
    level: float
    interval: tuple[float | None, float | None]
    values: FloatArray
    excess: FloatArray

    def describe(self) -> str:
        """The interval in words."""
        low, high = self.interval
        if low is not None and high is not None:
            return f"{self.name} {format_estimate(self.estimate, (low, high))} by profile likelihood"
        side = {(True, False): "above", (False, True): "below"}.get((high is None, low is None), "to either side")
        kept = [end for end in (low, high) if end is not None]
        bound = f", {'below' if low is not None else 'above'} {kept[0]:.4g} it is ruled out" if kept else ""
        return f"{self.name} {self.estimate:.4g}, open {side}: the runs do not bound it there{bound}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.estimate,
            "interval": list(self.interval),
            "level": self.level,
            "values": self.values.tolist(),
            "excess": [excess if np.isfinite(excess) else None for excess in self.excess.tolist()],
        }


def profile(
    fit: Fit, name: str, *, at: float | None = None, level: float | None = None, points: int = POINTS
) -> Profile:
    """The profile of a coefficient of a surface, or of "N*" at the budget ``at`` (Chinchilla's family only).

    The curve has some ``points`` values; 0 leaves it out, which most of the time goes into, and keeps the interval.

    ``fit`` is a fit of approach 3 by plain log residuals: its runs, family and criterion are asked again with the
    number held. Raises UsageError for another approach, a criterion with weights or priors, or N* without a budget;
    UnknownName for a coefficient that is not the family's; DataError for a fit without a law.

    >>> import numpy as np, isoflop as iso
    >>> rng = np.random.default_rng(1)
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> loss = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.002 * rng.standard_normal(36))
    >>> found = profile(iso.fit(iso.Runs(N, D, loss), draws=0), "alpha")
    >>> low, high = found.interval
    >>> bool(low < 0.35 < high)
    True
    """
    law, question, level = fit.law, fit.question, fit.level if level is None else level
    if question is None:
        raise UsageError(f"a profile is of a surface's coefficients (approach 3), not of approach {fit.approach}.")
    if question.priors:
        raise UsageError("a profile shows what the runs say alone; fit without priors.")
    estimate, family = {name: law.coefficients[name] for name in law.coefficients}, question.family
    if name == "N*":
        if at is None or question.family.name != "chinchilla" or question.pinned:
            raise UsageError("the profile of N* is of the family chinchilla, without pins, and at a budget.")
        family = AtBudget(question.family, at)
        estimate = {**estimate, "N*": float(law.optimum(at).params)}
    elif name not in question.family.names or name in question.pinned:
        free = [n for n in question.family.names if n not in question.pinned]
        raise UnknownName.among(f"free coefficient of {question.family.name}", name, free)
    return _walk(fit.runs, replace(question, family=family), estimate, name, level, at, points)


def _walk(
    runs: Runs,
    question: Question,
    estimate: Mapping[str, float],
    name: str,
    level: float,
    at: float | None,
    points: int,
) -> Profile:
    start = {key: np.array([value]) for key, value in estimate.items() if key in question.family.names}
    (held,) = (c for c in question.family.coefficients if c.name == name)
    _, delta = question.criterion
    penalty = question.penalty(runs)
    whole, theta = family_runs(runs, question.family, question.pinned, start, penalty)
    least = minimise(theta, whole, whole.whole, delta)
    unit = dispersion(whole, least.theta[0], delta)
    floor = float(least.objective[0])
    if not (np.isfinite(floor) and np.isfinite(unit)):
        raise DataError("the objective of these runs is no finite number: there is nothing to profile.")
    if unit <= 0 or floor < 1e-18:
        raise DataError("the runs lie on the surface exactly: there is no noise to profile against.")
    last: dict[str, dict[str, FloatArray]] = {}

    @cache  # of few runs the best fit depends on where it began; asked again, it must not answer otherwise
    def excess(x: float, side: str) -> float:
        """Of the best fit with the number held at x (its logarithm where it is positive), from the last one's place
        and from the estimate's."""
        value = float(np.exp(x)) if held.logarithmic else x
        pinned = {**question.pinned, name: value}
        places = [last[side], start] if side in last else [start]
        from_here = {key: np.concatenate([place[key] for place in places]) for key in start}
        from_here[name] = np.full(len(places), value)
        observed, theta = family_runs(runs, question.family, pinned, from_here, penalty)
        found = minimise(theta, observed, observed.whole, delta)
        best = int(np.argmin(found.objective))
        ended = observed.coefficients(found.theta[best : best + 1])
        last[side] = {key: np.clip(column, 1e-300, 1e300) for key, column in ended.items()}
        return 2 * (float(found.objective[best]) - floor) / unit

    centre = float(np.log(estimate[name])) if held.logarithmic else float(estimate[name])
    limit = float(chdtri(1, 1 - level))
    ends = [_end(excess, centre, sign, limit, held) for sign in (-1.0, 1.0)]
    plain = [None if end is None else float(np.exp(end)) if held.logarithmic else end for end in ends]
    title = name if at is None else f"N* at {format_flops(at)} FLOPs"
    if not points:
        return Profile(title, float(estimate[name]), level, (plain[0], plain[1]), np.empty(0), np.empty(0))
    low, high = (centre + sign * FURTHEST if end is None else end for end, sign in zip(ends, (-1, 1), strict=True))
    grid = np.unique(
        np.concatenate([np.linspace(low, centre, points // 2 + 1), np.linspace(centre, high, points // 2 + 1)])
    )
    grid = grid[(grid > held.lower) & (grid < held.upper)] if not held.logarithmic else grid
    down, up = grid[grid <= centre][::-1], grid[grid > centre]
    last.clear()
    heights = [excess(x, "down") for x in down][::-1] + [excess(x, "up") for x in up]
    values = np.exp(grid) if held.logarithmic else grid
    return Profile(title, float(estimate[name]), level, (plain[0], plain[1]), values, np.maximum(heights, 0.0))


def _end(excess: Any, centre: float, sign: float, limit: float, held: Coefficient) -> float | None:
    """Where the excess crosses the limit on one side, found by doubling steps and then exactly; None where nowhere."""
    side = "down" if sign < 0 else "up"
    inside, step = centre, 0.01
    while step <= FURTHEST:
        x = centre + sign * step
        if not held.logarithmic and not held.lower < x < held.upper:
            return None
        if excess(x, side) > limit:
            # At the estimate itself nothing is lost, whatever rounding makes of it.
            return float(
                brentq(lambda at: (0.0 if at == centre else excess(at, side)) - limit, *sorted((inside, x)), xtol=1e-5)
            )
        inside, step = x, 2 * step
    return None

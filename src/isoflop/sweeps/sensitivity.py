"""How much each run says of a law, and how much the answer at a target depends on it: derivatives of a family.

Derivatives are by the logarithms of the coefficients, all of which are positive; what is computed from them, the
variance of an answer, does not depend on that choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.laws import Coefficients, Law
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN as SIX
from isoflop.sweeps.designs import FloatArray

STEP = 1e-4
"""Of the central differences, in ln coefficient: truncation and rounding leave eight digits."""
PLAUSIBLE = 12
"""Laws that stand for a prior's draws: enough that no one of them decides a design."""


@dataclass(frozen=True)
class Plausible:
    """A few laws of one family that a prior holds possible: coefficients of shape (K, 1) by name."""

    law: Law
    theta: Coefficients

    @property
    def free(self) -> tuple[str, ...]:
        """Coefficients that a fit would look for: one that is zero is absent from the form."""
        return tuple(name for name in self.law.family.names if np.all(self.theta[name] > 0))

    def log_loss(self, params: ArrayLike, tokens: ArrayLike, theta: Coefficients | None = None) -> FloatArray:
        """ln L at runs, (K, runs)."""
        inputs = {"params": np.asarray(params, float), "tokens": np.asarray(tokens, float)}
        assumed = {name: np.asarray(value) for name, value in self.law.family.assumed.items()}
        return np.asarray(np.log(self.law.family.loss(theta or self.theta, {**assumed, **inputs})))

    def log_optimum(self, flops: float, theta: Coefficients | None = None) -> FloatArray:
        """ln N* at a compute, (K,)."""
        best = self.law.family.optimum(theta or self.theta, np.asarray([flops]))
        assert best is not None
        return np.asarray(np.log(best[0])[:, 0])

    def moved(self, name: str, by: float) -> Coefficients:
        """The laws with one coefficient times exp(by)."""
        return {**self.theta, name: self.theta[name] * np.exp(by)}


def plausible(prior: Law, count: int = PLAUSIBLE) -> Plausible:
    """The prior's point and evenly chosen draws of it; the point alone where it has none.

    DataError for a law that says nothing of the loss of a network, or has no closed-form optimum.
    """
    if not {"params", "tokens"} <= set(prior.family.inputs) or not prior.has_optimum:
        raise DataError(
            f"a design needs a law of the loss in N and D with a closed-form optimum, and {prior.id} "
            f"({prior.family.name}) is none; give besiroglu2024, or a law of the family chinchilla."
        )
    columns = {name: np.array([[prior.coefficients[name]]]) for name in prior.family.names}
    if prior.draws is not None and count > 1:
        size = len(prior.draws[prior.family.names[0]])
        rows = np.linspace(0, size - 1, count - 1).round().astype(int)
        columns = {name: np.vstack([one, prior.draws[name][rows, None]]) for name, one in columns.items()}
    return Plausible(prior, columns)


def run_sensitivities(laws: Plausible, params: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """d ln L / d ln coefficient of each run under each law, (K, runs, P)."""
    columns = [
        (laws.log_loss(params, tokens, laws.moved(name, STEP)) - laws.log_loss(params, tokens, laws.moved(name, -STEP)))
        / (2 * STEP)
        for name in laws.free
    ]
    return np.stack(columns, axis=-1)


def optimum_sensitivities(laws: Plausible, flops: float) -> FloatArray:
    """d ln N* / d ln coefficient at a compute, (K, P); that of ln D* is its negative."""
    columns = [
        (laws.log_optimum(flops, laws.moved(name, STEP)) - laws.log_optimum(flops, laws.moved(name, -STEP)))
        / (2 * STEP)
        for name in laws.free
    ]
    return np.stack(columns, axis=-1)


def loss_sensitivities(laws: Plausible, flops: float) -> FloatArray:
    """d ln L / d ln coefficient of the run that each law would make at a compute, (K, P)."""
    N = np.exp(laws.log_optimum(flops))
    rows = run_sensitivities(laws, N, flops / (SIX * N))
    return np.asarray(np.diagonal(rows).T)


def waste_curvature(laws: Plausible, flops: float) -> FloatArray:
    """What an error of ln N* wastes: the share of the compute is half this times its square, (K,).

    The compute that the optimum needs for the loss that the wrong split reaches: the second derivative of ln L along
    C = 6 N D, over the slope of -ln L in ln C at the optimum.
    """
    h = 1e-2
    N = np.exp(laws.log_optimum(flops))

    def at(nudge: float, C: float) -> FloatArray:
        return np.diagonal(laws.log_loss(N * np.exp(nudge), C / (SIX * N * np.exp(nudge))))

    curvature = (at(h, flops) - 2 * at(0.0, flops) + at(-h, flops)) / h**2
    slope = -(_best(laws, flops * np.exp(h)) - _best(laws, flops * np.exp(-h))) / (2 * h)
    return np.asarray(curvature / slope)


def _best(laws: Plausible, flops: float) -> FloatArray:
    N = np.exp(laws.log_optimum(flops))
    return np.diagonal(laws.log_loss(N, flops / (SIX * N)))

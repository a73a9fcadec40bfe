"""Minimise the objective: many starts at once, exact Newton steps, and a certificate.

Two habits do the work. ln N and ln D are centred, so that no coefficient is an extrapolation to one
parameter or one token (the same optimisers that reach the optimum from 1 % of random starts in raw
units reach it from 90 % in centred ones). And the steps are Newton's on the full Hessian: most
residuals lie outside delta, where the objective is linear and Gauss-Newton has almost no curvature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from isoflop.fitting.objective import BoolArray, Expansion, FloatArray, LogRuns, Observed

MAX_STEP = 3.0
"""A trial step changes no coefficient by more: three e-folds of A, B or E, three units of an exponent."""
TOLERANCE = 1e-11
"""Converged when the predicted decrease is this fraction of the objective."""
CERTIFIED = 1e-9
ROUNDING = 1e-8
"""Of the objective at which every run counts as fitted exactly: residuals of 1e-14, which no step can better."""
EXACT = 1e-10
"""A log residual of this size is none: rounding leaves 1e-16, and objectives below are all the same."""


@dataclass(frozen=True)
class Solution:
    """Where S starts ended: theta (S, 5), objective (S,), and whether Newton's decrement vanished (S,)."""

    theta: FloatArray
    objective: FloatArray
    converged: BoolArray


def minimise(theta: FloatArray, runs: Observed, weights: FloatArray, delta: float, iterations: int = 200) -> Solution:
    """Damped Newton from every row of theta, each row on its own damping."""
    theta = theta.copy()
    weights = np.broadcast_to(weights, (len(theta), runs.count))
    damping = np.full(len(theta), 1e-3)
    converged = np.zeros(len(theta), dtype=bool)
    active = np.arange(len(theta))
    here = runs.expand(theta, weights, delta)
    objective = here.value.copy()
    floor = ROUNDING * exact_objective(weights)
    for _ in range(iterations):
        step, decrease = _step(here, damping[active])
        finished = decrease < TOLERANCE * here.value + floor[active]
        if finished.any():
            converged[active[finished]] = _is_stationary(_rows(here, finished), weights[active[finished]])
        going = ~finished
        active, step, here = active[going], step[going], _rows(here, going)
        if not active.size:
            break
        there = runs.expand(theta[active] + step, weights[active], delta)
        better = there.value <= here.value  # false for NaN: a step into overflow is refused
        theta[active[better]] += step[better]
        objective[active[better]] = there.value[better]
        damping[active] = np.where(better, damping[active] * 0.2, np.minimum(damping[active] * 6.0, 1e8))
        damping[active[better & (damping[active] < 1e-9)]] = 0.0
        damping[active[~better]] = np.maximum(damping[active[~better]], 1e-6)
        here = _merge(there, here, better)
    return Solution(theta, objective, converged)


def _is_stationary(here: Expansion, weights: FloatArray) -> BoolArray:
    """The certificate, free of scale and of damping: Newton's own decrement is nothing beside the objective."""
    _, decrease = _step(here, np.zeros(len(weights)))
    return np.asarray(decrease < CERTIFIED * here.value + exact_objective(weights))


def exact_objective(weights: FloatArray) -> FloatArray:
    """The objective, for each row of weights, at which every run is fitted exactly."""
    return np.asarray(0.5 * EXACT**2 * weights.sum(axis=-1))


def _step(here: Expansion, damping: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The damped Newton step, capped, and the decrease of the objective that it predicts."""
    step = _downhill(here.hessian + damping[:, None, None] * here.metric, here.gradient)
    largest = np.abs(step).max(axis=1, keepdims=True)
    step = step * np.minimum(1.0, MAX_STEP / np.maximum(largest, 1e-300))
    return step, np.abs(np.einsum("sj,sj->s", here.gradient, step))


def _downhill(curved: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's step, and where the curvature is not positive in every direction, one that still leads down."""
    try:
        np.linalg.cholesky(curved)
        return np.asarray(-np.linalg.solve(curved, gradient[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        eigenvalues, vectors = np.linalg.eigh(curved)
    # A saddle's negative curvature is walked down, not up; a dead term's zero curvature is not divided by.
    floor = 1e-14 * np.maximum(np.abs(eigenvalues).max(axis=1, keepdims=True), 1e-300)
    along = np.einsum("sjk,sj->sk", vectors, -gradient)
    return np.asarray(np.einsum("sjk,sk->sj", vectors, along / np.maximum(np.abs(eigenvalues), floor)))


def _rows(expansion: Expansion, keep: BoolArray) -> Expansion:
    return Expansion(expansion.value[keep], expansion.gradient[keep], expansion.hessian[keep], expansion.metric[keep])


def _merge(there: Expansion, here: Expansion, moved: BoolArray) -> Expansion:
    return Expansion(
        np.where(moved, there.value, here.value),
        np.where(moved[:, None], there.gradient, here.gradient),
        np.where(moved[:, None, None], there.hessian, here.hessian),
        np.where(moved[:, None, None], there.metric, here.metric),
    )


def projection_starts(runs: LogRuns, exponents: FloatArray) -> FloatArray:
    """A start for every pair of exponents: the non-negative E, A, B that fit best given alpha and beta.

    Given the exponents the family is linear in the rest, so a grid over two coefficients covers what a
    grid over five (4,500 starts in the published scripts) covers worse. Residuals are relative.
    """
    rows = []
    relative = np.exp(-runs.log_loss)
    for alpha in exponents:
        for beta in exponents:
            design = np.stack([np.exp(-alpha * runs.n), np.exp(-beta * runs.d), np.ones_like(runs.n)], axis=1)
            amplitudes, _ = nnls(design * relative[:, None], np.ones_like(relative))
            # A term that the projection switches off starts at a thousandth of the loss, not at zero.
            amplitudes = np.maximum(amplitudes, 1e-3 * np.exp(runs.log_loss.mean()))
            rows.append([*np.log(amplitudes), alpha, beta])
    return np.array(rows)


def search(runs: LogRuns, delta: float, exponents: FloatArray) -> Solution:
    """From all projection starts to the objective's minima."""
    return descend(projection_starts(runs, exponents), runs, delta)


def descend(theta: FloatArray, runs: Observed, delta: float) -> Solution:
    """From starts (S, P) to minima.

    At a wide delta the objective is smooth least squares, where projection starts lie close to the
    optimum; following it down to the asked delta avoids the kinks of near-absolute deviation.
    """
    weights = runs.whole
    for wide in (1e-1, 1e-2):
        if wide > delta:
            theta = minimise(theta, runs, weights, wide, iterations=30).theta
    return minimise(theta, runs, weights, delta)

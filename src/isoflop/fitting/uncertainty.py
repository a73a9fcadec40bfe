"""Draws and intervals: the joint uncertainty of a fit, carried as rows."""

from __future__ import annotations

import numpy as np

from isoflop.errors import UsageError
from isoflop.fitting.objective import FloatArray, Observed
from isoflop.fitting.solve import Solution, minimise

BLOCK = 400
"""Bootstrap draws solved at once: enough to amortise NumPy's calls, few enough to stay in cache."""
HELD_ITERATIONS, LATE_ITERATIONS = 50, 100
"""Eight are usual from the full table's optimum, with the curvature held there; what takes longer is given its own."""


def interval(draws: FloatArray, level: float) -> tuple[float, float]:
    """The central interval that holds ``level`` of the draws.

    >>> interval(np.arange(9.0), 0.5)
    (2.0, 6.0)
    """
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} was asked for; it is a share of the draws, such as 0.9.")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap(best: FloatArray, runs: Observed, delta: float, weights: FloatArray) -> Solution:
    """Refit resamples of the runs, each to convergence, from the full table's optimum ``best`` (P,).

    A resample is a row of ``weights`` (draws, runs), how often each run is in it, so nothing is gathered.
    """
    start = np.repeat(best[None], len(weights), axis=0)
    found = _in_blocks(start, runs.with_curvature(best), weights, delta, HELD_ITERATIONS)
    late = ~found.converged
    if late.any():
        again = _in_blocks(found.theta[late], runs, weights[late], delta, LATE_ITERATIONS)
        found.theta[late], found.objective[late], found.converged[late] = again.theta, again.objective, again.converged
    return found


def _in_blocks(theta: FloatArray, runs: Observed, weights: FloatArray, delta: float, iterations: int) -> Solution:
    parts = [slice(first, first + BLOCK) for first in range(0, len(weights), BLOCK)]
    solved = [minimise(theta[part], runs, weights[part], delta, iterations) for part in parts]
    return Solution(
        np.concatenate([part.theta for part in solved]),
        np.concatenate([part.objective for part in solved]),
        np.concatenate([part.converged for part in solved]),
    )


def dispersion(runs: Observed, theta: FloatArray, delta: float) -> float:
    """What a unit of the objective is worth: twice an excess over the minimum, divided by it, is a chi squared.

    For least squares it is the residuals' variance; for Huber's loss mean(psi^2) / mean(psi') of residuals (Ronchetti
    1997), with n - p for n. Within a delta so small that next to no residual is inside, psi' is taken from the density
    of residuals about zero, over half their median size.
    """
    log_predicted = runs.log_predicted(theta[None])[0]
    residual = log_predicted - runs.log_loss
    if runs.penalty.raw:
        residual = np.exp(log_predicted) - np.exp(runs.log_loss)
    weights = np.ones(residual.size) if runs.penalty.weights is None else runs.penalty.weights
    size = np.abs(residual)
    squares = float(((weights * np.minimum(size, delta)) ** 2).sum()) / max(residual.size - theta.size, 1)
    if np.isinf(delta):
        return float(squares / weights.mean())
    near = max(delta, 0.5 * float(np.median(size)))
    return float(squares / (delta / near * (weights * (size <= near)).mean()))

"""Draws and intervals: the joint uncertainty of a fit, carried as rows."""

from __future__ import annotations

import numpy as np

from isoflop.errors import UsageError
from isoflop.fitting.objective import FloatArray, Observed
from isoflop.fitting.solve import Solution, minimise

BLOCK = 400
"""Bootstrap draws solved at once: enough to amortise NumPy's calls, few enough to stay in cache."""


def interval(draws: FloatArray, level: float) -> tuple[float, float]:
    """The central interval that holds ``level`` of the draws.

    >>> interval(np.arange(9.0), 0.5)
    (2.0, 6.0)
    """
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} was asked for; it is a share of the draws, such as 0.9.")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap(best: FloatArray, runs: Observed, delta: float, draws: int, rng: np.random.Generator) -> Solution:
    """Refit ``draws`` resamples of the runs, each to convergence, from the full table's optimum ``best`` (P,).

    A resample is a vector of integer weights, so nothing is gathered.
    """
    count = runs.count
    runs = runs.with_curvature(best)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(float)
    blocks = [weights[start : start + BLOCK] for start in range(0, draws, BLOCK)]
    solved = [minimise(np.repeat(best[None], len(block), axis=0), runs, block, delta) for block in blocks]
    return Solution(
        np.concatenate([block.theta for block in solved]),
        np.concatenate([block.objective for block in solved]),
        np.concatenate([block.converged for block in solved]),
    )

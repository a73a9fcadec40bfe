"""Which rows are one training run seen several times: they share their luck, and are drawn together."""

from __future__ import annotations

import numpy as np

from isoflop.errors import UnknownName
from isoflop.fitting.objective import FloatArray, IntArray
from isoflop.runs import Runs

GROUPS = ("trajectory", "trunk")
"""Columns that name what several rows share: one training curve, or one trunk that runs were branched from."""


def groups(runs: Runs, column: str | None = None) -> IntArray | None:
    """For every run the number of its group, shape (R,), or None where every run stands alone.

    ``column`` names the grouping column; without one it is ``trajectory``, ``trunk``, or a ``run_id`` that repeats.
    Raises UnknownName for a column that is not there.

    >>> runs = Runs([1e8] * 3, [1e9, 2e9, 3e9], [3.5, 3.4, 3.3], columns={"run_id": ["a", "a", "b"]})
    >>> groups(runs).tolist()
    [0, 0, 1]
    """
    if column is not None:
        if column not in runs.columns:
            known = ", ".join(runs.columns) or "no columns but the numbers themselves"
            raise UnknownName(f"no column {column!r} to group the runs by: the table has {known}; see --group.")
        named = [column]
    else:
        named = [name for name in (*GROUPS, "run_id") if name in runs.columns]
    for name in named:
        labels = np.unique(np.asarray(runs.columns[name]), return_inverse=True)[1]
        if len(runs) and labels.max() + 1 < len(runs):
            return np.asarray(labels, dtype=np.int64)
    return None


def group_weights(labels: IntArray | None, count: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """How often each of ``count`` runs is in each resample, (draws, count): groups are drawn whole."""
    if labels is not None:
        return resampled(int(labels.max()) + 1, draws, rng)[:, labels]
    return resampled(count, draws, rng)


def reweighted(count: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """Weights from a flat Dirichlet that sum to ``count``, (draws, count): the Bayesian bootstrap (Rubin 1981).

    Of few runs a resample leaves so many out that it carries a law badly; here none is left out.
    """
    return np.asarray(count * rng.dirichlet(np.ones(count), size=draws))


def resampled(count: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """How often each of ``count`` things is among ``count`` drawn with replacement, (draws, count)."""
    drawn = rng.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count).astype(float)

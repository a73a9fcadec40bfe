"""Thousands of budgets in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import UsageError
from isoflop.laws import Law
from isoflop.planning.optimum import optimum, optimum_draws, refuse_unbuildable
from isoflop.planning.result import check_level
from isoflop.planning.search import FloatArray

KNOTS = 129
"""Budgets at which draws are carried through; between them edges of intervals are lines in logarithms, to 1e-4."""


@dataclass(frozen=True)
class Plans:
    """Arrays of one shape: N*, D*, D/N and the loss at each budget; intervals are pairs, None without draws."""

    flops: FloatArray
    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    params_interval: tuple[FloatArray, FloatArray] | None
    tokens_interval: tuple[FloatArray, FloatArray] | None
    loss_interval: tuple[FloatArray, FloatArray] | None

    @property
    def tokens_per_param(self) -> FloatArray:
        return np.asarray(self.tokens / self.params)


def plans(law: Law, flops: ArrayLike, *, level: float = 0.9) -> Plans:
    """The compute-optimal split at an array of budgets, with intervals from the law's draws (noise alone).

    DataError where the law gives no optimum at one of them, UsageError for budgets that are not positive numbers.

    >>> from isoflop import laws
    >>> found = plans(laws.law("besiroglu2024"), np.geomspace(1e18, 1e26, 10_000))
    >>> found.params.shape, bool(np.all(found.params_interval[0] < found.params))
    ((10000,), True)
    """
    check_level(level)
    try:
        C = np.asarray(flops, float)
    except (TypeError, ValueError):
        raise UsageError(f"budgets are positive numbers of FLOPs, not {flops!r}.") from None
    if not (C.size and np.all(np.isfinite(C) & (C > 0))):
        raise UsageError("budgets are positive numbers of FLOPs; give one or more.")
    best = optimum(law, C)
    for end in (np.argmin(C), np.argmax(C)):
        refuse_unbuildable(law, float(C.flat[end]), float(best.params.flat[end]), float(best.tokens.flat[end]))
    knots = np.unique(C) if C.size <= KNOTS else np.geomspace(C.min(), C.max(), KNOTS)
    drawn = optimum_draws(law, knots) if law.has_loss else None
    if drawn is None:
        return Plans(C, best.params, best.tokens, best.loss, None, None, None)
    edges = [(1 - level) / 2, (1 + level) / 2]

    def spread(column: FloatArray) -> tuple[FloatArray, FloatArray]:
        low, high = np.log(np.quantile(column, edges, axis=0))
        at = np.log(knots)
        return np.exp(np.interp(np.log(C), at, low)), np.exp(np.interp(np.log(C), at, high))

    return Plans(C, best.params, best.tokens, best.loss, spread(drawn.params), spread(drawn.tokens), spread(drawn.loss))

"""The isoFLOP grid: a few budgets, and around each expected minimum a few widths."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.errors import UsageError
from isoflop.sweeps.recipe import Recipe

QUICKSTART_BUDGETS = (1.5e11, 5e11, 1.5e12)
"""One decade of compute in FLOPs, about three minutes on two CPU cores."""

WIDTHS_PER_BUDGET = 5
"""Two on either side of the minimum: enough for a parabola and for seeing that it turns."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid: ``budget`` in FLOPs, spent at ``width``."""

    budget: float
    width: int


def isoflop_grid(
    recipe: Recipe,
    budgets: Sequence[float] = QUICKSTART_BUDGETS,
    *,
    widths: Sequence[int] | None = None,
    widths_per_budget: int = WIDTHS_PER_BUDGET,
) -> tuple[Cell, ...]:
    """The cells of an isoFLOP study, by budget and width.

    ``widths`` is used at every budget; without it each budget gets ``widths_per_budget`` rungs of the
    recipe's ladder, centred where its minimum is expected. UsageError for a budget that is no positive
    number, or one whose minimum would fall off the ladder.

    >>> from isoflop.sweeps.recipe import SMALL_BYTES
    >>> [cell.width for cell in isoflop_grid(SMALL_BYTES, [5e11])]
    [16, 24, 32, 48, 64]
    """
    cells = []
    for budget in sorted(set(budgets)):
        if not (math.isfinite(budget) and budget > 0):
            raise UsageError(f"a budget of {budget:g} FLOPs cannot be spent; give a positive number such as 5e11.")
        chosen = widths or widths_for(recipe, budget, widths_per_budget)
        cells += [Cell(float(budget), width) for width in sorted(set(chosen))]
    return tuple(cells)


def widths_for(recipe: Recipe, budget: float, count: int) -> tuple[int, ...]:
    """The ``count`` neighbouring rungs whose mean ln N is nearest to that of the expected minimum.

    >>> from isoflop.sweeps.recipe import SMALL_BYTES
    >>> widths_for(SMALL_BYTES, 1.5e12, 5)
    (24, 32, 48, 64, 96)
    """
    optimum, ladder = recipe.expected_optimum(budget), recipe.ladder
    smallest, largest = recipe.params(ladder[0]), recipe.params(ladder[-1])
    if not smallest < optimum < largest:
        raise UsageError(
            f"at {budget:.3g} FLOPs the minimum is expected near {optimum:,.0f} parameters, and {recipe.name} has "
            f"widths for {smallest:,} to {largest:,}; choose another budget or name the widths."
        )
    windows = [ladder[first : first + count] for first in range(max(1, len(ladder) - count + 1))]
    return min(windows, key=lambda window: abs(_mean_log_params(recipe, window) - math.log(optimum)))


def _mean_log_params(recipe: Recipe, widths: Sequence[int]) -> float:
    return statistics.fmean(math.log(recipe.params(width)) for width in widths)

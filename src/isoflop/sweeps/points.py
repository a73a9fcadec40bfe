"""What a cell of the grid comes to: a shape, a number of steps, and what that really costs."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.shapes import Shape
from isoflop.errors import UsageError
from isoflop.quantities import format_flops, format_si
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import Recipe

LARGEST_BUDGET = 1e30
"""In FLOPs: ten thousand times the largest training so far, and no count overflows by it."""


@dataclass(frozen=True)
class Point:
    """A run of the grid, priced: ``flops`` is what ``steps`` whole steps cost, the nearest to ``budget``."""

    budget: float
    shape: Shape
    batch_windows: int
    steps: int
    tokens: int
    flops: float


def point(recipe: Recipe, cell: Cell) -> Point:
    """Spend the cell's budget at its width, FLOPs counted exactly with causal attention.

    UsageError where the budget buys fewer steps than the recipe's schedule can be laid over, or is beyond all reason.

    >>> from isoflop.sweeps.recipe import SMALL_BYTES
    >>> point(SMALL_BYTES, Cell(5e11, 32)).steps
    3974
    """
    if cell.budget > LARGEST_BUDGET:
        raise UsageError(f"{format_flops(cell.budget)} FLOPs are more than anybody has; give at most 1e30.")
    shape = recipe.shape(cell.width)
    cost = flops_per_token(shape).exact_causal
    windows = recipe.batch_windows(**recipe.at(cell.width, cell.budget / cost))
    batch_tokens = windows * recipe.context
    flops_per_step = cost * batch_tokens
    steps = round(cell.budget / flops_per_step)
    if steps < recipe.minimum_steps:
        raise UsageError(
            f"{format_flops(cell.budget)} FLOPs ({format_si(cell.budget / cost)} tokens) buy {steps} steps at width "
            f"{cell.width}, and {recipe.name} needs {recipe.minimum_steps}; give a larger budget or a smaller width."
        )
    return Point(cell.budget, shape, windows, steps, steps * batch_tokens, steps * flops_per_step)


def cell_of_tokens(recipe: Recipe, width: int, tokens: float) -> Cell:
    """The cell that trains the network of ``width`` on ``tokens``.

    >>> from isoflop.sweeps.recipe import SMALL_BYTES
    >>> cell_of_tokens(SMALL_BYTES, 32, 2e6)
    Cell(budget=491520000000.0, width=32)
    """
    return Cell(flops_per_token(recipe.shape(width)).exact_causal * tokens, width)

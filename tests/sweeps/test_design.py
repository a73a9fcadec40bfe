"""The grid that was measured comes out, and budgets that the ladder cannot serve are refused."""

from __future__ import annotations

import pytest

from isoflop.accounting.flops import flops_per_token
from isoflop.errors import UsageError
from isoflop.sweeps.design import Cell, isoflop_grid, widths_for
from isoflop.sweeps.points import point
from isoflop.sweeps.recipe import SMALL_BYTES

# Steps of the measured runs, by budget and width.
MEASURED_STEPS = {
    1.5e11: {12: 5086, 16: 3406, 24: 1870, 32: 1192, 48: 611},
    5e11: {16: 11353, 24: 6233, 32: 3974, 48: 2038, 64: 1242},
    1.5e12: {24: 18699, 32: 11921, 48: 6113, 64: 3725, 96: 1806},
}


def test_the_default_grid_is_the_measured_one_step_for_step() -> None:
    steps: dict[float, dict[int, int]] = {}
    for cell in isoflop_grid(SMALL_BYTES):
        steps.setdefault(cell.budget, {})[cell.width] = point(SMALL_BYTES, cell).steps
    # Half a step's rounding is all that may differ.
    assert {b: list(w) for b, w in steps.items()} == {b: list(w) for b, w in MEASURED_STEPS.items()}
    for budget, widths in MEASURED_STEPS.items():
        for width, measured in widths.items():
            assert abs(steps[budget][width] - measured) <= 1


@pytest.mark.parametrize("budget", [3e10, 1.5e11, 2.7e11, 9e11, 5e12, 1.5e13])
def test_the_expected_minimum_is_inside_the_window(budget: float) -> None:
    widths = widths_for(SMALL_BYTES, budget, 5)
    assert len(widths) == 5
    assert SMALL_BYTES.params(widths[1]) < SMALL_BYTES.expected_optimum(budget) < SMALL_BYTES.params(widths[-2])


def test_widths_of_ones_own_are_used_at_every_budget() -> None:
    cells = isoflop_grid(SMALL_BYTES, [2e10, 1e10], widths=[16, 8, 16])
    assert cells == (Cell(1e10, 8), Cell(1e10, 16), Cell(2e10, 8), Cell(2e10, 16))


@pytest.mark.parametrize("budget", [0.0, -1e11, float("nan"), float("inf")])
def test_impossible_budgets(budget: float) -> None:
    with pytest.raises(UsageError, match="cannot be spent"):
        isoflop_grid(SMALL_BYTES, [budget])


@pytest.mark.parametrize("budget", [1e8, 1e18])
def test_a_budget_whose_minimum_is_off_the_ladder(budget: float) -> None:
    with pytest.raises(UsageError, match="the minimum is expected near"):
        isoflop_grid(SMALL_BYTES, [budget])


def test_a_point_costs_its_budget_to_within_half_a_step() -> None:
    for cell in isoflop_grid(SMALL_BYTES):
        planned = point(SMALL_BYTES, cell)
        per_token = flops_per_token(planned.shape).exact_causal
        assert planned.flops == pytest.approx(per_token * planned.tokens)
        assert abs(planned.flops - cell.budget) <= per_token * 512 / 2


def test_a_budget_too_small_for_the_schedule() -> None:
    with pytest.raises(UsageError, match="buy 2 steps at width 96"):
        point(SMALL_BYTES, Cell(1.5e9, 96))

"""The learning rate's factor: it rises, stays and falls as each schedule says."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import UnknownName
from isoflop.training.schedule import factor
from isoflop.training.spec import OptimiserSpec

WSD = OptimiserSpec(1.0, 1.0, 50, 200, 0.9, 0.95, 1e-10, 0.0, 1.0)
SCHEDULES = ["wsd", "cosine", "linear", "constant"]


def factors(steps: int, **facts: object) -> list[float]:
    optimiser = dataclasses.replace(WSD, **facts)  # type: ignore[arg-type]
    return [factor(step, optimiser, steps) for step in range(steps)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(st.integers(1, 500), st.integers(0, 500), st.integers(0, 500), st.integers(0, 100))
def test_rises_stays_and_falls_within_floor_and_one(
    schedule: str, steps: int, warmup: int, decay: int, percent: int
) -> None:
    seen = factors(steps, schedule=schedule, warmup_steps=warmup, decay_steps=decay, floor=percent / 100)
    peak = seen.index(max(seen))
    assert all(0 < one <= 1 for one in seen)
    assert seen[: peak + 1] == sorted(seen[: peak + 1])
    assert seen[peak:] == sorted(seen[peak:], reverse=True)


@pytest.mark.parametrize(
    ("schedule", "area"),
    [
        ("wsd", 750 + (50 + 1) / 2 + (200 + 1) / 2),
        ("constant", 950 + (50 + 1) / 2),
        # From 1 at the end of warmup to the floor one step after the last: the mean of the two, ends apart.
        ("linear", (50 + 1) / 2 + 950 / 2),
        ("cosine", (50 + 1) / 2 + 950 / 2),
    ],
)
def test_the_area_is_that_of_the_figure(schedule: str, area: float) -> None:
    assert sum(factors(1000, schedule=schedule)) == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES[:3])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_the_step_after_the_last_would_have_the_floor(schedule: str, floor: float) -> None:
    optimiser = dataclasses.replace(WSD, schedule=schedule, floor=floor)  # type: ignore[arg-type]
    assert factor(1000, optimiser, 1000) == floor


def test_halfway_a_cosine_is_halfway() -> None:
    """The middle of the 951 steps from peak to floor; and a quarter of the way (1 + cos(pi/4))/2 of it."""
    optimiser = dataclasses.replace(WSD, schedule="cosine", warmup_steps=1)
    assert factor(500, optimiser, 1000) == pytest.approx(0.5)
    assert factor(250, optimiser, 1000) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_longer_horizon_is_the_longer_runs_schedule_cut_off(schedule: str) -> None:
    assert factors(300, schedule=schedule, horizon=1000) == factors(1000, schedule=schedule)[:300]


def test_a_schedule_that_there_is_not_is_no_cosine() -> None:
    with pytest.raises(UnknownName, match="no schedule called 'wds'; did you mean 'wsd'"):
        factors(10, schedule="wds")

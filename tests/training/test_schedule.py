"""The learning rate's factor: warmup, plateau, linear decay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.training.schedule import wsd


@given(st.integers(1, 500), st.integers(0, 500), st.integers(0, 500))
def test_rises_stays_and_falls_within_zero_and_one(steps: int, warmup: int, decay: int) -> None:
    factors = [wsd(step, steps=steps, warmup_steps=warmup, decay_steps=decay) for step in range(steps)]
    peak = factors.index(max(factors))
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_the_area_is_that_of_the_trapezium() -> None:
    total = sum(wsd(step, steps=1000, warmup_steps=50, decay_steps=200) for step in range(1000))
    assert total == pytest.approx(750 + (50 + 1) / 2 + (200 + 1) / 2 - 0, abs=1e-9)


def test_the_step_after_the_last_would_have_none() -> None:
    assert wsd(1000, steps=1000, warmup_steps=50, decay_steps=200) == 0.0

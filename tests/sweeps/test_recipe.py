"""The recipe against the measured one, and the way back from N to a width."""

from __future__ import annotations

import pytest

from isoflop import laws
from isoflop.accounting.params import count_params
from isoflop.errors import UsageError
from isoflop.sweeps.recipe import LLAMA_STEP_LAW, SMALL_BYTES, recipe, width_for_params


def test_shapes_are_those_of_the_measured_runs() -> None:
    for width, heads, non_embedding in ((12, 1, 3456), (48, 2, 55296), (96, 3, 221184), (128, 4, 393216)):
        shape = SMALL_BYTES.shape(width)
        assert (shape.layers, shape.heads, shape.d_ff) == (2, heads, 4 * width)
        assert count_params(shape).non_embedding == non_embedding
        assert SMALL_BYTES.params(width) == non_embedding + 256 * width


@pytest.mark.parametrize("width", range(8, 300, 2))
def test_heads_divide_the_width_and_are_about_32_wide(width: int) -> None:
    heads = SMALL_BYTES.heads(width)
    assert width % heads == 0
    wanted = max(1, round(width / 32))
    better = [h for h in range(1, width + 1) if width % h == 0 and abs(h - wanted) < abs(heads - wanted)]
    assert not better


@pytest.mark.parametrize("width", [6, 0, -4, 33])
def test_other_widths_are_refused_by_name(width: int) -> None:
    with pytest.raises(UsageError, match=f"width of {width} "):
        SMALL_BYTES.shape(width)


def test_learning_rate_and_schedule() -> None:
    assert SMALL_BYTES.learning_rate.at(params=1e5, tokens=1e6, width=64) == pytest.approx(3e-3)
    assert SMALL_BYTES.learning_rate.at(params=1e5, tokens=1e6, width=32) == pytest.approx(6e-3)
    assert [SMALL_BYTES.warmup_steps(steps) for steps in (100, 1870, 18699)] == [10, 93, 200]
    assert SMALL_BYTES.decay_steps(1870) == 374
    shortest = SMALL_BYTES.minimum_steps
    assert SMALL_BYTES.warmup_steps(shortest) + SMALL_BYTES.decay_steps(shortest) < shortest


def test_every_even_width_comes_back_from_its_own_n() -> None:
    for width in range(8, 200, 2):
        params = SMALL_BYTES.params(width)
        assert width_for_params(SMALL_BYTES, params) == width
        assert width_for_params(SMALL_BYTES, 1.001 * params) == width


def test_the_width_is_the_nearest_of_all() -> None:
    for params in (1.0, 3000.0, 9_000.0, 57_100.0, 110_000.0, 1e6):
        nearest = min(range(8, 600, 2), key=lambda width: abs(SMALL_BYTES.params(width) - params))
        assert width_for_params(SMALL_BYTES, params) == nearest


def test_expected_minima_are_within_a_few_percent_of_the_measured_ones() -> None:
    for budget, params in SMALL_BYTES.measured_minima:
        assert SMALL_BYTES.expected_optimum(budget) == pytest.approx(params, rel=0.05)
    # Two minima that the line was not drawn through, between those three.
    assert SMALL_BYTES.expected_optimum(2.7e11) == pytest.approx(22.7e3, rel=0.06)
    assert SMALL_BYTES.expected_optimum(9e11) == pytest.approx(44.5e3, rel=0.06)


def test_the_second_recipe_is_the_catalogues_step_law() -> None:
    rule = laws.entry("steplaw2025")
    at = {"params": 1e9, "tokens": 1e11}
    published = {name: float(value) for name, value in rule.predict(**at).items()}
    assert LLAMA_STEP_LAW.learning_rate.at(**at, width=2048) == pytest.approx(published["learning_rate"])
    assert LLAMA_STEP_LAW.batch_windows(**at, width=2048) == round(published["batch_tokens"] / 2048)


def test_a_changed_recipe_says_so_and_refuses_what_it_does_not_know() -> None:
    changed = recipe("small-bytes-v1", {"batch": 1024, "learning_rate": {"coefficient": 0.1, "width": -0.5}})
    assert changed.batch_windows(params=1e5, tokens=1e6, width=64) == 8
    assert changed.learning_rate.at(params=1e5, tokens=1e6, width=64) == pytest.approx(0.1 / 8)
    assert changed.name.startswith("small-bytes-v1 (batch 1024, ")
    for change, sentence in (
        ({"bach": 2}, "did you mean 'batch'"),
        ({"batch": "many"}, "give a positive number below 1e9, or a table"),
        ({"schedule": 3}, "schedule is changed to 3"),
        ({"name": "mine"}, "no field of a recipe called 'name'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            recipe("small-bytes-v1", change)
    with pytest.raises(UsageError, match="did you mean 'small-bytes-v1'"):
        recipe("small-byte-v1")


def test_rotary_heads_are_even_wide() -> None:
    """Width 260 has the divisors 4 and 5 about its 64 wide heads: of 65 and of 52."""
    from isoflop.sweeps.recipe import LLAMA_STEP_LAW

    assert LLAMA_STEP_LAW.heads(260) == 5
    assert all(LLAMA_STEP_LAW.shape(width).head_width % 2 == 0 for width in range(256, 1200, 2))

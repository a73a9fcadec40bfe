"""The specification curve and the strip of approaches against the answers that they arrange."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Specification, SpecificationCurve, fit_all
from isoflop.reports.figures.approaches import approaches_figure
from isoflop.reports.figures.specification import specification_figure
from isoflop.reports.prose import PUBLISHED_EXPONENTS
from isoflop.runs import Runs


def row(objective: str, delta: float | None, cut: float, params: float | None) -> Specification:
    return Specification(objective, delta, "total", cut, None, 40, params, None if params is None else 2.0)


CURVE = SpecificationCurve(
    1e24,
    (
        row("huber", 1e-3, 0.0, 60e9),
        row("least_squares", None, 0.0, 70e9),
        row("huber", 1e-3, 0.2, 90e9),
        row("least_squares", None, 0.2, None),
    ),
)


def test_dots_under_an_answer_are_the_choices_that_led_to_it(fits_a_page: Any) -> None:
    figure = specification_figure(CURVE, (65e9, 80e9))
    answers, refused, dots = figure["data"]
    assert (answers["x"], answers["y"]) == ([0, 1, 2], [60e9, 70e9, 90e9])
    assert refused["x"] == [3]
    made = {k: {name for x, name in zip(dots["x"], dots["y"], strict=True) if x == k} for k in range(4)}
    assert made == {
        0: {"Huber 0.001", "all runs"},
        1: {"least squares", "all runs"},
        2: {"Huber 0.001", "without 20% of least C"},
        3: {"least squares", "without 20% of least C"},
    }
    band = figure["layout"]["shapes"][0]
    assert (band["y0"], band["y1"]) == (65e9, 80e9)
    low, high = 10 ** np.array(figure["layout"]["yaxis"]["range"])
    assert low < 60e9 < 90e9 < high
    fits_a_page(figure)


@pytest.fixture(scope="module")
def approaches(planted: Runs) -> Any:
    return fit_all(planted, draws=100)


def test_each_approach_has_its_exponent_and_a_refused_one_its_row(approaches: Any, fits_a_page: Any) -> None:
    figure = approaches_figure(approaches)
    fits_a_page(figure)
    assert [found.fitted is None for found in approaches.fits] == [True, False, False]
    assert figure["layout"]["annotations"][0]["y"] == "1 the envelope"
    assert figure["layout"]["yaxis"]["categoryarray"][-3:] == ["3 the surface", "2 profiles", "1 the envelope"]
    profiles, by_surface, theirs = figure["data"]
    assert by_surface["x"][0] == pytest.approx(0.37 / 0.72, abs=0.01)  # beta/(alpha + beta) of what was planted
    low, high = approaches.profiles.intervals["a"]
    a, bar = profiles["x"][0], profiles["error_x"]
    assert (a - bar["arrayminus"][0], a + bar["array"][0]) == pytest.approx((low, high))
    assert theirs["x"] == [source.a for source in PUBLISHED_EXPONENTS]

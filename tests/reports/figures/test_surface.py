"""The contours against the law, and the slider's optima against a search along lines of equal compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Fit, fit
from isoflop.planning import plan
from isoflop.quantities import format_estimate
from isoflop.reports.figures.surface import contours_figure, iso_loss
from isoflop.runs import Runs

TARGET = 3e23


@pytest.fixture(scope="module")
def figure(surface: Fit, planted: Runs) -> dict[str, Any]:
    return contours_figure(surface, planted.take([0, 1]), TARGET)


def test_a_contour_is_where_the_loss_is_what_its_label_says(figure: dict[str, Any], surface: Fit) -> None:
    labels = [k for k, trace in enumerate(figure["data"]) if trace["mode"] == "text" and "." in trace["text"][0]]
    assert len(labels) > 5
    for k in labels:
        contour, level = figure["data"][k - 1], float(figure["data"][k]["text"][0])
        np.testing.assert_allclose(surface.law.predict(contour["x"], contour["y"]), level, rtol=1e-4)


def test_the_slider_stands_at_the_target_and_every_step_at_the_least_loss_of_its_budget(
    figure: dict[str, Any], surface: Fit
) -> None:
    slider = figure["slider"]
    assert slider["steps"][slider["at"]]["label"] == "3e23"
    assert len(slider["steps"]) == 41
    for step in slider["steps"][::8]:
        line, mark = step["restyle"].values()
        C = 6 * mark["x"][0] * mark["y"][0]
        N = np.geomspace(*line["x"], 20001)
        loss = surface.law.predict(N, C / 6 / N)
        assert N[loss.argmin()] == pytest.approx(mark["x"][0], rel=1e-3)
        assert float(step["label"]) == pytest.approx(C, rel=1e-3)
        low, high = (float(end) for end in step["text"].split("[")[1].rstrip("]").split(","))
        assert low < loss.min() < high


def test_the_traces_that_a_step_moves_stand_where_the_chosen_step_puts_them(figure: dict[str, Any]) -> None:
    chosen = figure["slider"]["steps"][figure["slider"]["at"]]["restyle"]
    for index, moved in chosen.items():
        assert {"x": figure["data"][int(index)]["x"], "y": figure["data"][int(index)]["y"]} == moved


def test_every_run_is_drawn_and_the_excluded_ones_open(figure: dict[str, Any], planted: Runs, fits_a_page: Any) -> None:
    runs, excluded, _ = (trace for trace in figure["data"] if trace["mode"] == "markers")
    np.testing.assert_allclose(runs["x"], planted.params, rtol=1e-4)
    assert (excluded["marker"]["symbol"], len(excluded["x"])) == ("circle-open", 2)
    fits_a_page(figure)


def test_a_surface_without_a_closed_form_has_a_frontier_by_search(planted: Runs) -> None:
    searched = fit(planted, "rosenfeld", draws=50, pin={"L_0": 9.0})
    assert not searched.law.has_optimum
    figure = contours_figure(searched, target=1e22)
    solid, dashed = (trace for trace in figure["data"] if trace.get("line", {}).get("color") == "@law")
    assert solid["x"][-1] == dashed["x"][0]
    np.testing.assert_allclose(6 * np.multiply(solid["x"], solid["y"]), np.geomspace(1e18, 1e21, 40), rtol=1e-4)
    for params, tokens in list(zip(solid["x"], solid["y"], strict=True))[::13]:
        N = np.geomspace(params / 10, params * 10, 4001)
        assert N[searched.law.predict(N, params * tokens / N).argmin()] == pytest.approx(params, rel=5e-3)
    assert "[" in figure["slider"]["steps"][0]["text"]


def test_a_contour_has_chinchillas_closed_form(surface: Fit) -> None:
    N, D = iso_loss(surface.law, 2.2, np.geomspace(1, 1e4, 30), 1e10, 1e30)
    c = surface.law.coefficients
    np.testing.assert_allclose(D, (c["B"] / (2.2 - c["E"] - c["A"] / N ** c["alpha"])) ** (1 / c["beta"]), rtol=1e-9)


def test_the_slider_quotes_the_loss_as_a_plan_does(figure: dict[str, Any], surface: Fit) -> None:
    row = plan(surface.law, TARGET, level=surface.level).rows[0]
    said = figure["slider"]["steps"][figure["slider"]["at"]]["text"]
    assert said.endswith(f"loss {format_estimate(row.loss, row.intervals.loss)}")

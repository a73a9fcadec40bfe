"""The forest and the pairs against the intervals and the draws that they scale."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from isoflop import laws
from isoflop.fitting import Fit, Profile
from isoflop.reports.figures.coefficients import EDGE, forest_figure, pairs_figure


def profiled(fit: Fit, name: str, low: float | None, high: float | None) -> Profile:
    return Profile(name, fit.law.coefficients[name], 0.9, (low, high), np.array([]), np.array([]))


def test_bars_are_as_wide_as_their_intervals_say(surface: Fit) -> None:
    figure = forest_figure(surface)
    bars, names = figure["data"][0], figure["layout"]["yaxis"]["ticktext"]
    assert names == ["E", "A", "B", "alpha", "beta", "a", "b"]
    below, above = np.array(bars["error_x"]["arrayminus"]), np.array(bars["error_x"]["array"])
    np.testing.assert_allclose(below + above, 2)  # in half widths
    k, (low, high) = names.index("alpha"), surface.intervals["alpha"]
    half = (high - low) / 2
    assert above[k] == pytest.approx((high - surface.law.coefficients["alpha"]) / half)
    k, (low, high) = names.index("A"), surface.intervals["A"]  # any positive number: compared as logarithms
    assert above[k] / below[k] == pytest.approx(
        np.log(high / surface.law.coefficients["A"]) / np.log(surface.law.coefficients["A"] / low)
    )


def test_a_profile_stands_under_its_bar_and_an_open_end_is_an_arrow(surface: Fit) -> None:
    value, (low, high) = surface.law.coefficients["alpha"], surface.intervals["alpha"]
    half = (high - low) / 2
    found = forest_figure(surface, [profiled(surface, "alpha", value - half / 2, None)])["data"][1]
    assert found["x"] == pytest.approx([-0.5, EDGE])
    assert found["marker"]["symbol"] == ["line-ns-open", "triangle-right"]
    assert "open above" in found["hovertext"][0]


def test_published_values_are_all_there_and_those_far_off_are_arrows(surface: Fit, fits_a_page: Any) -> None:
    figure = forest_figure(surface)
    k = figure["layout"]["yaxis"]["ticktext"].index("beta")
    published = figure["data"][1 + k]
    at = next(j for j, text in enumerate(published["hovertext"]) if text.startswith("besiroglu2024:"))
    value, (low, high) = surface.law.coefficients["beta"], surface.intervals["beta"]
    expected = 2 * (laws.law("besiroglu2024").coefficients["beta"] - value) / (high - low)
    assert published["x"][at] == pytest.approx(np.clip(expected, -EDGE, EDGE))
    far = [symbol for x, symbol in zip(published["x"], published["marker"]["symbol"], strict=True) if abs(x) == EDGE]
    assert far
    assert all(symbol.startswith("triangle") for symbol in far)
    assert max(np.abs(published["x"])) <= EDGE
    assert not any("kaplan" in text for text in published["hovertext"])  # another family
    fits_a_page(figure)


def test_draws_are_paired_row_by_row(surface: Fit, fits_a_page: Any) -> None:
    figure = pairs_figure(surface)
    assert len(figure["data"]) == 2 * 10
    titles = [axis["title"]["text"] for name, axis in figure["layout"].items() if name.startswith("yaxis")]
    assert [title for title in titles if title] == ["beta", "E", "ln A", "ln B"]
    clouds = figure["data"][::2]
    draws = surface.law.draws
    A, alpha = np.array(clouds[2]["y"]), np.array(clouds[2]["x"])  # ln A against alpha
    assert np.corrcoef(A, alpha)[0, 1] == pytest.approx(np.corrcoef(np.log(draws["A"]), draws["alpha"])[0, 1], abs=1e-3)
    assert "correlation 0.99" in figure["data"][5]["hovertext"][0]
    assert figure["data"][5]["x"] == [surface.law.coefficients["alpha"]]
    fits_a_page(figure)


def test_panels_do_not_overlap(surface: Fit) -> None:
    layout = pairs_figure(surface)["layout"]
    axes = sorted(tuple(axis["domain"]) for name, axis in layout.items() if name.startswith("xaxis"))
    columns = sorted(set(axes))
    assert len(columns) == 4
    assert all(left[1] < right[0] for left, right in pairwise(columns))


def test_an_interval_that_reaches_zero_is_scaled_as_it_is(surface: Fit) -> None:
    """An irreducible loss that nothing bounds from below has no logarithm there."""
    open_below = replace(surface, intervals={**surface.intervals, "E": (0.0, 1.9)})
    bars = forest_figure(open_below)["data"][0]["error_x"]
    assert bars["array"][0] == pytest.approx((1.9 - surface.law.coefficients["E"]) / 0.95)

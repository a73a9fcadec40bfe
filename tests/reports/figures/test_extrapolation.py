"""The fan against the law's closed form and its draws; a backtest's marks against what it said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Backtest, Fit, Split
from isoflop.reports.figures.extrapolation import fan_figure, judged_run
from isoflop.runs import Runs

TARGET = 1e24


def split(runs: Runs, up_to: float, interval: tuple[float, float]) -> Split:
    actual = min(loss for loss, C in zip(runs.loss, runs.flops, strict=True) if C > 9e20)
    return Split(
        jump=1e21 / up_to,
        fitted_up_to=up_to,
        fitted=30,
        judged=8,
        predicted=sum(interval) / 2,
        interval=interval,
        actual=actual,
        relative_error=0.01,
        plain_error=0.01,
        inside_interval=interval[0] <= actual <= interval[1],
        hit_rate=0.5,
        form_share=0.8,
        baselines={},
    )


@pytest.fixture(scope="module")
def figure(surface: Fit, planted: Runs) -> dict[str, Any]:
    best = planted.loss.min()
    splits = (split(planted, 3e20, (best - 0.02, best + 0.03)), split(planted, 1e19, (best + 0.01, best + 0.09)))
    return fan_figure(surface, TARGET, Backtest("planted", 0.9, splits), (1.8, 2.1))


def test_the_line_is_the_frontier_and_turns_dashed_at_the_largest_run(figure: dict[str, Any], surface: Fit) -> None:
    solid, dashed = (trace for trace in figure["data"] if trace.get("line", {}).get("color") == "@law")
    c, C = surface.law.coefficients, np.array(solid["x"] + dashed["x"])
    a = c["beta"] / (c["alpha"] + c["beta"])
    G = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
    N = G * (C / 6) ** a
    loss = c["E"] + c["A"] / N ** c["alpha"] + c["B"] / (C / 6 / N) ** c["beta"]
    np.testing.assert_allclose(solid["y"] + dashed["y"], loss, rtol=1e-9)
    assert solid["x"][-1] == pytest.approx(1e21) == figure["layout"]["shapes"][0]["x0"]
    assert dashed["x"][-1] > TARGET


def test_the_band_widens_beyond_the_runs(figure: dict[str, Any]) -> None:
    band = next(trace for trace in figure["data"] if trace.get("fill") == "toself")
    half = len(band["y"]) // 2
    high, low = np.array(band["y"][:half]), np.array(band["y"][half:])[::-1]
    middle, end = half // 3, half - 1
    assert 0 < high[middle] - low[middle] < 0.5 * (high[end] - low[end])


def test_a_split_points_at_the_run_it_had_to_foresee(figure: dict[str, Any], planted: Runs) -> None:
    said = [trace for trace in figure["data"] if "diamond" in str(trace.get("marker", {}).get("symbol"))]
    assert [trace["marker"]["symbol"] for trace in said] == ["diamond", "diamond-open"]
    best = planted.loss.min()
    bar = said[0]["error_y"]
    assert said[0]["y"][0] - bar["arrayminus"][0] == pytest.approx(best - 0.02)
    assert said[0]["y"][0] + bar["array"][0] == pytest.approx(best + 0.03)
    row = judged_run(planted)
    assert planted.loss[row] == best
    arrows = [trace for trace in figure["data"] if trace.get("line", {}).get("dash") == "dot"]
    assert [arrow["x"] for arrow in arrows] == [[3e20, planted.flops[row]], [1e19, planted.flops[row]]]
    assert {arrow["y"][1] for arrow in arrows} == {best}


def test_the_answer_carries_the_wide_interval(figure: dict[str, Any], surface: Fit, fits_a_page: Any) -> None:
    star = figure["data"][-1]
    assert (star["x"], star["y"][0]) == ([TARGET], pytest.approx(float(surface.law.optimum(TARGET).loss)))
    assert star["y"][0] + star["error_y"]["array"][0] == pytest.approx(2.1)
    fits_a_page(figure)

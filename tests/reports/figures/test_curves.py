"""Curves keep their ends however they are thinned, and their marks say how they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoflop.reports.figures.curves import MOST_VERTICES, TrainingCurve, training_curves_figure


def test_long_curves_are_thinned_evenly_and_keep_their_ends(fits_a_page: Any) -> None:
    tokens = np.arange(1, 20_001) * 1e5
    curves = [TrainingCurve(f"run<{k}>", tokens, 2 + 100 * tokens**-0.3 + 0.01 * k, "running") for k in range(20)]
    figure = training_curves_figure(curves)
    lines = figure["data"][::2]
    assert sum(len(line["x"]) for line in lines) <= MOST_VERTICES
    for line in lines:
        assert (line["x"][0], line["x"][-1]) == (1e5, 2e9)
        np.testing.assert_array_equal(np.array(line["x"]) % 1e5, 0)  # points that were seen, none made up
    x = np.array(lines[0]["x"])
    neighbours = np.diff(x) == 1e5
    assert np.diff(np.log(x))[~neighbours].max() < 2 * np.log(2e4) / (MOST_VERTICES / 20)
    fits_a_page(figure, 250)


def test_a_state_is_told_by_the_mark_at_the_end() -> None:
    seen, loss = np.array([1e9, 1e10]), np.array([3.0, 2.5])
    states = ("done", "running", "diverged")
    figure = training_curves_figure([TrainingCurve(state, seen, loss, state) for state in states], "flops")
    tips = figure["data"][1::2]
    assert [tip["marker"]["symbol"] for tip in tips] == ["circle", "circle-open", "x"]
    assert [tip["marker"]["color"] == "@refused" for tip in tips] == [False, False, True]
    assert "FLOPs" in figure["layout"]["xaxis"]["title"]["text"]


def test_a_run_that_has_logged_nothing_yet_is_no_curve() -> None:
    nothing = np.array([])
    assert training_curves_figure([TrainingCurve("a", nothing, nothing, "queued")])["data"] == []

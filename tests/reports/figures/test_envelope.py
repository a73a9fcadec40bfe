"""The envelope is the least loss so far, curves keep to their run, and the frontier is the law's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Fit, fit
from isoflop.laws import Law
from isoflop.reports.figures.envelope import envelope_figure
from isoflop.runs import Runs


@pytest.fixture(scope="module")
def curves(truth: Law) -> Runs:
    """Five networks, each seen at 40 checkpoints."""
    N, steps = np.geomspace(3e7, 3e9, 5), 40
    D = np.concatenate([np.geomspace(2e8, 2e11, steps)] * 5)
    names = np.repeat([f"curve<{k}>" for k in range(5)], steps)
    params = np.repeat(N, steps)
    return Runs(params, D, truth.predict(params, D), columns={"trajectory": names})


def envelope_of(figure: dict[str, Any]) -> dict[str, Any]:
    return next(trace for trace in figure["data"] if trace.get("line", {}).get("shape") == "hv")


def test_the_envelope_is_what_a_loop_over_the_runs_finds(curves: Runs) -> None:
    envelope, best, corners = envelope_of(envelope_figure(curves)), np.inf, []
    for C, loss in sorted(zip(curves.flops.tolist(), curves.loss.tolist(), strict=True)):
        if loss < best:
            best = loss
            corners.append((C, loss))
    assert list(zip(envelope["x"], envelope["y"], strict=True))[:-1] == corners
    assert (envelope["x"][-1], envelope["y"][-1]) == (curves.flops.max(), best)


def test_every_curve_is_a_line_of_its_own_and_every_run_a_point(curves: Runs, fits_a_page: Any) -> None:
    figure = envelope_figure(curves, fit(curves, "frontier", approach=1, draws=0))
    lines = [trace for trace in figure["data"] if None in trace["x"]]
    assert sum(trace["x"].count(None) for trace in lines) == 5
    for trace in lines:
        ends = [k for k, value in enumerate(trace["x"]) if value is None]
        one = np.array(trace["x"][: ends[0]])
        assert (np.diff(one) > 0).all()
    (points,) = (trace for trace in figure["data"] if trace["mode"] == "markers")
    np.testing.assert_allclose(points["y"], curves.loss, rtol=1e-4)
    fits_a_page(figure)


def test_the_frontier_lies_under_the_envelope(curves: Runs, truth: Law) -> None:
    fitted = fit(curves, draws=0)
    figure = envelope_figure(curves, fitted)
    solid, dashed = figure["data"][-2:]
    np.testing.assert_allclose(solid["y"], truth.optimum(np.array(solid["x"])).loss, rtol=1e-6)
    envelope = envelope_of(figure)
    assert (truth.optimum(np.array(envelope["x"])).loss <= np.array(envelope["y"]) + 1e-9).all()
    assert dashed["x"][0] == pytest.approx(curves.flops.max())


def test_without_curves_or_a_law_there_are_the_runs_and_their_envelope(planted: Runs, surface: Fit) -> None:
    refused = fit(planted.take([0, 1, 2]), draws=0)
    assert refused.verdict.status == "refused"
    assert [trace["mode"] for trace in envelope_figure(planted, refused)["data"]] == ["markers", "lines"]
    assert len(envelope_figure(planted, surface)["data"]) == 4

"""The frontier of any approach, a target beyond it, and published laws that may stand beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isoflop import laws
from isoflop.conventions import Conventions, LossUnit, ParamsConvention
from isoflop.fitting import Fit, fit
from isoflop.reports.figures import isoflop_figure, loss_figure, optimum_figure
from isoflop.reports.figures.frontier import comparable
from isoflop.reports.figures.marks import end_names
from isoflop.runs import Runs

PUBLISHED = [laws.law(name) for name in ("besiroglu2024", "hoffmann2022", "kaplan2020_allocation")]
TARGET = 1e24


@pytest.mark.parametrize("which", ["params", "tokens", "loss"])
def test_a_surface_has_a_frontier_to_the_target_without_minima(which: str, surface: Fit, fits_a_page: Any) -> None:
    figure = loss_figure(surface, target=TARGET) if which == "loss" else optimum_figure(surface, which, target=TARGET)
    solid, dashed = (trace for trace in figure["data"] if trace.get("line", {}).get("color") == "@law")
    assert solid["x"][-1] == dashed["x"][0] == surface.runs.flops.max()
    assert dashed["x"][-1] > TARGET
    star = figure["data"][-1]
    assert (star["marker"]["symbol"], star["x"]) == ("star-open", [TARGET])
    drawn = getattr(surface.law.optimum_draws(TARGET), which)
    low, high = np.quantile(drawn, [0.05, 0.95])
    assert star["y"][0] + star["error_y"]["array"][0] == pytest.approx(high)
    assert star["y"][0] - star["error_y"]["arrayminus"][0] == pytest.approx(low)
    fits_a_page(figure)


def test_published_laws_are_drawn_behind_where_they_count_the_same(surface: Fit) -> None:
    figure = optimum_figure(surface, "params", published=PUBLISHED, target=TARGET)
    line, hoffmann, *others = figure["data"]
    assert not any("kaplan" in trace.get("name", "") for trace in others)  # Kaplan et al. count blocks only
    assert line["y"][-1] > hoffmann["y"][-1]
    assert figure["layout"]["yaxis2"]["ticktext"] == ["hoffmann2022", "besiroglu2024"]
    assert figure["layout"]["yaxis2"]["tickvals"] == pytest.approx([hoffmann["y"][-1], line["y"][-1]])
    np.testing.assert_allclose(line["y"], PUBLISHED[0].optimum(np.array(line["x"])).params, rtol=1e-9)
    assert "all weights" in line["hovertext"]


def test_what_may_be_compared_depends_on_what_is_asked(surface: Fit) -> None:
    assert not comparable(surface, PUBLISHED[2], "params")
    bytes_ = replace(surface.runs, conventions=Conventions(ParamsConvention.TOTAL, loss=LossUnit.BITS_PER_BYTE))
    other = replace(surface, runs=bytes_)
    assert comparable(other, PUBLISHED[0], "params")
    assert not comparable(other, PUBLISHED[0], "loss")


def test_approach_1_has_its_edges_as_minima(truth: Any) -> None:
    N, steps = np.geomspace(3e7, 3e9, 9), 60
    D = np.concatenate([np.geomspace(2e8, 2e11, steps)] * N.size)
    params = np.repeat(N, steps)
    names = np.repeat([f"c{k}" for k in range(N.size)], steps)
    found = fit(
        Runs(params, D, truth.predict(params, D), columns={"trajectory": names}), "frontier", approach=1, draws=0
    )
    figure = optimum_figure(found, "params")
    diamonds = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert [trace["y"][0] for trace in diamonds] == [one.params_opt for one in found.minima]
    assert len(diamonds) >= 3


def test_profiles_of_a_refused_fit_are_drawn_with_their_refused_minima(truth: Any) -> None:
    """All runs right of the valley: no minimum is bracketed, and there is no law."""
    C = np.repeat([1e19, 1e20], 5)
    N = np.concatenate([truth.optimum(c).params * np.geomspace(3, 30, 5) for c in (1e19, 1e20)])
    runs = Runs(N, C / 6 / N, truth.predict(N, C / 6 / N), columns={"budget": C})
    refused = fit(runs, "frontier", draws=0)
    assert refused.verdict.status == "refused"
    figure = isoflop_figure(refused, None, None)
    labels = [trace["text"][0] for trace in figure["data"] if trace["mode"] == "markers+text"]
    assert labels == ["1e19 (no minimum)", "1e20 (no minimum)"]


def test_names_that_would_touch_are_moved_apart_and_stay_on_the_axis() -> None:
    ends = {"a": 9.0e10, "b": 9.1e10, "c": 9.9e10, "d": 1e9}
    _, axis = end_names(ends, {"range": [8.0, 11.0]})
    assert axis["ticktext"] == ["d", "a", "b", "c"]
    places = np.log10(axis["tickvals"])
    assert (np.diff(places) >= 0.06 * 3 - 1e-9).all()
    assert places.max() <= 11.0


def test_profiles_of_a_large_table_are_a_sample_that_says_so(truth: Any) -> None:
    rng = np.random.default_rng(0)
    C = np.repeat(np.geomspace(1e18, 1e20, 3), 1000)
    N = truth.optimum(C).params * np.exp(rng.uniform(-1, 1, C.size))
    loss = truth.predict(N, C / 6 / N) * np.exp(0.001 * rng.standard_normal(C.size))
    figure = isoflop_figure(fit(Runs(N, C / 6 / N, loss, columns={"budget": C}), "frontier", draws=0), None, None)
    drawn = [y for trace in figure["data"] if trace["mode"] == "markers" for y in trace["y"]]
    assert len(drawn) == 800
    assert "800 of 3,000 runs" in figure["layout"]["annotations"][0]["text"]


def test_of_many_profiles_all_minima_are_drawn_and_some_are_labelled(truth: Any) -> None:
    C = np.repeat(np.geomspace(1e18, 1e21, 20), 7)
    N = truth.optimum(C).params * np.tile(np.geomspace(0.4, 2.5, 7), 20)
    found = fit(Runs(N, C / 6 / N, truth.predict(N, C / 6 / N), columns={"budget": C}), "frontier", draws=0)
    traces = isoflop_figure(found, None, None)["data"]
    diamonds = [trace for trace in traces if trace.get("marker", {}).get("symbol", "").startswith("diamond")]
    assert len(diamonds) == 20
    assert 5 < sum(trace["mode"] == "markers+text" for trace in diamonds) < 10

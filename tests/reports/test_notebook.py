"""What a notebook shows: numbers against the objects', names that are only text, colours that show on any ground."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import DataError, QuantityError, UnknownName
from isoflop.fitting import Fit
from isoflop.quantities import format_si
from isoflop.reports.notebook import LIGHTS
from isoflop.reports.painting import shown
from isoflop.runs import DroppedRun, Runs

HOSTILE = '<script>alert(1)</script>&"'


class Seen(HTMLParser):
    """The tags of an HTML text, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def planted() -> Runs:
    """Thirty-six runs of a known surface, without noise."""
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    return Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)


@pytest.fixture(scope="module")
def surface(planted: Runs) -> Fit:
    return iso.fit(planted, draws=0)


def test_the_verdict_comes_first_and_the_numbers_are_the_planted_ones(surface: Fit) -> None:
    seen = Seen(surface._repr_html_())
    words = [word.strip() for word in seen.words if word.strip() and not word.strip().startswith(".isoflop")]
    assert words[:2] == ["●", "Chinchilla fit (approach 3, loss surface): " + surface.verdict.describe()]
    rows = words[words.index("90% interval") + 1 :]
    after = {name: rows[rows.index(name) + 2] for name in ("E", "A", "B", "alpha", "beta", "a")}
    truth = {"E": 1.8, "A": 480, "B": 2100, "alpha": 0.35, "beta": 0.37, "a": 0.37 / 0.72}
    for name, value in truth.items():
        assert float(after[name]) == pytest.approx(value, rel=1e-2), name


def test_every_minimum_is_in_the_table(frontier: Fit) -> None:
    words = " ".join(Seen(frontier._repr_html_()).words)
    for found in frontier.minima:
        assert format_si(found.params_opt) in words
        assert format_si(found.tokens_opt) in words


def test_a_refused_fit_says_why(planted: Runs) -> None:
    refused = iso.fit(planted.take([0, 1]))
    text = refused._repr_html_()
    assert "refused" in text
    assert LIGHTS["refused"] in text
    assert "give at least 8 runs" in text
    with pytest.raises(DataError, match="give at least 8 runs"):
        refused.plot()


def test_all_approaches_stand_side_by_side(planted: Runs) -> None:
    found = iso.fit_all(planted, draws=0)
    words = Seen(found._repr_html_()).words
    assert {"1, the envelope", "2, profiles", "3, the surface"} <= set(words)
    assert found.plot().data


def test_a_plan_shows_what_it_says_as_text() -> None:
    plan = iso.plan("besiroglu2024", "1e24", asked=iso.Asked(hardware="H100"))
    words = re.sub(r"\s+", " ", " ".join(Seen(plan._repr_html_()).words))
    for line in str(plan).splitlines():
        for cell in re.split(r"\s{2,}", line.strip().removeprefix("note  ")):
            assert cell in words


def test_a_long_table_is_cut_and_says_so(planted: Runs) -> None:
    text = planted._repr_html_()
    assert "The first 8 of 36 runs" in text
    assert text.count("<tr>") == 9


def test_nothing_that_comes_from_data_is_markup(planted: Runs) -> None:
    columns = {"run_id": np.full(len(planted), HOSTILE), "state": np.full(len(planted), HOSTILE)}
    dropped = (DroppedRun(3, HOSTILE, HOSTILE),)
    runs = Runs(
        planted.params, planted.tokens, planted.loss, columns=columns, source=HOSTILE, dropped=dropped,
    )  # fmt: skip
    fit = iso.fit(runs, draws=0)
    law = iso.Law(HOSTILE, HOSTILE, fit.law.family, fit.law.coefficients, caveats=(HOSTILE,))
    plan = iso.plan(law, "1e24")
    for one in (runs, fit, law, plan):
        seen = Seen(one._repr_html_())
        assert "script" not in seen.tags
    assert sum(HOSTILE in word for word in Seen(runs._repr_html_()).words) > 2 * 8
    for figure in (plan.plot(), fit.plot()):
        assert "<script" not in figure.to_json().replace("\\u003c", "<")


def test_a_law_draws_its_own_split() -> None:
    law = iso.law("besiroglu2024")
    figure = law.plot(target="1e25")
    lines = [trace for trace in figure.data if trace.mode == "lines" and not trace.fill]
    C = np.concatenate([trace.x for trace in lines if trace.yaxis == "y"])
    assert C.max() == pytest.approx(1e25)
    for which, pane in (("params", "y"), ("tokens", "y2")):
        x, y = (np.concatenate([getattr(t, axis) for t in lines if t.yaxis == pane]) for axis in ("x", "y"))
        assert np.polyfit(np.log(x), np.log(y), 1)[0] == pytest.approx(law.allocation()[pane == "y2"], abs=1e-6)
        at = np.abs(x / 1e25 - 1).argmin()
        assert y[at] == pytest.approx(float(getattr(law.optimum(1e25), which)))
    with pytest.raises(UnknownName, match="no figure called 'isoflop'"):
        law.plot("isoflop")


def test_a_plan_draws_what_its_rows_say() -> None:
    plan = iso.plan(["besiroglu2024", "hoffmann2022"], "5.76e23")
    points = [trace for trace in plan.plot().data if trace.yaxis == "y2"]
    assert [trace.x[0] for trace in points] == [row.tokens for row in plan.rows]
    bar = points[0].error_x
    assert points[0].x[0] + bar.array[0] == pytest.approx(plan.rows[0].intervals.tokens[1])


def test_a_fit_draws_any_figure_by_name_in_the_colours_asked_for(frontier: Fit) -> None:
    light, dark = frontier.plot(), frontier.plot("isoflop", scheme="dark")
    assert light.layout.xaxis.title.text.startswith("parameters N")
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    assert "@" not in light.to_json()
    with pytest.raises(UnknownName, match="did you mean 'isoflop'"):
        frontier.plot("isoflpo")
    with pytest.raises(QuantityError, match="banana"):
        frontier.plot("loss", target="banana")


def test_a_step_of_the_slider_moves_the_traces_that_the_figure_names(surface: Fit) -> None:
    figure = surface.plot("contours", target=1e24)
    (slider,) = figure.layout.sliders
    changed, traces = slider.steps[slider.active].args
    for k, trace in enumerate(traces):
        assert list(figure.data[trace].x) == changed["x"][k]
        assert list(figure.data[trace].y) == changed["y"][k]
    star = figure.data[traces[-1]]
    assert 6 * star.x[0] * star.y[0] == pytest.approx(1e24, rel=1e-3)


def test_a_figure_without_a_slider_has_none() -> None:
    assert "sliders" not in shown({"data": [], "layout": {}})["layout"]


def luminance(colour: str) -> float:
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])
def test_the_lights_can_be_told_from_a_light_and_a_dark_notebook(ground: str) -> None:
    for colour in LIGHTS.values():
        low, high = sorted((luminance(colour), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) > 3  # WCAG 2, for graphics


def test_what_is_never_shown_loads_no_plotly() -> None:
    code = "import sys, isoflop as iso; iso.plan('besiroglu2024', 1e24); print('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Figures on paper: what stands in the SVG against the numbers of the figure, and what is refused."""

from __future__ import annotations

import builtins
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoflop.errors import UsageError
from isoflop.fitting import Backtest, Fit, Forecast, Outcome, Profile, Specification, SpecificationCurve, Split
from isoflop.reports.drawings import DRAWINGS
from isoflop.reports.evidence import Evidence, Wanted
from isoflop.reports.figures import isoflop_figure, loss_figure, optimum_figure
from isoflop.reports.palette import painted
from isoflop.reports.printed import printed
from isoflop.reports.static import save_static, sheet_size
from isoflop.runs import Runs

NS = {"svg": "http://www.w3.org/2000/svg", "xlink": "{http://www.w3.org/1999/xlink}"}
TICK = re.compile(r"([xy])tick_\d+")


def drawing(figure: dict[str, Any], folder: Path, **asked: Any) -> ET.Element:
    save_static(figure, folder / "figure.svg", **asked)
    return ET.parse(folder / "figure.svg").getroot()


def ticks(svg: ET.Element, letter: str) -> dict[str, float]:
    """The words of an axis and the pixel that each stands at, read from the marks and not from the words' places."""
    found = {}
    for group in svg.iter(f"{{{NS['svg']}}}g"):
        if re.fullmatch(rf"{letter}tick_\d+", group.get("id", "")):
            marks, words = group.findall(".//svg:use", NS), group.findall(".//svg:text", NS)
            if marks and words:
                found["".join(words[0].itertext()).strip()] = float(marks[0].get(letter))
    return found


def reader(svg: ET.Element, letter: str, values: dict[str, float], is_log: bool):
    """From pixels to values, through the outermost two ticks."""
    places = ticks(svg, letter)
    (first, *_, last) = (name for name in values if name in places)
    ends = np.array([values[first], values[last]])
    at = np.array([places[first], places[last]])
    ends = np.log(ends) if is_log else ends

    def read(pixels: Any) -> np.ndarray:
        value = ends[0] + (np.asarray(pixels, float) - at[0]) * np.ptp(ends) / (at[1] - at[0])
        return np.exp(value) if is_log else value

    return read


def group(svg: ET.Element, gid: str) -> ET.Element:
    (found,) = [part for part in svg.iter(f"{{{NS['svg']}}}g") if part.get("id") == gid]
    return found


def path_points(part: ET.Element) -> np.ndarray:
    (path,) = part.findall("svg:path", NS)
    return np.array(re.findall(r"[ML] (\S+) (\S+)", path.get("d")), float)


def centres(part: ET.Element) -> np.ndarray:
    """The middles of markers, which stand in an SVG as one shape used often, or where they are few as shapes each."""
    uses = part.findall(".//svg:use", NS)
    if uses:
        return np.array([[use.get("x"), use.get("y")] for use in uses], float)
    shapes = [np.array(re.findall(r"(\S+) (\S+) (?=\s)", p.get("d")), float) for p in part.findall("svg:path", NS)]
    return np.array([(shape.min(0) + shape.max(0)) / 2 for shape in shapes])


COUNTS = {"5K": 5e3, "10K": 1e4, "20K": 2e4, "30K": 3e4, "50K": 5e4, "100K": 1e5, "200K": 2e5}
LOSSES = {f"{value:.1f}": value for value in np.arange(1.0, 2.6, 0.1).round(1)}


def test_lines_and_markers_stand_where_their_values_are(frontier: Fit, tmp_path: Path) -> None:
    figure = isoflop_figure(frontier, None, None)
    svg = drawing(figure, tmp_path)
    x, y = reader(svg, "x", COUNTS, is_log=True), reader(svg, "y", LOSSES, is_log=False)
    lines = [k for k, trace in enumerate(figure["data"]) if trace["mode"] == "lines"]
    assert len(lines) == 3
    for k in lines:
        seen = path_points(group(svg, f"trace{k}-line"))
        np.testing.assert_allclose(x(seen[:, 0]), figure["data"][k]["x"], rtol=1e-4)
        np.testing.assert_allclose(y(seen[:, 1]), figure["data"][k]["y"], rtol=1e-4)
        marks = centres(group(svg, f"trace{k + 1}-markers"))
        np.testing.assert_allclose(x(marks[:, 0]), figure["data"][k + 1]["x"], rtol=1e-4)
        np.testing.assert_allclose(y(marks[:, 1]), figure["data"][k + 1]["y"], rtol=1e-4)


def test_the_shade_begins_at_the_largest_budget(frontier: Fit, tmp_path: Path) -> None:
    svg = drawing(optimum_figure(frontier, "params", None), tmp_path)
    x = reader(svg, "x", {f"{m}e{k}": m * 10.0**k for k in (11, 12) for m in (1, 2, 5)}, is_log=True)
    shade = next(p for p in svg.iter(f"{{{NS['svg']}}}path") if "opacity: 0.045" in p.get("style", ""))
    corner = float(re.match(r"M (\S+)", shade.get("d"))[1])
    assert x(corner) == pytest.approx(1.5e12, rel=1e-3)


def test_a_category_an_error_bar_and_a_fill(tmp_path: Path) -> None:
    bar = {"type": "data", "symmetric": False, "array": [1, 0.5], "arrayminus": [0.5, 1], "color": "#ff0000"}
    figure = {
        "data": [
            {"type": "scatter", "mode": "lines", "x": [1, 4, 4, 1], "y": ["b", "b", "c", "c"], "fill": "toself"},
            {"type": "scatter", "mode": "markers", "x": [2, 3], "y": ["a", "c"], "error_x": bar},
        ],
        "layout": {
            "xaxis": {"range": [0, 6], "tickvals": [0, 6], "ticktext": ["zero", "six"]},
            "yaxis": {"type": "category", "categoryarray": ["a", "b", "c"]},
        },
    }
    svg = drawing(figure, tmp_path)
    x = reader(svg, "x", {"zero": 0.0, "six": 6.0}, is_log=False)
    y = reader(svg, "y", {"a": 0.0, "c": 2.0}, is_log=False)
    red = [p.get("d") for p in svg.iter(f"{{{NS['svg']}}}path") if "stroke: #ff0000" in p.get("style", "")]
    spans = [np.array(re.findall(r"[ML] (\S+) (\S+)", d), float) for d in red]
    reach = sorted(tuple(x(span[:, 0]).round(3)) for span in spans if len(span) == 2 and np.ptp(span[:, 0]) > 3)
    assert reach == [(1.5, 3.0), (2.0, 3.5)]
    corners = path_points(group(svg, "trace0-line"))
    assert x(corners[:, 0]).round(3).tolist() == [1, 4, 4, 1]
    assert y(corners[:, 1]).round(3).tolist() == [1, 1, 2, 2]


def test_panes_stand_in_their_domains(tmp_path: Path) -> None:
    data = [
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1]},
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "xaxis": "x2", "yaxis": "y2"},
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "xaxis": "x2", "yaxis": "y3"},
    ]  # fmt: skip
    layout = {
        "xaxis": {"domain": [0, 0.4], "range": [0, 1]}, "xaxis2": {"domain": [0.6, 1], "anchor": "y2"},
        "yaxis": {"range": [0, 1]}, "yaxis2": {"domain": [0, 0.5], "anchor": "x2", "range": [0, 1]},
        "yaxis3": {"domain": [0.75, 1], "anchor": "x2", "range": [0, 1]},
    }  # fmt: skip
    layout["xaxis2"]["range"] = [0, 1]
    svg = drawing({"data": data, "layout": layout}, tmp_path)
    (left, below), (right, _) = (path_points(group(svg, f"trace{k}-line"))[[0, -1]].T for k in (0, 1))
    assert np.ptp(right) == pytest.approx(np.ptp(left))
    assert (right[0] - left[0]) / np.ptp(left) == pytest.approx(0.6 / 0.4)
    small = path_points(group(svg, "trace1-line"))[:, 1]
    assert np.ptp(small) / np.ptp(below) == pytest.approx(0.5)
    third = path_points(group(svg, "trace2-line"))[:, 1]
    assert np.ptp(third) / np.ptp(below) == pytest.approx(0.25, rel=1e-3)


def test_text_is_text_raised_and_nothing_of_it_is_markup(frontier: Fit, tmp_path: Path) -> None:
    figure = isoflop_figure(frontier, None, None)
    figure["layout"]["xaxis"]["title"]["text"] = "N* ∝ C<sup>a</sup>, $1 to $2, &lt;script&gt;x&lt;/script&gt; \\alpha"
    svg = drawing(figure, tmp_path)
    said = [re.sub(r"\s+", " ", "".join(text.itertext())).strip() for text in svg.iter(f"{{{NS['svg']}}}text")]
    # The raised letter comes last, in letters of its own.
    assert "N*∝C,$1to$2,<script>x</script>\\alphaa" in [text.replace(" ", "") for text in said]
    raised, (line, *_) = (
        [part for part in svg.iter(f"{{{NS['svg']}}}tspan") if part.text == letter] for letter in ("a", "N")
    )
    assert float(raised[-1].get("y")) < float(line.get("y")) - 1
    assert not list(svg.iter(f"{{{NS['svg']}}}script"))
    assert {"1.5e11", "5e11", "1.5e12"} <= set(said)
    assert not [u for u in svg.iter() if "http" in (u.get(f"{NS['xlink']}href") or "")]


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_the_same_figure_is_the_same_file_of_the_size_asked_for(frontier: Fit, tmp_path: Path, form: str) -> None:
    figure = isoflop_figure(frontier, None, None)
    paths = [tmp_path / f"{name}.{form}" for name in ("one", "two")]
    for path in paths:
        save_static(figure, path, width_mm=127, height_mm=63.5)
    one, two = (path.read_bytes() for path in paths)
    assert one == two
    if form == "svg":
        root = ET.fromstring(one)
        assert [root.get(key) for key in ("width", "height")] == ["360pt", "180pt"]
    elif form == "pdf":
        assert re.search(rb"/MediaBox \[ 0 0 360 180 \]", one)
        assert b"CreationDate" not in one
        assert b"/Subtype /Type3" not in one
    else:
        assert [int.from_bytes(one[k : k + 4], "big") for k in (16, 20)] == [1500, 750]


def test_colours_are_those_of_the_scheme(frontier: Fit, expected: Forecast, came_out: Outcome, tmp_path: Path) -> None:
    figure = loss_figure(frontier, expected, came_out)
    for scheme in ("light", "dark"):
        save_static(figure, tmp_path / "figure.svg", scheme=scheme)
        text = (tmp_path / "figure.svg").read_text()
        assert painted("@law", scheme, "color") in text
        assert painted("@forecast", scheme, "color") in text
        assert "@" not in text


POINT = {"type": "scatter", "x": [1, 2], "y": [1, 2]}
CHOICES = [
    Specification("huber", 1e-3, "total", 0.0, None, 28, 70e9, 1.95),
    Specification("absolute", None, "total", 0.2, 5.0, 28, 90e9, 1.94),
    Specification("least_squares", None, "total", 0.2, None, 28, None, None),
]


@pytest.fixture(scope="session")
def everything(runs: Runs, sweep: Runs, frontier: Fit, expected: Forecast, came_out: Outcome) -> Evidence:
    """A table of which every figure can be drawn; what takes long to find is given."""
    missed = Split(3.0, 5e11, 10, 5, 1.5, (1.4, 1.6), 1.7, 0.1, None, False, 0.2, 0.5, {"best": 0.2, "line": 0.3})
    known = {
        "profiles": frontier,
        "likelihood": {"E": Profile("E", 0.5, 0.9, (None, 0.7), np.empty(0), np.empty(0))},
        "backtest": Backtest("", 0.9, (missed,)),
        "specification": SpecificationCurve(1e13, tuple(CHOICES)),
    }
    asked = Wanted(draws=60, target=1e13)
    return Evidence("A small study", runs, sweep, asked, forecast=expected, outcome=came_out, known=known)


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_of_the_report_can_be_printed(name: str, everything: Evidence) -> None:
    figure = DRAWINGS[name].draw(everything)
    svg = ET.fromstring(printed(figure, *sheet_size(figure, None, None), "light", "svg"))
    gids = {part.get("id") for part in svg.iter(f"{{{NS['svg']}}}g")}
    for k, trace in enumerate(figure["data"]):
        seen = trace.get("opacity", 1) and trace.get("marker", {}).get("opacity", 1) and len(trace["x"])
        if "markers" in trace["mode"] and seen:
            assert f"trace{k}-markers" in gids
        if "lines" in trace["mode"] and trace.get("line", {}).get("width", 2):
            assert f"trace{k}-line" in gids


def test_an_axis_over_another_has_its_words_on_the_other_side(tmp_path: Path) -> None:
    right = {"overlaying": "y", "side": "right", "tickvals": [0, 1], "ticktext": ["none", "all"], "range": [0, 1]}
    data = [POINT, {**POINT, "y": [0, 1], "yaxis": "y2"}]
    layout = {"yaxis2": right, "yaxis": {"range": [1, 2], "tickvals": [1, 2], "ticktext": ["one", "two"]}}
    svg = drawing({"data": data, "layout": layout}, tmp_path)
    places = {"".join(text.itertext()): text for text in svg.iter(f"{{{NS['svg']}}}text")}
    assert float(places["one"].get("x")) < float(places["none"].get("x"))
    assert float(places["two"].get("y")) == pytest.approx(float(places["all"].get("y")), abs=0.01)
    lines = [path_points(group(svg, f"trace{k}-line")) for k in (0, 1)]
    np.testing.assert_allclose(*lines)  # each fills its own axes from corner to corner


def test_panes_side_by_side_take_the_width_of_a_page_and_no_more_height_than_they_need() -> None:
    two = {"xaxis": {"domain": [0, 0.4]}, "xaxis2": {"domain": [0.6, 1]}, "yaxis": {}, "yaxis2": {}}
    assert sheet_size({"layout": {}}, None, None) == pytest.approx((84, 57.12))
    assert sheet_size({"layout": two}, None, None) == pytest.approx((174, 69.6))
    assert sheet_size({"layout": two}, 100, None) == pytest.approx((100, 40))
    stacked = {"yaxis": {"domain": [0, 0.4]}, "yaxis2": {"domain": [0.6, 1]}}
    assert sheet_size({"layout": stacked}, None, None) == pytest.approx((84, 57.12))


@pytest.mark.parametrize(
    ("figure", "named"),
    [
        ({"data": [{**POINT, "type": "violin"}]}, "violin"),
        ({"data": [{**POINT, "stackgroup": "one"}]}, "stackgroup"),
        ({"data": [{**POINT, "mode": "lines+bubbles"}]}, "bubbles"),
        ({"data": [{**POINT, "fill": "tonext"}]}, "tonext"),
        ({"data": [{**POINT, "mode": "markers", "marker": {"gradient": {}}}]}, "gradient"),
        ({"data": [{**POINT, "mode": "markers", "marker": {"symbol": "hash"}}]}, "hash"),
        ({"data": [{**POINT, "error_y": {"type": "percent", "array": [1, 1]}}]}, "percent"),
        ({"data": [POINT], "layout": {"polar": {}}}, "polar"),
        ({"data": [POINT], "layout": {"xaxis": {"rangebreaks": []}}}, "rangebreaks"),
        ({"data": [POINT], "layout": {"shapes": [{"type": "circle", "x0": 1, "x1": 2, "y0": 1, "y1": 2}]}}, "circle"),
        ({"data": [POINT], "layout": {"annotations": [{"x": 1, "y": 1, "text": "a", "valign": "top"}]}}, "valign"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_not_left_out(figure: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=named):
        save_static(figure, tmp_path / "figure.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        ("figure.gif", {}, r"figure\.gif: give a name that ends in \.svg, \.pdf or \.png"),
        ("figure", {}, "give a name that ends in"),
        ("figure.svg", {"width_mm": -3}, "a width of -3 mm is no size"),
        ("figure.svg", {"height_mm": float("nan")}, "a height of nan mm is no size"),
        ("figure.svg", {"width_mm": 12, "height_mm": 12}, "12 x 12 mm leaves this figure no room"),
    ],
)
def test_wrong_input(frontier: Fit, tmp_path: Path, name: str, asked: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        save_static(isoflop_figure(frontier, None, None), tmp_path / name, **asked)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.startswith("isoflop.reports.printed")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r"install isoflop\[plot\]"):
        save_static({"data": [POINT]}, tmp_path / "figure.svg")

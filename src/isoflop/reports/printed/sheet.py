"""A figure laid out on a sheet of a given size: panes in their places, margins as wide as their words."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from isoflop.errors import UsageError
from isoflop.reports.palette import Scheme, painted, scheme_roles
from isoflop.reports.printed.axes import FloatArray, read_axis, refuse_unknown
from isoflop.reports.printed.bars import Bar, colour_bar, place_bars
from isoflop.reports.printed.colours import rgba
from isoflop.reports.printed.notes import draw_annotation, draw_shape
from isoflop.reports.printed.ticks import Roles, set_up, thin_out
from isoflop.reports.printed.traces import Pane, Trace, draw_scatter

LAYOUT = {"shapes", "annotations", "hovermode", "dragmode", "hoverlabel", "sliders"}
INCH = 25.4
EDGE = 0.02
"""The white around the outermost words, in inches."""
DOTS_PER_INCH = 300
PASSES = 3
"""The words move with the panes, so margins are found in a few steps."""
LEAST_ROOM = 0.2
"""Of the sheet that the panes must keep in either direction."""
# Text as text, lines through every point, and no date or random name: one figure is always the same file.
SETTINGS: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "isoflop", "pdf.fonttype": 42, "path.simplify": False,
    "font.family": ["DejaVu Sans"], "mathtext.default": "regular", "text.hinting": "none", "axes.axisbelow": True,
}  # fmt: skip
UNDATED: dict[str, dict[str, None]] = {
    "svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None},
}  # fmt: skip


def printed(figure: Mapping[str, Any], width_mm: float, height_mm: float, scheme: Scheme, form: str) -> bytes:
    """The figure as a file of that form ("svg", "pdf" or "png"), byte for byte the same each time."""
    with matplotlib.rc_context(SETTINGS):
        sheet = _sheet(painted(dict(figure), scheme), (width_mm / INCH, height_mm / INCH), scheme)
        file = io.BytesIO()
        sheet.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=UNDATED[form], facecolor=sheet.get_facecolor())
    return file.getvalue()


def _sheet(figure: Mapping[str, Any], inches: tuple[float, float], scheme: Scheme) -> Figure:
    roles = scheme_roles(scheme)
    sheet = Figure(figsize=inches, facecolor="white" if scheme == "light" else rgba(roles["paper"]))
    FigureCanvasAgg(sheet)
    layout = figure.get("layout", {})
    refuse_unknown("the layout", [key for key in layout if key[1:5] != "axis"], LAYOUT)
    shown = [trace for trace in figure["data"] if trace.get("visible", True) is True]
    whole = sheet.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[], zorder=2)
    panes = _panes(sheet, layout, shown, roles)
    _draw(panes, shown, roles)
    bars = [bar for trace in shown if (bar := colour_bar(sheet, trace, roles)) is not None]

    def find(axis: str) -> Pane:
        return next(pane for names, pane in panes.items() if axis in names)

    for shape in layout.get("shapes", ()):
        draw_shape(shape, find, whole)
    for note in layout.get("annotations", ()):
        draw_annotation(note, find, whole, roles)
    _fit_margins(sheet, whole, panes, bars)
    return sheet


def _panes(sheet: Figure, layout: Mapping[str, Any], shown: list[Trace], roles: Roles) -> dict[tuple[str, str], Pane]:
    """Every pair of axes that traces or domains name, the words of an axis on the pane that it is anchored to."""
    pairs = dict.fromkeys((trace.get("xaxis", "x"), trace.get("yaxis", "y")) for trace in shown)
    found = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        given = layout.get(_key(name), {})
        if "overlaying" in given:
            given = {"domain": layout.get(_key(given["overlaying"]), {}).get("domain", (0, 1)), **given}
        matched = given.get("matches", name)
        same = {"range": layout[_key(matched)]["range"]} if "range" in layout.get(_key(matched), {}) else {}
        on_it = [trace for trace in shown if {name, matched} & {trace.get(f"{name[0]}axis", name[0])}]
        found[name] = read_axis(name, {**same, **given}, on_it)
    panes = {}
    for pair in pairs:
        axes = sheet.add_axes((0, 0, 1, 1), facecolor="none")
        for name, other in zip(pair, pair[::-1], strict=True):
            anchor = found[name].given.get("anchor", next(p for p in pairs if name in p)[name[0] == "x"])
            set_up(axes, found[name], labelled=anchor == other, roles=roles)
        if any("overlaying" in found[name].given for name in pair):
            axes.grid(False)  # which would be drawn over the traces of the pane beneath
        panes[pair] = Pane(found[pair[0]], found[pair[1]], axes)
    return panes


def _key(name: str) -> str:
    return f"{name[0]}axis{name[1:]}"


def _draw(panes: Mapping[tuple[str, str], Pane], shown: list[Trace], roles: Roles) -> None:
    for k, trace in enumerate(shown):
        pair = trace.get("xaxis", "x"), trace.get("yaxis", "y")
        order, gid, kind = 2 + 0.01 * k, f"trace{k}", trace.get("type", "scatter")
        if kind != "scatter":
            raise ValueError(f"a trace of type {kind} cannot be drawn on paper.")
        draw_scatter(panes[pair], trace, order, gid, roles["ink"])


def _fit_margins(sheet: Figure, whole: Axes, panes: Mapping[Any, Pane], bars: list[Bar]) -> None:
    """Give the panes all the room that the words around them leave."""
    width, height = (float(size) for size in sheet.get_size_inches())
    room = np.array([0.5, 0.4, width - 0.1, height - 0.1])
    renderer = sheet.canvas.get_renderer()  # type: ignore[attr-defined]
    for _ in range(PASSES):
        _place(room, (width, height), whole, panes, bars)
        for pane in panes.values():
            pane.axes.get_tightbbox(renderer)  # puts the ticks' words in their places
            thin_out(pane.axes, renderer)
        taken = sheet.get_tightbbox(renderer)
        room += [EDGE - taken.x0, EDGE - taken.y0, width - EDGE - taken.x1, height - EDGE - taken.y1]
        if room[2] - room[0] < LEAST_ROOM * width or room[3] - room[1] < LEAST_ROOM * height:
            raise UsageError(
                f"a sheet of {width * INCH:.0f} x {height * INCH:.0f} mm leaves this figure no room beside its words; "
                "ask for a larger one (a column is 84 mm wide, a page 174)."
            )
    _place(room, (width, height), whole, panes, bars)


def _place(
    room: FloatArray, inches: tuple[float, float], whole: Axes, panes: Mapping[Any, Pane], bars: list[Bar]
) -> None:
    """Put everything where it belongs around the room (left, bottom, right, top) of the panes, in inches."""
    left, bottom, right, top = room.tolist()
    (width, height), wide, high = inches, right - left, top - bottom
    whole.set_position((left / width, bottom / height, wide / width, high / height))
    for pane in panes.values():
        (x0, x1), (y0, y1) = pane.x.domain, pane.y.domain
        corner = (left + x0 * wide) / width, (bottom + y0 * high) / height
        pane.axes.set_position((*corner, (x1 - x0) * wide / width, (y1 - y0) * high / height))
    place_bars(bars, room, inches)

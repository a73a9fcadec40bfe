"""Traces as matplotlib draws them: lines, markers, words, error bars, areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from isoflop.reports.printed.axes import POINTS_PER_PIXEL, Axis, FloatArray, error_lengths, placed, refuse_unknown
from isoflop.reports.printed.colours import Rgba, normed, rgba, scale_of
from isoflop.reports.printed.text import mathtext

Trace = Mapping[str, Any]
DRAWN = {"type", "x", "y", "mode", "line", "marker", "text", "textposition", "textfont", "error_x", "error_y", "fill"}
DRAWN |= {"fillcolor", "opacity", "xaxis", "yaxis", "name", "showlegend", "visible", "cliponaxis"}
FOR_THE_SCREEN = {"hoverinfo", "hovertext", "hovertemplate", "hoverlabel", "hoveron", "customdata", "meta"}
FOR_THE_SCREEN |= {"legendgroup", "legendrank", "uid", "ids"}
DASHES = {
    "solid": "-",
    "dot": (0, (1, 1.8)),
    "dash": (0, (4, 2)),
    "longdash": (0, (7, 2)),
    "dashdot": (0, (4, 2, 1, 2)),
}
STEPS = {"linear": "default", "hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}
# Matplotlib's marker, and its size over plotly's for marks of equal weight.
SYMBOLS = {
    "circle": ("o", 1.0),
    "square": ("s", 0.9),
    "diamond": ("D", 0.92),
    "triangle-up": ("^", 1.05),
    "triangle-down": ("v", 1.05),
    "triangle-left": ("<", 1.05),
    "triangle-right": (">", 1.05),
    "pentagon": ("p", 1.1),
    "hexagon": ("h", 1.1),
    "star": ("*", 1.4),
    "cross": ("P", 1.0),
    "x": ("X", 1.0),
    "cross-thin": ("+", 1.0),
    "x-thin": ("x", 0.8),
    "line-ns": ("|", 1.4),
    "line-ew": ("_", 1.4),
}
STROKES = {"+", "x", "|", "_"}
SIZE = 6.0
"""Of a marker in pixels, where a figure says nothing."""


@dataclass(frozen=True)
class Pane:
    """Two axes of a figure and where they are drawn."""

    x: Axis
    y: Axis
    axes: Axes


@dataclass(frozen=True)
class Points:
    """A trace's places on its pane, its colour, and how far above other traces it lies."""

    x: FloatArray
    y: FloatArray
    colour: str
    order: float


def draw_scatter(pane: Pane, trace: Trace, order: float, gid: str, ink: str) -> None:
    """Draw a trace of type scatter."""
    refuse_unknown("a scatter trace", trace, DRAWN | FOR_THE_SCREEN)
    marker, line = trace.get("marker", {}), trace.get("line", {})
    colour = line.get("color") or (marker.get("color") if isinstance(marker.get("color"), str) else None) or ink
    points = Points(pane.x.place(trace["x"]), pane.y.place(trace["y"]), colour, order)
    modes = set(trace.get("mode", "lines").split("+"))
    refuse_unknown("a mode", modes, {"lines", "markers", "text", "none"})
    if trace.get("fill", "none") != "none":
        _fill(pane, trace, points)
    _error_bars(pane, trace, points)
    if "lines" in modes and line.get("width", 2):
        _line(pane, trace, points, gid)
    if "markers" in modes:
        _markers(pane, trace, points, gid)
    if "text" in modes:
        _words(pane, trace, points)


def _line(pane: Pane, trace: Trace, points: Points, gid: str) -> None:
    line = trace.get("line", {})
    refuse_unknown("a line", line, {"color", "width", "dash", "shape", "simplify"})
    (drawn,) = pane.axes.plot(
        points.x,
        points.y,
        color=rgba(points.colour, trace.get("opacity", 1.0)),
        linewidth=line.get("width", 2) * POINTS_PER_PIXEL,
        linestyle=DASHES[line.get("dash", "solid")],
        drawstyle=STEPS[line.get("shape", "linear")],
        zorder=points.order,
    )
    drawn.set_gid(f"{gid}-line")


def _markers(pane: Pane, trace: Trace, points: Points, gid: str) -> None:
    marker = trace.get("marker", {})
    known = {"symbol", "color", "size", "opacity", "line", "colorscale", "cmin", "cmax", "showscale", "colorbar"}
    refuse_unknown("a marker", marker, known | {"sizemode", "reversescale"})
    count = len(points.x)
    opacities = trace.get("opacity", 1.0) * _each(marker.get("opacity", 1.0), count)
    if not opacities.any():
        return
    symbols = marker.get("symbol", "circle")
    symbols = [symbols] * count if isinstance(symbols, str) else symbols
    colours = _colours(marker, count, points.colour, opacities)
    sizes = _each(marker.get("size", SIZE), count)
    for symbol in dict.fromkeys(symbols):
        rows = [row for row in range(count) if symbols[row] == symbol]
        look = _look(symbol, sizes[rows], [colours[row] for row in rows], marker.get("line", {}))
        drawn = pane.axes.scatter(points.x[rows], points.y[rows], zorder=points.order + 0.002, **look)
        drawn.set_gid(f"{gid}-markers")


def _look(symbol: str, sizes: FloatArray, colours: list[Rgba], line: Trace) -> dict[str, Any]:
    """Shape, areas, faces and edges of markers of one symbol."""
    refuse_unknown("a marker", [symbol.removesuffix("-open")], set(SYMBOLS))
    shape, times = SYMBOLS[symbol.removesuffix("-open")]
    width = line.get("width", 1.0 if symbol.endswith("-open") else 0.0) * POINTS_PER_PIXEL
    # One area for all makes the SVG say the shape once.
    areas = (np.unique(sizes) if len(set(sizes)) == 1 else sizes) * times * POINTS_PER_PIXEL
    look: dict[str, Any] = {"marker": shape, "s": areas**2}
    if shape in STROKES:
        return look | {"c": colours, "linewidths": width or POINTS_PER_PIXEL}
    if symbol.endswith("-open"):
        return look | {"facecolors": "none", "edgecolors": colours, "linewidths": width}
    own = isinstance(line.get("color"), str)
    edges = [rgba(line["color"], one[3]) for one in colours] if own else colours
    return look | {"facecolors": colours, "edgecolors": edges, "linewidths": width}


def _each(value: Any, count: int) -> FloatArray:
    return np.broadcast_to(np.asarray(value, float), (count,))


def _colours(marker: Trace, count: int, otherwise: str, opacities: FloatArray) -> list[Rgba]:
    """The colour of each marker: one for all, one each, or a place on a scale."""
    given = marker.get("color", otherwise)
    if isinstance(given, str) or all(isinstance(one, str) for one in given):
        names = [given] * count if isinstance(given, str) else given
        return [rgba(name, at) for name, at in zip(names, opacities, strict=True)]
    values = placed(given, ())
    scale = scale_of(marker)
    drawn = scale(normed(values, marker.get("cmin"), marker.get("cmax"))(values))
    return [(red, green, blue, alpha * at) for (red, green, blue, alpha), at in zip(drawn, opacities, strict=True)]


def _error_bars(pane: Pane, trace: Trace, points: Points) -> None:
    for letter in ("x", "y"):
        bar = trace.get(f"error_{letter}", {})
        if "array" not in bar or bar.get("visible") is False:
            continue
        known = {"type", "symmetric", "array", "arrayminus", "color", "thickness", "width", "visible"}
        refuse_unknown("an error bar", bar, known)
        above, below = error_lengths(bar, len(points.x))
        thickness = bar.get("thickness", 2) * POINTS_PER_PIXEL
        reach: dict[str, Any] = {f"{letter}err": [below, above]}
        pane.axes.errorbar(
            points.x, points.y, fmt="none", ecolor=rgba(bar.get("color", points.colour), trace.get("opacity", 1.0)),
            elinewidth=thickness, capsize=bar.get("width", 4) * POINTS_PER_PIXEL, capthick=thickness,
            zorder=points.order + 0.001, **reach,
        )  # fmt: skip


def _words(pane: Pane, trace: Trace, points: Points) -> None:
    texts = trace.get("text", "")
    texts = [texts] * len(points.x) if isinstance(texts, str) else texts
    font = trace.get("textfont", {})
    places = trace.get("textposition", "middle center")
    places = [places] * len(texts) if isinstance(places, str) else places
    sizes = _each(trace.get("marker", {}).get("size", SIZE) if "markers" in trace.get("mode", "") else 0, len(texts))
    for row, (text, place) in enumerate(zip(texts, places, strict=True)):
        if not text or not (np.isfinite(points.x[row]) and np.isfinite(points.y[row])):
            continue
        vertical, horizontal = place.split()
        away = (sizes[row] / 2 + 3) * POINTS_PER_PIXEL
        up = {"top": 1, "middle": 0, "bottom": -1}[vertical]
        right = {"left": -1, "center": 0, "right": 1}[horizontal]
        pane.axes.annotate(
            mathtext(text), (points.x[row], points.y[row]),
            xytext=(right * away, up * away), textcoords="offset points",
            ha={-1: "right", 0: "center", 1: "left"}[right], va={-1: "top", 0: "center", 1: "bottom"}[up],
            color=rgba(font.get("color", points.colour)), fontsize=font.get("size", 13) * POINTS_PER_PIXEL,
            zorder=points.order + 0.003, annotation_clip=False,
        )  # fmt: skip


def _fill(pane: Pane, trace: Trace, points: Points) -> None:
    """An area, closed on itself."""
    if trace["fill"] != "toself":
        raise ValueError(f'a fill of kind "{trace["fill"]}" cannot be drawn on paper.')
    x, y = points.x, points.y
    colour = rgba(trace["fillcolor"], trace.get("opacity", 1.0)) if "fillcolor" in trace else rgba(points.colour, 0.5)
    for part in np.split(np.arange(len(x)), np.flatnonzero(np.isnan(x) | np.isnan(y))):
        rows = part[np.isfinite(x[part]) & np.isfinite(y[part])]
        if len(rows):
            pane.axes.fill(x[rows], y[rows], facecolor=colour, linewidth=0, zorder=points.order - 0.001)

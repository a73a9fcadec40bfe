"""Fields over a plane: contours and heat maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from isoflop.reports.printed.axes import POINTS_PER_PIXEL, FloatArray, cell_edges, refuse_unknown
from isoflop.reports.printed.colours import normed, rgba, scale_of
from isoflop.reports.printed.ticks import tick_format
from isoflop.reports.printed.traces import DASHES, FOR_THE_SCREEN, Pane, Trace

FIELD = {"type", "x", "y", "z", "colorscale", "showscale", "colorbar", "zmin", "zmax", "opacity", "xaxis", "yaxis"}
FIELD |= {"name", "showlegend", "visible", "reversescale", "zauto"} | FOR_THE_SCREEN
CONTOUR = FIELD | {"contours", "ncontours", "line", "autocontour"}
HEATMAP = FIELD | {"xgap", "ygap", "zsmooth"}


def draw_contour(pane: Pane, trace: Trace, order: float, gid: str) -> None:
    """Draw a trace of type contour: lines, the areas between them, or both over a smooth field."""
    refuse_unknown("a contour trace", trace, CONTOUR)
    asked, line = trace.get("contours", {}), trace.get("line", {})
    known = {"start", "end", "size", "coloring", "showlabels", "labelfont", "labelformat", "showlines"}
    refuse_unknown("contours", asked, known)
    x, y, z = pane.x.place(trace["x"]), pane.y.place(trace["y"]), field(trace)
    levels = contour_levels(trace, z)
    coloring = asked.get("coloring", "fill")
    colours: dict[str, Any] = {} if coloring == "none" else {"cmap": scale_of(trace), "norm": _norm(trace, z)}
    if coloring == "fill":
        ends = [min(np.nanmin(z), levels[0]) - 1e-9, *levels, max(np.nanmax(z), levels[-1]) + 1e-9]
        pane.axes.contourf(x, y, z, ends, zorder=order - 0.001, **colours)
    elif coloring == "heatmap":
        pane.axes.pcolormesh(x, y, z, shading="gouraud", zorder=order - 0.001, **colours)
    if coloring != "lines":
        colours = {"colors": [rgba(line.get("color", "#444"), trace.get("opacity", 1.0))]}
    if not asked.get("showlines", True):
        return
    width = line.get("width", 0.5 if coloring == "fill" else 1.5) * POINTS_PER_PIXEL
    dash = [DASHES[line.get("dash", "solid")]]
    drawn = pane.axes.contour(x, y, z, levels, linewidths=width, linestyles=dash, zorder=order, **colours)
    drawn.set_gid(f"{gid}-contour")
    if asked.get("showlabels"):
        _label(pane.axes, drawn, asked)


def _label(axes: Axes, drawn: Any, asked: Mapping[str, Any]) -> None:
    font = asked.get("labelfont", {})
    colours = [rgba(font["color"])] if "color" in font else None
    write = tick_format({"tickformat": asked.get("labelformat", "g")})
    axes.clabel(drawn, fmt=write, fontsize=font.get("size", 12) * POINTS_PER_PIXEL, colors=colours, inline_spacing=2)


def draw_heatmap(pane: Pane, trace: Trace, order: float, gid: str) -> None:
    """Draw a trace of type heatmap: a cell for each value."""
    refuse_unknown("a heatmap trace", trace, HEATMAP)
    z = field(trace)
    x = cell_edges(pane.x.place(trace["x"]), z.shape[1], pane.x.is_log)
    y = cell_edges(pane.y.place(trace["y"]), z.shape[0], pane.y.is_log)
    gap = max(trace.get("xgap", 0), trace.get("ygap", 0)) * POINTS_PER_PIXEL
    drawn = pane.axes.pcolormesh(
        x, y, z, cmap=scale_of(trace), norm=_norm(trace, z), zorder=order, linewidth=gap, rasterized=False,
        edgecolors="face" if not gap else pane.axes.figure.get_facecolor(), alpha=trace.get("opacity"),
    )  # fmt: skip
    drawn.set_gid(f"{gid}-cells")


def field(trace: Trace) -> FloatArray:
    """The values of a field, row by row of y, what is missing as NaN."""
    return np.array([[np.nan if value is None else value for value in row] for row in trace["z"]], float)


def contour_levels(trace: Trace, z: FloatArray) -> FloatArray:
    """The values at which lines are drawn: those asked for, or round ones."""
    asked = trace.get("contours", {})
    if "size" in asked:
        return np.arange(asked["start"], asked["end"] + asked["size"] / 2, asked["size"])
    low, high = float(np.nanmin(z)), float(np.nanmax(z))
    levels = np.asarray(MaxNLocator(trace.get("ncontours", 15)).tick_values(low, high))
    return levels[(levels > low) & (levels < high)]


def _norm(trace: Trace, values: FloatArray) -> Normalize:
    return normed(values, trace.get("zmin", trace.get("cmin")), trace.get("zmax", trace.get("cmax")))

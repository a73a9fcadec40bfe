"""Fields over a plane: contours and heat maps, and the bars that say what their colours mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isoflop.reports.printed.axes import POINTS_PER_PIXEL, FloatArray, cell_edges, refuse_unknown
from isoflop.reports.printed.colours import normed, rgba, scale_of
from isoflop.reports.printed.text import mathtext
from isoflop.reports.printed.ticks import HAIR, LABEL_PAD, LETTERS, TICK_LENGTH, Roles, fixed, tick_format
from isoflop.reports.printed.traces import DASHES, FOR_THE_SCREEN, Pane, Trace

FIELD = {"type", "x", "y", "z", "colorscale", "showscale", "colorbar", "zmin", "zmax", "opacity", "xaxis", "yaxis"}
FIELD |= {"name", "showlegend", "visible", "reversescale", "zauto"} | FOR_THE_SCREEN
CONTOUR = FIELD | {"contours", "ncontours", "line", "autocontour"}
HEATMAP = FIELD | {"xgap", "ygap", "zsmooth"}
COLOUR_BAR = {"title", "tickvals", "ticktext", "tickformat", "thickness", "len", "x", "y", "xanchor", "yanchor"}
COLOUR_BAR |= {"nticks", "outlinewidth", "tickfont", "ticksuffix", "tickprefix", "xpad", "ypad"}
BAR_PLACE = (1.03, 0.035)
"""Where a colour bar begins and how wide it is, in widths of the plot."""


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


def _norm(trace: Mapping[str, Any], values: FloatArray) -> Any:
    return normed(values, trace.get("zmin", trace.get("cmin")), trace.get("zmax", trace.get("cmax")))


def colour_bar(figure: Figure, trace: Trace, roles: Roles) -> Axes | None:
    """The bar of a trace that shows its scale, for the caller to place; None for others."""
    if trace.get("type", "scatter") == "scatter":
        marker = trace.get("marker", {})
        if not marker.get("showscale"):
            return None
        given, values = marker, np.array([np.nan if one is None else one for one in marker["color"]], float)
    else:
        plain = trace.get("contours", {}).get("coloring") == "none"
        if plain or "colorscale" not in trace or not trace.get("showscale", True):
            return None
        given, values = trace, field(trace)
    bar = given.get("colorbar", {})
    known = {
        "title",
        "tickvals",
        "ticktext",
        "tickformat",
        "thickness",
        "len",
        "x",
        "y",
        "xanchor",
        "yanchor",
        "nticks",
    }
    refuse_unknown(
        "a colour bar", bar, known | {"outlinewidth", "tickfont", "ticksuffix", "tickprefix", "xpad", "ypad"}
    )
    axes = figure.add_axes((0.9, 0.2, 0.02, 0.6))
    drawn = figure.colorbar(ScalarMappable(norm=_norm(given, values), cmap=scale_of(given)), cax=axes)
    drawn.outline.set_visible(False)
    drawn.minorticks_off()
    if "tickvals" in bar:
        fixed(axes.yaxis, list(bar["tickvals"]), list(map(str, bar.get("ticktext", bar["tickvals"]))))
    axes.tick_params(
        length=TICK_LENGTH, width=HAIR, pad=LABEL_PAD, color=rgba(roles["muted"]), labelcolor=rgba(roles["muted"]),
        labelsize=LETTERS,
    )  # fmt: skip
    title = bar.get("title", {})
    text = title if isinstance(title, str) else title.get("text", "")
    if text:
        axes.set_ylabel(
            mathtext(text.replace("<br>", " ")), color=rgba(roles["muted"]), size=LETTERS, labelpad=LABEL_PAD
        )
    return axes

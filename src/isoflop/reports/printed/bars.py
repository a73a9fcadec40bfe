"""Colour bars: what the colours of markers mean, beside the panes or above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from isoflop.reports.printed.axes import POINTS_PER_PIXEL, FloatArray, placed, refuse_unknown
from isoflop.reports.printed.colours import normed, rgba, scale_of
from isoflop.reports.printed.text import mathtext
from isoflop.reports.printed.ticks import HAIR, LABEL_PAD, LETTERS, TICK_LENGTH, Roles, fixed
from isoflop.reports.printed.traces import Trace

KNOWN = {"title", "tickvals", "ticktext", "tickformat", "thickness", "len", "x", "y", "xanchor", "yanchor", "nticks"}
KNOWN |= {"outlinewidth", "tickfont", "ticksuffix", "tickprefix", "xpad", "ypad", "orientation", "tickmode"}
POINTS_PER_INCH = 72
APART = 6.0
"""Points between the panes and a bar, and half as much again between bars."""


@dataclass(frozen=True)
class Bar:
    """A colour bar and what the figure says of its place."""

    axes: Axes
    given: Mapping[str, Any]

    @property
    def lies(self) -> bool:
        return self.given.get("orientation") == "h"

    @property
    def thickness(self) -> float:
        """In inches."""
        return float(self.given.get("thickness", 14)) * POINTS_PER_PIXEL / POINTS_PER_INCH


def colour_bar(sheet: Figure, trace: Trace, roles: Roles) -> Bar | None:
    """The bar of a trace that shows its scale, to be placed; None for others."""
    found = _scale_shown(trace)
    if found is None:
        return None
    given, values = found
    told = given.get("colorbar", {})
    refuse_unknown("a colour bar", told, KNOWN)
    bar = Bar(sheet.add_axes((0.9, 0.2, 0.02, 0.6)), told)
    low, high = given.get("cmin"), given.get("cmax")
    colours = ScalarMappable(norm=normed(values, low, high), cmap=scale_of(given))
    drawn = sheet.colorbar(colours, cax=bar.axes, orientation="horizontal" if bar.lies else "vertical")
    drawn.outline.set_visible(False)
    drawn.minorticks_off()
    along = bar.axes.xaxis if bar.lies else bar.axes.yaxis
    if "tickvals" in told:
        fixed(along, list(told["tickvals"]), [str(text) for text in told.get("ticktext", told["tickvals"])])
    muted = rgba(roles["muted"])
    along.set_tick_params(
        length=TICK_LENGTH, width=HAIR, pad=LABEL_PAD / 2, color=muted, labelcolor=muted, labelsize=LETTERS
    )
    title = told.get("title", {})
    text = title if isinstance(title, str) else title.get("text", "")
    said = mathtext(text.replace("<br>", " "))
    if bar.lies:  # above the panes its title stands beside it, which takes no height
        beside: dict[str, Any] = {"transform": bar.axes.transAxes, "ha": "right", "va": "center"}
        bar.axes.text(-0.02, 0.5, said, color=muted, size=LETTERS, **beside)
    elif text:
        along.set_label_text(said, color=muted, size=LETTERS)
        along.labelpad = LABEL_PAD
    return bar


def _scale_shown(trace: Trace) -> tuple[Mapping[str, Any], FloatArray] | None:
    """What holds the scale that a trace shows, and the values on it."""
    marker = trace.get("marker", {})
    shown = marker.get("showscale", "colorbar" in marker) and "markers" in trace.get("mode", "lines")
    return (marker, placed(marker["color"], ())) if shown else None


def place_bars(bars: list[Bar], room: FloatArray, inches: tuple[float, float]) -> None:
    """Put bars to the right of the room (left, bottom, right, top) of the panes, or above it those that lie."""
    left, bottom, right, top = room.tolist()
    wide, high = inches
    apart = APART / POINTS_PER_INCH
    standing = 0
    for bar in bars:
        share = float(bar.given.get("len", 1.0))
        if bar.lies:
            length = share * (right - left)
            above = top + apart + (LETTERS + TICK_LENGTH) / POINTS_PER_INCH
            bar.axes.set_position(((right - length) / wide, above / high, length / wide, bar.thickness / high))
        else:
            length = share * (top - bottom)
            at = right + apart + standing * 5 * apart
            middle = (bottom + top - length) / 2
            bar.axes.set_position((at / wide, middle / high, bar.thickness / wide, length / high))
            standing += 1

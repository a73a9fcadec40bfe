"""What is drawn of an axis: its line, ticks and their words, its title, the grid behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis as TheirAxis
from matplotlib.backend_bases import RendererBase
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogFormatterMathtext,
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullLocator,
    ScalarFormatter,
)

from isoflop.reports.axes import count_label
from isoflop.reports.printed.axes import POINTS_PER_PIXEL, Axis
from isoflop.reports.printed.colours import rgba
from isoflop.reports.printed.text import mathtext

Roles = Mapping[str, Any]
LETTERS = 13 * POINTS_PER_PIXEL
TICKS = 5
TICK_LENGTH, HAIR, LABEL_PAD = 2.2, 0.5, 2.5


def set_up(axes: Axes, axis: Axis, labelled: bool, roles: Roles) -> None:
    """Give an axis of ``axes`` its scale, span, ticks and title; without words unless it is ``labelled``."""
    given = axis.given
    letter: Any = axis.id[0]
    theirs = axes.xaxis if letter == "x" else axes.yaxis
    if axis.is_log:
        (axes.set_xscale if letter == "x" else axes.set_yscale)("log")
    (axes.set_xlim if letter == "x" else axes.set_ylim)(*axis.span)
    _set_ticks(theirs, axis)
    shown = labelled and given.get("visible", True)
    _set_words(theirs, axis, shown, roles)
    side = _side(axis)
    for edge in ("bottom", "top") if letter == "x" else ("left", "right"):
        lined = (edge == side or given.get("mirror", False)) and given.get("showline", True)
        axes.spines[edge].set_visible(shown and lined)
        axes.spines[edge].set(color=rgba(roles["muted"]), linewidth=HAIR)
    if given.get("showgrid", True) and given.get("visible", True):
        axes.grid(True, axis=letter, which="major", color=rgba(roles["rule"]), linewidth=HAIR)
    if given.get("zeroline"):
        draw = axes.axvline if letter == "x" else axes.axhline
        draw(0.0, color=rgba(given.get("zerolinecolor", roles["muted"])), linewidth=HAIR, zorder=1)


def thin_out(axes: Axes, renderer: RendererBase) -> None:
    """Take words from ticks, every second first, until none runs into the next."""
    for axis, end, start in ((axes.xaxis, "x1", "x0"), (axes.yaxis, "y1", "y0")):
        shown = [tick.label1 if tick.label1.get_visible() else tick.label2 for tick in axis.get_major_ticks()]
        shown = [label for label in shown if label.get_visible() and label.get_text()]
        while len(shown) > 1:
            boxes = [label.get_window_extent(renderer) for label in shown]
            boxes.sort(key=lambda box: getattr(box, start))
            if all(getattr(one, end) < getattr(two, start) for one, two in pairwise(boxes)):
                break
            for label in shown[1::2]:
                label.set_visible(False)
            shown = shown[::2]


def _side(axis: Axis) -> Any:
    return axis.given.get("side", "bottom" if axis.id[0] == "x" else "left")


def _set_words(theirs: TheirAxis, axis: Axis, shown: bool, roles: Roles) -> None:
    given, side = axis.given, _side(axis)
    font = given.get("tickfont", {})
    words = shown and given.get("showticklabels", True)
    marked = shown and given.get("ticks", "outside") == "outside"
    sides = ("bottom", "top") if axis.id[0] == "x" else ("left", "right")
    theirs.set_label_position(side)
    theirs.set_tick_params(
        which="both",
        length=TICK_LENGTH if marked else 0,
        width=HAIR,
        pad=LABEL_PAD,
        color=rgba(roles["muted"]),
        labelcolor=rgba(font.get("color", roles["muted"])),
        labelsize=font.get("size", 13) * POINTS_PER_PIXEL,
        labelrotation=-given.get("tickangle", 0),
        **{edge: marked and edge == side for edge in sides},
        **{f"label{edge}": words and edge == side for edge in sides},
    )
    title = given.get("title", {})
    text = title if isinstance(title, str) else title.get("text", "")
    if shown and text:
        theirs.set_label_text(mathtext(text), color=rgba(roles["muted"]), size=LETTERS)
        theirs.labelpad = LABEL_PAD


def _set_ticks(theirs: TheirAxis, axis: Axis) -> None:
    given = axis.given
    theirs.set_minor_locator(NullLocator())
    if "tickvals" in given or axis.names:
        values = given.get("tickvals", axis.names)
        texts = given.get("ticktext", values if axis.names else [tick_format(given)(value) for value in values])
        theirs.set_ticks(axis.place(values), [mathtext(str(text)) for text in texts])
        return
    if "dtick" in given and not axis.is_log:
        theirs.set_major_locator(MultipleLocator(given["dtick"], offset=given.get("tick0", 0.0)))
    elif axis.is_log:
        theirs.set_major_locator(LogLocator(numticks=given.get("nticks", TICKS)))
    else:
        theirs.set_major_locator(MaxNLocator(given.get("nticks", TICKS), steps=[1, 2, 5, 10]))
    if {"tickformat", "ticksuffix", "tickprefix"} & set(given):
        write = tick_format(given)
        theirs.set_major_formatter(FuncFormatter(lambda value, _: mathtext(write(value))))
    else:
        theirs.set_major_formatter(LogFormatterMathtext() if axis.is_log else ScalarFormatter(useOffset=False))


def fixed(theirs: TheirAxis, values: list[float], texts: list[str]) -> None:
    """Ticks at values with texts, and no others."""
    theirs.set_major_locator(FixedLocator(values))
    theirs.set_ticks(values, [mathtext(text) for text in texts])


def tick_format(given: Mapping[str, Any]) -> Callable[[float], str]:
    """How numbers are written on an axis: plotly's formats are those of Python, but for "~s", the SI names.

    >>> tick_format({"tickformat": ".0%"})(0.25), tick_format({"tickformat": "~s"})(2e9)
    ('25%', '2B')
    """
    wanted = given.get("tickformat", "g")
    write = count_label if wanted == "~s" else lambda value: format(value, wanted).replace("-", "−")
    return lambda value: f"{given.get('tickprefix', '')}{write(value)}{given.get('ticksuffix', '')}"

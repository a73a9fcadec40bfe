"""What the figures of the playgrounds share beyond the report's traces: lines with their names beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from isoflop import laws
from isoflop.laws import Law
from isoflop.reports.axes import count_label, linear_ticks, log_axis
from isoflop.reports.figures import Figure, marks
from isoflop.reports.figures.marks import Trace
from isoflop.runs.table import FloatArray

POINTS = 120


@cache
def law_at_its_point(name: str) -> Law:
    """A published law without its draws: a playground has no intervals, and is the quicker for it."""
    published = laws.law(name)
    return Law(published.id, published.title, published.family, published.coefficients, published.conventions)


def figure(caption: str, data: Sequence[Trace], xaxis: Any, yaxis: Any, **layout: Any) -> Figure:
    """A figure that says in a caption what is drawn."""
    return {"caption": caption, "data": list(data), "layout": {"xaxis": xaxis, "yaxis": yaxis, **layout}}


def words(x: float, y: float, text: str, colour: str, position: str = "top center", size: float = 12) -> Trace:
    """A name that stands in the drawing, at values of the axes, in place of a legend."""
    font = {"color": colour, "size": size}
    drawn = {"mode": "text", "text": [text], "textposition": position, "textfont": font, "cliponaxis": False}
    return marks.trace([x], [y], **drawn, hoverinfo="skip")


def level_line(x: tuple[float, float], y: float, text: str, colour: str = "@muted", dash: str = "dot") -> list[Trace]:
    """A horizontal line over a logarithmic axis, with its name above its right end."""
    almost = x[1] * (x[0] / x[1]) ** 0.01  # plotly hides a text whose point rounding puts outside the axis
    return [marks.line(x, (y, y), colour, dash), words(almost, y, text, colour, "top left")]


def upright(x: float, colour: str, dash: str = "dot") -> dict[str, Any]:
    """A vertical line over the whole height, as a shape."""
    return {
        "type": "line",
        "layer": "below",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": {"color": colour, "width": 1, "dash": dash},
    }


def count_axis(title: str, low: float, high: float) -> dict[str, object]:
    """A logarithmic axis of parameters or tokens."""
    return log_axis(title, low, high, count_label)


def number_axis(title: str, low: float, high: float) -> dict[str, object]:
    """A linear axis over a range."""
    ticks = linear_ticks(low, high)
    return {"title": {"text": title}, "range": [low, high], "tickvals": ticks, "ticktext": [f"{at:g}" for at in ticks]}


def spaced(low: float, high: float, count: int = POINTS) -> FloatArray:
    """Evenly in the logarithm."""
    return np.geomspace(low, high, count)

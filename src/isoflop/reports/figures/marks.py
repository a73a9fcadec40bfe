"""What every figure is drawn with: traces as plain plotly dicts. A colour is a role ("@ink", "@budget0") that whoever
shows the figure paints; so is a scale of colours ("@ramp")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isoflop.fitting.result import Span
from isoflop.runs.table import FloatArray

Trace = dict[str, Any]
Figure = dict[str, Any]

# One symbol a budget, so that profiles can be told apart without their colours.
SYMBOLS = ("circle", "square", "triangle-up", "triangle-down", "pentagon", "hexagon")
UNSEEN = {"opacity": 0}
"""The marker of a point that only carries an error bar."""
POINTS = 80


def trace(x: Any, y: Any, **rest: Any) -> Trace:
    return {"type": "scatter", "x": np.asarray(x).tolist(), "y": np.asarray(y).tolist(), **rest}


def line(x: Any, y: Any, colour: str, dash: str = "solid") -> Trace:
    line = {"color": colour, "width": 2, "dash": dash, "simplify": False}
    return trace(x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def points(x: Any, y: Any, marker: Mapping[str, Any], hover: list[str]) -> Trace:
    return trace(x=x, y=y, mode="markers", marker=marker, hoverinfo="text", hovertext=hover)


def marker(symbol: str, colour: str, size: float) -> dict[str, Any]:
    marker = {"symbol": symbol, "color": colour, "size": size}
    return marker | ({"line": {"color": colour, "width": 1.5}} if symbol.endswith("-open") else {})


def star(x: list[float], y: list[float], hover: str, span: Span | None = None) -> Trace:
    return points(x, y, marker("star", "@forecast", 14), [hover]) | {"error_y": error_bar(y, [span], "@forecast")}


def label(text: str, colour: str) -> dict[str, Any]:
    return {"mode": "markers+text", "text": [text], "textposition": "bottom center", "textfont": {"color": colour}}


def error_bar(
    values: list[float], spans: Sequence[Span | None], colour: str, thickness: float = 2, width: float = 5
) -> Trace:
    known = [span for span in spans if span is not None]
    if len(known) < len(values):
        return {"visible": False}
    above = [high - value for value, (_, high) in zip(values, known, strict=True)]
    below = [value - low for value, (low, _) in zip(values, known, strict=True)]
    bar = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    return bar | {"color": colour, "thickness": thickness, "width": width}


def band(C: FloatArray, draws: FloatArray | None, level: float) -> list[Trace]:
    if draws is None:
        return []
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    outline = {"x": [*C, *C[::-1]], "y": [*high, *low[::-1]], "mode": "lines", "line": {"width": 0}}
    return [trace(**outline, fill="toself", fillcolor="@band", hoverinfo="skip")]


def solid_then_dashed(C: FloatArray, values: FloatArray, largest: float) -> list[Trace]:
    """A line through what was observed, dashed where it is extrapolated."""
    at = np.exp(np.interp(np.log(largest), np.log(C), np.log(values)))
    seen, beyond = largest > C, largest < C
    solid = line([*C[seen], largest], [*values[seen], at], "@law")
    dashed = line([largest, *C[beyond]], [at, *values[beyond]], "@law", dash="dash")
    return [solid, dashed]


def names_axis(names: Sequence[str]) -> dict[str, Any]:
    """An axis of names from the top down, with half a row to spare at either end."""
    room = [-0.6, len(names) - 0.4]
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [*names][::-1],
        "range": room,
        "showgrid": False,
    }

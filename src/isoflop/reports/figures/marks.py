"""What every figure is drawn with: traces as plain plotly dicts. A colour is a role ("@ink", "@ramp0.5") that whoever
shows the figure paints; so is a scale of colours ("@ramp")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.result import Span
from isoflop.quantities import format_flops
from isoflop.reports.axes import log_ticks
from isoflop.runs.table import FloatArray

Trace = dict[str, Any]
Figure = dict[str, Any]

# One symbol a budget, so that profiles can be told apart without their colours.
SYMBOLS = ("circle", "square", "triangle-up", "triangle-down", "pentagon", "hexagon")
UNSEEN = {"opacity": 0}
"""The marker of a point that only carries an error bar."""
POINTS = 80
MOST_POINTS, SAMPLE = 2000, 800
"""More runs than the first are drawn as a sample of the second, so that a page of a large table stays light."""
NOTABLE = 50
THIN = 1.2
MOST_BAR_TICKS = 3
NAME_GAP = 0.06
"""Share of an axis between two names at its side."""


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
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    outline = {"x": [*C, *C[::-1]], "y": [*high, *low[::-1]], "mode": "lines", "line": {"width": 0}}
    return [trace(**outline, fill="toself", fillcolor="@band", hoverinfo="skip")]


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


def label_at(x: float, y: float, text: str, colour: str, position: str, size: int = 11) -> Trace:
    """Words beside a point, with no mark."""
    font = {"color": colour, "size": size}
    text_trace = trace(x=[x], y=[y], mode="text", text=[text], textposition=position, textfont=font)
    return text_trace | {"hoverinfo": "skip", "cliponaxis": False}


def by_amount(
    x: Any,
    y: Any,
    amount: FloatArray,
    hover: list[str],
    title: str,
    tick: Callable[[float], str] = format_flops,
    size: float = 6,
) -> Trace:
    """Points coloured along the ramp by ln of an amount, with a bar above the figure that says how."""
    logs = np.log10(amount)
    low, high = float(logs.min()), float(logs.max())
    ticks = log_ticks(10**low * 0.999, 10**high * 1.001)
    ticks = ticks[:: -(-len(ticks) // MOST_BAR_TICKS)]
    bar = {
        "orientation": "h", "thickness": 8, "len": 0.6, "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom",
        "ypad": 4, "outlinewidth": 0, "title": {"text": title, "side": "top", "font": {"size": 11}},
        "tickvals": [float(np.log10(value)) for value in ticks], "ticktext": [tick(value) for value in ticks],
        "tickfont": {"size": 11},
    }  # fmt: skip
    scale = {"color": rounded(logs, 4), "colorscale": "@ramp", "cmin": low, "cmax": max(high, low + 1e-9)}
    outline = {"width": 0.5, "color": "@paper"}
    return points(x, y, {"symbol": "circle", "size": size, **scale, "colorbar": bar, "line": outline}, hover)


def rounded(values: Any, digits: int = 5) -> list[float]:
    """Values to so many significant digits: a page of draws need not carry seventeen.

    >>> rounded([1.23456789, 98765432.1])
    [1.2346, 98765000.0]
    """
    return [float(f"{value:.{digits}g}") for value in np.asarray(values, float)]


def thinned(count: int, notable: FloatArray | None = None) -> NDArray[np.int64]:
    """Which of so many rows are drawn: all up to MOST_POINTS, else a seeded SAMPLE with the most ``notable`` ones.

    >>> thinned(3).tolist(), thinned(10_000).size, 7 in thinned(10_000, (np.arange(10_000) == 7) * 1.0)
    ([0, 1, 2], 800, True)
    """
    if count <= MOST_POINTS:
        return np.arange(count)
    first = np.empty(0, np.int64) if notable is None else np.argsort(-np.abs(notable), kind="stable")[:NOTABLE]
    others = np.setdiff1d(np.arange(count), first)
    drawn = np.random.default_rng(0).choice(others, SAMPLE - first.size, replace=False)
    return np.sort(np.concatenate([first, drawn]))


def sample_note(drawn: int, count: int) -> list[dict[str, Any]]:
    """What a thinned figure says of itself; nothing where every row is drawn."""
    if drawn == count:
        return []
    corner = {"xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "borderpad": 0}
    text = f"{drawn:,} of {count:,} runs"
    return [{"text": text, "showarrow": False, "font": {"size": 10, "color": "@muted"}, **corner}]


def beyond(start: float, end: float) -> dict[str, Any]:
    """The shade over computes past the largest run: nothing was observed there.

    plotly wants the corners of a shape on a logarithmic axis as values, but those of a range as exponents.
    """
    box = {"type": "rect", "xref": "x", "yref": "paper", "x0": start, "x1": end, "y0": 0, "y1": 1}
    return box | {"fillcolor": "@beyond", "line": {"width": 0}, "layer": "below"}


def seen_and_beyond(smallest: float, largest: float, end: float) -> tuple[FloatArray, FloatArray]:
    """Budgets to draw a line at: those up to the largest run, and from there to the end."""
    seen, past = np.geomspace(smallest, largest, POINTS // 2), np.geomspace(largest, max(end, largest), POINTS // 2)
    seen[-1] = past[0] = largest  # not nearly
    return seen, past


def heights(traces: Sequence[Trace]) -> list[float]:
    """Every y that is drawn, ends of error bars included: what an axis has to hold."""
    found: list[float] = []
    for one in traces:
        bar = one.get("error_y", {})
        found += one["y"]
        found += [y + up for y, up in zip(one["y"], bar.get("array", ()), strict=False)]
        found += [y - down for y, down in zip(one["y"], bar.get("arrayminus", ()), strict=False)]
    return found


def end_names(ends: Mapping[str, float], axis: Mapping[str, Any]) -> tuple[Trace, dict[str, Any]]:
    """An axis at the right of a logarithmic one that names lines by where they end, and the trace that calls it up.

    Names that would touch are moved apart; their order is that of the lines.
    """
    low, high = axis["range"]
    gap = NAME_GAP * (high - low)
    names = sorted(ends, key=lambda name: ends[name])
    places = [float(np.log10(ends[name])) for name in names]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    over = max(0.0, places[-1] - high)
    places = [place - over for place in places]
    right = {"overlaying": "y", "side": "right", "type": "log", "range": [low, high], "showgrid": False}
    ticks = {"tickvals": [10**place for place in places], "ticktext": names, "tickfont": {"size": 10}}
    unseen = trace([], [], mode="markers", marker=UNSEEN, yaxis="y2", hoverinfo="skip")
    return unseen, {**right, **ticks, "showline": False, "ticks": ""}

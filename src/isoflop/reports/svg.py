"""A figure as a static SVG that follows the reader's colours: for a page without JavaScript, and for a README.

It draws what such a picture needs, points, lines, bands, error bars and labels on plain axes; whatever a paper needs
is printed by ``isoflop plot``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from itertools import groupby
from typing import Any

import numpy as np

from isoflop.reports.axes import count_label, linear_ticks, log_span, log_ticks
from isoflop.reports.figures import Figure
from isoflop.reports.palette import SCHEMES, css_variables, painted

_Point = tuple[float, float]
WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 16, 52
STEPS = 10
"""Of a scale of colours."""
STYLE = """
.figure-svg { LIGHT font: 13px system-ui, sans-serif; background: var(--paper); }
@media (prefers-color-scheme: dark) { .figure-svg { DARK } }
.figure-svg text { fill: var(--muted); }
.figure-svg .grid { stroke: var(--rule); }
.figure-svg .name { font-weight: 600; text-anchor: middle; }
"""


@dataclass(frozen=True)
class _Axis:
    """Where a value lies between two pixels."""

    span: tuple[float, float]
    log: bool
    pixels: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    title: str

    def at(self, value: float) -> float:
        low, high, where = (*np.log(self.span), np.log(value)) if self.log else (*self.span, value)
        return float(self.pixels[0] + (where - low) / (high - low) * (self.pixels[1] - self.pixels[0]))


def figure_svg(figure: Figure, title: str) -> str:
    """A figure with one pair of axes, as a whole SVG element; ``title`` is for those who cannot see it.

    >>> figure = {"data": [{"x": [1, 2], "y": [3, 4], "mode": "lines", "line": {"color": "@law"}}], "layout": {}}
    >>> figure_svg(figure, "A line").count("<path class=\\"line\\"")
    1
    """
    x = _axis(figure, "x", (LEFT, WIDTH - RIGHT))
    y = _axis(figure, "y", (HEIGHT - BOTTOM, TOP))
    marks = [_frame(x, y), *(_trace(trace, x, y) for trace in figure["data"])]
    light, dark = (css_variables(one, **_shades(one)) for one in SCHEMES)
    style = STYLE.replace("LIGHT", light).replace("DARK", dark)
    return (
        f'<svg class="figure-svg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{style}</style>\n" + "\n".join(marks) + "\n</svg>\n"
    )


def _shades(scheme: Any) -> dict[str, str]:
    return {f"shade{k}": painted(f"@ramp{k / STEPS:.3f}", scheme, "color") for k in range(STEPS + 1)}


def _axis(figure: Figure, letter: str, pixels: tuple[float, float]) -> _Axis:
    given = figure["layout"].get(f"{letter}axis", {})
    log = given.get("type") == "log"
    if "range" in given:
        low, high = (10.0**end if log else float(end) for end in given["range"])
    else:
        values = [float(value) for trace in figure["data"] for value in trace[letter] if value is not None]
        low, high = min(values), max(values)
        room = max(high - low, 0.01 * abs(high)) or 1.0
        low, high = log_span(values) if log else (low - 0.1 * room, high + 0.04 * room)
    if "tickvals" in given:
        ticks = tuple(zip(map(float, given["tickvals"]), map(str, given["ticktext"]), strict=True))
    else:
        ticks = tuple(
            (at, count_label(at) if log else f"{at:g}") for at in (log_ticks if log else linear_ticks)(low, high)
        )
    return _Axis((low, high), log, pixels, ticks, given.get("title", {}).get("text", ""))


def _frame(x: _Axis, y: _Axis) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = []
    for value, said in x.ticks:
        at = x.at(value)
        if LEFT <= at <= right:
            marks.append(f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>')
            marks.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{escape(said)}</text>')
    for value, said in y.ticks:
        at = y.at(value)
        if TOP <= at <= bottom:
            marks.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
            marks.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{escape(said)}</text>')
    middle = (TOP + bottom) / 2
    marks.append(f'<text x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x.title)}</text>')
    marks.append(
        f'<text transform="translate(16 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(y.title)}</text>'
    )
    return "\n".join(marks)


def _trace(trace: dict[str, Any], x: _Axis, y: _Axis) -> str:
    mode = trace.get("mode", "lines")
    pairs = zip(trace["x"], trace["y"], strict=True)
    at = [None if None in pair else (x.at(pair[0]), y.at(pair[1])) for pair in pairs]
    marks = [_line(trace, curve) for curve in _unbroken(at)] if "lines" in mode else []
    there = [point for point in at if point is not None]
    marks += [_bar(trace, "x", x, there), _bar(trace, "y", y, there)]
    if "markers" in mode and trace["marker"].get("opacity") != 0:
        marks += _markers(trace["marker"], there)
    if "text" in mode:
        colour = _css(trace.get("textfont", {}).get("color", "@muted"))
        said = zip(there, trace["text"], strict=True)
        marks += [
            f'<text class="name" x="{h:.1f}" y="{v + 22:.1f}" style="fill: {colour}">{escape(unescape(text))}</text>'
            for (h, v), text in said
        ]
    return "\n".join(filter(None, marks))


def _unbroken(at: Sequence[_Point | None]) -> list[list[_Point]]:
    """The stretches of a line between its gaps."""
    parts = [list(part) for is_there, part in groupby(at, key=lambda point: point is not None) if is_there]
    return [[point for point in part if point is not None] for part in parts]


def _line(trace: dict[str, Any], at: Sequence[_Point]) -> str:
    path = "M" + "L".join(f"{h:.1f} {v:.1f}" for h, v in at)
    if trace.get("line", {}).get("shape") == "hv":  # a staircase: across at the height of the last point, then down
        path = f"M{at[0][0]:.1f} {at[0][1]:.1f}" + "".join(f"H{h:.1f}V{v:.1f}" for h, v in at[1:])
    if trace.get("fill") == "toself":
        return f'<path d="{path}Z" fill="{_css(trace["fillcolor"])}"/>'
    line = trace["line"]
    dashes = {"dash": ' stroke-dasharray="7 5"', "dot": ' stroke-dasharray="2 4"'}.get(line.get("dash", ""), "")
    colour, width = _css(line["color"]), line.get("width", 1)
    return f'<path class="line" d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def _bar(trace: dict[str, Any], letter: str, axis: _Axis, at: Sequence[_Point]) -> str:
    bar = trace.get(f"error_{letter}", {})
    if "array" not in bar:
        return ""
    colour = _css(bar["color"])
    paths: list[str] = []
    ends = zip(trace[letter], bar["arrayminus"], bar["array"], at, strict=True)
    for value, below, above, (h, v) in ends:
        low, high = axis.at(value - below), axis.at(value + above)
        across = f"M{low:.1f} {v - 4:.1f}v8M{high:.1f} {v - 4:.1f}v8M{low:.1f} {v:.1f}H{high:.1f}"
        along = f"M{h - 4:.1f} {low:.1f}h8M{h - 4:.1f} {high:.1f}h8M{h:.1f} {low:.1f}V{high:.1f}"
        paths.append(across if letter == "x" else along)
    return f'<path d="{"".join(paths)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _markers(marker: dict[str, Any], at: Sequence[_Point]) -> Iterable[str]:
    symbol = str(marker.get("symbol", "circle"))
    size = float(marker.get("size", 6)) / 2
    colours = _colours(marker, len(at))
    for (h, v), colour in zip(at, colours, strict=True):
        if symbol.startswith("x"):
            side = 2 * size
            path = f"M{h - size:.1f} {v - size:.1f}l{side:g} {side:g}M{h + size:.1f} {v - size:.1f}l{-side:g} {side:g}"
            yield f'<path d="{path}" stroke="{colour}"/>'
        else:
            fill = "var(--paper)" if symbol.endswith("-open") else colour
            yield f'<path d="{_outline(symbol, h, v, size)}" fill="{fill}" stroke="{colour}" stroke-width="1.2"/>'


def _colours(marker: dict[str, Any], count: int) -> list[str]:
    given = marker["color"]
    if isinstance(given, str):
        return [_css(given)] * count
    values = np.asarray(given, float)
    low, high = marker.get("cmin", values.min()), marker.get("cmax", values.max())
    places = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    return [f"var(--shade{round(place * STEPS)})" for place in places]


def _css(role: str) -> str:
    """A role as a property of the style sheet; a plain colour stays."""
    if role.startswith("@ramp"):
        return f"var(--shade{round(float(role.removeprefix('@ramp')) * STEPS)})"
    return f"var(--{role[1:]})" if role.startswith("@") else role


_CORNERS = {"diamond": 4, "triangle-up": 3, "triangle-down": 3, "pentagon": 5, "hexagon": 6, "square": 4}


def _outline(symbol: str, x: float, y: float, size: float) -> str:
    name = symbol.removesuffix("-open")
    if name == "star":
        angles, radii = np.pi * (np.arange(10) / 5 - 0.5), np.where(np.arange(10) % 2 == 0, 1.3, 0.55) * size
    elif name in _CORNERS:
        count = _CORNERS[name]
        turn = {"square": np.pi / 4, "triangle-down": np.pi}.get(name, 0.0)
        angles, radii = 2 * np.pi * np.arange(count) / count - np.pi / 2 + turn, np.full(count, 1.2 * size)
    else:
        return (
            f"M{x - size:.1f} {y:.1f}a{size:g} {size:g} 0 1 0 {2 * size:g} 0a{size:g} {size:g} 0 1 0 {-2 * size:g} 0Z"
        )
    corners = (f"{x + r * np.cos(t):.1f} {y + r * np.sin(t):.1f}" for r, t in zip(radii, angles, strict=True))
    return f"M{'L'.join(corners)}Z"

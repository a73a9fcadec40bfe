"""How sure each coefficient is, and how they move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations
from typing import Any

import numpy as np

from isoflop.conventions import compatible, describe
from isoflop.fitting import Fit, Profile
from isoflop.laws import Law, catalogue, law
from isoflop.quantities import format_estimate, format_level
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.runs.table import FloatArray

EDGE = 3.0
"""Half widths of an interval that are shown: what lies further stands at the edge as an arrow."""
OFFSET = 0.16
MOST_PAIRED, DRAWS_SHOWN = 5, 400
IRREDUCIBLE = "E"
"""A loss, in every family, and paired as one; other positive coefficients are paired as logarithms."""
GAP = 0.025


@dataclass(frozen=True)
class _Row:
    """One number of a law with its interval, on the scale that it is compared on: ln where it may be any positive."""

    name: str
    value: float
    span: tuple[float, float]
    logarithmic: bool

    def scaled(self, value: float) -> float:
        """Distance from the estimate in half widths of its interval."""
        to = np.log if self.logarithmic else float
        low, high = (to(end) for end in self.span)
        return float(2 * (to(value) - to(self.value)) / (high - low))


def forest_figure(fit: Fit, profile: Sequence[Profile] = ()) -> Figure:
    """Every coefficient, and a and b, with the interval of its draws and, under it, that of its likelihood profile.

    All are drawn as distances from the estimate in half widths of the draws' interval, so that they fit on one axis;
    the numbers stand at the right. Open diamonds are published laws of the same family and convention. An arrow at
    the edge stands for an end that is open, or a value that lies further out.
    """
    rows = _rows(fit)
    profiles = {one.name: one for one in profile}
    data = [_bars(fit, rows)]
    data += [_profiled(k, row, profiles[row.name]) for k, row in enumerate(rows) if row.name in profiles]
    data += [_published(k, row, fit) for k, row in enumerate(rows)]
    numbers = [format_estimate(row.value, row.span) for row in rows]
    places = [-k for k in range(len(rows))]
    # The axis of numbers is only there because a trace is on it.
    data.append(marks.trace([0] * len(rows), places, mode="markers", marker=marks.UNSEEN, yaxis="y2", hoverinfo="skip"))
    shared = {"tickvals": places, "range": [0.6 - len(rows), 0.6], "showgrid": False, "fixedrange": True}
    zero = {"type": "line", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "layer": "below"}
    layout = {
        "xaxis": {
            "title": {"text": f"half widths of the {format_level(fit.level)} interval"},
            "range": [-EDGE - 0.3, EDGE + 0.3],
        },
        "yaxis": {**shared, "ticktext": [row.name for row in rows]},
        "yaxis2": {**shared, "ticktext": numbers, "overlaying": "y", "side": "right", "showline": False, "ticks": ""},
        "shapes": [zero | {"line": {"color": "@muted", "width": 1}}],
    }
    return {"data": data, "layout": layout}


def pairs_figure(fit: Fit) -> Figure:
    """The draws of at most five coefficients against one another, with the estimate marked.

    Amplitudes are shown by their natural logarithm. A figure without traces where there are no draws.
    """
    columns = _paired(fit)
    names = list(columns)
    rng = np.random.default_rng(0)
    shown = np.sort(rng.permutation(fit.draws_n)[:DRAWS_SHOWN])
    data: list[Trace] = []
    layout: dict[str, Any] = {}
    for k, (across, up) in enumerate(combinations(range(len(names)), 2), 1):
        suffix = "" if k == 1 else str(k)
        (x, x0), (y, y0) = columns[names[across]], columns[names[up]]
        on = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        cloud = {"symbol": "circle", "size": 3, "color": "@law", "opacity": 0.35}
        points = marks.trace(marks.rounded(x[shown]), marks.rounded(y[shown]), mode="markers", marker=cloud)
        r = float(np.corrcoef(x, y)[0, 1])
        hover = f"{names[across]} and {names[up]}: correlation {r:.3f}"
        centre = marks.points([x0], [y0], marks.marker("cross-thin-open", "@forecast", 11), [hover])
        data += [points | {"hoverinfo": "skip"} | on, centre | on]
        layout |= _panel(suffix, across, up, names)
    return {"data": data, "layout": layout}


def _rows(fit: Fit) -> list[_Row]:
    """Coefficients that have an interval of some width, in the family's order, and the exponents a and b."""
    values = {**fit.law.coefficients, **dict(zip(("a", "b"), fit.allocation or (), strict=False))}
    positive = {c.name for c in fit.law.family.coefficients if c.logarithmic}
    spans = fit.intervals
    return [
        _Row(name, value, spans[name], name in positive and spans[name][0] > 0)
        for name, value in values.items()
        if name in spans and spans[name][0] < spans[name][1]
    ]


def _bars(fit: Fit, rows: Sequence[_Row]) -> Trace:
    """The intervals of the draws."""
    means = f"{format_level(fit.level)}, drawn by {fit.drawn_by}"
    hover = [f"{row.name} {format_estimate(row.value, row.span)}<br>{means}" for row in rows]
    ends = [(row.scaled(row.span[0]), row.scaled(row.span[1])) for row in rows]
    zeros = [0.0] * len(rows)
    bar = marks.error_bar(zeros, ends, "@law", thickness=3, width=0)
    y = [OFFSET - k for k in range(len(rows))]
    return marks.points(zeros, y, marks.marker("diamond", "@law", 9), hover) | {"error_x": bar}


def _profiled(k: int, row: _Row, found: Profile) -> Trace:
    """The interval of the likelihood profile; an open end runs to the edge and ends in an arrow."""
    low, high = (None if end is None else row.scaled(end) for end in found.interval)
    left, right = max(-EDGE if low is None else low, -EDGE), min(EDGE if high is None else high, EDGE)
    ends = ["triangle-left" if left == -EDGE else "line-ns-open", "triangle-right" if right == EDGE else "line-ns-open"]
    y = -k - OFFSET
    hover = escape(found.describe()) + f"<br>{format_level(found.level)}"
    marker = {"symbol": ends, "size": 8, "color": "@forecast", "line": {"color": "@forecast", "width": 2}}
    bar = marks.points([left, right], [y, y], marker, [hover] * 2)
    return bar | {"mode": "lines+markers", "line": {"color": "@forecast", "width": 2}}


def _published(k: int, row: _Row, fit: Fit) -> Trace:
    """The same coefficient as others published it."""
    found = [(one, value) for one in _kin(fit) if (value := _value(one, row.name)) is not None]
    places = [float(np.clip(row.scaled(value), -EDGE, EDGE)) for _, value in found]
    symbols = ["diamond-open" if abs(x) < EDGE else f"triangle-{'right' if x > 0 else 'left'}-open" for x in places]
    hover = [f"{one.id}: {row.name} {value:.4g}<br>N: {describe(one.conventions.params)}" for one, value in found]
    marker = {"symbol": symbols, "size": 8, "color": "@muted", "line": {"color": "@muted", "width": 1.5}}
    return marks.points(places, [-k] * len(places), marker, hover)


def _kin(fit: Fit) -> list[Law]:
    published = [law(name) for name in catalogue()]
    return [
        one
        for one in published
        if one.family.name == fit.law.family.name and compatible(one.conventions, fit.runs.conventions)
    ]


def _value(published: Law, name: str) -> float | None:
    exponents = dict(zip(("a", "b"), published.allocation() or (), strict=False))
    return {**published.coefficients, **exponents}.get(name)


def _paired(fit: Fit) -> dict[str, tuple[FloatArray, float]]:
    """Title -> (draws, estimate) of the coefficients that were drawn: exponents first, then the others."""
    draws = fit.law.draws or {}
    free = [c for c in fit.law.family.coefficients if c.name in draws and np.ptp(draws[c.name]) > 0]
    free.sort(key=lambda c: c.logarithmic)
    columns = {}
    for coefficient in free[:MOST_PAIRED]:
        drawn, value = draws[coefficient.name], fit.law.coefficients[coefficient.name]
        if coefficient.logarithmic and coefficient.name != IRREDUCIBLE and drawn.min() > 0:
            columns[f"ln {coefficient.name}"] = np.log(drawn), float(np.log(value))
        else:
            columns[coefficient.name] = np.asarray(drawn), float(value)
    return columns


def _panel(suffix: str, across: int, up: int, names: Sequence[str]) -> dict[str, Any]:
    """The axes of one panel of the lower triangle, with words and numbers at the outer ones only."""
    panels = len(names) - 1
    bottom, left = up == panels, across == 0
    size = (1 - GAP * (panels - 1)) / panels
    x0, y0 = across * (size + GAP), (panels - up) * (size + GAP)
    shared = {"nticks": 3, "ticklen": 2, "tickfont": {"size": 10}, "showgrid": False, "mirror": True}
    x = {"domain": [x0, x0 + size], "anchor": f"y{suffix}", "showticklabels": bottom, "tickangle": 0}
    y = {"domain": [y0, y0 + size], "anchor": f"x{suffix}", "showticklabels": left}
    x |= {"title": {"text": names[across] if bottom else ""}}
    y |= {"title": {"text": names[up] if left else ""}}
    return {f"xaxis{suffix}": shared | x, f"yaxis{suffix}": shared | y}

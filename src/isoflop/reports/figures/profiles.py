"""Loss against N at each budget: approach 2 as it sees the runs."""

from __future__ import annotations

from collections.abc import Container, Mapping
from html import escape
from typing import Any

import numpy as np

from isoflop.fitting import Fit, Forecast, Minimum, Outcome
from isoflop.quantities import format_estimate, format_flops, format_si
from isoflop.reports.axes import count_label, log_axis, log_span, loss_title, params_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.palette import budget_roles
from isoflop.reports.prose import run_names
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs import Runs

MOST_NAMES = 8


def isoflop_figure(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> Figure:
    """Loss against N: runs, parabolas and minima, one colour and one symbol a budget; the forecast run a star."""
    drawn = [*fit.runs.params, *([forecast.run_params] if forecast else [])]
    kept = set(marks.thinned(len(fit.runs)).tolist())
    data = [_runs(fit.runs, [row for row in stragglers(fit) if row in kept], marks.marker("x-thin-open", "@muted", 8))]
    named = _named(fit)
    roles = budget_roles([found.flops for found in fit.minima])
    data += [
        trace
        for rank, found in enumerate(fit.minima)
        for trace in _profile(fit, rank, found, roles[rank], kept, rank in named)
    ]
    if forecast and outcome:
        hover = f"forecast run {escape(outcome.run_id)}<br>N {format_si(forecast.run_params)}<br>"
        star = marks.star([forecast.run_params], [outcome.loss], hover + f"loss {loss_text(outcome.loss)}")
        data.append(star | marks.label(f"{format_flops(forecast.flops)}, forecast", "@forecast"))
    x = log_axis(params_title(fit.runs.conventions), *log_span(drawn), count_label)
    y = {"title": {"text": loss_title(fit.runs.conventions)}}
    return {
        "data": data,
        "layout": {"xaxis": x, "yaxis": y, "annotations": marks.sample_note(len(kept), len(fit.runs))},
    }


def stragglers(fit: Fit) -> list[int]:
    """The rows that belong to no profile: they are not in the fit, and they are not hidden."""
    placed = {row for found in fit.minima for row in found.rows}
    return [row for row in range(len(fit.runs)) if row not in placed]


def _profile(fit: Fit, rank: int, found: Minimum, colour: str, kept: Container[int], named: bool) -> list[Trace]:
    symbol = marks.SYMBOLS[rank % len(marks.SYMBOLS)]
    used, unused = list(found.used), [row for row in found.rows if row not in found.used]
    traces = []
    if any(found.parabola[1:]):
        N = np.geomspace(fit.runs.params[used].min(), fit.runs.params[used].max(), marks.POINTS)
        traces.append(marks.line(N, found.loss_at(N), colour, dash="solid" if found.interior else "dot"))
    shown, open_ones = ([row for row in rows if row in kept] for rows in (used, unused))
    traces.append(_runs(fit.runs, shown, marks.marker(symbol, colour, 8)))
    traces.append(_runs(fit.runs, open_ones, marks.marker(f"{symbol}-open", colour, 8)))
    return [*traces, _vertex(found, colour, fit.level, named)]


def _runs(runs: Runs, rows: list[int], marker: Mapping[str, Any]) -> Trace:
    names = run_names(runs)
    hover = [
        f"{escape(names[row])}<br>N {format_si(runs.params[row])}, D {format_si(runs.tokens[row])}, "
        f"D/N {runs.tokens[row] / runs.params[row]:.3g}<br>loss {loss_text(runs.loss[row])}"
        for row in rows
    ]
    return marks.points(runs.params[rows], runs.loss[rows], marker, hover)


def _named(fit: Fit) -> set[int]:
    """The profiles whose budget is written under them: all, or of many as many as can be read."""
    if len(fit.minima) <= MOST_NAMES:
        return set(range(len(fit.minima)))
    held = [rank for rank, found in enumerate(fit.minima) if found.interior] or list(range(len(fit.minima)))
    return {held[k] for k in np.linspace(0, len(held) - 1, min(MOST_NAMES, len(held))).round().astype(int)}


def _vertex(found: Minimum, colour: str, level: float, named: bool) -> Trace:
    """A diamond, filled where the minimum was bracketed, with its interval; its budget is written under it."""
    marker = marks.marker("diamond" if found.interior else "diamond-open", colour, 11)
    label = format_flops(found.flops) + ("" if found.interior else " (no minimum)")
    bar = marks.error_bar([found.params_opt], [found.params_interval], colour)
    vertex = marks.points([found.params_opt], [found.loss_min], marker, [_vertex_hover(found, level)])
    return vertex | (marks.label(label, colour) if named else {}) | {"error_x": bar}


def _vertex_hover(found: Minimum, level: float) -> str:
    if not found.interior:
        return f"no minimum: {escape(found.reason)}"
    lines = [
        f"minimum at {format_flops(found.flops)} FLOPs",
        f"N* {count_with_interval(found.params_opt, found.params_interval)}",
        f"D* {count_with_interval(found.tokens_opt, found.tokens_interval)}",
        f"loss {format_estimate(found.loss_min, found.loss_interval)}",
    ]
    return "<br>".join(lines + ([f"intervals: {level:.0%}"] if found.params_interval else []))

"""Loss against N at each budget: approach 2 as it sees the runs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from isoflop.fitting import Fit, Forecast, Minimum, Outcome
from isoflop.quantities import format_estimate, format_flops, format_level, format_si
from isoflop.reports.axes import count_label, log_axis, log_span, loss_title, params_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.palette import budget_roles
from isoflop.reports.prose import run_names
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs import Runs
from isoflop.runs.table import FloatArray

MOST_NAMES = 8


def isoflop_figure(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> Figure:
    """Loss against N: runs, parabolas and minima, one colour and one symbol a budget; the forecast run a star."""
    extent = [*fit.runs.params, *([forecast.run_params] if forecast else [])]
    drawn, names = marks.thinned(len(fit.runs), _misses(fit)), run_names(fit.runs)
    shown = {int(row): names[row] for row in drawn}
    data = [_runs(fit.runs, stragglers(fit), marks.marker("x-thin-open", "@muted", 8), shown)]
    roles = budget_roles([found.flops for found in fit.minima])
    for rank, found in enumerate(fit.minima):
        data += _profile(fit, rank, found, roles[rank], shown)
        data.append(_vertex(found, roles[rank], fit.level, rank in _named(fit)))
    if forecast and outcome:
        hover = f"forecast run {escape(outcome.run_id)}<br>N {format_si(forecast.run_params)}<br>"
        star = marks.star([forecast.run_params], [outcome.loss], hover + f"loss {loss_text(outcome.loss)}")
        data.append(star | marks.label(f"{format_flops(forecast.flops)}, forecast", "@forecast"))
    x = log_axis(params_title(fit.runs.conventions), *log_span(extent), count_label)
    layout = {"xaxis": x, "yaxis": {"title": {"text": loss_title(fit.runs.conventions)}}}
    return {"data": data, "layout": layout | {"annotations": marks.sample_note(drawn.size, len(fit.runs))}}


def stragglers(fit: Fit) -> list[int]:
    """The rows that belong to no profile: they are not in the fit, and they are not hidden."""
    placed = {row for found in fit.minima for row in found.rows}
    return [row for row in range(len(fit.runs)) if row not in placed]


def _misses(fit: Fit) -> FloatArray:
    """By how much each run's loss misses its parabola, shape (R,); 0 where no parabola went through it."""
    misses = np.zeros(len(fit.runs))
    for found in fit.minima:
        used = list(found.used)
        misses[used] = fit.runs.loss[used] - found.loss_at(fit.runs.params[used])
    return misses


def _profile(fit: Fit, rank: int, found: Minimum, colour: str, shown: Mapping[int, str]) -> list[Trace]:
    symbol = marks.SYMBOLS[rank % len(marks.SYMBOLS)]
    used, unused = list(found.used), [row for row in found.rows if row not in found.used]
    traces = []
    if any(found.parabola[1:]):
        N = np.geomspace(fit.runs.params[used].min(), fit.runs.params[used].max(), marks.POINTS)
        traces.append(marks.line(N, found.loss_at(N), colour, dash="solid" if found.interior else "dot"))
    traces.append(_runs(fit.runs, used, marks.marker(symbol, colour, 8), shown))
    traces.append(_runs(fit.runs, unused, marks.marker(f"{symbol}-open", colour, 8), shown))
    return traces


def _runs(runs: Runs, every: list[int], marker: Mapping[str, Any], shown: Mapping[int, str]) -> Trace:
    rows = [row for row in every if row in shown]
    hover = [
        f"{escape(shown[row])}<br>N {format_si(runs.params[row])}, D {format_si(runs.tokens[row])}, "
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
    return "<br>".join(lines + ([f"intervals: {format_level(level)}"] if found.params_interval else []))

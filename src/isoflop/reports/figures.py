"""The figures as plain plotly dicts. A colour is a role ("@ink", "@budget0") that the page paints.

Nothing is computed here but the law and the parabolas at the points of a drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import numpy as np

from isoflop.conventions import Conventions, describe
from isoflop.fitting import CountingRow, Fit, Forecast, Minimum, Outcome
from isoflop.fitting.result import Span
from isoflop.quantities import format_estimate, format_flops, format_interval, format_si
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span, loss_title, params_title
from isoflop.reports.prose import PUBLISHED_EXPONENTS, run_names
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs import Runs
from isoflop.runs.table import FloatArray

Trace = dict[str, Any]
Figure = dict[str, Any]
Optimal = Literal["params", "tokens"]

# One symbol a budget, so that profiles can be told apart without their colours.
SYMBOLS = ("circle", "square", "triangle-up", "triangle-down", "pentagon", "hexagon")
UNSEEN = {"opacity": 0}
"""The marker of a point that only carries an error bar."""
POINTS = 80
BEYOND = 3.0
"""How far past the largest budget a frontier is drawn when there is no forecast to reach."""


def isoflop_figure(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> Figure:
    """Loss against N: runs, parabolas and minima, one colour and one symbol a budget; the forecast run a star."""
    drawn = [*fit.runs.params, *([forecast.run_params] if forecast else [])]
    data = [_runs(fit.runs, stragglers(fit), _marker("x-thin-open", "@muted", 8))]
    data += [trace for rank, found in enumerate(fit.minima) for trace in _profile(fit, rank, found)]
    if forecast and outcome:
        hover = f"forecast run {escape(outcome.run_id)}<br>N {format_si(forecast.run_params)}<br>"
        star = _star([forecast.run_params], [outcome.loss], hover + f"loss {loss_text(outcome.loss)}")
        data.append(star | _label(f"{format_flops(forecast.flops)}, forecast", "@forecast"))
    x = log_axis(params_title(fit.runs.conventions), *log_span(drawn), count_label)
    return {"data": data, "layout": {"xaxis": x, "yaxis": {"title": {"text": loss_title(fit.runs.conventions)}}}}


def stragglers(fit: Fit) -> list[int]:
    """The rows that belong to no profile: they are not in the fit, and they are not hidden."""
    placed = {row for found in fit.minima for row in found.rows}
    return [row for row in range(len(fit.runs)) if row not in placed]


def _profile(fit: Fit, rank: int, found: Minimum) -> list[Trace]:
    colour, symbol = f"@budget{rank}", SYMBOLS[rank % len(SYMBOLS)]
    used, unused = list(found.used), [row for row in found.rows if row not in found.used]
    traces = []
    if any(found.parabola[1:]):
        N = np.geomspace(fit.runs.params[used].min(), fit.runs.params[used].max(), POINTS)
        traces.append(_line(N, found.loss_at(N), colour, dash="solid" if found.interior else "dot"))
    traces.append(_runs(fit.runs, used, _marker(symbol, colour, 8)))
    traces.append(_runs(fit.runs, unused, _marker(f"{symbol}-open", colour, 8)))
    return [*traces, _vertex(found, colour, fit.level)]


def _runs(runs: Runs, rows: list[int], marker: Mapping[str, Any]) -> Trace:
    names = run_names(runs)
    hover = [
        f"{escape(names[row])}<br>N {format_si(runs.params[row])}, D {format_si(runs.tokens[row])}, "
        f"D/N {runs.tokens[row] / runs.params[row]:.3g}<br>loss {loss_text(runs.loss[row])}"
        for row in rows
    ]
    return _points(runs.params[rows], runs.loss[rows], marker, hover)


def _vertex(found: Minimum, colour: str, level: float) -> Trace:
    """A diamond, filled where the minimum was bracketed, with its interval; its budget is written under it."""
    marker = _marker("diamond" if found.interior else "diamond-open", colour, 11)
    label = format_flops(found.flops) + ("" if found.interior else " (no minimum)")
    bar = _error_bar([found.params_opt], [found.params_interval], colour)
    vertex = _points([found.params_opt], [found.loss_min], marker, [_vertex_hover(found, level)])
    return vertex | _label(label, colour) | {"error_x": bar}


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


def optimum_figure(fit: Fit, which: Optimal, forecast: Forecast | None) -> Figure:
    """N* or D* against C, log-log: minima, the law through them, its band, and the forecast beyond."""
    law, interior = fit.law, [found for found in fit.minima if found.interior]
    C = frontier_budgets(fit, forecast)
    draws = law.optimum_draws(C)
    data = _band(C, None if draws is None else getattr(draws, which), fit.level)
    data += _solid_then_dashed(C, getattr(law.optimum(C), which), max(found.flops for found in interior))
    values = [getattr(found, f"{which}_opt") for found in interior]
    spans = [getattr(found, f"{which}_interval") for found in interior]
    star = {"params": "N*", "tokens": "D*"}[which]
    hover = [
        f"{format_flops(found.flops)} FLOPs<br>{star} {count_with_interval(value, span)}"
        for found, value, span in zip(interior, values, spans, strict=True)
    ]
    data += _minima(fit, values, spans, hover)
    if forecast:
        value, span = getattr(forecast, which), getattr(forecast, f"{which}_interval")
        text = f"forecast at {format_flops(forecast.flops)} FLOPs<br>{star} {count_with_interval(value, span)}"
        data.append(_star([forecast.flops], [value], text, span) | {"marker": _marker("star-open", "@forecast", 14)})
    title = "compute-optimal parameters N*" if which == "params" else "compute-optimal tokens D*"
    shown = np.concatenate([trace["y"] for trace in data] + [span for span in spans if span is not None])
    axes = {"yaxis": log_axis(title, *log_span(shown), count_label)}
    return {"data": data, "layout": axes | _compute_axis(fit, C)}


def loss_figure(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> Figure:
    """The loss on the frontier against C: minima, law and band, the forecast interval and the run that tested it."""
    law, interior = fit.law, [found for found in fit.minima if found.interior]
    C = frontier_budgets(fit, forecast)
    draws = law.optimum_draws(C)
    data = _band(C, None if draws is None else draws.loss, fit.level)
    data += _solid_then_dashed(C, law.optimum(C).loss, max(found.flops for found in interior))
    losses, spans = [found.loss_min for found in interior], [found.loss_interval for found in interior]
    hover = [
        f"{format_flops(found.flops)} FLOPs<br>loss {format_estimate(found.loss_min, found.loss_interval)}"
        for found in interior
    ]
    data += _minima(fit, losses, spans, hover)
    if forecast:
        low, high = forecast.run_interval
        text = f"forecast for this run at {forecast.level:.0%}<br>{format_interval(low, high)}"
        middle = (low + high) / 2
        bar = _points([forecast.flops], [middle], UNSEEN, [text])
        data.append(bar | {"error_y": _error_bar([middle], [(low, high)], "@forecast", thickness=2.5, width=9)})
    if forecast and outcome:
        text = f"measured: {escape(outcome.run_id)}<br>loss {loss_text(outcome.loss)}"
        data.append(_star([forecast.flops], [outcome.loss], text))
    return {
        "data": data,
        "layout": {"yaxis": {"title": {"text": loss_title(fit.runs.conventions)}}} | _compute_axis(fit, C),
    }


def forecast_figure(forecast: Forecast, outcome: Outcome | None, conventions: Conventions) -> Figure:
    """The forecast close up: the interval of the optimum's loss, that of one run, and the loss that came out."""
    names = ["loss at N*", "loss of one run"]
    data = [
        _forecast_bar(names[0], forecast.loss, forecast.loss_interval, _marker("diamond-open", "@forecast", 10)),
        _forecast_bar(names[1], sum(forecast.run_interval) / 2, forecast.run_interval, UNSEEN),
    ]
    shapes: list[dict[str, Any]] = []
    if outcome:
        names.append("measured")
        hover = f"{escape(outcome.run_id)}<br>loss {loss_text(outcome.loss)}"
        data.append(_points([outcome.loss], names[2:], _marker("star", "@forecast", 14), [hover]))
        line = {"color": "@forecast", "width": 1, "dash": "dot"}
        across = {"yref": "paper", "y0": 0, "y1": 1, "x0": outcome.loss, "x1": outcome.loss}
        shapes.append({"type": "line", "layer": "below", "line": line, **across})
    x = {"title": {"text": loss_title(conventions)}, "nticks": 5}
    return {"data": data, "layout": {"xaxis": x, "yaxis": _names_axis(names), "shapes": shapes}}


def _forecast_bar(name: str, loss: float, span: Span, marker: Mapping[str, Any]) -> Trace:
    bar = _error_bar([loss], [span], "@forecast", thickness=3, width=8)
    return _points([loss], [name], marker, [f"{name}: {format_interval(*span)}"]) | {"error_x": bar}


def exponents_figure(rows: tuple[CountingRow, ...]) -> Figure:
    """The exponent a under each way of counting N, with its interval, beside what others published."""
    a, spans = [row.a for row in rows], [row.a_interval for row in rows]
    hover = [f"a = {format_estimate(*pair)}" for pair in zip(a, spans, strict=True)]
    ours = _points(a, [describe(row.convention) for row in rows], _marker("diamond", "@law", 10), hover)
    ours["error_x"] = _error_bar(a, spans, "@law")
    sources = PUBLISHED_EXPONENTS
    hover = [source.quoted for source in sources]
    marker = _marker("diamond-open", "@muted", 10)
    theirs = _points([source.a for source in sources], [source.name for source in sources], marker, hover)
    x = {"title": {"text": "exponent a of N* ∝ C<sup>a</sup>"}}
    return {"data": [ours, theirs], "layout": {"xaxis": x, "yaxis": _names_axis([*ours["y"], *theirs["y"]])}}


def _names_axis(names: Sequence[str]) -> dict[str, Any]:
    """An axis of names from the top down, with half a row to spare at either end."""
    room = [-0.6, len(names) - 0.4]
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [*names][::-1],
        "range": room,
        "showgrid": False,
    }


def frontier_budgets(fit: Fit, forecast: Forecast | None) -> FloatArray:
    """The budgets at which a frontier is drawn: a little below the smallest to the forecast, or beyond the largest."""
    flops = [found.flops for found in fit.minima if found.interior]
    return np.geomspace(min(flops) / 1.3, 1.3 * (forecast.flops if forecast else BEYOND * max(flops)), POINTS)


def _compute_axis(fit: Fit, C: FloatArray) -> dict[str, Any]:
    """The axis of C, with everything past the largest run's budget shaded: nothing was observed there."""
    largest = max(found.flops for found in fit.minima if found.interior)
    # plotly wants the corners of a shape on a logarithmic axis as values, but those of a range as exponents.
    beyond = {"type": "rect", "xref": "x", "yref": "paper", "x0": largest, "x1": C[-1], "y0": 0, "y1": 1}
    beyond |= {"fillcolor": "@beyond", "line": {"width": 0}, "layer": "below"}
    return {"xaxis": flops_axis(C[0], C[-1]), "shapes": [beyond]}


def _band(C: FloatArray, draws: FloatArray | None, level: float) -> list[Trace]:
    if draws is None:
        return []
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    outline = {"x": [*C, *C[::-1]], "y": [*high, *low[::-1]], "mode": "lines", "line": {"width": 0}}
    return [_trace(**outline, fill="toself", fillcolor="@band", hoverinfo="skip")]


def _solid_then_dashed(C: FloatArray, values: FloatArray, largest: float) -> list[Trace]:
    """A line through what was observed, dashed where it is extrapolated."""
    at = np.exp(np.interp(np.log(largest), np.log(C), np.log(values)))
    seen, beyond = largest > C, largest < C
    solid = _line([*C[seen], largest], [*values[seen], at], "@law")
    dashed = _line([largest, *C[beyond]], [at, *values[beyond]], "@law", dash="dash")
    return [solid, dashed]


def _minima(fit: Fit, values: list[float], spans: Sequence[Span | None], hover: list[str]) -> list[Trace]:
    ranks = [rank for rank, found in enumerate(fit.minima) if found.interior]
    return [
        _points([fit.minima[rank].flops], [value], _marker("diamond", f"@budget{rank}", 9), [text])
        | {"error_y": _error_bar([value], [span], f"@budget{rank}", width=0)}
        for rank, value, span, text in zip(ranks, values, spans, hover, strict=True)
    ]


def _star(x: list[float], y: list[float], hover: str, span: Span | None = None) -> Trace:
    return _points(x, y, _marker("star", "@forecast", 14), [hover]) | {"error_y": _error_bar(y, [span], "@forecast")}


def _marker(symbol: str, colour: str, size: float) -> dict[str, Any]:
    marker = {"symbol": symbol, "color": colour, "size": size}
    return marker | ({"line": {"color": colour, "width": 1.5}} if symbol.endswith("-open") else {})


def _label(text: str, colour: str) -> dict[str, Any]:
    return {"mode": "markers+text", "text": [text], "textposition": "bottom center", "textfont": {"color": colour}}


def _line(x: Any, y: Any, colour: str, dash: str = "solid") -> Trace:
    line = {"color": colour, "width": 2, "dash": dash, "simplify": False}
    return _trace(x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def _points(x: Any, y: Any, marker: Mapping[str, Any], hover: list[str]) -> Trace:
    return _trace(x=x, y=y, mode="markers", marker=marker, hoverinfo="text", hovertext=hover)


def _trace(x: Any, y: Any, **rest: Any) -> Trace:
    return {"type": "scatter", "x": np.asarray(x).tolist(), "y": np.asarray(y).tolist(), **rest}


def _error_bar(
    values: list[float], spans: Sequence[Span | None], colour: str, thickness: float = 2, width: float = 5
) -> Trace:
    known = [span for span in spans if span is not None]
    if len(known) < len(values):
        return {"visible": False}
    above = [high - value for value, (_, high) in zip(values, known, strict=True)]
    below = [value - low for value, (low, _) in zip(values, known, strict=True)]
    bar = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    return bar | {"color": colour, "thickness": thickness, "width": width}

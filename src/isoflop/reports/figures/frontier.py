"""N*, D* and the loss on the compute-optimal frontier, against C."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np

from isoflop.fitting import Fit, Forecast, Outcome
from isoflop.fitting.result import Span
from isoflop.quantities import format_estimate, format_flops, format_interval
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span, loss_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.palette import budget_roles
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs.table import FloatArray

Optimal = Literal["params", "tokens"]
BEYOND = 3.0
"""How far past the largest budget a frontier is drawn when there is no forecast to reach."""


def optimum_figure(fit: Fit, which: Optimal, forecast: Forecast | None) -> Figure:
    """N* or D* against C, log-log: minima, the law through them, its band, and the forecast beyond."""
    law, interior = fit.law, [found for found in fit.minima if found.interior]
    C = frontier_budgets(fit, forecast)
    draws = law.optimum_draws(C)
    data = marks.band(C, None if draws is None else getattr(draws, which), fit.level)
    data += marks.solid_then_dashed(C, getattr(law.optimum(C), which), max(found.flops for found in interior))
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
        data.append(
            marks.star([forecast.flops], [value], text, span) | {"marker": marks.marker("star-open", "@forecast", 14)}
        )
    title = "compute-optimal parameters N*" if which == "params" else "compute-optimal tokens D*"
    shown = np.concatenate([trace["y"] for trace in data] + [span for span in spans if span is not None])
    axes = {"yaxis": log_axis(title, *log_span(shown), count_label)}
    return {"data": data, "layout": axes | _compute_axis(fit, C)}


def loss_figure(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> Figure:
    """The loss on the frontier against C: minima, law and band, the forecast interval and the run that tested it."""
    law, interior = fit.law, [found for found in fit.minima if found.interior]
    C = frontier_budgets(fit, forecast)
    draws = law.optimum_draws(C)
    data = marks.band(C, None if draws is None else draws.loss, fit.level)
    data += marks.solid_then_dashed(C, law.optimum(C).loss, max(found.flops for found in interior))
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
        bar = marks.points([forecast.flops], [middle], marks.UNSEEN, [text])
        data.append(bar | {"error_y": marks.error_bar([middle], [(low, high)], "@forecast", thickness=2.5, width=9)})
    if forecast and outcome:
        text = f"measured: {escape(outcome.run_id)}<br>loss {loss_text(outcome.loss)}"
        data.append(marks.star([forecast.flops], [outcome.loss], text))
    return {
        "data": data,
        "layout": {"yaxis": {"title": {"text": loss_title(fit.runs.conventions)}}} | _compute_axis(fit, C),
    }


def frontier_budgets(fit: Fit, forecast: Forecast | None) -> FloatArray:
    """The budgets at which a frontier is drawn: a little below the smallest to the forecast, or beyond the largest."""
    flops = [found.flops for found in fit.minima if found.interior]
    return np.geomspace(min(flops) / 1.3, 1.3 * (forecast.flops if forecast else BEYOND * max(flops)), marks.POINTS)


def _compute_axis(fit: Fit, C: FloatArray) -> dict[str, Any]:
    """The axis of C, with everything past the largest run's budget shaded: nothing was observed there."""
    largest = max(found.flops for found in fit.minima if found.interior)
    # plotly wants the corners of a shape on a logarithmic axis as values, but those of a range as exponents.
    beyond = {"type": "rect", "xref": "x", "yref": "paper", "x0": largest, "x1": C[-1], "y0": 0, "y1": 1}
    beyond |= {"fillcolor": "@beyond", "line": {"width": 0}, "layer": "below"}
    return {"xaxis": flops_axis(C[0], C[-1]), "shapes": [beyond]}


def _minima(fit: Fit, values: list[float], spans: Sequence[Span | None], hover: list[str]) -> list[Trace]:
    roles = budget_roles([found.flops for found in fit.minima])
    ranks = [rank for rank, found in enumerate(fit.minima) if found.interior]
    return [
        marks.points([fit.minima[rank].flops], [value], marks.marker("diamond", roles[rank], 9), [text])
        | {"error_y": marks.error_bar([value], [span], roles[rank], width=0)}
        for rank, value, span, text in zip(ranks, values, spans, hover, strict=True)
    ]

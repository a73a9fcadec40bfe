"""A forecast close up, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from isoflop.conventions import Conventions
from isoflop.fitting import Forecast, Outcome
from isoflop.fitting.result import Span
from isoflop.quantities import format_interval
from isoflop.reports.axes import loss_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.rounding import loss_text


def forecast_figure(forecast: Forecast, outcome: Outcome | None, conventions: Conventions) -> Figure:
    """The forecast close up: the interval of the optimum's loss, that of one run, and the loss that came out."""
    names = ["loss at N*", "loss of one run"]
    data = [
        _forecast_bar(names[0], forecast.loss, forecast.loss_interval, marks.marker("diamond-open", "@forecast", 10)),
        _forecast_bar(names[1], sum(forecast.run_interval) / 2, forecast.run_interval, marks.UNSEEN),
    ]
    shapes: list[dict[str, Any]] = []
    if outcome:
        names.append("measured")
        hover = f"{escape(outcome.run_id)}<br>loss {loss_text(outcome.loss)}"
        data.append(marks.points([outcome.loss], names[2:], marks.marker("star", "@forecast", 14), [hover]))
        line = {"color": "@forecast", "width": 1, "dash": "dot"}
        across = {"yref": "paper", "y0": 0, "y1": 1, "x0": outcome.loss, "x1": outcome.loss}
        shapes.append({"type": "line", "layer": "below", "line": line, **across})
    x = {"title": {"text": loss_title(conventions)}, "nticks": 5}
    return {"data": data, "layout": {"xaxis": x, "yaxis": marks.names_axis(names), "shapes": shapes}}


def _forecast_bar(name: str, loss: float, span: Span, marker: Mapping[str, Any]) -> Trace:
    bar = marks.error_bar([loss], [span], "@forecast", thickness=3, width=8)
    return marks.points([loss], [name], marker, [f"{name}: {format_interval(*span)}"]) | {"error_x": bar}

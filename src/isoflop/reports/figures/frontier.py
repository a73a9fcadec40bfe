"""N*, D* and the loss on the compute-optimal frontier, against C."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np

from isoflop.conventions import describe, differences
from isoflop.fitting import Fit, Forecast, Minimum, Outcome
from isoflop.fitting.result import Span
from isoflop.laws import Law
from isoflop.planning.optimum import optimum
from isoflop.quantities import format_estimate, format_flops, format_interval, format_level
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span, loss_axis
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.figures.surface import optima_drawn
from isoflop.reports.palette import budget_roles
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs.table import FloatArray

Optimal = Literal["params", "tokens"]
Quantity = Literal["params", "tokens", "loss"]
STARS = {"params": "N*", "tokens": "D*"}
BEYOND = 3.0
"""How far past the largest budget a frontier is drawn when there is no forecast or target to reach."""


def optimum_figure(
    fit: Fit,
    which: Optimal,
    forecast: Forecast | None = None,
    published: Sequence[Law] = (),
    target: float | None = None,
) -> Figure:
    """N* or D* against C, log-log: minima where there are some, the law, its band, and what is asked beyond.

    The fit is of any approach. ``published`` laws are thin lines behind, those that are ``comparable``; the law's
    answer at ``target`` FLOPs is an open star with its interval, and so is a ``forecast``.
    """
    seen, past = _budgets(fit, forecast, target)
    data, C = _published(fit, which, published, seen, past), np.concatenate([seen, past[1:]])
    data += _law(fit, which, seen, past)
    values = [getattr(found, f"{which}_opt") for found in _interior(fit)]
    spans = [getattr(found, f"{which}_interval") for found in _interior(fit)]
    star = STARS[which]
    hover = [
        f"{format_flops(found.flops)} FLOPs<br>{star} {count_with_interval(value, span)}"
        for found, value, span in zip(_interior(fit), values, spans, strict=True)
    ]
    data += _minima(fit, values, spans, hover)
    if forecast:
        value, span = getattr(forecast, which), getattr(forecast, f"{which}_interval")
        text = f"forecast at {format_flops(forecast.flops)} FLOPs<br>{star} {count_with_interval(value, span)}"
        data.append(_open_star(forecast.flops, value, span, text))
    elif target:
        value, span = _answer(fit, which, target)
        text = f"at {format_flops(target)} FLOPs<br>{star} {count_with_interval(value, span)}"
        data.append(_open_star(target, value, span, text))
    y = log_axis(f"compute-optimal {star}", *log_span(marks.heights(data)), count_label)
    return _drawn(data, y, C, seen[-1])


def loss_figure(
    fit: Fit,
    forecast: Forecast | None = None,
    outcome: Outcome | None = None,
    published: Sequence[Law] = (),
    target: float | None = None,
) -> Figure:
    """The loss on the frontier against C: minima, law and band, the forecast interval and the run that tested it."""
    seen, past = _budgets(fit, forecast, target)
    data, C = _published(fit, "loss", published, seen, past), np.concatenate([seen, past[1:]])
    data += _law(fit, "loss", seen, past)
    losses = [found.loss_min for found in _interior(fit)]
    spans = [found.loss_interval for found in _interior(fit)]
    hover = [
        f"{format_flops(found.flops)} FLOPs<br>loss {format_estimate(found.loss_min, found.loss_interval)}"
        for found in _interior(fit)
    ]
    data += _minima(fit, losses, spans, hover)
    if forecast:
        low, high = forecast.run_interval
        text = f"forecast for this run at {format_level(forecast.level)}<br>{format_interval(low, high)}"
        middle = (low + high) / 2
        bar = marks.points([forecast.flops], [middle], marks.UNSEEN, [text])
        data.append(bar | {"error_y": marks.error_bar([middle], [(low, high)], "@forecast", thickness=2.5, width=9)})
    elif target:
        value, span = _answer(fit, "loss", target)
        text = f"at {format_flops(target)} FLOPs<br>loss {format_estimate(value, span)}"
        data.append(_open_star(target, value, span, text))
    if forecast and outcome:
        text = f"measured: {escape(outcome.run_id)}<br>loss {loss_text(outcome.loss)}"
        data.append(marks.star([forecast.flops], [outcome.loss], text))
    return _drawn(data, loss_axis(fit.runs.conventions, *log_span(marks.heights(data))), C, seen[-1])


def comparable(fit: Fit, law: Law, which: Quantity) -> bool:
    """Whether a published law may be drawn beside the fit: it has such optima, and means the same by N (and by L).

    A convention that either leaves unstated cannot be checked, and stands in the line's hover text.
    """
    apart = differences(fit.runs.conventions, law.conventions)
    if not law.has_optimum or "params" in apart:
        return False
    return which != "loss" or (law.has_loss and "loss" not in apart)


def _interior(fit: Fit) -> list[Minimum]:
    return [found for found in fit.minima if found.interior]


def _budgets(fit: Fit, forecast: Forecast | None, target: float | None) -> tuple[FloatArray, FloatArray]:
    """Where the frontier is drawn: from a little below the smallest budget to the largest that was seen, and beyond."""
    flops = [found.flops for found in _interior(fit)] or fit.runs.flops.tolist()
    asked = [forecast.flops] if forecast else [target] if target else [BEYOND * max(flops)]
    return marks.seen_and_beyond(min(flops) / 1.3, max(flops), 1.3 * max(*asked, max(flops)))


def _law(fit: Fit, which: Quantity, seen: FloatArray, past: FloatArray) -> list[Trace]:
    """The band of the draws, and the law through it: solid where runs were seen, dashed beyond."""
    C = np.concatenate([seen, past[1:]])
    draws = optima_drawn(fit.law, C)
    band = marks.band(C, None if draws is None else getattr(draws, which), fit.level)
    solid = marks.line(seen, getattr(optimum(fit.law, seen), which), "@law")
    return [*band, solid, marks.line(past, getattr(optimum(fit.law, past), which), "@law", dash="dash")]


def _published(fit: Fit, which: Quantity, laws: Sequence[Law], seen: FloatArray, past: FloatArray) -> list[Trace]:
    """Thin lines of other laws, behind everything else."""
    C, data = np.concatenate([seen, past[1:]]), []
    for law in (one for one in laws if comparable(fit, one, which)):
        hover = f"{escape(law.title)}<br>N: {describe(law.conventions.params)}"
        thin = {"line": {"color": "@muted", "width": marks.THIN}, "hoverinfo": "text", "hovertext": hover}
        data.append(marks.line(C, getattr(law.optimum(C), which), "@muted") | thin | {"name": escape(law.id)})
    return data


def _drawn(data: list[Trace], y: dict[str, object], C: FloatArray, largest: float) -> Figure:
    """The figure, with the names of published lines at their ends, and everything past the largest budget shaded."""
    layout: dict[str, Any] = {"xaxis": flops_axis(C[0], C[-1]), "yaxis": y}
    ends = {trace["name"]: trace["y"][-1] for trace in data if "name" in trace}
    if ends:
        unseen, layout["yaxis2"] = marks.end_names(ends, y)
        # Names take room from the budgets, which on a telephone would otherwise stand on end.
        layout["xaxis"] |= {key: layout["xaxis"][key][::2] for key in ("tickvals", "ticktext")}
        data = [*data, unseen]
    return {"data": data, "layout": layout | {"shapes": [marks.beyond(float(largest), float(C[-1]))]}}


def _answer(fit: Fit, which: Quantity, target: float) -> tuple[float, Span | None]:
    """What the law says at the target, and the interval of its draws."""
    value, draws = float(getattr(optimum(fit.law, target), which)), optima_drawn(fit.law, np.array([target]))
    if draws is None:
        return value, None
    low, high = np.nanquantile(getattr(draws, which), [(1 - fit.level) / 2, (1 + fit.level) / 2])
    return value, (float(low), float(high))


def _open_star(flops: float, value: float, span: Span | None, text: str) -> Trace:
    return marks.star([flops], [value], text, span) | {"marker": marks.marker("star-open", "@forecast", 14)}


def _minima(fit: Fit, values: list[float], spans: Sequence[Span | None], hover: list[str]) -> list[Trace]:
    roles = budget_roles([found.flops for found in fit.minima])
    ranks = [rank for rank, found in enumerate(fit.minima) if found.interior]
    return [
        marks.points([fit.minima[rank].flops], [value], marks.marker("diamond", roles[rank], 9), [text])
        | {"error_y": marks.error_bar([value], [span], roles[rank], width=0)}
        for rank, value, span, text in zip(ranks, values, spans, hover, strict=True)
    ]

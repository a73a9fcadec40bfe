"""N*, D* and the loss against the budget: what each law advises, how sure it is, and where the budget lies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from isoflop.errors import DataError
from isoflop.laws import Law
from isoflop.planning import Plan, PlanRow, Plans, plans
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import count_label, flops_axis, log_axis, loss_title, params_title
from isoflop.reports.figures import Figure, marks

LEAST, MOST = 18, 28
"""Decades of the budget that are drawn; a budget beyond them widens the figure."""
KNOTS_A_DECADE = 8
COLOURS = ("@law", "@forecast", "@ok", "@caution", "@muted")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
TITLES = {"params": "N*", "tokens": "D*", "loss": "loss"}


def frontier_figures(asked: Sequence[Law], found: Plan) -> dict[str, Figure]:
    """Figures "params", "tokens" and, where a law has one, "loss": each a line a law with its band, the budget marked.

    A law that gives no optimum somewhere in the range is drawn at the budget alone.
    """
    decade = np.log10(found.budget.value)
    span = min(LEAST, int(np.floor(decade - 1))), max(MOST, int(np.ceil(decade + 1)))
    shown = [which for which in TITLES if which != "loss" or any(law.has_loss for law in asked)]
    return {which: _figure(which, asked, found, span) for which in shown}


def _figure(which: str, asked: Sequence[Law], found: Plan, span: tuple[int, int]) -> Figure:
    data: list[marks.Trace] = []
    for rank, (law, row) in enumerate(zip(asked, found.rows, strict=True)):
        if which == "loss" and not law.has_loss:
            continue
        data += _frontier(law, found.level, span, which, rank)
        data.append(_mark(which, row, found.budget.value, COLOURS[rank % len(COLOURS)]))
    budget = {"type": "line", "x0": found.budget.value, "x1": found.budget.value, "y0": 0, "y1": 1, "yref": "paper"}
    budget |= {"line": {"color": "@muted", "width": 1, "dash": "dot"}, "layer": "below"}
    layout: dict[str, Any] = {"xaxis": flops_axis(10.0 ** span[0], 10.0 ** span[1]), "shapes": [budget]}
    layout |= {"yaxis": _axis(which, asked, data)}
    return {"data": data, "layout": layout}


@lru_cache(maxsize=512)
def _frontier(law: Law, level: float, span: tuple[int, int], which: str, rank: int) -> tuple[marks.Trace, ...]:
    """The line and the band of a law; drawn once, for a dragged budget only moves the mark."""
    found = _plans(law, level, *span)
    if found is None:
        return ()
    interval = getattr(found, f"{which}_interval") if rank == 0 else None
    band = () if interval is None else (_band(found, interval),)
    return (*band, _line(found, which, law.id, *_look(rank)))


def _look(rank: int) -> tuple[str, str]:
    """The colour and the dash of a line: no two laws of 25 have both."""
    return COLOURS[rank % len(COLOURS)], DASHES[(rank + rank // len(COLOURS)) % len(DASHES)]


@lru_cache(maxsize=128)
def _plans(law: Law, level: float, low: int, high: int) -> Plans | None:
    """None for a law that gives no optimum somewhere in between."""
    try:
        return plans(law, np.geomspace(10.0**low, 10.0**high, KNOTS_A_DECADE * (high - low) + 1), level=level)
    except DataError:
        return None


def _band(frontier: Plans, interval: tuple[Any, Any]) -> marks.Trace:
    low, high = interval
    C = frontier.flops
    outline = {"x": [*C, *C[::-1]], "y": [*high, *low[::-1]], "mode": "lines", "line": {"width": 0}}
    return marks.trace(**outline, fill="toself", fillcolor="@band", hoverinfo="skip", showlegend=False)


def _line(frontier: Plans, which: str, name: str, colour: str, dash: str) -> marks.Trace:
    values = getattr(frontier, which)
    show = (lambda value: f"{value:.3f}") if which == "loss" else format_si
    pairs = zip(frontier.flops, values, strict=True)
    hover = [f"{name}<br>C {format_flops(float(C))}<br>{TITLES[which]} {show(float(value))}" for C, value in pairs]
    drawn = marks.line(frontier.flops, values, colour, dash)
    return drawn | {"name": name, "hoverinfo": "text", "hovertext": hover}


def _mark(which: str, row: PlanRow, flops: float, colour: str) -> marks.Trace:
    """The advice at the budget, with its interval where the law has one."""
    value = getattr(row, which)
    span = None if row.intervals is None else getattr(row.intervals, which)
    show = (lambda value: f"{value:.3f}") if which == "loss" else format_si
    hover = f"{row.law} at {format_flops(flops)} FLOPs<br>{TITLES[which]} {show(value)}"
    point = marks.points([flops], [value], marks.marker("diamond", colour, 10), [hover])
    return point | {"error_y": marks.error_bar([value], [span], colour), "showlegend": False}


def _axis(which: str, asked: Sequence[Law], data: Sequence[marks.Trace]) -> dict[str, Any]:
    conventions = {law.conventions for law in asked}
    if which == "loss":
        alike = len({one.loss for one in conventions}) == 1
        return {
            "title": {"text": _in_two(loss_title(asked[0].conventions) if alike else "loss, as each law measures it")}
        }
    values = [value for drawn in data for value in drawn["y"]]
    alike = len({one.params for one in conventions}) == 1
    counted = params_title(asked[0].conventions) if alike else "parameters N, as each law counts them"
    title = f"N*: {counted}" if which == "params" else "D*: training tokens"
    return log_axis(_in_two(title), min(values) / 1.3, max(values) * 1.3, count_label)


def _in_two(title: str) -> str:
    """A long title of an upright axis in two lines, or a small figure would cut it."""
    head, mark, rest = title.partition(" (") if " (" in title else title.partition(", ")
    return f"{head}{mark.rstrip(' (')}<br>{mark.strip(', ')}{rest}" if len(title) > 26 and rest else title

"""How laws split a budget: N* and D* against C for one law, and for the laws of a plan side by side at its budget."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from isoflop.errors import DataError
from isoflop.laws import Law
from isoflop.planning import Plan
from isoflop.planning.optimum import optimum
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure
from isoflop.reports.figures.surface import optima_drawn
from isoflop.reports.rounding import count_with_interval

LEFT, RIGHT = (0.0, 0.42), (0.58, 1.0)
UNKNOWN_RANGE = (1e18, 1e24)
"""In FLOPs; a law that does not say what it was fitted on is drawn over the budgets of published sweeps."""
BEYOND = 100.0
TITLES = {"params": "compute-optimal parameters N*", "tokens": "compute-optimal tokens D*"}


def split_figure(law: Law, target: float | None = None, level: float = 0.9) -> Figure:
    """N* and D* against C, with the band of the law's draws, dashed past the largest run that it was fitted on.

    From the smallest run to ``target`` FLOPs, or to 100 times the largest run.
    """
    smallest, largest = law.fitted_range.flops or UNKNOWN_RANGE
    end = target or BEYOND * largest
    seen, past = marks.seen_and_beyond(min(smallest, end), min(largest, end), end)
    C = np.concatenate([seen, past[1:]])
    best, drawn = optimum(law, C), optima_drawn(law, C)
    data = []
    layout: dict[str, Any] = {"shapes": []}
    for which, pane, domain in (("params", "", LEFT), ("tokens", "2", RIGHT)):
        values = getattr(best, which)
        traces = marks.band(C, None if drawn is None else getattr(drawn, which), level)
        traces.append(marks.line(seen, values[: len(seen)], "@law"))
        if end > largest:
            traces.append(marks.line(past, values[len(seen) - 1 :], "@law", "dash"))
            layout["shapes"].append(marks.beyond(largest, end) | {"xref": f"x{pane}"})
        data += [trace | _on(pane) for trace in traces]
        span = log_span(np.concatenate([trace["y"] for trace in traces]))
        layout[f"yaxis{pane}"] = log_axis(TITLES[which], *span, count_label) | {"anchor": f"x{pane}"}
        layout[f"xaxis{pane}"] = flops_axis(C[0], end) | {"domain": [*domain], "anchor": f"y{pane}"}
    return {"data": data, "layout": layout}


def plan_figure(plan: Plan) -> Figure:
    """N* and D* at the budget of a plan by each of its laws, with intervals where a law has them."""
    if not plan.rows:
        raise DataError("the plan has no law to draw.")
    names = [row.law for row in plan.rows]
    data = []
    layout: dict[str, Any] = {
        "yaxis": marks.names_axis([escape(name) for name in names]),
        "yaxis2": marks.names_axis([escape(name) for name in names]) | {"anchor": "x2", "showticklabels": False},
    }
    for which, pane, domain in (("params", "", LEFT), ("tokens", "2", RIGHT)):
        reached = []
        for row in plan.rows:
            value, span = getattr(row, which), None if row.intervals is None else getattr(row.intervals, which)
            reached += [value, *(span or ())]
            hover = [f"{escape(row.law)}<br>{count_with_interval(value, span)}"]
            point = marks.points([value], [escape(row.law)], marks.marker("diamond", "@law", 10), hover)
            data.append(point | {"error_x": marks.error_bar([value], [span], "@law")} | _on(pane))
        layout[f"xaxis{pane}"] = log_axis(TITLES[which], *log_span(reached), count_label) | {"domain": [*domain]}
    layout["xaxis2"]["anchor"] = "y2"
    return {"data": data, "layout": layout}


def _on(pane: str) -> dict[str, str]:
    return {"xaxis": f"x{pane}", "yaxis": f"y{pane}"}

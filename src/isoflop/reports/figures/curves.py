"""Training curves as they come in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.conventions import Conventions
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span, loss_axis
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.palette import budget_roles
from isoflop.reports.rounding import loss_text
from isoflop.runs.table import FloatArray

Seen = Literal["tokens", "flops"]
MOST_VERTICES, FEWEST_VERTICES = 6000, 12
"""Points of all curves together, and of each at least."""
TIPS = {"done": "circle", "failed": "x", "diverged": "x"}
"""The mark at a curve's end; any other state is still on its way."""


@dataclass(frozen=True)
class TrainingCurve:
    """One run's losses, shape (K,), at the tokens or FLOPs that it had seen, and the state it is in."""

    name: str
    seen: FloatArray
    loss: FloatArray
    state: str


def training_curves_figure(
    curves: Sequence[TrainingCurve], seen: Seen = "tokens", conventions: Conventions | None = None
) -> Figure:
    """Loss against what was seen, log-log, one line a run; further along the ramp is further in its training.

    A filled mark ends a run that is done, an open one a run on its way, a cross one that failed. Where the curves hold
    more points than a page should, each keeps some that are even in ln of what was seen, its first and its last.

    >>> figure = training_curves_figure([TrainingCurve("a", np.array([1e6, 2e6]), np.array([3.0, 2.5]), "running")])
    >>> [trace["mode"] for trace in figure["data"]]
    ['lines', 'markers']
    """
    shown = [curve for curve in curves if curve.loss.size]
    conventions = conventions or Conventions()
    each = max(MOST_VERTICES // max(len(shown), 1), FEWEST_VERTICES)
    colours = budget_roles([float(curve.seen[-1]) for curve in shown]) if shown else []
    data: list[Trace] = []
    for curve, colour in zip(shown, colours, strict=True):
        data += _curve(curve, "@refused" if TIPS.get(curve.state) == "x" else colour, each, seen)
    if not shown:
        return {"data": [], "layout": {}}
    low, high = log_span(np.concatenate([curve.seen for curve in shown]))
    tokens = log_axis("training tokens seen", low, high, count_label)
    layout = {
        "xaxis": flops_axis(low, high) if seen == "flops" else tokens,
        "yaxis": loss_axis(conventions, *log_span(np.concatenate([curve.loss for curve in shown]))),
    }
    return {"data": data, "layout": layout}


def _curve(curve: TrainingCurve, colour: str, most: int, seen: Seen) -> list[Trace]:
    kept = _spread(curve.seen, most)
    x, y = marks.rounded(curve.seen[kept]), marks.rounded(curve.loss[kept])
    line = marks.line(x, y, colour) | {"line": {"color": colour, "width": 1.3}}
    amount = f"{format_flops(curve.seen[-1])} FLOPs" if seen == "flops" else f"{format_si(curve.seen[-1])} tokens"
    hover = f"{escape(curve.name)}: {escape(curve.state)}<br>{amount}, loss {loss_text(float(curve.loss[-1]))}"
    tip = marks.points(x[-1:], y[-1:], marks.marker(TIPS.get(curve.state, "circle-open"), colour, 7), [hover])
    return [line, tip]


def _spread(seen: FloatArray, most: int) -> NDArray[np.int64]:
    """Which points of a curve are drawn: all, or some even in ln, with the first and the last."""
    if seen.size <= most:
        return np.arange(seen.size)
    wanted = np.geomspace(seen[0], seen[-1], most)
    return np.unique(np.clip(np.searchsorted(seen, wanted), 0, seen.size - 1))

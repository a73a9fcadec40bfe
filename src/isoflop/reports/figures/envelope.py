"""Loss against compute: everything that was trained, the lower envelope of it, and the law's frontier on top."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.envelope import rungs
from isoflop.fitting.groups import groups
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import count_label, flops_axis, log_span, loss_axis
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.prose import run_names
from isoflop.reports.rounding import loss_text
from isoflop.runs import Runs
from isoflop.runs.table import FloatArray

FEWEST_IN_CURVE = 3
SHADES = 12
"""Steps of the ramp that curves are drawn in: one trace each, however many curves there are."""
MOST_VERTICES = 4000
PAST_RUNS = 2.0


def envelope_figure(runs: Runs, fit: Fit | None = None) -> Figure:
    """Loss against compute, coloured by N, with training curves, the least loss so far, and the frontier L*(C).

    Curves are the rows of one training run (see ``isoflop.fitting.groups``); where approach 1 took the runs of one N
    at rising D for a curve, so does the figure. ``fit`` is of any approach; without one, or with one that was
    refused, there is no frontier to draw.

    >>> columns = {"run_id": ["a"] * 3 + ["b"] * 3}
    >>> runs = Runs([1e8] * 3 + [2e8] * 3, [1e9, 2e9, 4e9] * 2, [4, 3.5, 3.3, 4.1, 3.4, 3.1], columns=columns)
    >>> [trace["mode"] for trace in envelope_figure(runs)["data"]]
    ['lines', 'lines', 'markers', 'lines']
    """
    law = None if fit is None else fit.fitted
    rows = marks.thinned(len(runs), np.where(_least_so_far(runs), np.inf, 0.0))
    names = run_names(runs)
    hover = [
        f"{escape(names[row])}<br>N {format_si(runs.params[row])}, {format_flops(runs.flops[row])} FLOPs<br>"
        f"loss {loss_text(runs.loss[row])}"
        for row in rows
    ]
    x, y = marks.rounded(runs.flops[rows]), marks.rounded(runs.loss[rows])
    data = _curves(runs, ladder=law is not None and fit is not None and fit.approach == 1)
    size = 6 if len(runs) < marks.MOST_POINTS / 4 else 3.5
    data.append(marks.by_amount(x, y, runs.params[rows], hover, "parameters N", count_label, size))
    data.append(_envelope(runs))
    largest = float(runs.flops.max())
    losses = runs.loss
    if law is not None and law.has_optimum:
        seen, past = marks.seen_and_beyond(float(runs.flops.min()), largest, PAST_RUNS * largest)
        ahead = law.optimum(past).loss
        data += [marks.line(seen, law.optimum(seen).loss, "@law"), marks.line(past, ahead, "@law", "dash")]
        losses = np.append(losses, ahead)
    low, high = log_span(runs.flops)
    layout = {
        "xaxis": flops_axis(low, max(high, 1.1 * PAST_RUNS * largest)),
        "yaxis": loss_axis(runs.conventions, *log_span(losses)),
        "shapes": [marks.beyond(largest, 100 * largest)],
        "annotations": marks.sample_note(rows.size, len(runs)),
    }
    return {"data": data, "layout": layout}


def _least_so_far(runs: Runs) -> NDArray[np.bool_]:
    """Which runs have less loss than every run of no more compute: the corners of the envelope."""
    order = np.lexsort((runs.loss, runs.flops))
    loss = runs.loss[order]
    least = np.ones(len(runs), dtype=bool)
    least[1:] = loss[1:] < np.minimum.accumulate(loss)[:-1]
    found = np.zeros(len(runs), dtype=bool)
    found[order[least]] = True
    return found


def _envelope(runs: Runs) -> Trace:
    corners = np.flatnonzero(_least_so_far(runs))
    corners = corners[np.argsort(runs.flops[corners], kind="stable")]
    x, y = [*runs.flops[corners], runs.flops.max()], [*runs.loss[corners], runs.loss[corners[-1]]]
    stairs = marks.line(x, y, "@ink")
    return stairs | {"line": {"color": "@ink", "width": 1.2, "shape": "hv"}, "opacity": 0.7}


def _curves(runs: Runs, *, ladder: bool) -> list[Trace]:
    """Thin lines along every curve, the shade of its N; curves of a shade are one trace with gaps between them."""
    labels = groups(runs)
    if labels is None and not ladder:
        return []
    if labels is None:
        labels = rungs(runs.params)
    found = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    found = [rows[np.argsort(runs.flops[rows], kind="stable")] for rows in found if rows.size >= FEWEST_IN_CURVE]
    logs = np.log(runs.params)
    width = max(float(np.ptp(logs)), 1e-9)
    step = -(-sum(rows.size for rows in found) // MOST_VERTICES)
    shades: dict[int, list[NDArray[np.int64]]] = {}
    for rows in found:
        shade = round((SHADES - 1) * float(logs[rows[0]] - logs.min()) / width)
        shades.setdefault(shade, []).append(rows[:: max(step, 1)])
    return [_shade(runs, shade / (SHADES - 1), curves) for shade, curves in sorted(shades.items())]


def _shade(runs: Runs, place: float, curves: list[NDArray[np.int64]]) -> Trace:
    colour = f"@ramp{place:.3f}"
    gaps = marks.line([], [], colour) | {"x": _joined(runs.flops, curves), "y": _joined(runs.loss, curves)}
    return gaps | {"line": {"color": colour, "width": 1}, "opacity": 0.6}


def _joined(values: FloatArray, curves: list[NDArray[np.int64]]) -> list[float | None]:
    """The values along every curve, with nothing between two."""
    return [value for rows in curves for value in (*marks.rounded(values[rows]), None)]

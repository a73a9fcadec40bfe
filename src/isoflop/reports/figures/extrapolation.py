"""How far the law is asked beyond its runs, and how such questions went when the answer was known."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import Backtest, Fit, Split
from isoflop.fitting.result import Span
from isoflop.planning.optimum import optimum
from isoflop.quantities import format_estimate, format_flops, format_interval, format_level
from isoflop.reports.axes import flops_axis, log_span, loss_axis
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.figures.surface import optima_drawn
from isoflop.reports.prose import run_names
from isoflop.reports.rounding import loss_text
from isoflop.runs import Runs

PAST_TARGET = 1.6


def fan_figure(
    fit: Fit,
    target: float,
    backtest: Backtest | None = None,
    interval: Span | None = None,
    judged: Runs | None = None,
) -> Figure:
    """The loss on the frontier from the smallest run to ``target`` FLOPs, with everything that is known of its error.

    The band is the draws'; the bar at the target is ``interval``, which holds the form's error as well. Each split of
    the ``backtest`` is a diamond at the most compute it was fitted to and at the loss it predicted for the run of
    most compute, with its interval, and a dotted line to what came out: filled where the interval held, open where
    it missed. ``judged`` are the runs that were split, the fit's own unless given.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> figure = fan_figure(iso.fit(runs, draws=0), 1e24, interval=(1.9, 2.0))
    >>> figure["data"][-1]["x"]
    [1e+24]
    """
    law, runs = fit.law, fit.runs
    smallest, largest = float(runs.flops.min()), float(runs.flops.max())
    seen, past = marks.seen_and_beyond(smallest, largest, PAST_TARGET * max(target, largest))
    C = np.concatenate([seen, past[1:]])
    drawn = optima_drawn(law, C)
    rows = marks.thinned(len(runs))
    data = [_cloud(runs, rows), *marks.band(C, None if drawn is None else drawn.loss, fit.level)]
    data += [marks.line(seen, optimum(law, seen).loss, "@law")]
    data += [marks.line(past, optimum(law, past).loss, "@law", "dash")]
    data += [] if backtest is None else _backtests(judged or runs, backtest)
    data.append(_answer(fit, target, interval))
    layout = {
        "xaxis": flops_axis(*log_span(C)),
        "yaxis": loss_axis(runs.conventions, *log_span(marks.heights(data))),
        "shapes": [marks.beyond(largest, 10 * C[-1])],
        "annotations": marks.sample_note(rows.size, len(runs)),
    }
    return {"data": data, "layout": layout}


def judged_run(runs: Runs) -> int:
    """The row that every split is judged on: the least loss among the runs of most compute, as ``backtest`` has it."""
    largest = np.flatnonzero(runs.flops >= 0.9 * runs.flops.max())
    return int(largest[runs.loss[largest].argmin()])


def _cloud(runs: Runs, rows: NDArray[np.int64]) -> Trace:
    names = run_names(runs)
    hover = [
        f"{escape(names[row])}<br>{format_flops(runs.flops[row])} FLOPs, loss {loss_text(runs.loss[row])}"
        for row in rows
    ]
    marker = marks.marker("circle", "@muted", 4) | {"opacity": 0.45}
    return marks.points(marks.rounded(runs.flops[rows]), marks.rounded(runs.loss[rows]), marker, hover)


def _backtests(runs: Runs, backtest: Backtest) -> list[Trace]:
    row = judged_run(runs)
    C, loss = float(runs.flops[row]), float(runs.loss[row])
    hover = f"{escape(run_names(runs)[row])}: what the backtests had to foresee<br>loss {loss_text(loss)}"
    traces = [trace for split in backtest.splits for trace in _split(split, C, backtest.level)]
    return [*traces, marks.points([C], [loss], marks.marker("circle-open", "@ink", 12), [hover])]


def _split(split: Split, flops: float, level: float) -> list[Trace]:
    """An arrow from where a split stood to where it was judged, and what it had said."""
    colour = "@ok" if split.inside_interval else "@refused"
    path = marks.line([split.fitted_up_to, flops], [split.predicted, split.actual], colour, "dot")
    marker = marks.marker("diamond" if split.inside_interval else "diamond-open", colour, 10)
    hover = (
        f"fitted to {split.fitted} runs up to {format_flops(split.fitted_up_to)} FLOPs<br>predicted "
        f"{format_estimate(split.predicted, split.interval)} at {format_level(level)}<br>came out "
        f"{loss_text(split.actual)}: {'inside' if split.inside_interval else 'missed'}"
    )
    bar = marks.error_bar([split.predicted], [split.interval], colour)
    said = marks.points([split.fitted_up_to], [split.predicted], marker, [hover]) | {"error_y": bar}
    return [path | {"line": {"color": colour, "width": 1, "dash": "dot"}}, said]


def _answer(fit: Fit, target: float, interval: Span | None) -> Trace:
    """The target: what the law says there, and the bar that holds the form's error."""
    loss = float(optimum(fit.law, target).loss)
    wide = (
        ""
        if interval is None
        else f"<br>{format_level(fit.level)} interval with the form's error {format_interval(*interval)}"
    )
    hover = f"at {format_flops(target)} FLOPs<br>loss {loss_text(loss)}{wide}"
    star = marks.points([target], [loss], marks.marker("star", "@forecast", 14), [hover])
    return star | {"error_y": marks.error_bar([loss], [interval], "@forecast", thickness=2.5, width=8)}

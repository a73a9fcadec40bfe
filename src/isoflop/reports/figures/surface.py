"""The loss surface from above: contours of L(N, D), the runs on it, and the frontier through its valley."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np

from isoflop.fitting import Fit
from isoflop.laws import Law, Optimum
from isoflop.planning.optimum import optimum, optimum_draws
from isoflop.planning.surface import spread, with_form_error
from isoflop.quantities import format_estimate, format_flops, format_si
from isoflop.reports.axes import count_label, log_axis, log_span, log_ticks, params_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.figures.residuals import residual_hover, residual_percent
from isoflop.reports.prose import run_names
from isoflop.runs import Runs
from isoflop.runs.table import FloatArray

BUDGETS = 41
"""Places of the slider."""
PAST_TARGET = 10.0
LEVELS = 9
FINEST = 1e-4
"""Between contours that are told apart by their labels."""
HALVINGS = 50
INSET = 1.002
"""How far inside the frame a label at its edge is placed: one past the edge is not drawn."""
SEARCHED_DRAWS = 200
"""Draws of a law without a closed-form optimum, whose optima are searched one by one."""


@dataclass(frozen=True)
class _Frame:
    """The corners of the drawing: N across, D up."""

    params: tuple[float, float]
    tokens: tuple[float, float]


def contours_figure(fit: Fit, excluded: Runs | None = None, target: float | None = None) -> Figure:
    """Contours of L(N, D) on logarithmic axes, with the runs, the frontier, and the optimum of a budget.

    ``excluded`` runs are drawn open; the optimum stands at ``target`` FLOPs. The figure's "slider" holds other
    budgets, from the smallest run's to ten times the target (or the largest run): for each its label, what the law
    says there, and the coordinates that the traces named by their index take. DataError for a law without a
    compute-optimal split.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> figure = contours_figure(iso.fit(runs, draws=0), target=1e24)
    >>> figure["slider"]["steps"][figure["slider"]["at"]]["label"]
    '1e24'
    """
    law, runs = fit.law, fit.runs
    smallest, largest = float(runs.flops.min()), float(runs.flops.max())
    end = PAST_TARGET * (target or largest)
    seen, past = marks.seen_and_beyond(smallest, largest, end)
    path, ahead = optimum(law, seen), optimum(law, past)
    tables = [runs] if excluded is None else [runs, excluded]
    frame = _Frame(
        log_span(np.concatenate([*(table.params for table in tables), path.params, ahead.params])),
        log_span(np.concatenate([*(table.tokens for table in tables), path.tokens, ahead.tokens])),
    )
    data = [_unseen(frame, largest), *_equal_compute(frame, smallest, end), *_contours(law, frame, seen, past)]
    data += [marks.line(path.params, path.tokens, "@law"), marks.line(ahead.params, ahead.tokens, "@law", "dash")]
    rows = marks.thinned(len(runs), residuals := residual_percent(fit))
    data += [_runs(fit, residuals, rows), *([] if excluded is None else [_excluded(excluded)])]
    slider = _slider(fit, target or largest, smallest, end, len(data))
    data += _chosen(slider["steps"][slider["at"]], len(data))
    layout = {
        "xaxis": log_axis(params_title(runs.conventions), *frame.params, count_label),
        "yaxis": log_axis("training tokens D", *frame.tokens, count_label),
        "annotations": marks.sample_note(rows.size, len(runs)),
    }
    return {"data": data, "layout": layout, "slider": slider}


def optima_drawn(law: Law, C: FloatArray) -> Optimum | None:
    """The optima of the draws, shape (draws, ...budgets); of a few of them where each has to be searched for."""
    if law.has_optimum or law.draws is None:
        return law.optimum_draws(C)
    some = slice(None, None, max(len(next(iter(law.draws.values()))) // SEARCHED_DRAWS, 1))
    return optimum_draws(replace(law, draws={name: column[some] for name, column in law.draws.items()}), C)


def iso_loss(law: Law, level: float, ratios: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """N and D where L(N, D) is ``level``: a pair for each D/N where that is so with N D from ``low`` to ``high``.

    By bisection in ln(N D), with which the loss falls; even steps of the ratio go evenly along both arms of a contour.
    """

    def place(log_product: FloatArray, ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.exp((log_product - np.log(ratio)) / 2), np.exp((log_product + np.log(ratio)) / 2)

    bottom, top = np.full(ratios.shape, np.log(low)), np.full(ratios.shape, np.log(high))
    crossed = (law.predict(*place(bottom, ratios)) >= level) & (law.predict(*place(top, ratios)) <= level)
    kept, bottom, top = ratios[crossed], bottom[crossed], top[crossed]
    for _ in range(HALVINGS):
        middle = (bottom + top) / 2
        above = law.predict(*place(middle, kept)) > level
        bottom, top = np.where(above, middle, bottom), np.where(above, top, middle)
    return place((bottom + top) / 2, kept)


def _contours(law: Law, frame: _Frame, seen: FloatArray, past: FloatArray) -> list[Trace]:
    """Contours at round losses, about evenly spaced along the frontier, each with its loss at its right end."""
    along = optimum(law, np.geomspace(seen[0], past[-1], LEVELS + 2)[1:-1]).loss
    decimals = max(int(np.ceil(-np.log10(max(np.abs(np.diff(along)).min(), FINEST)))), 1)
    (left, right), (bottom, top) = frame.params, frame.tokens
    ratios = np.geomspace(top / left, bottom / right, 2 * marks.POINTS)
    traces = []
    for level in dict.fromkeys(np.round(along, decimals)):
        N, D = iso_loss(law, float(level), ratios, left * bottom / 100, right * top * 100)
        inside = np.flatnonzero(((N - left) * (right - N) > 0) & ((D - bottom) * (top - D) > 0))
        if not inside.size:
            continue
        # One point past the frame at either end: the browser clips the line there.
        shown = slice(max(inside[0] - 1, 0), inside[-1] + 2)
        N, D = N[shown], D[shown]
        contour = marks.line(marks.rounded(N), marks.rounded(D), "@muted")
        traces.append(contour | {"line": {"color": "@muted", "width": 1}, "opacity": 0.8})
        at_edge = float(np.exp(np.interp(np.log(right), np.log(N), np.log(D))))
        text = f"{level:.{decimals}f}"
        traces.append(marks.label_at(min(right, float(N[-1])) / INSET, at_edge, text, "@ink", "top left"))
    return traces


def _equal_compute(frame: _Frame, smallest: float, end: float) -> list[Trace]:
    """Thin lines of equal 6 N D, each with its FLOPs where it enters the frame."""
    traces = []
    for C in log_ticks(smallest, end):
        N, D = _budget_line(C, frame)
        if N[0] < N[1]:
            thin = {"color": "@rule", "width": marks.THIN, "dash": "dot"}
            traces.append(marks.line(N, D, "@rule") | {"line": thin})
            enters_left = D[0] < frame.tokens[1] * 0.97
            position = "top right" if enters_left else "bottom right"
            label = marks.label_at(N[0] * INSET, D[0] / INSET, format_flops(C), "@muted", position, size=10)
            traces.append(label)
    return traces


def _budget_line(C: float, frame: _Frame) -> tuple[list[float], list[float]]:
    """The ends of 6 N D = C within the frame, from the upper left."""
    left, right = max(frame.params[0], C / 6 / frame.tokens[1]), min(frame.params[1], C / 6 / frame.tokens[0])
    return marks.rounded([left, right]), marks.rounded([C / 6 / left, C / 6 / right])


def _unseen(frame: _Frame, largest: float) -> Trace:
    """The shade over everything that costs more than the largest run."""
    (N, D), corner = _budget_line(largest, frame), (frame.params[1], frame.tokens[1])
    x = [N[0], frame.params[0], frame.params[0], corner[0], corner[0], N[1]]
    y = [D[0], D[0], corner[1], corner[1], D[1], D[1]]
    # Where the line enters through the top, its left corner is the top's.
    outline = marks.trace(x=x, y=y, mode="lines", line={"width": 0}, fill="toself", fillcolor="@beyond")
    return outline | {"hoverinfo": "skip"}


def _runs(fit: Fit, residuals: FloatArray, rows: Any) -> Trace:
    runs = fit.runs
    x, y = marks.rounded(runs.params[rows]), marks.rounded(runs.tokens[rows])
    return marks.by_amount(x, y, runs.flops[rows], residual_hover(runs, residuals, rows), "compute C (FLOPs)")


def _excluded(runs: Runs) -> Trace:
    names, rows = run_names(runs), marks.thinned(len(runs))
    hover = [
        f"{escape(names[row])}, not in the fit<br>N {format_si(runs.params[row])}, D {format_si(runs.tokens[row])}"
        for row in rows
    ]
    N, D = marks.rounded(runs.params[rows]), marks.rounded(runs.tokens[rows])
    return marks.points(N, D, marks.marker("circle-open", "@muted", 6), hover)


def _slider(fit: Fit, target: float, smallest: float, end: float, first: int) -> dict[str, Any]:
    """Every budget of the slider; the traces ``first`` and the next are its line of equal compute and its optimum."""
    budgets = np.array([float(f"{C:.1e}") for C in np.geomspace(smallest, end, BUDGETS)])
    at = int(np.abs(np.log(budgets / target)).argmin())
    budgets[at] = target
    best, drawn = optimum(fit.law, budgets), optima_drawn(fit.law, budgets)
    steps = []
    for k, C in enumerate(budgets.tolist()):
        N, D, loss = float(best.params[k]), float(best.tokens[k]), float(best.loss[k])
        noise = None if drawn is None else spread(drawn.loss[:, k], fit.level)
        span = None if noise is None else with_form_error(fit.law, C, loss, noise, fit.level)
        text = (
            f"at {format_flops(C)} FLOPs: N* {format_si(N)}, D* {format_si(D)}, D/N {D / N:.3g}, "
            f"loss {format_estimate(loss, span)}"
        )
        across = np.array([N / 30, N * 30])
        line = {"x": marks.rounded(across), "y": marks.rounded(C / 6 / across)}
        mark = {"x": marks.rounded([N]), "y": marks.rounded([D])}
        steps.append({"label": format_flops(C), "text": text, "restyle": {str(first): line, str(first + 1): mark}})
    return {"label": "budget", "at": at, "steps": steps}


def _chosen(step: dict[str, Any], first: int) -> list[Trace]:
    line, mark = step["restyle"][str(first)], step["restyle"][str(first + 1)]
    budget = marks.line(line["x"], line["y"], "@forecast") | {"line": {"color": "@forecast", "width": 1.5}}
    star = marks.points(mark["x"], mark["y"], marks.marker("star", "@forecast", 15), ["compute-optimal at this budget"])
    return [budget, star]

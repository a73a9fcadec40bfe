"""One question under every choice that an analyst could defend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isoflop.conventions import ParamsConvention, describe
from isoflop.fitting import Specification, SpecificationCurve
from isoflop.fitting.result import Span
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import count_label, log_axis, log_span
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.rounding import loss_text

CRITERIA = {"least_squares": "least squares", "absolute": "least absolute", "huber": "Huber"}
PER_CHOICE, MOST_MATRIX = 0.05, 0.55
"""Share of the height that a row of dots takes, and all of them at most."""
GAP = 0.04


def specification_figure(curve: SpecificationCurve, interval: Span | None = None) -> Figure:
    """N* at a budget under every specification, smallest first, and under each the choices that lead to it.

    ``interval`` is the plain fit's, drawn as a band: what it does not hold is an analyst's choice, and not noise.
    Specifications that have no law come last, as crosses. DataError where none has one.
    """
    low, high = curve.spread
    rows = curve.rows
    found = [k for k, row in enumerate(rows) if row.params is not None]
    refused = [k for k, row in enumerate(rows) if row.params is None]
    choices = _choices(rows)
    data = [
        marks.points(found, [rows[k].params for k in found], marks.marker("circle", "@law", 6), _hover(rows, found)),
        marks.points(refused, [low] * len(refused), marks.marker("x-thin-open", "@refused", 8), _hover(rows, refused)),
        _dots(choices, len(rows)),
    ]
    matrix = min(PER_CHOICE * len(choices), MOST_MATRIX)
    shown = [low, high, *(interval or ())]
    title = f"N* at {format_flops(curve.flops)} FLOPs"
    top = {**log_axis(title, *log_span(shown, 0.12), count_label), "domain": [matrix + GAP, 1]}
    names = marks.names_axis(list(choices)) | {"tickfont": {"size": 10}, "dtick": 1, "fixedrange": True}
    x = {"title": {"text": f"{len(rows)} specifications, by N*"}, "showticklabels": False, "ticks": "", "anchor": "y2"}
    shapes: list[dict[str, Any]] = []
    if interval is not None:
        band = {"type": "rect", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": interval[0], "y1": interval[1]}
        shapes.append(band | {"fillcolor": "@band", "line": {"width": 0}, "layer": "below"})
    layout = {
        "xaxis": {**x, "range": [-1, len(rows)], "showgrid": False},
        "yaxis": top,
        "yaxis2": {**names, "domain": [0, matrix], "anchor": "x"},
        "shapes": shapes,
    }
    return {"data": data, "layout": layout}


def _choices(rows: Sequence[Specification]) -> dict[str, list[int]]:
    """Every choice that was varied, in words, and the ranks of the specifications that made it."""
    made: dict[str, list[int]] = {}
    for part in (_criterion, _counted, _cut, _outliers):
        said = [part(row) for row in rows]
        if len(set(said)) > 1:
            for name in sorted(set(said)):
                made[name] = [k for k, one in enumerate(said) if one == name]
    return made


def _criterion(row: Specification) -> str:
    return CRITERIA[row.objective] + ("" if row.delta is None else f" {row.delta:g}")


def _counted(row: Specification) -> str:
    return f"N: {describe(ParamsConvention(row.convention))}"


def _cut(row: Specification) -> str:
    return "all runs" if row.cut == 0 else f"without {row.cut:.0%} of least C"


def _outliers(row: Specification) -> str:
    return "outliers kept" if row.outliers is None else f"none past {row.outliers:g} sd"


def _hover(rows: Sequence[Specification], ranks: Sequence[int]) -> list[str]:
    texts = []
    for k in ranks:
        row = rows[k]
        answer = "no law: the fit was refused" if row.params is None else f"N* {format_si(row.params)}"
        loss = "" if row.loss is None else f", loss {loss_text(row.loss)}"
        how = ", ".join(part(row) for part in (_criterion, _counted, _cut, _outliers))
        texts.append(f"{answer}{loss}<br>{how}<br>{row.n_runs} runs")
    return texts


def _dots(choices: dict[str, list[int]], count: int) -> Trace:
    x = [k for ranks in choices.values() for k in ranks]
    y = [name for name, ranks in choices.items() for _ in ranks]
    size = float(np.clip(240 / max(count, 1), 3, 7))
    dots = marks.trace(x, y, mode="markers", marker=marks.marker("circle", "@ink", size), hoverinfo="skip")
    return dots | {"yaxis": "y2"}

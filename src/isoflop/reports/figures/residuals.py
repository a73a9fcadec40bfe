"""What the law missed: residuals against everything that they should not depend on."""

from __future__ import annotations

from html import escape
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from isoflop.fitting import Fit
from isoflop.fitting.judgement import ROBUST
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span, params_title
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure, Trace
from isoflop.reports.prose import run_names
from isoflop.runs import Runs
from isoflop.runs.table import FloatArray

Axis = Literal["params", "tokens", "flops", "tokens_per_param"]
FEWEST_IN_BIN, MOST_BINS = 5, 15
RESIDUAL = "loss above the law (%)"


def residual_percent(fit: Fit) -> FloatArray:
    """100 ln(L / law), shape (R,), of the fit's runs: positive where a run did worse than the law says."""
    runs, law = fit.runs, fit.law
    others = {name: runs.column(name) for name in law.family.inputs if name in ("flops", *runs.columns)}
    said = law.predict(runs.params, runs.tokens, **{k: np.asarray(v, float) for k, v in others.items()})
    return np.asarray(100 * np.log(runs.loss / said))


def robust_deviation(residuals: FloatArray) -> float:
    """The standard deviation that the middle half of the residuals speaks for.

    >>> round(robust_deviation(np.array([-2.0, -1.0, 0.0, 1.0, 900.0])), 4)
    1.4826
    """
    return float(ROBUST * np.median(np.abs(residuals - np.median(residuals))))


def residuals_figure(fit: Fit, axis: Axis) -> Figure:
    """Residuals of the loss against N, D, C or D/N: a law that holds leaves a level cloud about zero.

    The band is one robust standard deviation either way, the line the median of equally many runs a step; points are
    coloured by compute.
    """
    runs, residuals = fit.runs, residual_percent(fit)
    x = runs.tokens / runs.params if axis == "tokens_per_param" else np.asarray(runs.column(axis), float)
    rows = marks.thinned(len(runs), residuals)
    hover = residual_hover(runs, residuals, rows)
    cloud = marks.by_amount(
        marks.rounded(x[rows]), marks.rounded(residuals[rows]), runs.flops[rows], hover, "compute C (FLOPs)"
    )
    data = [cloud, _running_median(x, residuals)]
    low, high = log_span(x)
    sigma = robust_deviation(residuals)
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": -sigma, "y1": sigma, "layer": "below"}
    zero = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "layer": "below"}
    shapes = [
        band | {"fillcolor": "@band", "line": {"width": 0}},
        zero | {"line": {"color": "@muted", "width": 1}},
    ]
    layout = {
        "xaxis": _axis(axis, fit, low, high),
        "yaxis": {"title": {"text": RESIDUAL}},
        "shapes": shapes,
        "annotations": marks.sample_note(rows.size, len(runs)),
    }
    return {"data": data, "layout": layout}


def quantiles_figure(fit: Fit) -> Figure:
    """Residuals against the quantiles of a normal distribution: straight where they are normal, bent where tails weigh.

    The line has the slope of the robust standard deviation, so that tails show as what leaves it.
    """
    residuals = residual_percent(fit)
    order = np.argsort(residuals, kind="stable")
    quantiles = normal_quantiles(residuals.size)
    kept = marks.thinned(residuals.size, quantiles)
    rows = order[kept]
    hover = residual_hover(fit.runs, residuals, rows)
    cloud = marks.by_amount(
        marks.rounded(quantiles[kept]), marks.rounded(residuals[rows]), fit.runs.flops[rows], hover, "compute C (FLOPs)"
    )
    ends = np.array([quantiles[0], quantiles[-1]])
    normal = marks.line(ends, np.median(residuals) + robust_deviation(residuals) * ends, "@muted", dash="dash")
    layout = {
        "xaxis": {"title": {"text": "normal quantile (standard deviations)"}},
        "yaxis": {"title": {"text": RESIDUAL}},
        "annotations": marks.sample_note(rows.size, residuals.size),
    }
    return {"data": [normal, cloud], "layout": layout}


def normal_quantiles(count: int) -> FloatArray:
    """The quantiles of a standard normal at (k - 1/2)/count, k from 1, the usual plotting positions.

    >>> marks.rounded(normal_quantiles(3), 4)
    [-0.9674, 0.0, 0.9674]
    """
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / count) for k in range(count)])


def residual_hover(runs: Runs, residuals: FloatArray, rows: Any) -> list[str]:
    """Which run, where it stands, and by how much it misses the law."""
    names = run_names(runs)
    return [
        f"{escape(names[row])}<br>N {format_si(runs.params[row])}, D {format_si(runs.tokens[row])}, "
        f"C {format_flops(runs.flops[row])}<br>{residuals[row]:+.2f} % from the law"
        for row in rows
    ]


def _running_median(x: FloatArray, residuals: FloatArray) -> Trace:
    """Medians of runs of neighbours along x, equally many in each."""
    bins = int(np.clip(x.size // FEWEST_IN_BIN, 1, MOST_BINS))
    parts = np.array_split(np.argsort(x, kind="stable"), bins)
    middle = [float(np.exp(np.median(np.log(x[part])))) for part in parts]
    return marks.line(middle, [float(np.median(residuals[part])) for part in parts], "@forecast")


def _axis(axis: Axis, fit: Fit, low: float, high: float) -> dict[str, object]:
    if axis == "flops":
        return flops_axis(low, high)
    titles = {
        "params": params_title(fit.runs.conventions),
        "tokens": "training tokens D",
        "tokens_per_param": "tokens per parameter D/N",
    }
    return log_axis(titles[axis], low, high, count_label)

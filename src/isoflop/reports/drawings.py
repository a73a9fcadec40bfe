"""The figures by name: what each shows, and how it is drawn from the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import DataError
from isoflop.fitting import Fit
from isoflop.reports import figures
from isoflop.reports.evidence import Evidence
from isoflop.reports.figures import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure that can be asked for by name. ``draw`` raises DataError where the runs cannot carry it."""

    title: str
    says: str
    draw: Callable[[Evidence], Figure]


def _isoflop(evidence: Evidence) -> Figure:
    found = evidence.profiles
    if not found.minima:
        raise DataError("there is no profile: " + "; ".join(note.message for note in found.verdict.notes))
    return figures.isoflop_figure(found, evidence.forecast, evidence.outcome)


def _with_minima(evidence: Evidence) -> Fit:
    """The fit that leads, with the minima of the profiles to hold it against."""
    return replace(evidence.leading, minima=evidence.profiles.minima)


def _interval(evidence: Evidence) -> tuple[float, float] | None:
    held = evidence.decision.intervals
    return None if held is None else held.loss


def _params_interval(evidence: Evidence) -> tuple[float, float] | None:
    """That of N* at the target by the plain fit of the surface."""
    law, level = evidence.surface.law, evidence.wanted.level
    drawn = law.optimum_draws(evidence.target)
    if drawn is None:
        return None
    low, high = np.quantile(drawn.params, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _pairs(evidence: Evidence) -> Figure:
    if not evidence.surface.law.draws:
        raise DataError("the fit has no draws; ask for some, as with --draws 400.")
    return figures.pairs_figure(evidence.surface)


def _forecast_close(evidence: Evidence) -> Figure:
    if evidence.forecast is None:
        raise DataError("no forecast was written down.")
    return figures.forecast_figure(evidence.forecast, evidence.outcome, evidence.fitted.conventions)


DRAWINGS: Mapping[str, Drawing] = {
    "isoflop": Drawing(
        "IsoFLOP profiles",
        "loss against N at each budget, with parabolas and minima",
        _isoflop,
    ),
    "contours": Drawing(
        "Contours of the loss",
        "L(N, D) with the runs, the frontier and the budget",
        lambda e: figures.contours_figure(e.surface, e.aside, e.target),
    ),
    "residuals-params": Drawing(
        "Residuals against N", "what the surface leaves", lambda e: figures.residuals_figure(e.surface, "params")
    ),
    "residuals-tokens": Drawing(
        "Residuals against D", "what the surface leaves", lambda e: figures.residuals_figure(e.surface, "tokens")
    ),
    "residuals-flops": Drawing(
        "Residuals against C", "what the surface leaves", lambda e: figures.residuals_figure(e.surface, "flops")
    ),
    "residuals-quantiles": Drawing(
        "Residuals against the normal", "quantiles of the residuals", lambda e: figures.quantiles_figure(e.surface)
    ),
    "optimal-params": Drawing(
        "Compute-optimal parameters",
        "N* against C with its band, and published laws behind",
        lambda e: figures.optimum_figure(_with_minima(e), "params", e.forecast, e.published, e.target),
    ),
    "optimal-tokens": Drawing(
        "Compute-optimal tokens",
        "D* against C with its band, and published laws behind",
        lambda e: figures.optimum_figure(_with_minima(e), "tokens", e.forecast, e.published, e.target),
    ),
    "envelope": Drawing(
        "Loss against compute",
        "every run, the lower envelope and the law's frontier",
        lambda e: figures.envelope_figure(e.fitted, e.envelope),
    ),
    "fan": Drawing(
        "Extrapolation",
        "the loss on the frontier to the target, with backtests",
        lambda e: figures.fan_figure(e.leading, e.target, e.seek("backtest")[0], _interval(e), e.sample),
    ),
    "coefficients": Drawing(
        "Coefficients",
        "intervals of bootstrap and profile likelihood side by side",
        lambda e: figures.forest_figure(e.surface, tuple((e.seek("likelihood")[0] or {}).values())),
    ),
    "pairs": Drawing("Draws in pairs", "how coefficients move together", _pairs),
    "specification": Drawing(
        "Specification curve",
        "N* at the target under every defensible choice",
        lambda e: figures.specification_figure(e.specification, _params_interval(e)),
    ),
    "approaches": Drawing(
        "Three approaches",
        "the exponent a by each approach, beside printed ones",
        lambda e: figures.approaches_figure(e.approaches),
    ),
    "loss": Drawing(
        "Loss on the frontier",
        "minima, law and band, and the forecast's interval",
        lambda e: figures.loss_figure(e.profiles, e.forecast, e.outcome),
    ),
    "forecast-close": Drawing(
        "A forecast close up", "the intervals that were written down, and what came out", _forecast_close
    ),
    "exponents": Drawing(
        "What N counts",
        "the exponent a under each way of counting N",
        lambda e: figures.exponents_figure(e.counting),
    ),
}

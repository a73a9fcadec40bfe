"""Approach 3: one loss surface through all runs, certified, with a bootstrap by run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoflop.conventions import FlopsConvention
from isoflop.errors import UnknownName
from isoflop.fitting import diagnose
from isoflop.fitting.objective import HUBER_DELTA, FloatArray, LogRuns, shares
from isoflop.fitting.result import Fit, Note, Objective, Starts
from isoflop.fitting.solve import exact_objective, search
from isoflop.fitting.uncertainty import bootstrap, interval
from isoflop.laws import FittedRange, Law, Source, family
from isoflop.runs import Runs

EXPONENTS = np.geomspace(0.1, 1.2, 8)
"""Start grid for alpha and beta: published exponents lie between .05 and .6."""
AGREE = 1e-6
ENOUGH_AGREEMENT = 0.1
MIN_RUNS = 6
SURFACES = ("chinchilla",)


def fit_surface(runs: Runs, name: str, draws: int, level: float, seed: int) -> Fit:
    """Fit L = E + A/N^alpha + B/D^beta by the sum of Huber(1e-3) losses of log residuals.

    The draws are a bootstrap by run, each refitted to convergence.
    """
    if name not in SURFACES:
        raise UnknownName.among("family with a loss surface", name, SURFACES)
    impossible = _impossible(runs)
    if impossible:
        return _refused(runs, name, level, impossible)
    logs = LogRuns.of(runs.params, runs.tokens, runs.loss)
    found = search(logs, HUBER_DELTA, EXPONENTS)
    best = int(np.argmin(found.objective))
    same = found.objective[best] * (1 + AGREE) + exact_objective(np.ones(len(runs)))
    agreeing = float((found.objective <= same).mean())
    converged = bool(found.converged[best]) and agreeing >= ENOUGH_AGREEMENT
    theta = found.theta[best]
    point = {key: float(column[0]) for key, column in _coefficients(theta[None], logs).items()}
    resampled = bootstrap(theta, logs, HUBER_DELTA, draws, np.random.default_rng(seed)).theta if draws else None
    joint = None if resampled is None else _coefficients(resampled, logs)
    law = Law(
        id=f"{name}-fit",
        title=f"Chinchilla surface fitted to {len(runs)} runs of {runs.source}",
        family=family(name),
        coefficients=point,
        # The surface itself knows no C; its closed-form optimum is that of C = 6 N D, whatever the runs counted.
        conventions=replace(runs.conventions, flops=FlopsConvention.SIX_ND),
        fitted_range=fitted_range(runs),
        source=Source(title=f"isoflop fit, approach 3, of {runs.source}", where=f"runs {runs.digest()}"),
        draws=joint,
    )
    intervals = _intervals(law, level)
    notes = _dead_terms(theta, logs)
    if not converged:
        notes.append(diagnose.not_converged(agreeing, len(found.objective)))
    predicted, _ = shares(theta[None], logs)
    residual = float(np.sqrt(np.mean((predicted[0] - logs.log_loss) ** 2)))
    notes += _reservations(runs, law, intervals, residual)
    return Fit(
        family=name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged(notes),
        fitted=law,
        objective=Objective(f"Huber({HUBER_DELTA:g}) of log residuals", HUBER_DELTA, float(found.objective[best])),
        starts=Starts(len(found.objective), agreeing),
        converged=converged,
        level=level,
        residual=residual,
        intervals=intervals,
    )


def fitted_range(runs: Runs) -> FittedRange:
    """The span of the runs in N, D and C."""
    spans = {key: (float(column.min()), float(column.max())) for key, column in _axes(runs).items()}
    return FittedRange(**spans)


def _axes(runs: Runs) -> dict[str, FloatArray]:
    return {"params": runs.params, "tokens": runs.tokens, "flops": runs.flops}


def _impossible(runs: Runs) -> Note | None:
    if len(runs) < MIN_RUNS:
        return diagnose.too_few_runs(len(runs), MIN_RUNS)
    return diagnose.one_loss(runs) or diagnose.one_ray(runs)


def _refused(runs: Runs, name: str, level: float, note: Note) -> Fit:
    return Fit(
        family=name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged([note], refused=True),
        fitted=None,
        objective=None,
        starts=None,
        converged=False,
        level=level,
    )


def _coefficients(theta: FloatArray, logs: LogRuns) -> dict[str, FloatArray]:
    """From centred logarithms (S, 5) to the family's coefficients."""
    a, b, e, alpha, beta = theta.T
    A, B = np.exp(a + alpha * logs.centre_n), np.exp(b + beta * logs.centre_d)
    return {"E": np.exp(e), "A": A, "B": B, "alpha": alpha, "beta": beta}


def _intervals(law: Law, level: float) -> dict[str, tuple[float, float]]:
    if law.draws is None:
        return {}
    intervals = {name: interval(column, level) for name, column in law.draws.items()}
    exponents = law.family.allocation(law.draws)
    assert exponents is not None  # every surface here has a closed-form optimum
    return intervals | {"a": interval(exponents[0], level), "b": interval(exponents[1], level)}


def _dead_terms(theta: FloatArray, logs: LogRuns) -> list[Note]:
    _, p = shares(theta[None], logs)
    return [
        diagnose.dead_term(name)
        for name, share in zip(("A", "B", "E"), p, strict=True)
        if share.max() < diagnose.DEAD_SHARE
    ]


def _reservations(runs: Runs, law: Law, intervals: dict[str, tuple[float, float]], residual: float) -> list[Note]:
    notes = []
    for name in ("alpha", "beta"):
        if law.coefficients[name] <= 0:
            notes.append(diagnose.exponent_at_bound(name, law.coefficients[name]))
    if law.draws is not None:
        for amplitude, exponent in (("A", "alpha"), ("B", "beta")):
            correlation = diagnose.correlation(dict(law.draws), amplitude, exponent)
            if correlation > 0.99:
                notes.append(diagnose.correlated(amplitude, exponent, correlation))
    unidentified = diagnose.asymptote_not_seen(runs, intervals.get("E"))
    misfit = diagnose.lack_of_fit(residual, runs)
    return notes + [note for note in (unidentified, misfit, diagnose.short_span(runs.flops)) if note]

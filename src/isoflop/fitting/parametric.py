"""Approach 3: one loss surface through all runs, certified, with a bootstrap by run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoflop.conventions import FlopsConvention
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
MIN_RUNS = 8
"""Five coefficients, and three degrees of freedom to see a misfit by."""
SURFACES = ("chinchilla",)
FLAT = 1e-2
"""Starts that agree on the objective agree on the law when its logarithms differ by less than this."""
FEW_LOST, MANY_LOST = 0.01, 0.2
"""Resamples without a law: above the first share a caution, above the second there is no law to speak of."""
STEEPEST = next(coefficient.upper for coefficient in family("chinchilla").coefficients if coefficient.name == "alpha")


def fit_surface(runs: Runs, name: str, draws: int, level: float, seed: int) -> Fit:
    """Fit L = E + A/N^alpha + B/D^beta by the sum of Huber(1e-3) functions of log residuals.

    The draws are a bootstrap by run, each refitted to convergence.
    """
    impossible = _impossible(runs)
    if impossible:
        return _refused(runs, name, level, impossible)
    logs = LogRuns.of(runs.params, runs.tokens, runs.loss)
    found = search(logs, HUBER_DELTA, EXPONENTS)
    best = int(np.argmin(found.objective))
    agreeing = found.objective <= found.objective[best] * (1 + AGREE) + exact_objective(np.ones(len(runs)))
    theta, starts = found.theta[best], Starts(len(agreeing), float(agreeing.mean()))
    objective = Objective(f"Huber({HUBER_DELTA:g}) of log residuals", HUBER_DELTA, float(found.objective[best]))
    converged = bool(found.converged[best]) and starts.agreeing_fraction >= ENOUGH_AGREEMENT
    uncertified = _uncertified(converged, starts, found.theta[agreeing & found.converged], theta, logs)
    if uncertified:
        return _refused(runs, name, level, uncertified, objective, starts)
    joint, lost = _draw(theta, logs, draws, seed)
    if lost > MANY_LOST:
        return _refused(runs, name, level, diagnose.lost_draws(lost), objective, starts)
    predicted, _ = shares(theta[None], logs)
    residual = float(np.sqrt(np.mean((predicted[0] - logs.log_loss) ** 2)))
    notes = _reservations(runs, theta, logs, joint, lost, residual, level)
    law = _law(runs, name, theta, logs, joint, notes)
    return Fit(
        family=name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged(notes),
        fitted=law,
        objective=objective,
        starts=starts,
        converged=converged,
        level=level,
        residual=residual,
        intervals=_intervals(law, level),
    )


def _uncertified(
    converged: bool, starts: Starts, agreeing: FloatArray, theta: FloatArray, logs: LogRuns
) -> Note | None:
    """Why the optimum is not one law: no certificate, a flat valley, a dead power law, a negative exponent."""
    if not converged:
        return diagnose.not_converged(starts.agreeing_fraction, starts.tried)
    dead = _dead_terms(theta, logs)
    for name in ("A", "B"):
        if name in dead:
            return diagnose.dead_power_law(name)
    for name, exponent in zip(("alpha", "beta"), theta[3:], strict=True):
        if not 0 < exponent < STEEPEST:
            return diagnose.exponent_at_bound(name, float(exponent))
    # ln E of a dead asymptote wanders to minus infinity, which says no more than that it is dead.
    for k, name in enumerate(("A", "B", "E", "alpha", "beta")):
        if name not in dead and np.ptp(agreeing[:, k]) > FLAT:
            return diagnose.flat_optimum(name, np.exp(agreeing[:, k]) if k < 3 else agreeing[:, k])
    return None


def _draw(theta: FloatArray, logs: LogRuns, draws: int, seed: int) -> tuple[dict[str, FloatArray] | None, float]:
    """The bootstrap's laws as coefficients, and the share of resamples that gave none."""
    if not draws:
        return None, 0.0
    solved = bootstrap(theta, logs, HUBER_DELTA, draws, np.random.default_rng(seed))
    joint = _coefficients(solved.theta, logs)
    exponents = solved.theta[:, 3:]
    lawful = solved.converged & ((exponents > 0) & (exponents < STEEPEST)).all(axis=1)
    lawful &= np.isfinite(np.stack(list(joint.values()))).all(axis=0)
    if not lawful.any():
        return None, 1.0
    return {name: column[lawful] for name, column in joint.items()}, float(1 - lawful.mean())


def _law(
    runs: Runs, name: str, theta: FloatArray, logs: LogRuns, joint: dict[str, FloatArray] | None, notes: list[Note]
) -> Law:
    span = 6.0 * runs.params * runs.tokens
    return Law(
        id=f"{name}-fit",
        title=f"Chinchilla surface fitted to {len(runs)} runs of {runs.source}",
        family=family(name),
        coefficients={key: float(column[0]) for key, column in _coefficients(theta[None], logs).items()},
        # The surface itself knows no C; its closed-form optimum is that of C = 6 N D, whatever the runs counted.
        conventions=replace(runs.conventions, flops=FlopsConvention.SIX_ND),
        fitted_range=replace(fitted_range(runs), flops=(float(span.min()), float(span.max()))),
        source=Source(title=f"isoflop fit, approach 3, of {runs.source}", where=f"runs {runs.digest()}"),
        caveats=tuple(note.message for note in notes),
        draws=joint,
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
    return diagnose.one_loss(runs) or diagnose.one_ray(runs) or diagnose.too_few_levels(runs)


def _refused(
    runs: Runs, name: str, level: float, note: Note, objective: Objective | None = None, starts: Starts | None = None
) -> Fit:
    return Fit(
        family=name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged([note], refused=True),
        fitted=None,
        objective=objective,
        starts=starts,
        converged=False,
        level=level,
    )


def _coefficients(theta: FloatArray, logs: LogRuns) -> dict[str, FloatArray]:
    """From centred logarithms (S, 5) to the family's coefficients."""
    a, b, e, alpha, beta = theta.T
    with np.errstate(over="ignore"):  # a runaway resample overflows here, and is then left out as not finite
        A, B = np.exp(a + alpha * logs.centre_n), np.exp(b + beta * logs.centre_d)
    return {"E": np.exp(e), "A": A, "B": B, "alpha": alpha, "beta": beta}


def _intervals(law: Law, level: float) -> dict[str, tuple[float, float]]:
    if law.draws is None:
        return {}
    intervals = {name: interval(column, level) for name, column in law.draws.items()}
    exponents = law.family.allocation(law.draws)
    assert exponents is not None  # every surface here has a closed-form optimum
    return intervals | {"a": interval(exponents[0], level), "b": interval(exponents[1], level)}


def _dead_terms(theta: FloatArray, logs: LogRuns) -> set[str]:
    """The terms that are next to nothing in every run's loss."""
    _, p = shares(theta[None], logs)
    return {name for name, share in zip(("A", "B", "E"), p, strict=True) if share.max() < diagnose.DEAD_SHARE}


def _reservations(
    runs: Runs,
    theta: FloatArray,
    logs: LogRuns,
    joint: dict[str, FloatArray] | None,
    lost: float,
    residual: float,
    level: float,
) -> list[Note]:
    notes = [diagnose.dead_asymptote()] if "E" in _dead_terms(theta, logs) else []
    if joint is None:
        notes.append(diagnose.no_draws())
    if lost > FEW_LOST:
        notes.append(diagnose.lost_draws(lost))
    span = None
    if joint is not None:
        span = interval(joint["E"], level)
        for amplitude, exponent in (("A", "alpha"), ("B", "beta")):
            correlation = diagnose.correlation(joint, amplitude, exponent)
            if correlation > 0.99:
                notes.append(diagnose.correlated(amplitude, exponent, correlation))
    unidentified = diagnose.asymptote_not_seen(runs, span)
    possible = (
        unidentified,
        diagnose.lack_of_fit(residual, runs),
        diagnose.short_span(runs.flops),
        diagnose.repeated_rows(runs),
    )
    return notes + [note for note in possible if note]

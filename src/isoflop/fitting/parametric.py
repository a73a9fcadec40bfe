"""Approach 3: one loss surface of any family through all runs, certified, with a bootstrap by run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from isoflop.conventions import FlopsConvention
from isoflop.fitting import diagnose, identifiable
from isoflop.fitting.extrapolate import FEW_EXPONENTS, Table, form_error, surface
from isoflop.fitting.groups import group_weights, groups, reweighted
from isoflop.fitting.judgement import ROBUST, Optimum, conditioning, judge_optimum, unseen
from isoflop.fitting.objective import FloatArray, IntArray, LogRuns, Observed
from isoflop.fitting.plausible import implausible, rising_loss
from isoflop.fitting.question import CLOSED, Question
from isoflop.fitting.result import Fit, Note, Objective, Starts
from isoflop.fitting.solve import Solution, descend, exact_objective, minimise, projection_starts
from isoflop.fitting.surface import FamilyRuns, Prior, family_runs, inputs_of, prior_weights
from isoflop.fitting.uncertainty import BLOCK, bootstrap, dispersion, interval
from isoflop.laws import FittedRange, Law, Source
from isoflop.runs import Runs

EXPONENTS = np.geomspace(0.1, 1.2, 8)
"""Start grid for Chinchilla's alpha and beta: published exponents lie between .05 and .6."""
FEW_RUNS = 40
"""Below so many runs the bootstrap weighs runs smoothly instead of drawing them."""
NO_LAW = 0.2
"""A form that misses the typical run by so much says nothing about it."""
AGREE = 1e-6
ENOUGH_AGREEMENT = 0.1
FREEDOM = 3
"""Runs beyond the number of coefficients, to see a misfit by."""
SEARCHED = 4096
"""Runs that the search looks at; where it ends is then brought to the minimum over all runs."""
FLAT = 1e-2
"""Starts that agree on the objective agree on the law when its logarithms differ by less than this."""
FEW_LOST, MANY_LOST, HOPELESS = 0.01, 0.2, 0.35
"""Resamples without a law: above the first share a caution, above the second there is no law to speak of,
and above the third the first few hundred have shown it."""
FEW_STARTS = 8
"""For a backtest of the form, whose error a second-best minimum does not change much."""


@np.errstate(all="ignore")  # losses hundreds of decades apart overflow; what is no number is refused
def fit_surface(runs: Runs, question: Question) -> Fit:
    """Fit a family's loss surface to all runs by a sum over log residuals: Huber(1e-3) unless asked otherwise.

    The draws are a bootstrap by run, or by group where runs share a trajectory or a trunk, each refitted to
    convergence.
    """
    impossible = _impossible(runs, question)
    if impossible:
        return _refused(runs, question, impossible)
    name, delta = question.criterion
    observed, found = _search(runs, question, delta)
    best = int(np.argmin(found.objective))
    agreeing = found.objective <= found.objective[best] * (1 + AGREE) + exact_objective(observed.whole)
    theta, starts = found.theta[best], Starts(len(agreeing), float(agreeing.mean()))
    certified, ends = bool(found.converged[best]), found.theta[agreeing & found.converged]
    uncertified = _uncertified(certified, starts, ends, theta, observed, question, runs)
    value = float(found.objective[best])
    if observed.log_loss.size < len(runs):
        observed, whole = _on_all_runs(runs, question, observed.coefficients(theta[None]), delta)
        theta, value, certified = whole.theta[0], float(whole.objective[0]), bool(whole.converged[0])
        uncertified = uncertified or _uncertified(certified, starts, theta[None], theta, observed, question, runs)
    if not np.isfinite(value):  # losses so far apart that their squares are no numbers
        return _refused(runs, question, diagnose.not_converged(0.0, starts.tried), None, starts)
    objective = Objective(name, delta if np.isfinite(delta) else None, value)
    residual, typical = _residuals(observed, theta)
    if not uncertified and typical > NO_LAW:
        uncertified = diagnose.no_fit(typical)
    if not uncertified and (blind := unseen(observed, question.family, runs, theta)):
        uncertified = diagnose.unseen_coefficient(blind)
    if uncertified:
        return _refused(runs, question, uncertified, objective, starts)
    labels = groups(runs, question.group)
    joint, lost = _draw(theta, observed, question, labels)
    if lost > MANY_LOST:
        return _refused(runs, question, diagnose.lost_draws(lost), objective, starts)
    optimum = Optimum(runs, question.family, observed, theta, delta, joint)
    dead = observed.dead_terms(theta)
    notes = [*implausible(runs), *_reservations(runs, dead, joint, lost, typical, question)]
    if labels is not None and joint is not None and (few := diagnose.few_groups(int(labels.max()) + 1)):
        notes.append(few)
    notes += judge_optimum(optimum)
    law = _law(runs, observed.coefficients(theta[None]), joint, notes, question)
    if question.draws and {"params", "tokens"} == set(question.family.inputs):
        law = replace(law, form_error=form_error(runs, lambda below, above: _foretold(below, above, question)))
    return Fit(
        family=question.family.name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged(notes),
        fitted=law,
        objective=objective,
        starts=starts,
        converged=True,
        level=question.level,
        residual=residual,
        conditioning=conditioning(optimum),
        question=question,
        drawn_by="run" if labels is None else "group",
        intervals=_intervals(law, question, dead),
    )


def _residuals(observed: Observed, theta: FloatArray) -> tuple[float, float]:
    """The root mean square residual of ln L, and what is typical where a few runs make most of that."""
    residuals = observed.log_predicted(theta[None])[0] - observed.log_loss
    whole = float(np.sqrt(np.mean(residuals**2)))
    return whole, min(whole, ROBUST * float(np.median(np.abs(residuals))))


def _search(runs: Runs, question: Question, delta: float, best: int | None = None) -> tuple[Observed, Solution]:
    """From every start, or the ``best`` so many, to its minimum; SEARCHED runs at most, spread evenly in compute."""
    if len(runs) > SEARCHED:
        spread = np.linspace(0, len(runs) - 1, SEARCHED).round().astype(int)
        runs = runs.take(np.sort(np.argsort(runs.flops, kind="stable")[spread]))
    observed, starts = _observe(runs, question)
    if question.priors and isinstance(observed, FamilyRuns):
        first = descend(starts[:FEW_STARTS], observed, delta)
        observed = _with_priors(observed, question, delta, first.theta[int(np.argmin(first.objective))])
    return observed, descend(starts[:best], observed, delta)


def _with_priors(observed: FamilyRuns, question: Question, delta: float, theta: FloatArray) -> FamilyRuns:
    """The runs with priors in units of the objective: what a residual is worth, seen at a fit without them."""
    scale = dispersion(observed, theta, delta)
    priors = []
    for name, (mean, deviation) in question.priors.items():
        (coefficient,) = (c for c in question.family.coefficients if c.name == name)
        at = (float(np.log(mean)), deviation / mean) if coefficient.logarithmic else (mean, deviation)
        priors.append(Prior(observed.free.index(name), *at, scale))
    return replace(observed, priors=tuple(priors))


def _observe(runs: Runs, question: Question) -> tuple[Observed, FloatArray]:
    penalty = question.penalty(runs)
    if question.is_plain:
        logs = LogRuns.of(runs.params, runs.tokens, runs.loss, penalty)
        return logs, projection_starts(logs, EXPONENTS)
    return family_runs(runs, question.family, question.pinned, penalty=penalty)


def _on_all_runs(
    runs: Runs, question: Question, start: Mapping[str, FloatArray], delta: float
) -> tuple[Observed, Solution]:
    """The minimum over all runs, from where the search through a part of them ended."""
    penalty = question.penalty(runs)
    if question.is_plain:
        logs = LogRuns.of(runs.params, runs.tokens, runs.loss, penalty)
        centres = {"A": start["alpha"] * logs.centre_n, "B": start["beta"] * logs.centre_d}
        centred = {name: column * np.exp(-centres.get(name, np.zeros(1))) for name, column in start.items()}
        return logs, minimise(logs.plain(centred), logs, logs.whole, delta)
    observed, theta = family_runs(runs, question.family, question.pinned, start, penalty)
    if question.priors:
        observed = _with_priors(observed, question, delta, theta[0])
    return observed, minimise(theta, observed, observed.whole, delta)


def _foretold(below: Runs, above: Runs, question: Question) -> FloatArray | None:
    """ln L at the runs above, by the same question put to those below; None where it has no lawful answer."""
    if len(below) < question.free + FREEDOM:
        return None
    _, delta = question.criterion
    if question.is_plain and question.objective in CLOSED and not question.weigh:
        table = Table(below.params, below.tokens, below.flops, below.loss)
        return surface(table, above.params, above.tokens, delta, FEW_EXPONENTS)
    observed, found = _search(below, question, delta, best=FEW_STARTS)
    values = observed.coefficients(found.theta[[int(np.argmin(found.objective))]])
    if any(not c.lower < float(values[c.name][0]) < c.upper for c in question.bounded):
        return None
    said = np.log(question.family.loss(values, inputs_of(above, question.family)))
    return said if np.isfinite(said).all() else None


def _uncertified(
    certified: bool,
    starts: Starts,
    agreeing: FloatArray,
    theta: FloatArray,
    observed: Observed,
    question: Question,
    runs: Runs,
) -> Note | None:
    """Why the optimum is not one law: no certificate, a flat valley, a dead term, a coefficient at its bound."""
    if not certified or starts.agreeing_fraction < ENOUGH_AGREEMENT:
        return rising_loss(runs) or diagnose.not_converged(starts.agreeing_fraction, starts.tried)
    dead = observed.dead_terms(theta)
    for name in sorted(dead - {"E"}):
        return diagnose.dead_power_law(name) if question.family.name == "chinchilla" else diagnose.dead_term(name)
    values = observed.coefficients(theta[None])
    for coefficient in question.bounded:
        value = float(values[coefficient.name][0])
        if not coefficient.lower < value < coefficient.upper:
            is_slope = coefficient.name in ("alpha", "beta")
            return (diagnose.exponent_at_bound if is_slope else diagnose.at_bound)(coefficient.name, value)
    # ln E of a dead asymptote wanders to minus infinity, which says no more than that it is dead.
    ends = observed.plain(observed.coefficients(agreeing))
    for k, name in enumerate(observed.free):
        if name not in dead and np.ptp(ends[:, k]) > FLAT * max(1.0, float(np.abs(ends[:, k]).max())):
            return diagnose.flat_optimum(name, observed.coefficients(agreeing)[name])
    return None


def _draw(
    theta: FloatArray, observed: Observed, question: Question, labels: IntArray | None
) -> tuple[dict[str, FloatArray] | None, float]:
    """The bootstrap's laws as coefficients, and the share of resamples that gave none."""
    if not question.draws:
        return None, 0.0
    rng = np.random.default_rng(question.seed)
    counts = group_weights(labels, observed.log_loss.size, question.draws, rng)
    first, lost = _resolved(theta, observed, question, counts[:BLOCK], rng)
    if lost > HOPELESS or len(counts) <= BLOCK:
        joint = first
    else:
        rest, _ = _resolved(theta, observed, question, counts[BLOCK:], rng)
        if first is None or rest is None:
            return None, 1.0
        joint = {name: np.concatenate([first[name], rest[name]]) for name in first}
        lost = 1 - next(iter(joint.values())).size / len(counts)
    if labels is None and observed.log_loss.size < FEW_RUNS and lost <= MANY_LOST:
        joint = _few_drawn(theta, observed, question, rng)
    return joint, lost


def _few_drawn(
    theta: FloatArray, observed: Observed, question: Question, rng: np.random.Generator
) -> dict[str, FloatArray] | None:
    """Of few runs a resample leaves so many out that its laws lie too wide: here runs are weighed smoothly instead.

    Residuals of few runs are smaller than the noise, p of n degrees of freedom having gone into the fit, hence draws
    are spread about the optimum by the root of n / (n - p).
    """
    count = observed.log_loss.size
    weights = reweighted(count, question.draws, rng)
    wider = float(np.sqrt(count / (count - theta.size)))
    return _resolved(theta, observed, question, weights, rng, wider)[0]


def _resolved(
    theta: FloatArray,
    observed: Observed,
    question: Question,
    weights: FloatArray,
    rng: np.random.Generator,
    wider: float = 1.0,
) -> tuple[dict[str, FloatArray] | None, float]:
    """The laws of reweighted runs, spread about the optimum by a factor, and the share that gave none."""
    _, delta = question.criterion
    weights = np.hstack([weights, *(prior_weights(len(weights), rng) for _ in question.priors)])
    solved = bootstrap(theta, observed, delta, weights)
    spread = replace(solved, theta=theta + wider * (solved.theta - theta))
    return _lawful(spread, observed, question)


def _lawful(solved: Solution, observed: Observed, question: Question) -> tuple[dict[str, FloatArray] | None, float]:
    """The resamples that gave a law, as coefficients, and the share of those that did not."""
    joint = observed.coefficients(solved.theta)
    lawful = solved.converged & np.isfinite(np.stack(list(joint.values()))).all(axis=0)
    for coefficient in question.bounded:
        lawful &= (coefficient.lower < joint[coefficient.name]) & (joint[coefficient.name] < coefficient.upper)
    if not lawful.any():
        return None, 1.0
    return {name: column[lawful] for name, column in joint.items()}, float(1 - lawful.mean())


def _law(
    runs: Runs,
    values: Mapping[str, FloatArray],
    joint: dict[str, FloatArray] | None,
    notes: list[Note],
    question: Question,
) -> Law:
    span = 6.0 * runs.params * runs.tokens
    family = question.family
    held = "".join(f", {name} held at {number:g}" for name, number in question.pinned.items())
    return Law(
        id=f"{family.name}-fit",
        title=f"{family.name.capitalize()} surface fitted to {len(runs)} runs of {runs.source}{held}",
        family=family,
        coefficients={key: float(column[0]) for key, column in values.items()},
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


def _impossible(runs: Runs, question: Question) -> Note | None:
    needed = question.free + FREEDOM
    if len(runs) < needed:
        return identifiable.too_few_runs(len(runs), question.free, needed)
    if note := diagnose.one_loss(runs):
        return note
    if {"params", "tokens"} <= set(question.family.inputs):
        return identifiable.narrow(runs) or identifiable.one_ray(runs) or identifiable.too_few_levels(runs)
    for name, column in inputs_of(runs, question.family).items():
        if note := identifiable.too_few_values(name, column):
            return note
    return None


def _refused(
    runs: Runs, question: Question, note: Note, objective: Objective | None = None, starts: Starts | None = None
) -> Fit:
    return Fit(
        family=question.family.name,
        approach=3,
        runs=runs,
        verdict=diagnose.judged([note], refused=True),
        fitted=None,
        objective=objective,
        starts=starts,
        converged=False,
        level=question.level,
    )


def _intervals(law: Law, question: Question, dead: set[str]) -> dict[str, tuple[float, float]]:
    """Of what was estimated; a dead asymptote may be anything small, and where its search stopped is no interval."""
    if law.draws is None:
        return {}
    free = {name: column for name, column in law.draws.items() if name not in question.pinned and name not in dead}
    intervals = {name: interval(column, question.level) for name, column in free.items()}
    exponents = law.family.allocation(law.draws)
    if exponents is None:
        return intervals
    return intervals | {"a": interval(exponents[0], question.level), "b": interval(exponents[1], question.level)}


def _reservations(
    runs: Runs,
    dead: set[str],
    joint: dict[str, FloatArray] | None,
    lost: float,
    residual: float,
    question: Question,
) -> list[Note]:
    notes = [diagnose.dead_asymptote()] if "E" in dead else []
    if joint is None:
        notes.append(diagnose.no_draws())
    if lost > FEW_LOST:
        notes.append(diagnose.lost_draws(lost))
    estimated = set(question.family.names) - set(question.pinned)
    for amplitude, exponent in (("A", "alpha"), ("B", "beta")):
        if joint is not None and {amplitude, exponent} <= estimated:
            correlation = diagnose.correlation(joint, amplitude, exponent)
            if correlation > 0.99:
                notes.append(diagnose.correlated(amplitude, exponent, correlation))
    if "E" in estimated:
        span = None if joint is None else interval(joint["E"], question.level)
        notes += [note] if (note := diagnose.asymptote_not_seen(runs, span)) else []
    possible = (
        diagnose.lack_of_fit(residual, runs),
        diagnose.short_span(runs.flops),
        diagnose.repeated_rows(runs),
    )
    return notes + [note for note in possible if note]

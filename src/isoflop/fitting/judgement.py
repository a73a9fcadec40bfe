"""What a certified surface still leaves to doubt: residuals with a pattern, runs that decide, an exponent that drifts.

Each check asks a question of the optimum and answers with a note or with nothing. They are made to be quiet on runs
that do follow the form: tests/fitting/test_judgement.py counts false alarms on planted tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc
from scipy.stats import rankdata

from isoflop.fitting.groups import resampled
from isoflop.fitting.objective import HUBER_DELTA, PLAIN, BoolArray, FloatArray, IntArray, LogRuns, Observed
from isoflop.fitting.result import Note
from isoflop.fitting.solve import minimise
from isoflop.fitting.surface import inputs_of
from isoflop.fitting.uncertainty import bootstrap, dispersion
from isoflop.laws import Family
from isoflop.quantities import format_flops, format_si
from isoflop.runs import Runs

TREND = 1e-3
"""Chance, over N, D, C and D/N together, of a pattern this strong among residuals without one."""
FAR = 6.0
"""Robust standard deviations beyond which a run is an outlier, heavy tails of real noise allowed for."""
GROSS = 0.1
"""Of the loss: a run so far off is worth a word even where the answer does not hang on it."""
ROBUST = 1.4826
MOVED = 0.5
MOVED_FAR = 0.2
"""Outliers move the answer when its logarithm moves by half a standard deviation, which they widen, or by this."""
DRIFT_SIGMAS, DRIFT = 3.5, 0.03
"""The exponent a drifts when its halves differ by so many standard errors and by so much."""
HALF_DRAWS = 80
FEWEST_IN_HALF = 15
EXCHANGE = 2.71
"""Chi squared of one degree at a level of .9: an excess below it is within what noise explains."""
APART = 0.05
ILL, UNSEEN = 1e6, 1e-9
FEWEST_RUNS = 20
LARGE = 4096


@dataclass(frozen=True)
class Optimum:
    """A certified optimum, as the checks see it: the runs under their objective, theta (P,), and the joint draws.

    ``rows`` are the runs' places in the table, when the table is so large that only a part of it is looked at.
    """

    runs: Runs
    family: Family
    observed: Observed
    theta: FloatArray
    delta: float
    draws: Mapping[str, FloatArray] | None
    rows: IntArray | None = None

    @property
    def residual(self) -> FloatArray:
        """ln of prediction over loss, (R,)."""
        return np.asarray(self.observed.log_predicted(self.theta[None])[0] - self.observed.log_loss)


def judge_optimum(optimum: Optimum) -> list[Note]:
    """Every note that the checks of this page have about an optimum; a large table is judged by a part of its runs."""
    optimum = _thinned(optimum)
    found = (
        residual_trend(optimum),
        outliers(optimum),
        drifting_exponent(optimum),
        exchangeable(optimum),
        ill_conditioned(optimum),
    )
    return [note for note in found if note is not None]


def _thinned(optimum: Optimum) -> Optimum:
    """LARGE runs at most, spread evenly in compute."""
    if len(optimum.runs) <= LARGE:
        return optimum
    spread = np.linspace(0, len(optimum.runs) - 1, LARGE).round().astype(int)
    rows = np.sort(np.argsort(optimum.runs.flops, kind="stable")[spread])
    return replace(optimum, runs=optimum.runs.take(rows), observed=optimum.observed.take(rows), rows=rows)


def residual_trend(optimum: Optimum) -> Note | None:
    """Residuals that rise, fall or bend along N, D, C or D/N: their ranks on a quartic in its ranks.

    Under no pattern, n R^2 of that regression is a chi squared of four degrees; four are asked, hence Bonferroni.
    A quartic, because level, slope and bend are what a surface takes up: what is left of a misfit swings.
    """
    runs, residual = optimum.runs, optimum.residual
    if len(runs) < FEWEST_RUNS or np.abs(residual).max() < 1e-9:
        return None
    ranks = rankdata(residual)
    ranks -= ranks.mean()
    worst: tuple[float, str, FloatArray] | None = None
    axes = {"N": runs.params, "D": runs.tokens, "C": runs.flops, "D/N": runs.tokens / runs.params}
    for name, column in axes.items():
        x = rankdata(column)
        basis, _ = np.linalg.qr(np.vander(x / x.max(), 5))
        explained = float(((basis.T @ ranks) ** 2).sum() / (ranks**2).sum())
        chance = len(axes) * float(chdtrc(4, len(runs) * explained))
        if worst is None or chance < worst[0]:
            worst = chance, name, column
    assert worst is not None
    chance, name, column = worst
    if chance > TREND:
        return None
    order = np.argsort(column, kind="stable")
    ends = [100 * float(np.median(residual[part])) for part in np.array_split(order, 3)]
    return Note(
        "residual_trend",
        f"the residuals follow {name}: their medians are {ends[0]:+.2g} %, {ends[1]:+.2g} % and {ends[2]:+.2g} % "
        "in its lower, middle and upper third, so the form bends otherwise than the runs; compare other families "
        "(isoflop compare), or cut the runs of least compute.",
    )


def outliers(optimum: Optimum) -> Note | None:
    """Runs far off the surface, when the answer without them is another: it is said."""
    residual = _clear_sighted(optimum)
    deviation = np.abs(residual - np.median(residual))
    limit = FAR * ROBUST * float(np.median(deviation))
    far = deviation > limit
    if limit == 0 or not far.any() or far.mean() > 0.2:
        return None
    refitted = _refitted(optimum, ~far)
    if refitted is None:
        return None
    _, without = refitted
    question = _question(optimum)
    before, after = _answer(optimum.theta, optimum, question), _answer(without, optimum, question)
    if before is None or after is None:
        return None
    noun, lies = ("run", "lies") if far.sum() == 1 else ("runs", "lie")
    seen = f"{int(far.sum())} {noun} ({_named(optimum, far)}) {lies} {FAR:g} robust deviations or more off the surface"
    if not _moved(before, after, optimum, question):
        if deviation.max() < GROSS:
            return None
        return Note(
            "outliers",
            f"{seen}, the farthest by {float(deviation.max()):.0%} of the loss; the answer does not hang on "
            f"{'it' if far.sum() == 1 else 'them'}, but look what happened there.",
        )
    a = optimum.family.allocation(optimum.observed.coefficients(without[None]))
    exponent = "" if a is None else f" and a is {float(a[0][0]):.3f}"
    return Note(
        "outliers",
        f"{seen} and move the answer: without them {question[0]} is {format_si(after)} "
        f"instead of {format_si(before)}{exponent}; look at them before you keep or drop them.",
    )


def _named(optimum: Optimum, those: BoolArray) -> str:
    """Runs by their run_id where they have one each, or by their place among the rows used."""
    names = optimum.runs.columns.get("run_id")
    more = f" and {int(those.sum()) - 5} more" if those.sum() > 5 else ""
    if names is not None and len(set(map(str, names))) == len(names):
        return ", ".join(map(str, names[those][:5])) + more
    places = np.flatnonzero(those) if optimum.rows is None else optimum.rows[those]
    return f"row {', '.join(str(place + 1) for place in places[:5])}{more} of those used, from 1"


def drifting_exponent(optimum: Optimum) -> Note | None:
    """The exponent a of the lower and of the upper half of the runs in compute, each with its own bootstrap."""
    runs = optimum.runs
    if optimum.family.allocation(optimum.observed.coefficients(optimum.theta[None])) is None:
        return None
    upper = runs.flops > np.median(runs.flops)
    halves = [_exponent(optimum, half) for half in (~upper, upper)]
    if halves[0] is None or halves[1] is None:
        return None
    (low, low_error), (high, high_error) = halves[0], halves[1]
    if abs(high - low) < max(DRIFT, DRIFT_SIGMAS * float(np.hypot(low_error, high_error))):
        return None
    return Note(
        "drifting_exponent",
        f"a drifts: it is {low:.3f} ± {low_error:.3f} in the lower half of the compute and {high:.3f} ± "
        f"{high_error:.3f} in the upper; a protocol that changes with compute (warm-up, batch, schedule, how N is "
        "counted) does that, and beyond the runs it drifts on: fit the upper half (--where), do not extrapolate far.",
    )


def exchangeable(optimum: Optimum) -> Note | None:
    """Chinchilla's two terms with their roles exchanged: another law that fits these runs as well."""
    observed, theta = optimum.observed, optimum.theta
    if not isinstance(observed, LogRuns) or optimum.residual.std() < 1e-9:
        return None
    swapped = minimise(theta[None, [1, 0, 2, 4, 3]], observed, observed.whole, optimum.delta)
    other = observed.coefficients(swapped.theta)
    exponents = float(other["alpha"][0]), float(other["beta"][0])
    if not swapped.converged[0] or max(abs(exponents[0] - theta[3]), abs(exponents[1] - theta[4])) < APART:
        return None
    here = float(observed.expand(theta[None], observed.whole, optimum.delta).value[0])
    excess = 2 * (float(swapped.objective[0]) - here) / dispersion(observed, theta, optimum.delta)
    if excess > EXCHANGE or min(exponents) <= 0:
        return None
    return Note(
        "exchangeable",
        f"another law fits these runs as well, with alpha {exponents[0]:.3f} and beta {exponents[1]:.3f}: the design "
        "does not tell what N does from what D does; add runs at another D/N.",
    )


def conditioning(optimum: Optimum) -> float:
    """Condition number of the slopes of ln L in the coefficients' logarithms, columns scaled to one length.

    A hundred to a thousand is usual: A moves with alpha, B with beta. It is the factor by which a relative error of
    the losses grows in the worst combination of coefficients.
    """
    optimum = _thinned(optimum)
    observed, family, runs = optimum.observed, optimum.family, optimum.runs
    values = {name: float(column[0]) for name, column in observed.coefficients(optimum.theta[None]).items()}
    inputs = inputs_of(runs, family)
    seen = [name for name in observed.free if values[name] != 0 and name not in observed.dead_terms(optimum.theta)]
    slopes = {name: _slope(family, values, inputs, name) for name in seen}
    columns = [column / max(float(np.linalg.norm(column)), 1e-300) for column in slopes.values()]
    singular = np.linalg.svd(np.stack(columns, axis=1), compute_uv=False)
    return float(singular[0] / max(singular[-1], 1e-300))


def unseen(observed: Observed, family: Family, runs: Runs, theta: FloatArray) -> str | None:
    """A coefficient that changes no run's loss, by name; a dead term is said elsewhere."""
    values = {name: float(column[0]) for name, column in observed.coefficients(theta[None]).items()}
    inputs = inputs_of(runs, family)
    for name in set(observed.free) - observed.dead_terms(theta):
        if values[name] != 0 and np.abs(_slope(family, values, inputs, name)).max() < UNSEEN:
            return name
    return None


def _slope(family: Family, values: Mapping[str, float], inputs: Mapping[str, FloatArray], name: str) -> FloatArray:
    """d ln L / d ln coefficient, (R,), by a central difference."""
    sides = [
        np.log(family.loss({**_arrays(values), name: np.asarray(values[name] * (1 + sign * 1e-5))}, inputs))
        for sign in (1, -1)
    ]
    count = next(iter(inputs.values())).size
    return np.broadcast_to((sides[0] - sides[1]) / 2e-5, count)


def ill_conditioned(optimum: Optimum) -> Note | None:
    condition = conditioning(optimum)
    if condition < ILL:
        return None
    return Note(
        "ill_conditioned",
        f"some combination of coefficients is next to unseen (condition number {condition:.0e}): single coefficients "
        "mean nothing; quote predictions near the runs only, or pin a coefficient.",
    )


def _arrays(values: Mapping[str, float]) -> dict[str, FloatArray]:
    return {name: np.asarray(value) for name, value in values.items()}


def _clear_sighted(optimum: Optimum) -> FloatArray:
    """Residuals about the surface by Huber's criterion: least squares bends to outliers until they are none."""
    plain = optimum.observed.with_penalty(PLAIN)
    found = minimise(optimum.theta[None], plain, plain.whole, HUBER_DELTA)
    return np.asarray(plain.log_predicted(found.theta)[0] - plain.log_loss)


def _refitted(optimum: Optimum, kept: BoolArray) -> tuple[Observed, FloatArray] | None:
    """Some of the runs and their optimum, from that of all; None without a certificate."""
    part = optimum.observed.take(kept)
    found = minimise(optimum.theta[None], part, part.whole, optimum.delta)
    return (part, found.theta[0]) if found.converged[0] else None


def _question(optimum: Optimum) -> tuple[str, float]:
    target = 10.0 ** round(np.log10(100 * optimum.runs.flops.max()))
    return f"N* at {format_flops(target)} FLOPs", target


def _answer(theta: FloatArray, optimum: Optimum, question: tuple[str, float]) -> float | None:
    best = optimum.family.optimum(optimum.observed.coefficients(theta[None]), np.asarray(question[1]))
    return None if best is None else float(np.asarray(best[0]).ravel()[0])


def _moved(before: float, after: float, optimum: Optimum, question: tuple[str, float]) -> bool:
    if optimum.draws is None:
        return bool(abs(np.log(after / before)) > 0.1)
    drawn = optimum.family.optimum(optimum.draws, np.asarray(question[1]))
    assert drawn is not None
    spread = float(np.std(np.log(drawn[0])))
    return bool(abs(np.log(after / before)) > min(MOVED * spread, MOVED_FAR))


def _exponent(optimum: Optimum, half: BoolArray) -> tuple[float, float] | None:
    """a of a part of the runs, and its standard error by a small bootstrap; None where the part cannot carry it."""
    if half.sum() < max(FEWEST_IN_HALF, 3 * optimum.theta.size):
        return None
    refitted = _refitted(optimum, half)
    if refitted is None:
        return None
    part, theta = refitted
    weights = np.repeat(part.whole, HALF_DRAWS, axis=0)
    weights[:, : half.sum()] = resampled(int(half.sum()), HALF_DRAWS, np.random.default_rng(0))
    solved = bootstrap(theta, part, optimum.delta, weights)
    drawn = optimum.family.allocation(optimum.observed.coefficients(solved.theta[solved.converged]))
    here = optimum.family.allocation(optimum.observed.coefficients(theta[None]))
    assert drawn is not None
    assert here is not None
    a = drawn[0][np.isfinite(drawn[0]) & (drawn[0] > 0) & (drawn[0] < 1)]
    if a.size < 0.9 * HALF_DRAWS:
        return None
    return float(here[0][0]), float(a.std())

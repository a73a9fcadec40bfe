"""Prediction beyond the data that learns its error from the data.

On public tables the error of an extrapolated loss is the form's far more than the noise's, so an interval from noise
alone is several times too narrow on clean tables. What can be known of the form's error is what it was on the
table itself: fit below a split in compute, predict above, look. That is done at several splits, for several windows
of fitted runs, criteria and forms; the predictions are pooled with weights from what each candidate's error was, the
plain certified fit having the larger prior, and the pool's own errors at the splits make the interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from isoflop.fitting.objective import HUBER_DELTA, BoolArray, FloatArray, LogRuns, shares
from isoflop.fitting.solve import search
from isoflop.fitting.uncertainty import interval
from isoflop.laws import FormError, family
from isoflop.runs import Runs

JUMPS = (3.0, 8.0, 20.0)
"""Inner splits: compute of the largest run seen over that of the largest fitted one."""
WINDOWS = (np.inf, 300.0, 100.0, 30.0, 10.0)
"""Windows of fitted runs: compute of the largest over that of the smallest."""
CRITERIA = (HUBER_DELTA, np.inf)
"""Huber's delta; infinite is least squares of log residuals."""
EXPONENTS = np.geomspace(0.12, 0.9, 4)
FEW_EXPONENTS = np.geomspace(0.15, 0.7, 3)
"""Starts of each exponent: fewer where many surfaces are fitted, and fewest where only their error is asked for."""
STEEPEST = 2.0
FEWEST_FITTED, FEWEST_JUDGED = 8, 2
DEFAULT_SCALE = 0.02
"""Of ln L at the level .9, for a jump of e in compute, before calibration: what tables too short to be split get, and
half of the evidence of those that can be split once. Near the middle of eleven public tables."""
SMALLEST_SCALE = 0.003
DISSENT = 1.0
"""Standard deviations of what the candidates say of a question, below which its interval never falls: far from any run,
as at many more tokens a parameter than were seen, no backtest on the table speaks for it, but they disagree."""
UNJUDGED = 0.1
"""Of its prior weight, to a candidate that no inner split could carry."""


@dataclass(frozen=True)
class Rule:
    """How candidates are pooled, and how wide the pool's interval is.

    Every other candidate has prior weight 1. Weights follow the errors to ``power``; ``prudence`` is the number of
    splits' worth of belief that a candidate is no better than the plain fit. ``calibration`` multiplies the errors
    seen at inner splits, which are made with fewer runs and among smaller ones than the answer is. The defaults were
    learnt on eleven public tables; studies/extrapolation.py learns them without each source and scores them on it.
    """

    prior_plain: float = 3.0
    prior_line: float = 1.0
    power: float = 1.0
    prudence: float = 2.0
    calibration: float = 0.65

    def prior(self, candidate: Candidate) -> float:
        if candidate.plain:
            return self.prior_plain
        return self.prior_line if candidate.form == "line" else 1.0


@dataclass(frozen=True)
class Candidate:
    """A way to extrapolate: a surface by a criterion, or a frontier line, through a window of the runs."""

    form: str
    delta: float
    window: float

    @property
    def plain(self) -> bool:
        return self.form == "surface" and self.delta == HUBER_DELTA and self.window == np.inf

    @property
    def name(self) -> str:
        criterion = "least squares" if self.delta == np.inf else "Huber"
        form = "frontier line" if self.form == "line" else f"surface, {criterion}"
        return form + ("" if self.window == np.inf else f", C within {self.window:g}x")


CANDIDATES = tuple(
    [Candidate("surface", delta, window) for delta in CRITERIA for window in WINDOWS]
    + [Candidate("line", np.inf, window) for window in WINDOWS]
)


@dataclass(frozen=True)
class Table:
    """Runs as columns N, D, C and L, each of shape (R,)."""

    params: FloatArray
    tokens: FloatArray
    flops: FloatArray
    loss: FloatArray

    def take(self, rows: BoolArray) -> Table:
        return Table(self.params[rows], self.tokens[rows], self.flops[rows], self.loss[rows])

    def __len__(self) -> int:
        return self.loss.size


@dataclass(frozen=True)
class Extrapolation:
    """Pooled predictions beyond a table, and what their error was on the table itself.

    ``log_loss`` (Q,) are the pooled ln L of the Q questions, ``scale`` the error of ln L at ``level`` for a jump of e
    in compute; it grows with the root of ln(jump). ``noise`` (Q,) is the half-width that the bootstrap alone gives.
    ``learned`` says whether the scale comes from this table (``splits`` of them) or is the stated default.
    """

    log_loss: FloatArray
    half_width: FloatArray
    noise: FloatArray
    level: float
    scale: float
    learned: bool
    splits: int
    weights: dict[str, float]

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper loss, each (Q,)."""
        return np.exp(self.log_loss - self.half_width), np.exp(self.log_loss + self.half_width)

    @property
    def form_share(self) -> FloatArray:
        """The share of the squared width that is the form's and not the noise's, (Q,)."""
        return 1 - (self.noise / np.maximum(self.half_width, 1e-300)) ** 2

    def to_dict(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "learned": self.learned,
            "splits": self.splits,
            "weights": {name: weight for name, weight in self.weights.items() if weight > 0.005},
        }


@dataclass(frozen=True)
class Evidence:
    """What every candidate says of the questions, and what it said at the inner splits beside what was so.

    ``outer`` are ln L at the Q questions, ``jump`` (Q,) the ln of their compute over the table's largest. For each
    inner split: ``errors`` by candidate, and ``inner``, the candidates' predictions, the truth and the ln jumps.
    """

    outer: dict[Candidate, FloatArray]
    jump: FloatArray
    errors: list[dict[Candidate, float]]
    inner: list[tuple[dict[Candidate, FloatArray], FloatArray, FloatArray]]


def gather(table: Table, params: FloatArray, tokens: FloatArray, flops: FloatArray) -> Evidence:
    """Fit every candidate to the table and below every inner split; the questions are arrays of shape (Q,)."""
    errors, inner = [], []
    for jump in JUMPS:
        split = _split(table, jump)
        if split is None:
            continue
        below, above = split
        seen = _predictions(below, above.params, above.tokens, above.flops)
        truth = np.log(above.loss)
        errors.append({c: float(np.mean(np.abs(p - truth))) for c, p in seen.items()})
        inner.append((seen, truth, np.log(above.flops / below.flops.max())))
    outward = np.log(np.maximum(flops / table.flops.max(), 1.0))
    return Evidence(_predictions(table, params, tokens, flops), outward, errors, inner)


def extrapolate(evidence: Evidence, noise: FloatArray, level: float, rule: Rule | None = None) -> Extrapolation:
    """Pool the candidates and say how wrong the pool may be.

    ``noise`` (Q,) is the bootstrap's half-width of ln L at the questions, below which the interval never falls.
    """
    rule = Rule() if rule is None else rule
    weights = _weights(evidence.errors, set(evidence.outer), rule)
    scale, learned = _scale(evidence, level, rule)
    pooled = _pooled(evidence.outer, weights)
    spread = np.sqrt(_pooled({c: (p - pooled) ** 2 for c, p in evidence.outer.items()}, weights))
    half_width = np.max([scale * np.sqrt(evidence.jump), noise, DISSENT * spread], axis=0)
    named = {c.name: weight for c, weight in weights.items()}
    return Extrapolation(pooled, half_width, noise, level, scale, learned, len(evidence.inner), named)


def _split(table: Table, jump: float) -> tuple[Table, Table] | None:
    below = table.flops <= table.flops.max() / jump
    if below.sum() < FEWEST_FITTED or (~below).sum() < FEWEST_JUDGED:
        return None
    return table.take(below), table.take(~below)


def _predictions(
    table: Table, params: FloatArray, tokens: FloatArray, flops: FloatArray
) -> dict[Candidate, FloatArray]:
    off = _off_frontier(table, params, tokens)
    answers = {c: _predict(c, table, params, tokens, flops, off) for c in CANDIDATES}
    return {c: answer for c, answer in answers.items() if answer is not None}


def _predict(
    candidate: Candidate, table: Table, params: FloatArray, tokens: FloatArray, flops: FloatArray, off: FloatArray
) -> FloatArray | None:
    """ln L at the questions by one candidate, or None where its window cannot carry it."""
    seen = table.take(table.flops >= table.flops.max() / candidate.window)
    if candidate.window != np.inf and len(seen) == len(table):
        return None  # the window leaves nothing out: it is the candidate without one
    if candidate.form == "line":
        line = _line(seen, flops)
        return None if line is None else line + off
    return surface(seen, params, tokens, candidate.delta)


def surface(
    table: Table, params: FloatArray, tokens: FloatArray, delta: float, exponents: FloatArray = EXPONENTS
) -> FloatArray | None:
    """ln L of the table's Chinchilla surface at N and D; None where it has no law."""
    found = _surface(table, delta, exponents)
    return None if found is None else _along(*found, params, tokens)


def _surface(table: Table, delta: float, exponents: FloatArray) -> tuple[LogRuns, FloatArray] | None:
    """The table's Chinchilla surface: its centred runs and theta (5,)."""
    if len(table) < FEWEST_FITTED:
        return None
    logs = LogRuns.of(table.params, table.tokens, table.loss)
    found = search(logs, delta, exponents)
    best = found.theta[np.argmin(found.objective)]
    return (logs, best) if ((best[3:] > 0) & (best[3:] < STEEPEST)).all() else None


def _along(logs: LogRuns, theta: FloatArray, params: FloatArray, tokens: FloatArray) -> FloatArray:
    n, d = np.log(params) - logs.centre_n, np.log(tokens) - logs.centre_d
    return np.asarray(shares(theta[None], LogRuns(n, d, np.zeros(n.size), logs.centre_n, logs.centre_d))[0][0])


def _off_frontier(table: Table, params: FloatArray, tokens: FloatArray) -> FloatArray:
    """How much ln L at N and D lies above that of the best split of 6 N D: a frontier's line knows only the latter.

    By the plain surface of the table, and nothing where that has no law.
    """
    found = _surface(table, HUBER_DELTA, EXPONENTS)
    if found is None:
        return np.zeros(params.size)
    logs, theta = found
    best = family("chinchilla").optimum(logs.coefficients(theta[None]), 6 * params * tokens)
    assert best is not None  # a closed form
    return _along(logs, theta, params, tokens) - _along(logs, theta, *best)


def _line(table: Table, flops: FloatArray) -> FloatArray | None:
    """ln L against ln C through the runs that no cheaper run beats."""
    order = np.lexsort((table.loss, table.flops))
    losses = np.asarray(table.loss[order])
    frontier = order[losses <= np.minimum.accumulate(losses)]
    C, L = np.log(table.flops[frontier]), np.log(table.loss[frontier])
    if frontier.size < 3 or np.ptp(C) < np.log(2):
        return None
    return np.asarray(np.polyval(np.polyfit(C, L, 1), np.log(flops)))


def _weights(errors: list[dict[Candidate, float]], able: set[Candidate], rule: Rule) -> dict[Candidate, float]:
    """Prior times a power of each candidate's error over the plain fit's, shrunk towards 1 where splits are few."""
    plain = next(c for c in CANDIDATES if c.plain)
    weights = {}
    for candidate in able:
        ratios = [
            np.log((seen[candidate] + SMALLEST_SCALE) / (seen[plain] + SMALLEST_SCALE))
            for seen in errors
            if candidate in seen and plain in seen
        ]
        mean = sum(ratios) / (len(ratios) + rule.prudence)
        unjudged = UNJUDGED if not ratios and not candidate.plain else 1.0
        weights[candidate] = rule.prior(candidate) * float(np.exp(-rule.power * mean)) * unjudged
    total = sum(weights.values())
    return {candidate: weight / total for candidate, weight in weights.items()}


def _pooled(predictions: dict[Candidate, FloatArray], weights: dict[Candidate, float]) -> FloatArray:
    return np.asarray(sum(weights[c] * p for c, p in predictions.items()))


def _scale(evidence: Evidence, level: float, rule: Rule) -> tuple[float, bool]:
    """The ``level`` quantile of |residual| / sqrt(ln jump) of the pool, each split weighing the same, calibrated.

    At each split the pool's weights come from the other splits, as those of the answer come from splits that are
    not the question. A default's worth of evidence stands beside the splits: few say little of the tail.
    """
    residuals = []
    for k, (able, truth, jump) in enumerate(evidence.inner):
        if able:
            weights = _weights([seen for j, seen in enumerate(evidence.errors) if j != k], set(able), rule)
            residuals.append(np.abs(_pooled(able, weights) - truth) / np.sqrt(jump))
    return error_scale(residuals, level, rule.calibration)


def error_scale(residuals: list[FloatArray], level: float, calibration: float = 1.0) -> tuple[float, bool]:
    """The scale that |log residuals| / sqrt(ln jump), an array a split, ask for; and whether there were any."""
    normal = NormalDist()
    default = DEFAULT_SCALE * calibration * normal.inv_cdf(0.5 + level / 2) / normal.inv_cdf(0.95)
    if not residuals:
        return default, False
    errors = np.concatenate(residuals)
    mass = np.concatenate([np.full(split.size, 1 / split.size) for split in residuals])
    order = np.argsort(errors)
    reached = np.cumsum(mass[order]) / mass.sum()
    at = min(int(np.searchsorted(reached, level)), errors.size - 1)
    found = max(float(errors[order[at]]) * calibration, 1e-6)
    trust = len(residuals) / (len(residuals) + 1)
    return max(float(np.exp(trust * np.log(found) + (1 - trust) * np.log(default))), SMALLEST_SCALE), True


def form_error(runs: Runs, predict: Callable[[Runs, Runs], FloatArray | None]) -> FormError:
    """What the error of one form was on its own table, fitted below each inner split and judged above.

    ``predict(below, above)`` is ln L at the runs above by a fit to those below, None where there is no law. No
    candidates, no weights: this is for the plain fit's own coefficients, which plans are made with.
    """
    residuals = []
    for jump in JUMPS:
        rows = runs.flops <= runs.flops.max() / jump
        if rows.sum() < FEWEST_FITTED or (~rows).sum() < FEWEST_JUDGED:
            continue
        below, above = runs.take(rows), runs.take(~rows)
        said = predict(below, above)
        if said is not None:
            times = np.log(above.flops / below.flops.max())
            residuals.append(np.abs(said - np.log(above.loss)) / np.sqrt(times))
    scale, learned = error_scale(residuals, 0.9)
    return FormError(scale, float(runs.flops.max()), learned)


def bootstrap_half_width(log_loss_draws: FloatArray, level: float) -> FloatArray:
    """Half the width of the draws' central interval in ln L; draws of shape (draws, Q)."""
    spans = [interval(column, level) for column in log_loss_draws.T]
    return np.array([(high - low) / 2 for low, high in spans])

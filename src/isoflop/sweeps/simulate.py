"""Simulated studies: what a design will tell, before anything is trained.

A truth is planted, noise as it was measured is put on its losses, and the fits that will be used are made on every
simulated study, verdict and all. What is learnt: how far from the truth the answer at the target will be, how wide the
intervals beside it, how often they hold it, and how often the verdict will be a refusal. What cannot be learnt is
whether the form holds: it is planted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.conventions import FlopsConvention
from isoflop.errors import DataError, UsageError
from isoflop.fitting import Fit, fit
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.laws import Coefficients, Family, Law, Optimum
from isoflop.laws import family as named_family
from isoflop.runs import Runs
from isoflop.sweeps.designs import Design
from isoflop.sweeps.simulated import Outcome, Simulated, Span, told

FloatArray = NDArray[np.float64]
Truth = Literal["point", "draws"]

STUDIES = 200
DRAWS = 200
"""Enough for an interval of level .9 that is known to a tenth of its width; a study of one's own takes 4000."""
FEWEST_ANSWERS = 5
APPROACHES = (1, 2, 3)
LEAST_SHARE = 1e-12
"""Of the target's compute: below it a split wastes all."""


def simulate(
    design: Design,
    prior: Law,
    *,
    noise: float,
    target: float,
    studies: int = STUDIES,
    approach: int | str = 3,
    level: float = 0.9,
    draws: int = DRAWS,
    seed: int = 0,
    shared_noise: float = 0.0,
    truth: Truth = "point",
    family: str | Family | None = None,
    objective: str = "huber",
    delta: float = HUBER_DELTA,
) -> Simulated:
    """Plant ``prior``, simulate ``studies`` of the design with ``noise``, and fit each of them.

    ``noise`` is the standard deviation of ln L from run to run; ``shared_noise`` that of an offset in ln L which the
    runs of one trunk have in common, or, where runs have no trunk, the runs of one budget. ``target`` is the compute in
    FLOPs at which N*, D* and the loss are asked. ``truth`` is the prior's "point", or for each study another of its
    joint "draws". ``approach`` is 1, 2, 3 or "all"; ``family``, the prior's without one, is what approach 3 fits;
    ``objective``, ``delta`` and ``draws`` are as in ``fit``. With ``draws=0`` only the spread between studies is known,
    and the notes and refusals that intervals bring are not seen.

    Takes about 0.1 s of CPU a study of 40 runs without draws and 0.2 s with 200. Raises UsageError for arguments that
    mean nothing, DataError for a prior without a loss surface, an optimum or (where asked) draws.

    >>> import numpy as np, isoflop as iso
    >>> from isoflop.sweeps.designs import of_runs
    >>> C = np.repeat([1e18, 1e19, 1e20], 5)
    >>> prior = iso.law("besiroglu2024")
    >>> N = prior.optimum(C).params * np.tile(np.geomspace(1 / 3, 3, 5), 3)
    >>> found = simulate(of_runs("mine", N, C / (6 * N), C), prior, noise=0.0, target=1e24, studies=1, draws=0)
    >>> abs(found.outcome().params.bias) < 1e-6
    True
    """
    wanted = APPROACHES if approach == "all" else (approach,)
    _check(design, prior, noise, shared_noise, target, studies, wanted, truth)
    form = prior.family if family is None else named_family(family) if isinstance(family, str) else family
    rng = np.random.default_rng(seed)
    truths = _truths(prior, truth, studies, rng)
    tables = [_planted(design, one, prior, noise, shared_noise, rng) for one in truths]
    bare = _planted(design, _coefficients(prior), prior, 0.0, 0.0, rng)
    outcomes = []
    for number in wanted:
        asked = _Asked(int(number), form, draws, level, objective, delta)
        fits = [asked.of(table, seed=seed + i) for i, table in enumerate(tables)]
        alone = replace(asked, draws=0).of(bare, seed=seed)
        outcomes.append(_outcome(asked, prior, truths, fits, alone, target))
    given = (prior.id, float(target), noise, shared_noise, truth, studies, draws, level)
    return Simulated(design, *given, outcomes=tuple(outcomes))


@dataclass(frozen=True)
class _Asked:
    """What every simulated study is asked."""

    approach: int
    family: Family
    draws: int
    level: float
    objective: str
    delta: float

    def of(self, table: Runs, seed: int) -> Fit:
        if self.approach != 3:
            return fit(table, "frontier", approach=self.approach, draws=self.draws, level=self.level, seed=seed)
        return fit(
            table,
            self.family,
            approach=3,
            draws=self.draws,
            level=self.level,
            seed=seed,
            objective=self.objective,
            delta=self.delta,
        )


def _check(
    design: Design,
    prior: Law,
    noise: float,
    shared_noise: float,
    target: float,
    studies: int,
    approaches: Sequence[int | str],
    truth: str,
) -> None:
    for what, value in (("noise", noise), ("shared noise", shared_noise)):
        if not 0 <= value < 1:
            raise UsageError(f"a {what} of {value:g} was asked for; it is a deviation of ln loss, such as 0.003.")
    if not 0 < target < np.inf:
        raise UsageError(f"a target of {target:g} FLOPs cannot be spent; give a positive number such as 1e24.")
    if studies < 1:
        raise UsageError(f"{studies} studies were asked for; one is the least, and 200 are usual.")
    for one in approaches:
        if one not in APPROACHES:
            raise UsageError(f'approach {one!r} was asked for; there are 1, 2, 3 and "all".')
    if not {"params", "tokens"} <= set(prior.family.inputs):
        raise DataError(f"the law {prior.id} has no loss surface in N and D to plant; take one that isoflop fit made.")
    if not prior.has_optimum:
        raise DataError(f"the law {prior.id} has no closed-form optimum, so no answer at a target can be judged by it.")
    if truth == "draws" and prior.draws is None:
        raise DataError(f"the law {prior.id} has no joint draws to plant; plant its point, or fit it with draws.")
    if not len(design):
        raise UsageError("the design has no runs: there is nothing to simulate.")


def _coefficients(law: Law) -> dict[str, float]:
    return {name: float(law.coefficients[name]) for name in law.family.names}


def _truths(prior: Law, truth: Truth, studies: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """The coefficients that are planted in each study."""
    if truth == "point" or prior.draws is None:
        return [_coefficients(prior)] * studies
    rows = rng.integers(len(next(iter(prior.draws.values()))), size=studies)
    return [{name: float(prior.draws[name][row]) for name in prior.family.names} for row in rows]


def _planted(
    design: Design,
    coefficients: dict[str, float],
    prior: Law,
    noise: float,
    shared_noise: float,
    rng: np.random.Generator,
) -> Runs:
    """The table that a study of this design would leave: with its budgets, seeds, trunks and known noise."""
    exact = replace(prior, coefficients=coefficients, draws=None).predict(design.params, design.tokens)
    offsets = noise * rng.standard_normal(len(design))
    shared = _shared(design)
    offsets += shared_noise * rng.standard_normal(int(shared.max()) + 1)[shared]
    columns: dict[str, NDArray[np.generic]] = {"seed": _repeats(design)}
    if np.isfinite(design.budgets).all():
        columns["budget"] = design.budgets
    if (design.trunks >= 0).any():
        columns["trunk"] = np.array([f"t{k}" if k >= 0 else f"own{i}" for i, k in enumerate(design.trunks)])
    if noise:
        columns["loss_noise"] = noise * exact
    return Runs(
        design.params,
        design.tokens,
        exact * np.exp(offsets),
        columns=columns,
        conventions=replace(prior.conventions, flops=FlopsConvention.SIX_ND),
        source=f"a simulated study ({design.kind})",
    )


def _shared(design: Design) -> NDArray[np.int64]:
    """The number of what each run shares its offset with: its trunk, else its budget, else nothing."""
    names = [
        f"trunk {trunk}" if trunk >= 0 else f"budget {budget:g}" if np.isfinite(budget) else f"run {i}"
        for i, (trunk, budget) in enumerate(zip(design.trunks, design.budgets, strict=True))
    ]
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def _repeats(design: Design) -> FloatArray:
    """A seed for each run: runs of equal N and D have different ones."""
    seen: Counter[tuple[float, float]] = Counter()
    seeds = []
    for cell in zip(design.params.tolist(), design.tokens.tolist(), strict=True):
        seeds.append(float(seen[cell]))
        seen[cell] += 1
    return np.array(seeds)


def _outcome(
    asked: _Asked,
    prior: Law,
    truths: list[dict[str, float]],
    fits: list[Fit],
    alone: Fit,
    target: float,
) -> Outcome:
    verdicts, notes = _verdicts(fits, asked.draws)
    noise_free = None
    if alone.fitted is not None:
        found, true = alone.fitted.optimum(target), prior.optimum(target)
        noise_free = {
            "params_opt": float(found.params / true.params - 1),
            "tokens_opt": float(found.tokens / true.tokens - 1),
            "loss": float(found.loss / true.loss - 1),
        }
    answered = [i for i, one in enumerate(fits) if one.fitted is not None]
    outcome = Outcome(asked.approach, len(answered), None, None, None, None, verdicts, notes, noise_free)
    if len(answered) < min(FEWEST_ANSWERS, len(fits)):
        return outcome
    theta = {name: np.array([truths[i][name] for i in answered]) for name in prior.family.names}
    true = _optimum(prior, theta, np.full(len(answered), target))
    laws = [fits[i].law for i in answered]
    found = _stacked([one.optimum(target) for one in laws])
    with np.errstate(all="ignore"):  # a draw may be infinitely far off, and its quantiles then are
        own = _own_intervals(laws, target, asked.level) if asked.draws else (None, None, None)
        share = wasted(prior, theta, found.params, target)
    return replace(
        outcome,
        params=told(found.params, true.params, own[0], asked.level),
        tokens=told(found.tokens, true.tokens, own[1], asked.level),
        loss=told(found.loss, true.loss, own[2], asked.level),
        wasted=(float(np.mean(share)), float(np.quantile(share, asked.level))),
    )


def _verdicts(fits: list[Fit], draws: int) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of the studies by status and by note; where no draws were asked for, that alone is no caution."""
    statuses: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for one in fits:
        notes = [note for note in one.verdict.notes if draws or note.code != "no_draws"]
        refused = one.verdict.status == "refused"
        statuses["refused" if refused else "caution" if any(note.cautions for note in notes) else "ok"] += 1
        codes.update({note.code for note in notes})
    return (
        {status: statuses[status] / len(fits) for status in ("ok", "caution", "refused")},
        {code: count / len(fits) for code, count in codes.most_common()},
    )


def _own_intervals(laws: list[Law], target: float, level: float) -> tuple[list[Span] | None, ...]:
    """The studies' intervals of N*, D* and the loss at the target; None where a study has none."""
    drawn = [one.optimum_draws(target) for one in laws]
    if any(one is None for one in drawn):
        return None, None, None
    ends = [(1 - level) / 2, (1 + level) / 2]
    optima = [one for one in drawn if one is not None]
    return tuple(
        [tuple(np.quantile(getattr(one, name), ends).tolist()) for one in optima]
        for name in ("params", "tokens", "loss")
    )


def _stacked(optima: list[Optimum]) -> Optimum:
    return Optimum(*(np.array([float(getattr(one, name)) for one in optima]) for name in ("params", "tokens", "loss")))


def _loss(law: Law, theta: Coefficients, params: FloatArray, tokens: FloatArray) -> FloatArray:
    """The loss under a law of each row: coefficients (S,), N (S,) and D (S,)."""
    assumed = {name: np.asarray(value, float) for name, value in law.family.assumed.items()}
    given = {**assumed, "params": params, "tokens": tokens}
    return law.family.loss(theta, {name: given[name] for name in law.family.inputs})


def _optimum(law: Law, theta: Coefficients, flops: FloatArray) -> Optimum:
    best = law.family.optimum(theta, flops)
    assert best is not None
    return Optimum(*best, _loss(law, theta, *best))


def wasted(law: Law, theta: Coefficients, params: FloatArray, flops: float) -> FloatArray:
    """The share of C FLOPs that networks of N parameters waste, each under the law of its row; all of shape (S,).

    Trained on D = C/6N tokens they reach a loss that the optimum reaches with 1 - wasted of C.

    >>> import isoflop as iso
    >>> law = iso.law("besiroglu2024")
    >>> best = law.optimum(1e24).params
    >>> theta = {name: np.full(3, law.coefficients[name]) for name in law.family.names}
    >>> [f"{share:.2%}" for share in wasted(law, theta, best * np.array([0.5, 2.0, 4.0]), 1e24)]
    ['15.55%', '15.67%', '48.56%']
    """
    reached = _loss(law, theta, params, flops / (6 * params))
    low, high = np.full(params.shape, np.log(LEAST_SHARE)), np.zeros(params.shape)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = _optimum(law, theta, flops * np.exp(middle)).loss > reached
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return -np.expm1(high)

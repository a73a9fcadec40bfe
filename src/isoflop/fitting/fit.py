"""The public door of fitting: one table, one question, one frozen answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from isoflop.errors import UnknownName, UsageError
from isoflop.fitting.envelope import fit_envelope
from isoflop.fitting.frontier import fit_frontier
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.fitting.parametric import fit_surface
from isoflop.fitting.question import OBJECTIVES, Question
from isoflop.fitting.result import Fit
from isoflop.laws import Family
from isoflop.laws import family as named_family
from isoflop.runs import Runs

DRAWS = 4000
LEVEL = 0.9
FEWEST_DRAWS = 50
FRONTIER = "frontier"


class Asked(TypedDict, total=False):
    """The keywords of ``fit`` that are not the approach."""

    draws: int
    level: float
    seed: int
    pin: Mapping[str, float]
    prior: Mapping[str, tuple[float, float]]
    objective: str
    delta: float
    weigh: bool
    group: str | None


def fit(
    runs: Runs,
    family: str | Family = "chinchilla",
    *,
    approach: int | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
    pin: Mapping[str, float] | None = None,
    prior: Mapping[str, tuple[float, float]] | None = None,
    objective: str = "huber",
    delta: float = HUBER_DELTA,
    weigh: bool = False,
    group: str | None = None,
) -> Fit:
    """Fit a law to runs.

    ``family`` is a name or a Family of your own. ``pin`` holds coefficients at values of yours, ``prior``
    (mean, standard deviation) leans them towards one. ``objective`` is the criterion of approach 3: "huber" with
    ``delta`` (in log loss), "least_squares", "absolute", "raw_least_squares" (of the loss itself) or "asymmetric"
    (Huber's, a prediction above the run counting ten times). ``weigh`` weighs each run by one over the square of
    its column ``loss_noise``, the standard deviation of its loss. ``group`` is the column that names what several rows
    share, a training curve or a trunk; without it ``trajectory``, ``trunk`` or a ``run_id`` that repeats.

    Approach 3 (the default) fits the family's loss surface to all runs; approach 2 (the default for the
    family "frontier") takes the minima of isoFLOP profiles and needs no surface; approach 1 follows the envelope of
    training curves. A table that cannot carry the question gives a Fit whose verdict is "refused" and says why; only
    unusable arguments raise.

    >>> import numpy as np, isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> fitted = fit(runs, "chinchilla", draws=200)
    >>> round(fitted.law.coefficients["alpha"], 6), fitted.converged
    (0.35, True)
    """
    _check_numbers(approach, draws, level, seed)
    form = named_family(family) if isinstance(family, str) else family
    if approach is None:
        approach = 2 if form.name == FRONTIER else 3
    if approach in (1, 2) and (pin or prior or weigh or objective != "huber" or delta != HUBER_DELTA):
        raise UsageError(
            f"approach {approach} fits no surface: pins, priors, weights, an objective or a delta are for approach 3."
        )
    if approach in (1, 2):
        _check_frontier(approach, form)
    if approach == 1:
        return fit_envelope(runs, draws, level, seed, group)
    if approach == 2:
        return fit_frontier(runs, draws, level, seed)
    if approach != 3:
        raise UsageError(
            f"approach {approach} was asked for; there are 1 (the envelope of training curves), 2 (isoFLOP profiles) "
            "and 3 (a loss surface)."
        )
    if form.name == FRONTIER:
        raise UsageError(f"the family {form.name} has no loss surface for approach 3; it has approaches 1 and 2.")
    question = Question(form, draws, level, seed, dict(pin or {}), dict(prior or {}), objective, delta, weigh, group)
    _check(question)
    return fit_surface(runs, question)


def _check_frontier(approach: int, form: Family) -> None:
    if form.name not in (FRONTIER, "chinchilla"):  # chinchilla is what nobody asked for
        raise UsageError(f"approach {approach} yields a frontier, not a surface; {form.name} is for approach 3.")


def _check_numbers(approach: object, draws: int, level: float, seed: int) -> None:
    if draws and draws < FEWEST_DRAWS:
        raise UsageError(
            f"{draws} draws were asked for; 0 leaves the intervals out, {FEWEST_DRAWS} is the least that makes one and "
            f"{DRAWS} is usual."
        )
    if seed < 0:
        raise UsageError(f"a seed of {seed} was asked for; give a whole number from 0 up.")
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} was asked for; it is a share of the draws, such as {LEVEL}.")
    if isinstance(approach, str):
        raise UsageError(f"approach {approach!r} is text; give the number 1, 2 or 3.")


def _check(question: Question) -> None:
    if not question.family.fitted:
        raise UsageError(
            f"the family {question.family.name} is here for its published constants and is not fitted; fit chinchilla, "
            "or a family of your own (--family FILE.py:NAME)."
        )
    if question.objective not in OBJECTIVES:
        raise UnknownName.among("objective", question.objective, OBJECTIVES)
    if not 0 < question.delta < 1:
        raise UsageError(f"a delta of {question.delta:g} was asked for; it is a log residual, such as {HUBER_DELTA:g}.")
    for coefficient in question.family.coefficients:
        value = question.pinned.get(coefficient.name)
        if value is not None and not coefficient.lower <= value <= coefficient.upper:
            raise UsageError(
                f"{coefficient.name} is pinned at {value:g}; it lies between {coefficient.lower:g} and "
                f"{coefficient.upper:g} in the family {question.family.name}."
            )
    if not question.free:
        raise UsageError(f"every coefficient of {question.family.name} is pinned: nothing is left to fit; pin fewer.")
    for name, (mean, deviation) in question.priors.items():
        if name in question.pinned:
            raise UsageError(f"{name} is pinned and has a prior; it can have one of them.")
        if not (deviation > 0 and np.isfinite(mean) and np.isfinite(deviation)):
            raise UsageError(f"the prior of {name} is {mean:g} ± {deviation:g}; give a number ± a positive one.")
        if any(c.name == name and c.logarithmic for c in question.family.coefficients) and mean <= 0:
            raise UsageError(
                f"the prior of {name} is about {mean:g}; the family {question.family.name} needs it positive."
            )
    for name in (*question.pinned, *question.priors):
        if name not in question.family.names:
            raise UnknownName.among(f"coefficient of {question.family.name}", name, question.family.names)

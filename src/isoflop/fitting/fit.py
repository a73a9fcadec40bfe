"""The public door of fitting: one table, one question, one frozen answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoflop.errors import UnknownName, UsageError
from isoflop.fitting.bias import Bias, bias
from isoflop.fitting.frontier import fit_frontier
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.fitting.parametric import OBJECTIVES, Question, fit_surface
from isoflop.fitting.result import Fit
from isoflop.laws import Family
from isoflop.laws import family as named_family
from isoflop.runs import Runs

DRAWS = 4000
LEVEL = 0.9
FEWEST_DRAWS = 50
FRONTIER = "frontier"


def fit(
    runs: Runs,
    family: str | Family = "chinchilla",
    *,
    approach: int | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
    pin: Mapping[str, float] | None = None,
    objective: str = "huber",
    delta: float = HUBER_DELTA,
) -> Fit:
    """Fit a law to runs.

    ``family`` is a name or a Family of your own. ``pin`` holds coefficients at values of yours. ``objective`` is the
    criterion of approach 3: "huber" with ``delta`` (in log loss), "least_squares" or "absolute".

    Approach 3 (the default) fits the family's loss surface to all runs; approach 2 (the default for the
    family "frontier") takes the minima of isoFLOP profiles and needs no surface. A table that cannot
    carry the question gives a Fit whose verdict is "refused" and says why; only unusable arguments raise.

    >>> import numpy as np, isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> fitted = fit(runs, "chinchilla", draws=200)
    >>> round(fitted.law.coefficients["alpha"], 6), fitted.converged
    (0.35, True)
    """
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
        raise UsageError(f"approach {approach!r} is text; give the number 2 or 3.")
    form = named_family(family) if isinstance(family, str) else family
    if approach is None:
        approach = 2 if form.name == FRONTIER else 3
    if approach == 2 and (pin or objective != "huber" or delta != HUBER_DELTA):
        raise UsageError(
            "approach 2 has parabolas only: a pinned coefficient, an objective or a delta is for approach 3."
        )
    if approach == 2:
        return fit_frontier(runs, draws, level, seed)
    if approach != 3:
        raise UsageError(f"approach {approach} was asked for; there are 2 (isoFLOP profiles) and 3 (a loss surface).")
    if form.name == FRONTIER:
        raise UsageError(f"the family {form.name} has no loss surface for approach 3; it has approach 2.")
    question = Question(form, draws, level, seed, dict(pin or {}), objective, delta)
    _check(question)
    return fit_surface(runs, question)


def _check(question: Question) -> None:
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
    for name in question.pinned:
        if name not in question.family.names:
            raise UnknownName.among(f"coefficient of {question.family.name}", name, question.family.names)


@dataclass(frozen=True)
class Approaches:
    """Approaches 2 and 3 to the same runs, side by side."""

    profiles: Fit
    surface: Fit

    @property
    def leading(self) -> Fit:
        """What a single answer is taken from: the surface, unless it was refused or misses its own runs."""
        missed = any(note.code == "lack_of_fit" for note in self.surface.verdict.notes)
        if self.surface.fitted is None or (missed and self.profiles.fitted is not None):
            return self.profiles
        return self.surface

    @property
    def bias(self) -> Bias | None:
        """What parabolas would be off by on these runs, were the surface the truth; None where either has no law."""
        return bias(self.profiles, self.surface)

    def to_dict(self) -> dict[str, Any]:
        """The leading fit's object, under ``approaches`` the exponents of each, and the profiles' ``bias``."""
        sides = {"2": self.profiles, "3": self.surface}
        exponents = {
            number: {**(table["allocation"] or {}), "verdict": table["verdict"]}
            for number, table in ((number, side.to_dict()) for number, side in sides.items())
        }
        found = self.bias
        return {**self.leading.to_dict(), "approaches": exponents, "bias": None if found is None else found.to_dict()}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """Both summaries, and what it means if the exponents differ."""
        return "\n\n".join([self.profiles.summary(), self.surface.summary(), self._disagreement()]).rstrip()

    def _disagreement(self) -> str:
        two, three = self.profiles.allocation, self.surface.allocation
        if two is None or three is None:
            return ""
        found = self.bias
        return (
            f"a is {two[0]:.3f} by profiles and {three[0]:.3f} by the surface. Profiles see only the frontier; the "
            "surface weighs every run and trusts its form: where they differ by more than their intervals, the form "
            "or the design is at fault, and neither exponent should be quoted alone."
            + ("" if found is None else f" {found.describe()}")
        )


def fit_all(
    runs: Runs,
    family: str | Family = "chinchilla",
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
    pin: Mapping[str, float] | None = None,
    objective: str = "huber",
    delta: float = HUBER_DELTA,
) -> Approaches:
    """Approaches 2 and 3 to the same runs; ``pin``, ``objective`` and ``delta`` are the surface's."""
    surface = fit(
        runs, family, approach=3, draws=draws, level=level, seed=seed, pin=pin, objective=objective, delta=delta
    )
    return Approaches(profiles=fit(runs, FRONTIER, approach=2, draws=draws, level=level, seed=seed), surface=surface)

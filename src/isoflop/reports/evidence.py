"""What a report knows of a table of runs: every part is computed by the library when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from isoflop import laws
from isoflop.conventions import ParamsConvention
from isoflop.errors import DataError, IsoflopError, UsageError
from isoflop.fitting import (
    Approaches,
    Backtest,
    CountingRow,
    Fit,
    Forecast,
    Outcome,
    Profile,
    SpecificationCurve,
    Split,
    backtest,
    counting_row,
    fit,
    profile,
    specification_curve,
)
from isoflop.fitting.backtest import JUMPS
from isoflop.fitting.fit import DRAWS, FRONTIER, LEVEL
from isoflop.laws import Family, Law
from isoflop.planning import Plan, PlanRow, plan
from isoflop.planning.optimum import LARGEST
from isoflop.quantities import format_flops
from isoflop.runs import Runs, with_convention
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN

LARGE = 2000
"""Of more runs than these the bootstrap has FEW_DRAWS, and what fits again and again does so on SAMPLE of them."""
FEW_DRAWS = 200
SAMPLE = 300
BEYOND = 10.0
"""How many times the largest run's compute is asked about where no target is named."""
PUBLISHED = ("kaplan2020", "hoffmann2022", "besiroglu2024")
"""The laws that are drawn behind every frontier."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of the runs. ``target`` is the budget of the decision in FLOPs, BEYOND times the largest run's
    unless given; ``within`` the ratio of N*'s interval that was said beforehand to be good enough; ``draws`` those of
    every fit, fit's own for tables up to LARGE runs unless given."""

    family: str | Family = "chinchilla"
    target: float | None = None
    within: float | None = None
    draws: int | None = None
    level: float = LEVEL
    seed: int = 0
    group: str | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Runs and what can be said of them.

    ``runs`` are all runs, ``fitted`` those that are fitted (a run that tests a forecast is not), ``aside`` those that
    somebody chose to leave out. ``provenance`` maps
    what to its value. ``known`` are parts that somebody has computed already, by name. A part that these runs cannot
    carry raises DataError, with the reason; a fit is there always, and may be refused.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> evidence = Evidence("Planted", runs, runs, Wanted(target=1e24, draws=100))
    >>> f"{evidence.decision.params:.2e}"
    '1.02e+11'
    """

    title: str
    runs: Runs
    fitted: Runs
    wanted: Wanted = Wanted()
    forecast: Forecast | None = None
    outcome: Outcome | None = None
    aside: Runs | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What a cached property has found stands under its name in the instance's own dictionary.
        vars(self).update(self.known)

    def seek(self, part: str) -> tuple[Any, str]:
        """A part by name, and "" ; or None, and why it is not to be had, which is worked out once too."""
        refusals: dict[str, str] = vars(self).setdefault("_refusals", {})
        if part not in refusals:
            try:
                return getattr(self, part), ""
            except IsoflopError as error:
                refusals[part] = str(error)
        return None, refusals[part]

    def found(self, *parts: str) -> dict[str, Any]:
        """Those of these parts that have been asked for, and are there."""
        return {part: vars(self)[part] for part in parts if part in vars(self)}

    @property
    def draws(self) -> int:
        if self.wanted.draws is not None:
            return self.wanted.draws
        return DRAWS if len(self.fitted) <= LARGE else FEW_DRAWS

    @cached_property
    def sample(self) -> Runs:
        """The runs that are fitted again and again: all of them, or as many as that can be done with, by the seed."""
        if len(self.fitted) <= LARGE:
            return self.fitted
        rows = np.random.default_rng(self.wanted.seed).choice(len(self.fitted), SAMPLE, replace=False)
        return self.fitted.take(np.sort(rows))

    @property
    def sampled(self) -> str:
        """In words what the sample is, "" where it is all."""
        if len(self.sample) == len(self.fitted):
            return ""
        return f"On {SAMPLE} runs of the {len(self.fitted):,}, drawn at random (seed {self.wanted.seed})."

    @cached_property
    def profiles(self) -> Fit:
        """Approach 2."""
        return fit(self.fitted, FRONTIER, approach=2, **self._asked)

    @cached_property
    def envelope(self) -> Fit:
        """Approach 1."""
        return fit(self.fitted, FRONTIER, approach=1, group=self.wanted.group, **self._asked)

    @cached_property
    def surface(self) -> Fit:
        """Approach 3."""
        return fit(self.fitted, self.wanted.family, approach=3, group=self.wanted.group, **self._asked)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"draws": self.draws, "level": self.wanted.level, "seed": self.wanted.seed}

    @cached_property
    def approaches(self) -> Approaches:
        return Approaches(self.envelope, self.profiles, self.surface)

    @cached_property
    def leading(self) -> Fit:
        """The fit that the decision is taken from."""
        return self.approaches.leading

    @property
    def law(self) -> Law:
        return self.leading.law

    @property
    def target(self) -> float:
        """The budget of the decision, in FLOPs."""
        return BEYOND * float(self.fitted.flops.max()) if self.wanted.target is None else self.wanted.target

    @cached_property
    def plan(self) -> Plan:
        """The decision, and beside it what published laws would have: N*, D* and the loss at the target."""
        return plan([self.law, *self.published], self.target, level=self.wanted.level)

    @property
    def decision(self) -> PlanRow:
        return self.plan.rows[0]

    @property
    def published(self) -> tuple[Law, ...]:
        return tuple(laws.law(name) for name in PUBLISHED)

    @cached_property
    def backtest(self) -> Backtest:
        draws, jumps = min(self.draws, DRAWS // 4), list(JUMPS)
        if self.sampled:  # a split takes a second or two: no further than the target is
            jumps = [jump for jump in JUMPS if jump <= 1.5 * self.extrapolation] or jumps[:1]
        return backtest(self.sample, draws=draws, level=self.wanted.level, seed=self.wanted.seed, jumps=jumps)

    @cached_property
    def specification(self) -> SpecificationCurve:
        self.surface.law  # noqa: B018 - where the plain fit is refused, its reasons are those of all
        return specification_curve(self.sample, self.target, self.wanted.family)

    @cached_property
    def likelihood(self) -> Mapping[str, Profile]:
        """The profile likelihood of each free coefficient of the surface."""
        law = self.surface.law
        small = self.surface
        if self.sampled:
            small = fit(self.sample, self.wanted.family, draws=0, level=self.wanted.level, seed=self.wanted.seed)
        free = [coefficient.name for coefficient in law.family.coefficients]
        return {name: profile(small, name, points=0) for name in free}

    @cached_property
    def counting(self) -> tuple[CountingRow, ...]:
        """The exponents of approach 2 under each way of counting N that the table has."""
        rows = []
        for convention in (ParamsConvention.NON_EMBEDDING, ParamsConvention.MATRICES_AND_HEAD, ParamsConvention.TOTAL):
            found = self._recounted(convention)
            if found is not None and found.fitted is not None:
                rows.append(counting_row(found))
        if len(rows) < 2:
            raise DataError(
                "the table counts N in one way only; columns params_non_embedding and params_total would show what "
                "another count makes of the same runs."
            )
        return tuple(rows)

    def _recounted(self, convention: ParamsConvention) -> Fit | None:
        if convention is self.fitted.conventions.params:
            return self.profiles
        try:
            table = with_convention(self.fitted, convention)
        except IsoflopError:  # the table has no column for this count
            return None
        return fit(table, FRONTIER, approach=2, **self._asked)

    @property
    def comparable_splits(self) -> tuple[Split, ...]:
        """The splits of the backtest that jump no further than the target is, the shortest at least."""
        splits = self.backtest.splits
        return tuple(split for split in splits if split.jump <= 1.5 * self.extrapolation) or splits[:1]

    @property
    def extrapolation(self) -> float:
        """The target in units of the largest run's compute."""
        return self.target / float(self.fitted.flops.max())

    def describe_target(self) -> str:
        return f"{format_flops(self.target)} FLOPs"


def check_target(wanted: Wanted) -> None:
    """UsageError for a target that is no run of countable N and D under any law: said before anything is fitted."""
    target, most = wanted.target, FLOPS_PER_PARAM_AND_TOKEN * LARGEST**2
    if target is not None and not FLOPS_PER_PARAM_AND_TOKEN <= target <= most:
        raise UsageError(f"a target of {target:.3g} FLOPs is a run that nobody could make; give 1e18 to 1e30.")


def gather(
    runs: Runs,
    wanted: Wanted = Wanted(),
    *,
    title: str = "",
    provenance: Mapping[str, str] | None = None,
    aside: Runs | None = None,
) -> Evidence:
    """The evidence of a table of runs, all of which are fitted, and of those that were left ``aside``.

    Raises UsageError for a target that no law could answer.
    """
    check_target(wanted)
    return Evidence(title or runs.source, runs, runs, wanted, aside=aside, provenance=provenance or {})

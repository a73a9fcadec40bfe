"""The next best run as an answer: after the runs so far, what to train next, and what it would add."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError, UnknownName, UsageError
from isoflop.fitting import fit
from isoflop.laws import Law
from isoflop.quantities import format_flops, format_si
from isoflop.runs import Runs
from isoflop.sweeps.designed import NOISE, SCHEMA, told_as_dict
from isoflop.sweeps.designs import of_runs
from isoflop.sweeps.expected import Expected, expected
from isoflop.sweeps.next_run import NextRun, next_runs
from isoflop.sweeps.optimal import GOALS
from isoflop.sweeps.text import columns, near, noted, share

DRAWS = 1000
COUNT = 5


@dataclass(frozen=True, eq=False)
class Proposed:
    """Runs to make next, the best for its FLOPs first: ``ranked``; what is known ``now`` of the compute ``target``,
    and ``after`` the first of them. ``law`` is what is known so far: of a fit of the runs, or a prior."""

    runs: Runs
    law: Law
    target: float
    noise: float
    goal: str
    level: float
    ranked: tuple[NextRun, ...]
    now: Expected
    after: Expected
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data; ``runs`` is the best next run, ``next`` all that are ranked."""
        return {
            "schema": SCHEMA,
            "kind": "next",
            "goal": self.goal,
            "target_flops": self.target,
            "law": self.law.id,
            "noise": self.noise,
            "level": self.level,
            "runs": [{"params": one.params, "tokens": one.tokens, "flops": one.flops} for one in self.ranked[:1]],
            "cost_flops": self.ranked[0].flops,
            "n_runs": len(self.runs),
            "now": told_as_dict(self.law, self.now, self.level),
            "expected": told_as_dict(self.law, self.after, self.level),
            "next": [{**vars(one), "gain": one.gain, "gain_per_flop": one.gain_per_flop} for one in self.ranked],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """The best next run, what it adds, and those that come after it."""
        best = self.ranked[0]
        what = "repeat" if best.is_repeat else "train"
        answer = "the loss" if self.goal == "loss" else "N*"
        head = (
            f"Next: {what} {format_si(best.params)} parameters on {format_si(best.tokens)} tokens "
            f"({format_flops(best.flops)} FLOPs), which takes {share(best.gain)} off the variance of {answer} at "
            f"{format_flops(self.target)} FLOPs"
        )
        facts = (
            f"  {len(self.runs)} runs so far: {near(self.now.params_factor(self.level))} ({self.level:.0%} interval); "
            f"with it {self.after.params_factor(self.level):.3g} · law {self.law.id}, noise {share(self.noise)}"
        )
        rows = [("run", "N", "D", "D/N", "FLOPs", "variance", "each 1% costs")]
        rows += [self._row(one) for one in self.ranked]
        return "\n".join([head, facts, "", *columns(rows), *noted(self.notes)])

    def __str__(self) -> str:
        return self.summary()

    @staticmethod
    def _row(one: NextRun) -> tuple[str, str, str, str, str, str, str]:
        return (
            "repeat" if one.is_repeat else "new",
            format_si(one.params),
            format_si(one.tokens),
            f"{one.tokens / one.params:.3g}",
            format_flops(one.flops),
            f"-{share(one.gain)}",
            format_flops(0.01 / one.gain_per_flop) if one.gain_per_flop > 0 else "",
        )


def propose(
    runs: Runs,
    target: float,
    law: Law | None = None,
    *,
    noise: float | None = None,
    goal: str = "params",
    ratio: tuple[float, float] = (5.0, 100.0),
    largest_run: float | None = None,
    level: float = 0.9,
    count: int = COUNT,
    seed: int = 0,
) -> Proposed:
    """Which run to make next, so that the answer at ``target`` FLOPs becomes tightest for its cost.

    ``law`` is what to believe of the surface: without it, that of a fit of the ``runs`` themselves, and DataError where
    they carry none. ``noise`` is the standard deviation of ln L: without it, what the fit's residuals show.
    ``largest_run`` is the most that one run may cost, in FLOPs: without it, as much as the largest so far. Raises
    UsageError for a target below the runs, or where no run is allowed.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e8, 1e9, 5), np.geomspace(4e9, 2e10, 5)))
    >>> prior = iso.law("besiroglu2024")
    >>> found = propose(iso.Runs(N, D, prior.predict(N, D)), 1e24, prior, noise=0.003)
    >>> found.after.params < found.now.params
    True
    """
    _check(runs, target, goal, level)
    known = law if law is not None else _fitted(runs, level, seed)
    deviation = _residual(runs, known) if noise is None else noise
    spent = 6 * runs.params * runs.tokens
    ranked = next_runs(
        runs.params,
        runs.tokens,
        known,
        noise=deviation,
        target=target,
        goal=goal,
        ratio=ratio,
        flops=None if largest_run is None else (min(float(spent.min()), largest_run), largest_run),
        count=count,
    )
    so_far = of_runs("so far", runs.params, runs.tokens)
    longer = of_runs("next", np.append(runs.params, ranked[0].params), np.append(runs.tokens, ranked[0].tokens))
    now, after = (expected(made, known, noise=deviation, target=target) for made in (so_far, longer))
    possible = (
        (noise is None, f"A noise of {share(deviation)} is what these runs show about {known.id}."),
        (known.draws is None, f"{known.id} has no draws: the runs are chosen for that one law."),
        (
            ranked[0].flops < 0.1 * spent.max(),
            "The best run for its FLOPs is a small one: make several such before asking again.",
        ),
    )
    notes = tuple(said for holds, said in possible if holds)
    return Proposed(runs, known, float(target), deviation, goal, level, ranked, now, after, notes)


def _check(runs: Runs, target: float, goal: str, level: float) -> None:
    if goal not in GOALS:
        raise UnknownName.among("goal", goal, GOALS)
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} was asked for; it is a share, such as 0.9.")
    if not len(runs):
        raise UsageError("there are no runs yet: ask for a design.")
    most = float((6 * runs.params * runs.tokens).max())
    if not most < target < np.inf:
        raise UsageError(
            f"a target of {format_flops(target)} FLOPs is no more than the largest run so far "
            f"({format_flops(most)}); ask for a larger one."
        )


def _fitted(runs: Runs, level: float, seed: int) -> Law:
    found = fit(runs, draws=DRAWS, level=level, seed=seed)
    if found.fitted is None:
        reasons = "; ".join(note.message.rstrip(".") for note in found.verdict.notes)
        raise DataError(f"these runs carry no law yet ({reasons}); give a prior (--prior besiroglu2024).")
    return found.law


def _residual(runs: Runs, known: Law) -> float:
    """The spread of ln L about a law, coefficients counted; what is usual where runs show none."""
    residual = np.log(runs.loss / known.predict(runs.params, runs.tokens))
    freedom = max(len(runs) - len(known.family.names), 1)
    return float(np.sqrt((residual**2).sum() / freedom)) or NOISE

"""A design as an answer: the runs, what they would tell of the target, what they cost, what to know of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from isoflop import laws
from isoflop.errors import UnknownName, UsageError
from isoflop.fitting.parametric import FREEDOM
from isoflop.hardware import Budget, Cost, read_budget
from isoflop.laws import Law
from isoflop.quantities import format_flops, format_number, read_flops
from isoflop.sweeps.designs import Design
from isoflop.sweeps.expected import Expected, expected
from isoflop.sweeps.kinds import KINDS, Frame, isoflop_design, ladder_design
from isoflop.sweeps.optimal import AS_USUAL, GOALS, Terms, optimal_design
from isoflop.sweeps.simulated import Simulated, finite
from isoflop.sweeps.text import design_text

SCHEMA = "isoflop.design/1"
OPTIMAL = "optimal"
NOISE = 0.003
"""Of the loss, between seeds: what small language models show where nobody has measured it."""
RUNS = 40
FIRST_ORDER = 0.5
"""A deviation of ln N* above which the delta method understates the spread."""
UNSPENT = 0.97
MOST_OPTIMAL = 400
LEAST_PARAMS = 1000.0
"""Networks below this say nothing of large ones."""


@dataclass(frozen=True, eq=False)
class Designed:
    """A design with what it would tell of the compute ``target``, by approach 3, under the prior ``law``.

    ``noise`` is the standard deviation of ln L between runs; ``level`` that of the intervals. ``against`` is another
    kind of design of the same budget and number of runs, to compare with; ``insurance`` how much narrower the interval
    of the goal would be, as a ratio, without the terms that let a wrong form show (optimal designs only); ``cost`` what
    hardware makes of it; ``simulated`` what simulated studies said, where any were asked.
    """

    design: Design
    expected: Expected
    law: Law
    budget: Budget
    target: float
    noise: float
    goal: str
    level: float
    terms: Terms
    notes: tuple[str, ...]
    against: tuple[Design, Expected] | None = None
    insurance: float | None = None
    cost: Cost | None = None
    simulated: Simulated | None = None

    @property
    def overhead(self) -> float:
        """FLOPs beside the training of all runs together."""
        return self.terms.overhead * len(self.design)

    def loss_interval(self, said: Expected | None = None) -> tuple[float, float]:
        """Where a fit of these runs would see the loss at the target, were the prior's point the truth."""
        best, share = float(self.law.optimum(self.target).loss), (said or self.expected).loss_share(self.level)
        return best * (1 - share), best * (1 + share)

    def to_dict(self) -> dict[str, Any]:
        """The answer as the object that ``isoflop design --json`` prints."""
        return {
            "schema": SCHEMA,
            "kind": self.design.kind,
            "goal": self.goal,
            "budget": {"flops": self.budget.flops, "reading": self.budget.reading},
            "target_flops": self.target,
            "law": self.law.id,
            "noise": self.noise,
            "level": self.level,
            "runs": runs_of(self.design),
            "cost_flops": self.design.cost,
            "overhead_flops": self.overhead,
            "hardware": None if self.cost is None else self.cost.to_dict(),
            "expected": told_as_dict(self.law, self.expected, self.level),
            "against": None
            if self.against is None
            else {
                "kind": self.against[0].kind,
                "cost_flops": self.against[0].cost,
                **told_as_dict(self.law, self.against[1], self.level),
            },
            "insurance": self.insurance,
            "simulated": None if self.simulated is None else self.simulated.to_dict(),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """What these runs would tell, the runs, their cost, what simulations said, what to know."""
        return design_text(self)

    def __str__(self) -> str:
        return self.summary()


def design(
    budget: str | float,
    target: str | float,
    law: Law | str = "besiroglu2024",
    *,
    kind: str = OPTIMAL,
    runs: int = RUNS,
    noise: float | None = None,
    goal: str = "params",
    ratio: tuple[float, float] = (5.0, 100.0),
    span: float = 100.0,
    terms: Terms = AS_USUAL,
    against: str | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> Designed:
    """Which runs to make with a ``budget``, so that the answer at ``target`` FLOPs is tight.

    ``budget`` is text ("1e20", "8xH100 for 2 days") or FLOPs, ``law`` the prior: a Law or the id of a published one.
    ``kind`` is "optimal" or one of ``KINDS``; ``goal`` what an optimal design makes tight: "params" (N*), "loss" or
    "waste" (the compute wasted by an N* that is off). ``noise`` is the standard deviation of ln L between runs; without
    it, 0.003 is assumed and said. ``ratio`` are tokens per parameter, ``span`` the compute of the largest over that of
    the smallest run (not for optimal ones), ``terms`` what an optimal design keeps to so that a wrong form would show.
    ``against`` is another kind to compare with. Raises UsageError, QuantityError or UnknownName for what cannot be
    read, DataError for a prior without a loss surface, or terms that no design keeps to.

    >>> found = design("1e20", "1e24", noise=0.003, against="isoflop")
    >>> len(found.design), found.expected.params < 0.6 * found.against[1].params
    (40, True)
    """
    prior = laws.law(law) if isinstance(law, str) else law
    spent, at = read_budget(budget), read_flops(target).value
    _check(spent, at, kind, goal, terms, against, level)
    _check_runs(runs, prior, kind, seed)
    frame = Frame(spent.flops, prior, runs, ratio, span, seed)
    deviation = NOISE if noise is None else noise
    made = _made(kind, frame, at, goal, terms)
    _refuse_nothing(made, spent)
    said = expected(made, prior, noise=deviation, target=at)
    other = _made(against, frame, at, goal, AS_USUAL) if against else None
    found = Designed(
        design=made,
        expected=said,
        law=prior,
        budget=spent,
        target=at,
        noise=deviation,
        goal=goal,
        level=level,
        terms=terms,
        notes=(),
        against=None if other is None else (other, expected(other, prior, noise=deviation, target=at)),
        insurance=_insurance(frame, at, deviation, goal, terms, said) if kind == OPTIMAL else None,
        cost=None if spent.cluster is None else spent.cluster.cost(made.cost),
    )
    return replace(found, notes=(*spent.notes, *_notes(found, is_assumed=noise is None)))


def _check(spent: Budget, target: float, kind: str, goal: str, terms: Terms, against: str | None, level: float) -> None:
    for one in (kind, against or kind):
        if one not in KINDS and one != OPTIMAL:
            raise UnknownName.among("kind of design", one, [OPTIMAL, *KINDS])
    if goal not in GOALS:
        raise UnknownName.among("goal", goal, GOALS)
    if not 0 < level < 1:
        raise UsageError(f"a level of {level:g} was asked for; it is a share, such as 0.9.")
    if target <= spent.flops:
        raise UsageError(
            f"a target of {format_flops(target)} FLOPs is no more than the {format_flops(spent.flops)} that the runs "
            "may cost: spend the budget on the answer itself, or ask for a larger target."
        )
    if kind != OPTIMAL and replace(terms, shared_trunks=False) != AS_USUAL:
        raise UsageError(f"sizes, largest runs and overheads are terms of the optimal design; {kind} has none.")
    if terms.shared_trunks and kind not in (OPTIMAL, "ladder"):
        raise UsageError(f"runs of {kind} designs share no trunks; ask for a ladder, or the optimal design.")
    if not 0 < terms.largest_run <= 1:
        raise UsageError("the largest run may cost from nothing up to the whole budget; give a share such as 25%.")
    if not 0 <= terms.overhead * 3 < spent.flops:
        raise UsageError(
            f"an overhead of {format_flops(terms.overhead)} FLOPs a run leaves nothing of the budget for training."
        )


def _check_runs(runs: int, prior: Law, kind: str, seed: int) -> None:
    least = len(prior.family.names) + FREEDOM
    if runs < least:
        raise UsageError(f"{runs} runs carry no fit of {prior.family.name}, which takes {least}; ask for more.")
    if kind == OPTIMAL and runs > MOST_OPTIMAL:
        raise UsageError(
            f"an optimal design of {runs} runs takes many minutes to find; ask for {MOST_OPTIMAL} at most, or for "
            "another kind (--kind space-filling)."
        )
    if seed < 0:
        raise UsageError(f"a seed of {seed} was asked for; give a whole number from 0 up.")


def _refuse_nothing(made: Design, spent: Budget) -> None:
    smallest = float(made.params.min())
    if smallest < LEAST_PARAMS:
        raise UsageError(
            f"a budget of {format_flops(spent.flops)} FLOPs buys {len(made)} runs of networks from "
            f"{format_number(smallest, 2)} parameters up, which are none; give a larger budget, or ask for fewer runs."
        )


def _made(kind: str, frame: Frame, target: float, goal: str, terms: Terms) -> Design:
    if kind == OPTIMAL:
        return optimal_design(frame, target, goal=goal, terms=terms)
    if kind == "ladder":
        return ladder_design(frame, shared_trunks=terms.shared_trunks)
    if kind == "isoflop":
        return isoflop_design(frame, budgets=max(2, min(5, frame.runs // 3)))
    return KINDS[kind](frame)


def _insurance(frame: Frame, target: float, noise: float, goal: str, terms: Terms, said: Expected) -> float:
    """The deviation of the goal over what it would be without distinct sizes and runs on the frontier."""
    bare = optimal_design(frame, target, goal=goal, terms=replace(terms, sizes=1, frontier=0.0))
    without = expected(bare, frame.law, noise=noise, target=target)
    return said.loss / without.loss if goal == "loss" else said.params / without.params


def told_as_dict(law: Law, said: Expected, level: float) -> dict[str, Any]:
    """What is expected of N* and the loss at the target, as plain data."""
    best, factor, share = law.optimum(said.target), said.params_factor(level), said.loss_share(level)
    return {
        "params_opt": float(best.params),
        "params_opt_interval": [finite(float(best.params) / factor), finite(float(best.params) * factor)],
        "params_opt_interval_ratio": finite(factor**2),
        "loss": float(best.loss),
        "loss_interval": [finite(float(best.loss) * (1 - share)), finite(float(best.loss) * (1 + share))],
        "wasted": finite(said.waste),
        "log_params_deviation": finite(said.params),
        "log_loss_deviation": finite(said.loss),
    }


def runs_of(made: Design) -> list[dict[str, Any]]:
    """Every run as plain data; ``flops`` is what it adds to the bill."""
    return [
        {
            "params": float(N),
            "tokens": float(D),
            "flops": float(C),
            "budget": finite(float(budget)),
            "trunk": int(trunk) if trunk >= 0 else None,
        }
        for N, D, C, budget, trunk in zip(made.params, made.tokens, made.flops, made.budgets, made.trunks, strict=True)
    ]


def _notes(found: Designed, *, is_assumed: bool) -> list[str]:
    """What to know before making the runs."""
    made, prior, largest = found.design, found.law, float(6 * (found.design.params * found.design.tokens).max())
    notes = [
        f"{format_flops(found.target)} FLOPs is {format_number(found.target / largest, 2)} times the largest run; all "
        "of this assumes that the form holds that far: keep a run between for a test."
    ]
    if is_assumed:
        notes.append(
            f"A noise of {NOISE:.1%} of the loss is assumed, and widths go with it: repeat a small run with other "
            "seeds, and give what you see (--noise)."
        )
    if prior.draws is None:
        notes.append(f"{prior.id} has no draws: the runs are chosen for that one law; a prior that you fit has some.")
    fitted = prior.fitted_range.flops
    if fitted is not None and not fitted[0] / 10 <= largest <= fitted[1]:
        notes.append(
            f"{prior.id} was fitted on runs of {format_flops(fitted[0])} to {format_flops(fitted[1])} FLOPs, and the "
            f"largest here costs {format_flops(largest)}: where it is wrong, these runs are chosen wrongly; fit the "
            "first of them and ask again."
        )
    if found.expected.params > FIRST_ORDER:
        notes.append("Widths are to first order, and here too large for that: simulate (--simulate).")
    if found.insurance is not None and found.insurance > 1.005:
        notes.append(
            f"Distinct sizes ({found.terms.sizes} or more) and runs on the frontier ({found.terms.frontier:.0%}), by "
            f"which a wrong form would show, make the interval {found.insurance - 1:.0%} wider."
        )
    if made.cost + found.overhead < UNSPENT * found.budget.flops:
        spare = 1 - (made.cost + found.overhead) / found.budget.flops
        notes.append(
            f"{spare:.0%} of the budget is left: spend it on repeats, or on a run between these and the target."
        )
    return notes


def to_csv(made: Design) -> str:
    """The runs as CSV: params, tokens, flops (what each adds to the bill), budget and trunk, blank where there is none.

    >>> import numpy as np
    >>> from isoflop.sweeps.designs import of_runs
    >>> print(to_csv(of_runs("mine", np.array([1e8]), np.array([2e9]))), end="")
    params,tokens,flops,budget,trunk
    100000000,2000000000,1.2e+18,,
    """
    lines = ["params,tokens,flops,budget,trunk"]
    lines += [",".join(_cell(value) for value in run.values()) for run in runs_of(made)]
    return "\n".join(lines) + "\n"


def _cell(value: float | int | None) -> str:
    """The shortest text that reads back as the same number; whole ones without a point."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)

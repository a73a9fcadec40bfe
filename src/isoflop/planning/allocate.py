"""Splitting a budget between parameters and tokens, as one law or several advise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isoflop import laws
from isoflop.conventions import Conventions, ParamsConvention, explain
from isoflop.errors import DataError, UsageError
from isoflop.hardware import Budget, read_budget
from isoflop.laws import OMEGA, Law, Optimum
from isoflop.planning import recount
from isoflop.planning.backward import Target, budget_of, target
from isoflop.planning.optimum import optimum, optimum_draws, refuse_unbuildable
from isoflop.planning.result import Intervals, Plan, PlanRow, check_level
from isoflop.planning.sections import NOTHING, Asked, answer
from isoflop.planning.surface import SEARCHED_DRAWS, drawn_view, is_surface, spread, with_form_error
from isoflop.planning.text import format_ratio
from isoflop.quantities import format_flops

DEFAULT_LAWS = ("besiroglu2024", "hoffmann2022", "hoffmann2022_rounded")
"""The best reading of Chinchilla's runs first; then what the paper printed, because people use it."""

# Below this the laws agree as well as one law's own interval would.
NOTEWORTHY_DISAGREEMENT = 1.2

AnyLaw = Law | str
LEAST_OF_BUDGET = 1e-2
"""Of the budget: what the search for the compute that a wrong split wastes begins at."""


def plan(
    law: AnyLaw | Sequence[AnyLaw], budget: str | float | None = None, *, level: float = 0.9, asked: Asked = NOTHING
) -> Plan:
    """The compute-optimal parameters, tokens and loss at a budget.

    ``law`` is a Law, the id of a published one, the path of a law file, or several of these; ``budget``
    is text ("1e24", "64xH100 for 30 days", "$2M on H100") or a number of FLOPs; ``level`` is that of the intervals,
    which laws with joint draws have. ``asked`` is what else is to be answered under the first law: what hardware makes
    of it, an architecture and so on; a target loss there stands for a budget. A budget in hardware answers what it
    costs. Raises QuantityError for the budget,
    UnknownName or UsageError for a law that cannot be read, DataError for one without an optimum.

    >>> row = plan("hoffmann2022", 5.76e23).rows[0]
    >>> f"{row.params / 1e9:.2f}B parameters, {row.tokens_per_param:.1f} tokens each"
    '40.36B parameters, 58.9 tokens each'
    """
    check_level(level)
    named = [law] if isinstance(law, (Law, str)) else list(law)
    if not named:
        raise UsageError("no law to plan with; give one, or the id of a published one such as 'besiroglu2024'.")
    found = [find_law(one) if isinstance(one, str) else one for one in named]
    spent, reached = _spent(found[0], budget, asked, level)
    compute = spent.compute
    vocab = recount.VOCAB if asked.vocab is None else asked.vocab
    rows = tuple(_as_counted(_row(one, compute.value, level), compute.value, one, found[0], vocab) for one in found)
    if asked.about_networks and not any(row.params_converted for row in rows):
        raise UsageError("a vocabulary or context is of whole networks: ask for some, or exact FLOPs, too.")
    notes = (*spent.notes, *_conventions_notes(rows, vocab), *_uncertainty_notes(rows, found))
    return Plan(compute, rows, level, notes, (*reached, *answer(found[0], spent, asked, level)))


def _spent(law: Law, budget: str | float | None, asked: Asked, level: float) -> tuple[Budget, tuple[Target, ...]]:
    """The budget that was given, or the one that a target loss takes under the first law."""
    if asked.target_loss is None:
        if budget is None:
            raise UsageError("no budget: give one (isoflop plan 1e24), or a loss to reach (--target-loss 2.0).")
        return read_budget(budget), ()
    if budget is not None:
        raise UsageError("a budget and a target loss are two ends of one question; leave one out.")
    found = target(law, asked.target_loss, asked.params, asked.tokens, asked.tokens_per_param, level)
    taken = budget_of(found)
    return Budget(taken.value, taken.reading), (found,)


def find_law(name: str, *own: laws.Family) -> Law:
    """A published law by its id, or a law file by its path, which may be of a family of one's own."""
    is_path = name.endswith(".toml") or Path(name).name != name
    return laws.read_law(name, *own) if is_path else laws.law(name)


def _row(law: Law, flops: float, level: float) -> PlanRow:
    with np.errstate(all="ignore"):  # what is no number is refused below
        best = optimum(law, flops)
        intervals = _intervals(law, flops, level, float(best.loss))
    _refuse_no_number(law, flops, best, intervals)
    refuse_unbuildable(law, flops, float(best.params), float(best.tokens))
    largest = None if law.fitted_range.flops is None else law.fitted_range.flops[1]
    return PlanRow(
        law=law.id,
        params=float(best.params),
        tokens=float(best.tokens),
        loss=float(best.loss) if law.has_loss else None,
        intervals=intervals,
        times_largest_run=None if largest is None else flops / largest,
        conventions=law.conventions,
        notes=(
            *_range_notes(law, flops, intervals is not None),
            *_doubt_notes(law, intervals),
            *_searched(law),
            *_silent(law),
            *law.caveats,
        ),
    )


def _as_counted(row: PlanRow, flops: float, law: Law, first: Law, vocab: int) -> PlanRow:
    """With the split of the budget as the first law counts it, where it counts otherwise."""
    split = recount.split_as_counted(law, flops, first.conventions.params, vocab)
    return row if split is None else replace(row, params_converted=split[0], tokens_converted=split[1])


def _refuse_no_number(law: Law, flops: float, best: Optimum, intervals: Intervals | None) -> None:
    """A law file may say anything, exponents that cancel among it."""
    numbers = [float(best.params), float(best.tokens), float(best.loss) if law.has_loss else 1.0]
    if intervals is not None:
        numbers += [*intervals.params, *intervals.tokens, *intervals.loss]
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise DataError(
            f"the law {law.id} gives no optimum at {format_flops(flops)} FLOPs: {numbers[0]:.3g} parameters, "
            f"{numbers[1]:.3g} tokens, loss {numbers[2]:.3g}; correct its coefficients or the budget."
        )


def _intervals(law: Law, flops: float, level: float, best: float) -> Intervals | None:
    """Each draw is asked the whole question; quantiles come last, so that what moves together stays together.

    None where so many draws have no optimum that an end of the interval is one of theirs.
    """
    draws = optimum_draws(law, flops) if law.has_loss else None
    if draws is None:
        return None
    params, tokens, loss = (spread(values, level) for values in (draws.params, draws.tokens, draws.loss))
    if not np.all(np.isfinite([params, tokens, loss])):
        return None
    wasted = _wasted(law, flops, level)
    if law.form_error is None:
        return Intervals(params, tokens, loss, wasted=wasted)
    wider = with_form_error(law, flops, best, loss, level)
    return Intervals(params, tokens, wider, loss_noise=loss, wasted=wasted)


def _wasted(law: Law, flops: float, level: float) -> float | None:
    """The share of the compute that following the point estimate wastes, at most in ``level`` of the draws.

    Each draw has a loss at the point's N* and D*, and reaches that loss with less compute at an optimum of its own.
    None for a law that says nothing off its frontier.
    """
    drawn = drawn_view(law, 0)
    if drawn is None or not is_surface(law):
        return None
    best = optimum(law, flops)
    followed = drawn.loss(best.params, best.tokens)
    budgets = flops * LEAST_OF_BUDGET ** (np.linspace(1, 0, 41) ** 2)  # densest at the budget: most waste little
    reached = np.stack([drawn.best(budget).loss for budget in budgets])
    above = np.argmax(reached <= followed, axis=0)
    draw = np.arange(followed.size)
    high, low = reached[np.maximum(above - 1, 0), draw], reached[above, draw]
    part = np.divide(high - followed, high - low, out=np.ones_like(followed), where=high > low)
    enough = np.where(above > 0, budgets[above - 1] * (budgets[above] / budgets[above - 1]) ** part, budgets[above])
    enough[reached[-1] > followed] = flops  # rounding, at a draw whose optimum is the point's
    enough[~np.isfinite(reached[-1])] = 0.0  # no optimum at all, and nobody knows
    return float(np.quantile(1 - enough / flops, level))


def _range_notes(law: Law, flops: float, has_intervals: bool) -> tuple[str, ...]:
    if law.fitted_range.flops is None:
        return ("It does not say on which budgets it was fitted: treat the numbers as an extrapolation.",)
    smallest, largest = law.fitted_range.flops
    assuming = "the interval assumes" if has_intervals else "the numbers assume"
    if flops > largest:
        far = f"{format_flops(flops)} FLOPs is {_times(flops / largest)} times the largest run it was fitted on"
        return (
            f"{far} ({format_flops(largest)}); {assuming} that the form holds that far: test it with a run between.",
        )
    if flops < smallest:
        near = f"{format_flops(flops)} FLOPs is below the smallest run it was fitted on ({format_flops(smallest)})"
        return (f"{near}; {assuming} that the form holds there: fit runs of this size (isoflop fit).",)
    return ()


def _doubt_notes(law: Law, intervals: Intervals | None) -> tuple[str, ...]:
    """What a wrong split costs, and which part of the width of the loss is noise and which the form's own error."""
    if intervals is None:
        return ()
    notes = []
    if intervals.wasted is not None and intervals.wasted >= 0.01:
        notes.append(f"Were another draw the law, this split would waste up to {intervals.wasted:.0%} of the compute.")
    if law.form_error is not None and intervals.form_share >= 0.01:
        table = "in backtests on its own runs" if law.form_error.learned else "on public tables; its own was too short"
        notes.append(
            f"{intervals.form_share:.0%} of the width of the loss interval is the error of the form, as seen {table}; "
            "the rest is noise. The intervals of parameters and tokens hold noise alone."
        )
    return tuple(notes)


def _silent(law: Law) -> tuple[str, ...]:
    """What the law says nothing of, and what it took for granted."""
    silent = () if law.has_loss else ("It says how to split a budget, and nothing about the loss.",)
    return (*silent, *law.assumptions())


def _searched(law: Law) -> tuple[str, ...]:
    """That not every draw was asked."""
    if law.draws is None or law.has_optimum or len(law.draws[law.family.names[0]]) <= SEARCHED_DRAWS:
        return ()
    return (f"No closed-form optimum: searched, under {SEARCHED_DRAWS} of its draws at most.",)


def _times(ratio: float) -> str:
    return f"{float(f'{ratio:.2g}'):g}"


def _conventions_notes(rows: Sequence[PlanRow], vocab: int) -> tuple[str, ...]:
    """What N and the loss mean, once where the laws agree, and a warning where they do not."""
    first = rows[0]
    clashes = [(row, explain(_less_converted(row, first), first.conventions)) for row in rows[1:]]
    warnings = [f"Do not compare {row.law} with {first.law} as they stand: {clash}." for row, clash in clashes if clash]
    if converted := [row.law for row in rows if row.params_converted is not None]:
        omega = OMEGA * vocab / recount.VOCAB
        warnings.append(
            f"{', '.join(converted)} counted as {first.law} counts: the split that costs the same 6 N D so. "
            f"N_T = N_E + {omega:,.0f} N_E^(1/3), a vocabulary of {vocab:,} (Pearce & Song 2024; --vocab for another)."
        )
    if unstated := [row.law for row in rows[1:] if _unstated(row, first)]:
        warnings.append(f"How {', '.join(unstated)} counts N is another way or unsaid: compare tokens, not parameters.")
    return (_say(first.conventions), *warnings)


def _less_converted(row: PlanRow, first: PlanRow) -> Conventions:
    """The row's conventions, that of N being the first's where it was converted."""
    same = row.params_converted is not None
    return replace(row.conventions, params=first.conventions.params) if same else row.conventions


def _unstated(row: PlanRow, first: PlanRow) -> bool:
    unstated = ParamsConvention.UNSTATED
    return row.conventions.params == unstated != first.conventions.params


def _say(conventions: Conventions) -> str:
    N, C, L = (str(term).replace("_", " ") for term in (conventions.params, conventions.flops, conventions.loss))
    counted = "C is 6 N D" if conventions.flops == "six_nd" else f"C is counted as {C}"
    stated = [(N, f"N is {N} parameters"), (C, counted), (L, f"loss is in {L}")]
    known = ", ".join(clause for term, clause in stated if term != "unstated")
    if not known:
        return "What N, C and the loss count is unstated: the numbers mean what they meant in the fitted runs."
    return f"{known}."


def _uncertainty_notes(rows: Sequence[PlanRow], used: Sequence[Law]) -> tuple[str, ...]:
    notes = []
    lowest, *_, highest = sorted((rows[0], *rows), key=lambda row: row.comparable)
    fold = highest.comparable / lowest.comparable
    if fold >= NOTEWORTHY_DISAGREEMENT:
        ends = (f"{row.law} {format_ratio(row.comparable)}" for row in (highest, lowest))
        seen = ", ".join(ends)
        notes.append(
            f"The laws disagree {fold:.1f}-fold on tokens per parameter ({seen}): use the law whose runs are most "
            "like yours, or fit your own (isoflop fit)."
        )
    bare = [law.id for law in used if law.draws is None]
    lost = [row.law for row in rows if row.intervals is None and row.law not in bare]
    if lost:
        notes.append(f"No interval for {', '.join(lost)}: too many of its draws have no optimum at this budget.")
    published = [law for law in bare if law in laws.catalogue()]
    if published:
        notes.append(f"No interval for {', '.join(published)}: published as point values; a law that you fit has one.")
    drawless = [law for law in bare if law not in published]
    if drawless:
        notes.append(f"No interval for {', '.join(drawless)}: without joint draws; fit again with some (--draws 4000).")
    return tuple(notes)

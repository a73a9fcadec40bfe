"""Designs as text: what they would tell first, then the runs in groups, then what to know."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.quantities import format_flops, format_number, format_si, format_usd
from isoflop.sweeps.designs import Design, FloatArray
from isoflop.sweeps.expected import Expected

if TYPE_CHECKING:
    from isoflop.sweeps.designed import Designed

Mask = NDArray[np.bool_]

WIDTH = 100
SHOWN = 24
"""Groups of runs in a table before it says how many more there are."""
LISTED = 4
GOALS = {"params": "N*", "loss": "the loss", "waste": "the compute wasted by a wrong N*"}


def design_text(found: Designed) -> str:
    """The answer, its runs, its cost, the comparison, the simulation, the notes."""
    lines = [first_line(found), *_wrapped(_facts(found), "  "), "", *runs_table(found.design)]
    beside = []
    if found.cost is not None:
        usd = "" if found.cost.usd is None else f", {format_usd(found.cost.usd)}"
        said = f"{format_number(found.cost.device_hours, 3)} device-hours{usd} ({'; '.join(found.cost.assumptions)})"
        beside += _wrapped(said, "  cost      ")
    if found.against is not None:
        other, there = found.against
        times = format_number((there.params / found.expected.params) ** 2, 3)
        said = (
            f"{other.kind}, as many runs at the same cost: {_tells(there, found)}; {times} times the variance of ln N*"
        )
        beside += _wrapped(said, "  against   ")
    if beside:
        lines += ["", *beside]
    if found.simulated is not None:
        lines += ["", *(f"  {line}" for line in str(found.simulated).splitlines())]
    return "\n".join([*lines, *noted(found.notes)])


def first_line(found: Designed) -> str:
    """What the runs would tell, in a sentence."""
    return (
        f"At {format_flops(found.target)} FLOPs: {_tells(found.expected, found)} ({found.level:.0%} intervals); "
        f"a wrong N* wastes {share(found.expected.waste)} of the compute on average"
    )


def _tells(said: Expected, found: Designed) -> str:
    low, high = found.loss_interval(said)
    digits = max(2, 1 - int(np.floor(np.log10(max(high - low, 1e-6)))))
    return f"{near(said.params_factor(found.level))}, loss {low:.{digits}f} to {high:.{digits}f}"


def near(factor: float) -> str:
    """How near N* is known.

    >>> near(1.153), near(5e4)
    ('N* to a factor of 1.15 either way', 'N* not at all')
    """
    return f"N* to a factor of {factor:.3g} either way" if factor < 1e3 else "N* not at all"


def share(part: float) -> str:
    """A share in per cent, to two digits where it is small.

    >>> share(0.0027), share(0.123)
    ('0.27%', '12%')
    """
    return f"{part:.2%}" if part < 0.01 else f"{part:.1%}" if part < 0.1 else f"{part:.0%}"


def _facts(found: Designed) -> str:
    made = found.design
    draws = 0 if found.law.draws is None else len(next(iter(found.law.draws.values())))
    ratio = made.tokens / made.params
    aim = f" for {GOALS[found.goal]}" if made.kind == "optimal" else ""
    return " · ".join(
        (
            f"{made.kind} design{aim}: {len(made)} runs for {format_flops(made.cost)} FLOPs",
            f"prior {found.law.id} ({draws or 'no'} draws)",
            f"noise {share(found.noise)} of the loss",
            f"budget {found.budget.reading}",
            f"D/N {ratio.min():.3g} to {ratio.max():.3g}",
            f"largest run {format_flops(float(6 * (made.params * made.tokens).max()))} FLOPs",
        )
    )


def runs_table(made: Design) -> list[str]:
    """The runs by budget where they have one, else by network; SHOWN groups of them."""
    rows = _by_budget(made) if np.isfinite(made.budgets).all() else _by_size(made)
    lines = columns(rows[: SHOWN + 1])
    if len(rows) > SHOWN + 1:
        lines.append(f"  ... and {len(rows) - SHOWN - 1} more (--json has all)")
    return lines


def _by_budget(made: Design) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("budget", "runs", "N", "D", "D/N", "FLOPs", "share")]
    for budget in np.unique(made.budgets):
        of = made.budgets == budget
        spans = _span(made.params[of]), _span(made.tokens[of]), _ratio(made, of)
        rows.append((format_flops(budget), str(of.sum()), *spans, *_cost(made, of)))
    return rows


def _by_size(made: Design) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("N", "runs", "D", "D/N", "FLOPs", "share")]
    labels = np.round(np.log(made.params), 9)
    for label in np.unique(labels):
        of = labels == label
        lengths = Counter(format_si(D) for D in sorted(made.tokens[of]))
        listed = ", ".join(D if count == 1 else f"{count} x {D}" for D, count in lengths.items())
        D = listed if len(lengths) <= LISTED else _span(made.tokens[of])
        rows.append((format_si(made.params[of][0]), str(of.sum()), D, _ratio(made, of), *_cost(made, of)))
    return rows


def _cost(made: Design, of: Mask) -> tuple[str, str]:
    cost = float(made.flops[of].sum())
    return format_flops(cost), f"{cost / made.cost:.0%}"


def _ratio(made: Design, of: Mask) -> str:
    ratio = made.tokens[of] / made.params[of]
    low, high = f"{ratio.min():.3g}", f"{ratio.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _span(values: FloatArray) -> str:
    low, high = format_si(float(values.min())), format_si(float(values.max()))
    return low if low == high else f"{low} to {high}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines whose cells line up on the right, the first on the left.

    >>> columns([("N", "runs"), ("1.0M", "12")])
    ['  N     runs', '  1.0M    12']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  " + "  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return lines


def noted(notes: Iterable[str]) -> list[str]:
    """Notes under one another, after an empty line."""
    lines = [line for note in notes for line in _wrapped(note, "  note  ")]
    return ["", *lines] if lines else []


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first) or "  ")

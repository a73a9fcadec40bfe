"""The answer to "how should this budget be spent": one row per law, and what to know before using it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from isoflop.conventions import Conventions
from isoflop.display import Displayed
from isoflop.errors import UsageError
from isoflop.planning.text import Sheet, format_ratio, lay_out
from isoflop.quantities import Quantity, format_interval, format_level, format_si

SCHEMA = "isoflop.plan/1"
Span = tuple[float, float]


def check_level(level: float) -> None:
    """UsageError for what is no level of an interval."""
    if not 0 < level < 1:
        raise UsageError(f"the level {level:g} is not a share between 0 and 1; write 0.9 for a 90 % interval.")


@dataclass(frozen=True)
class Intervals:
    """Quantiles of N*, D* and the loss there, over the joint draws of a law.

    Where the law knows the error of its form, ``loss`` holds that too, and ``loss_noise`` is the draws' part of it.
    ``wasted`` is the share of the compute that the split wastes, at most in ``level`` of the draws: a draw that has
    another optimum reaches the loss that it has at this split with less.
    """

    params: Span
    tokens: Span
    loss: Span
    loss_noise: Span | None = None
    wasted: float | None = None

    @property
    def form_share(self) -> float:
        """The share of the loss interval's width that the draws do not explain."""
        if self.loss_noise is None:
            return 0.0
        return 1 - (self.loss_noise[1] - self.loss_noise[0]) / (self.loss[1] - self.loss[0])


@dataclass(frozen=True)
class PlanRow:
    """What one law advises: N*, D* and the loss there, None for a law that says nothing about it.

    ``intervals`` is None for a law without draws; ``times_largest_run`` is the budget over the largest
    run that the law was fitted on, None where that is not known. ``notes`` each say what to do.
    ``params_converted`` and ``tokens_converted`` are the law's split of the same budget as the first law of the plan
    counts parameters and FLOPs, None where it counts alike or the two cannot be related.
    """

    law: str
    params: float
    tokens: float
    loss: float | None
    intervals: Intervals | None
    times_largest_run: float | None
    conventions: Conventions
    notes: tuple[str, ...] = ()
    params_converted: float | None = None
    tokens_converted: float | None = None

    @property
    def tokens_per_param(self) -> float:
        return self.tokens / self.params

    @property
    def comparable(self) -> float:
        """D/N as the first law counts, where it can be said."""
        if self.params_converted is None or self.tokens_converted is None:
            return self.tokens_per_param
        return self.tokens_converted / self.params_converted

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "params": self.params,
            "tokens": self.tokens,
            "tokens_per_param": self.tokens_per_param,
            "loss": self.loss,
            "intervals": None if self.intervals is None else asdict(self.intervals),
            "extrapolation": {"times_largest_run": self.times_largest_run},
            "conventions": self.conventions.to_dict(),
            "params_converted": self.params_converted,
            "tokens_converted": self.tokens_converted,
            "notes": list(self.notes),
        }

    def cells(self) -> tuple[str, ...]:
        return (
            self.law,
            format_si(self.params),
            format_si(self.tokens),
            format_ratio(self.tokens_per_param),
            "-" if self.loss is None else f"{self.loss:.3f}",
        )

    def interval_cells(self, level: float) -> tuple[str, ...] | None:
        if self.intervals is None:
            return None
        params, tokens = (_counts(span) for span in (self.intervals.params, self.intervals.tokens))
        return (f"  {format_level(level)} interval", params, tokens, "", format_interval(*self.intervals.loss))


class Section(Protocol):
    """A further question about the first law's plan: ``name`` is its key in JSON."""

    @property
    def name(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...

    def sheet(self) -> Sheet: ...


@dataclass(frozen=True)
class Plan(Displayed):
    """The compute-optimal split of a budget, by one law or by several.

    ``level`` is that of every interval. ``notes`` concern the laws together; a row's notes, its law. ``sections`` are
    what else was asked of the first law: hardware, an architecture, and so on.
    """

    budget: Quantity
    rows: tuple[PlanRow, ...]
    level: float
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The plan as the object that ``isoflop plan --json`` prints."""
        return {
            "schema": SCHEMA,
            "budget": {"flops": self.budget.value, "reading": self.budget.reading},
            "level": self.level,
            "plans": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
            **{section.name: section.to_dict() for section in self.sections},
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        return "\n\n".join(lay_out(sheet) for sheet in self.sheets())

    def sheets(self) -> list[Sheet]:
        """The plan, then every section, then the notes on the laws."""
        lines = []
        for row in self.rows:
            lines.append(row.cells())
            if (interval := row.interval_cells(self.level)) is not None:
                lines.append(interval)
            if row.params_converted is not None and row.tokens_converted is not None:
                N, D = format_si(row.params_converted), format_si(row.tokens_converted)
                lines.append(("  counted as the first", N, D, format_ratio(row.comparable), ""))
        notes = [*self.notes, *(f"{row.law}: {note}" for row in self.rows for note in row.notes)]
        header = ("law", "parameters", "tokens", "tokens/param", "loss")
        plan = Sheet(f"Budget: {self.budget.reading}", header, tuple(lines), ())
        asked = [section.sheet() for section in self.sections]
        return [plan, *asked, Sheet("", (), (), tuple(notes))]


def _counts(span: Span) -> str:
    return f"[{format_si(span[0])}, {format_si(span[1])}]"

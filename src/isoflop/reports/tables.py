"""The tables of the report as HTML. Every cell is escaped here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from isoflop.conventions import LossUnit, ParamsConvention, counted_by, describe
from isoflop.fitting import Backtest, CountingRow, Fit
from isoflop.planning import Plan
from isoflop.quantities import format_estimate, format_flops, format_interval, format_level, format_si, format_value
from isoflop.reports.prose import PUBLISHED_EXPONENTS, run_names
from isoflop.reports.rounding import count_with_interval, loss_column
from isoflop.reports.typeset import typeset
from isoflop.runs import Runs
from isoflop.runs.columns import is_number

# Columns shown beside N, D, D/N, C and loss where the table has them; the rest is in the CSV.
STATIC = 200
"""Rows of the table of runs that stand in the page itself."""
SHOWN = {
    "state": "state",
    "purpose": "purpose",
    "layers": "layers",
    "d_model": "width",
    "seed": "seed",
    "seconds": "seconds",
    "tokens_per_second": "tokens/s",
}


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    texts: int = 1,
    *,
    symbols: bool = False,
    narrow: Literal["stack", "scroll"] = "stack",
) -> str:
    """A table whose first ``texts`` columns hold words and whose others hold numbers.

    Caption and header are our own words and typeset; so are the names of the rows where they are ``symbols``.
    Where the page is too narrow for it, a table of few rows is stacked, cell under cell, and a long one scrolls.
    """
    kinds = ["" if k < texts else ' class="number"' for k in range(len(header))]
    head = "".join(f'<th scope="col"{kind}>{typeset(name)}</th>' for name, kind in zip(header, kinds, strict=True))
    labels = [f'{kind} data-label="{escape(name)}"' for name, kind in zip(header, kinds, strict=True)]
    body = "\n".join(f"<tr>{_row(cells, labels, typeset if symbols else escape)}</tr>" for cells in rows)
    return (
        f'<div class="{narrow}" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{typeset(caption)}</caption><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _row(cells: Sequence[str], labels: Sequence[str], named: Callable[[str], str]) -> str:
    first, *rest = cells
    return f'<th scope="row"{labels[0]}>{named(first)}</th>' + "".join(
        f"<td{label}>{escape(cell)}</td>" for cell, label in zip(rest, labels[1:], strict=True)
    )


def minima_table(fit: Fit) -> str:
    """One row a budget: the minimum, or why there is none."""
    rows = []
    for found in fit.minima:
        budget, count = format_flops(found.flops), f"{len(found.used)} of {len(found.rows)}"
        if found.interior:
            N = count_with_interval(found.params_opt, found.params_interval)
            D = count_with_interval(found.tokens_opt, found.tokens_interval)
            ratio = f"{found.tokens_opt / found.params_opt:.3g}"
            rows.append((budget, "bracketed", count, N, D, ratio, format_estimate(found.loss_min, found.loss_interval)))
        else:
            rows.append((budget, f"refused: {found.reason}", count, "–", "–", "–", "–"))
    header = ("budget C", "minimum", "runs used", "N*", "D*", "D*/N*", "loss there")
    return table("The minimum of each profile", header, rows, texts=2)


def counting_table(rows: Sequence[CountingRow]) -> str:
    """The exponents under each way of counting N, then the two that everybody quotes."""
    ours = [
        (
            describe(row.convention),
            _whose(row.convention),
            format_estimate(row.a, row.a_interval),
            format_estimate(row.b, row.b_interval),
        )
        for row in rows
    ]
    theirs = [(source.name, source.source, source.quoted, "–") for source in PUBLISHED_EXPONENTS]
    header = ("N counts", "whose, and what", "exponent a", "exponent b")
    caption = "One set of runs, several ways to count parameters: N* ∝ C^a, D* ∝ C^b"
    return table(caption, header, [*ours, *theirs], texts=2)


def _whose(convention: ParamsConvention) -> str:
    paper = counted_by(convention)
    return "these runs" if paper is None else f"these runs, counted as {paper} count"


def coefficient_table(fit: Fit) -> str:
    """The coefficients of a law, what they mean, their values and intervals; exponents of the allocation last."""
    values = dict(fit.law.coefficients)
    meanings = {coefficient.name: coefficient.meaning for coefficient in fit.law.family.coefficients}
    for name, value in zip(("a", "b"), fit.allocation or (), strict=False):
        values[name], meanings[name] = value, "exponent of N* in C" if name == "a" else "exponent of D* in C"
    rows = [(name, meanings[name], *_value_and_interval(value, fit, name)) for name, value in values.items()]
    header = ("coefficient", "meaning", "value", f"{format_level(fit.level)} interval")
    return table(fit.law.family.formula, header, rows, texts=2, symbols=True)


def _value_and_interval(value: float, fit: Fit, name: str) -> tuple[str, str]:
    span = fit.intervals.get(name)
    if span is None or span[0] == span[1]:  # a fixed coefficient, such as the pivot, has no interval
        return format_value(value, None), "–"
    return format_value(value, span), format_interval(*span)


def runs_table(runs: Runs) -> str:
    """The runs, the first STATIC of them as they stand in the page: its script shows all, sorted as one likes."""
    columns = run_columns(runs)
    head = runs.take(np.arange(min(len(runs), STATIC)))
    header, texts, rows = run_rows(head)
    some = f"All {len(runs)} runs" if len(head) == len(runs) else f"The first {STATIC} of {len(runs):,} runs"
    body = table(some, header, rows, texts=texts, narrow="scroll")
    known = escape(json.dumps([vars(column) for column in columns]))
    return f'<div id="runs-table" data-columns="{known}">{body}</div>'


def run_rows(runs: Runs) -> tuple[list[str], int, list[tuple[str, ...]]]:
    """The headings of a table of runs, how many of its columns hold words, and its cells row by row."""
    columns = run_columns(runs)
    cells = [_cells(runs, column) for column in columns]
    texts = sum(column.form == "text" for column in columns)
    return [column.label for column in columns], texts, list(zip(*cells, strict=True))


@dataclass(frozen=True)
class RunColumn:
    """A column of the table of runs: its key in the CSV ("" for one that is worked out), its heading, its form."""

    key: str
    label: str
    form: Literal["text", "count", "ratio", "flops", "loss", "measurement"]


def run_columns(runs: Runs) -> list[RunColumn]:
    """The run's labels, N, D, D/N, C, loss, and those of the usual measurements that the table has."""
    seen = [
        name for name in SHOWN if name in runs.columns and (is_number(runs.columns[name]) or any(runs.columns[name]))
    ]
    labels = [RunColumn(name, SHOWN[name], "text") for name in seen if not is_number(runs.columns[name])]
    measured = [RunColumn(name, SHOWN[name], "measurement") for name in seen if is_number(runs.columns[name])]
    usual = [
        RunColumn("params", "N", "count"),
        RunColumn("tokens", "D", "count"),
        RunColumn("", "D/N", "ratio"),
        RunColumn("flops", "C", "flops"),
        RunColumn("loss", "loss", "loss"),
    ]
    return [RunColumn("run_id", "run", "text"), *labels, *usual, *measured]


def _cells(runs: Runs, column: RunColumn) -> list[str]:
    if column.key == "run_id":
        return run_names(runs)
    if column.form == "ratio":
        return [f"{ratio:.3g}" for ratio in runs.tokens / runs.params]
    values = runs.column(column.key)
    if column.form == "text":
        return [str(cell) for cell in values]
    if column.form == "loss":
        return loss_column([float(value) for value in values])
    shown: Callable[[float], str] = {"count": format_si, "flops": format_flops, "measurement": _measurement}[
        column.form
    ]
    return [shown(float(value)) for value in values]


def _measurement(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if float(value).is_integer() and value < 1e4 else format_si(value)


def plan_table(plan: Plan) -> str:
    """What the law advises at the target, and what published laws would, each as it counts N."""
    rows = []
    for row in plan.rows:
        held = row.intervals
        comparable = plan.rows[0].conventions.loss in (row.conventions.loss, LossUnit.UNSTATED)
        loss = "–" if row.loss is None or not comparable else format_estimate(row.loss, held.loss if held else None)
        N, D = (
            count_with_interval(row.params, held.params if held else None),
            count_with_interval(row.tokens, held.tokens if held else None),
        )
        rows.append((row.law, describe(row.conventions.params), N, D, f"{row.tokens_per_param:.3g}", loss))
    header = ("law", "N counts", "N*", "D*", "D*/N*", "loss there")
    return table(
        f"At {format_flops(plan.budget.value)} FLOPs: this law first, published laws beside it", header, rows, texts=2
    )


def backtest_table(found: Backtest) -> str:
    """Every split: what was fitted, how far it was asked, how wrong it was beside simple rivals."""
    rows = [
        (
            format_flops(split.fitted_up_to),
            str(split.fitted),
            str(split.judged),
            f"{split.jump:g}x",
            f"{split.relative_error:.2%}",
            "refused" if split.plain_error is None else f"{split.plain_error:.2%}",
            *(f"{error:.2%}" for error in split.baselines.values()),
            f"{split.hit_rate:.0%}",
        )
        for split in found.splits
    ]
    header = ("fitted up to", "runs", "above", "jump", "error", "plain fit", "best so far", "line", "inside")
    caption = (
        f"Fitted below, judged above: mean error of the loss, runs inside their {format_level(found.level)} intervals"
    )
    return table(caption, header, rows)


def dropped_table(runs: Runs, aside: Runs | None = None, chosen: str = "") -> str:
    """The rows of the source that are not fitted, and why; empty when there are none."""
    rows = [(run.run_id or f"row {run.row}", run.reason) for run in runs.dropped]
    if aside is not None:
        why = f"not among {chosen}" if chosen else "not chosen"
        names, losses = run_names(aside), loss_column(aside.loss.tolist())
        rows += [(name, f"{why}; its loss is {loss}") for name, loss in zip(names, losses, strict=True)]
    if not rows:
        return ""
    some = f"{len(rows):,} left out" if len(rows) <= STATIC else f"{len(rows):,} left out, the first {STATIC} of them"
    return table(some, ("run", "why"), rows[:STATIC], texts=2)


def provenance_table(provenance: Mapping[str, str]) -> str:
    return table("Where this page came from", ("what", "value"), list(provenance.items()), texts=2)

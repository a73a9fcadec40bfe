"""The tables of the report as HTML. Every cell is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Literal

import numpy as np

from isoflop.conventions import ParamsConvention, counted_by, describe
from isoflop.fitting import CountingRow, Fit
from isoflop.quantities import format_estimate, format_flops, format_interval, format_si, format_value
from isoflop.reports.prose import PUBLISHED_EXPONENTS, run_names
from isoflop.reports.rounding import count_with_interval, loss_column
from isoflop.reports.typeset import typeset
from isoflop.runs import Runs
from isoflop.runs.columns import is_number

# Columns shown beside N, D, D/N, C and loss where the table has them; the rest is in the CSV.
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
    header = ("coefficient", "meaning", "value", f"{fit.level:.0%} interval")
    return table(fit.law.family.formula, header, rows, texts=2, symbols=True)


def _value_and_interval(value: float, fit: Fit, name: str) -> tuple[str, str]:
    span = fit.intervals.get(name)
    if span is None or span[0] == span[1]:  # a fixed coefficient, such as the pivot, has no interval
        return format_value(value, None), "–"
    return format_value(value, span), format_interval(*span)


def runs_table(runs: Runs) -> str:
    """Every run: its labels, N, D, D/N, C, loss, and those of the usual measurements that the table has."""
    shown = [name for name in SHOWN if name in runs.columns]
    labels = [name for name in shown if not is_number(runs.columns[name])]
    measured = [name for name in shown if is_number(runs.columns[name])]
    columns = [
        run_names(runs),
        *([str(cell) for cell in runs.columns[name]] for name in labels),
        [format_si(value) for value in runs.params],
        [format_si(value) for value in runs.tokens],
        [f"{ratio:.3g}" for ratio in runs.tokens / runs.params],
        [format_flops(value) for value in runs.flops],
        loss_column(runs.loss.tolist()),
        *([_measurement(value) for value in runs.columns[name]] for name in measured),
    ]
    names = [SHOWN[name] for name in (*labels, *measured)]
    header = ["run", *names[: len(labels)], "N", "D", "D/N", "C", "loss", *names[len(labels) :]]
    rows = zip(*columns, strict=True)
    return table(f"All {len(runs)} runs", header, rows, texts=1 + len(labels), narrow="scroll")


def _measurement(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if float(value).is_integer() and value < 1e4 else format_si(value)


def dropped_table(runs: Runs) -> str:
    """The rows of the source that are not in the table, and why; empty when there are none."""
    if not runs.dropped:
        return ""
    rows = [(run.run_id or "–", str(run.row), run.reason) for run in runs.dropped]
    return table("Rows left out", ("run", "row", "why"), rows, texts=3)


def provenance_table(provenance: Mapping[str, str]) -> str:
    return table("Where this page came from", ("what", "value"), list(provenance.items()), texts=2)

"""The door of the run table: from what a reader found to rows that may be trusted.

In this order: rename columns, drop the runs that are not finished, select rows, read the conventions,
check every number. Selecting comes before checking, so that a bad row can be left out by an expression.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
from isoflop.errors import TableError
from isoflop.runs.columns import Column, RawTable, blanks, is_number
from isoflop.runs.where import select

FloatArray = NDArray[np.float64]
RowNumbers = NDArray[np.int64]
REQUIRED = ("params", "tokens", "loss")
OPTIONAL = ("budget", "loss_noise")
"""Columns that a fit reads where a table has them; a column of blanks is none."""
PROBE = "a probe of the learning rate, which no fit reads"
CONVENTIONS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "params": ("params_convention", ParamsConvention),
    "flops": ("flops_convention", FlopsConvention),
    "loss": ("loss_unit", LossUnit),
}
"""For each number that may be counted in several ways, the column that says in which, and the ways there are."""
Convention = TypeVar("Convention", bound=StrEnum)


@dataclass(frozen=True)
class DroppedRun:
    """A row that is in the source and not in the table, and why."""

    row: int
    run_id: str
    reason: str


def assemble(raw: RawTable, names: Mapping[str, str], where: str | None) -> dict[str, Any]:
    """The arguments of Runs, from a raw table.

    ``names`` maps our column names to the source's. Raises TableError (UnknownName and UsageError from
    ``where``), naming source, row and column.
    """
    columns = _renamed(raw, names)
    kept, dropped = _finished(columns, raw.rows)
    if where is not None:
        kept &= select(where, {**raw.columns, **columns})  # either name of a renamed column will do
    if not kept.any():
        raise TableError(_nothing_left(raw, dropped, where))
    rows = raw.rows[kept]
    columns = {name: column[kept] for name, column in columns.items()}
    conventions = _conventions(columns, rows, raw.source)
    checked = {
        name: positive_numbers(columns[name], f"column {names.get(name, name)!r}", rows, raw.source)
        for name in (*REQUIRED, "flops", *OPTIONAL)
        if name in REQUIRED or not _is_absent(columns.get(name))
    }
    if "flops" not in checked:
        six_nd(
            checked["params"], checked["tokens"], rows, raw.source
        )  # Runs will count so; here rows have their numbers
    taken = {*REQUIRED, "flops", *(column for column, _ in CONVENTIONS.values())}
    absent = {name for name in OPTIONAL if name not in checked}
    others = {name: checked.get(name, column) for name, column in columns.items() if name not in taken | absent}
    numbers = {name: column for name, column in checked.items() if name not in OPTIONAL}
    return {**numbers, "columns": others, "conventions": conventions, "source": raw.source, "dropped": dropped}


def positive_numbers(column: Column, label: str, rows: RowNumbers, source: str) -> FloatArray:
    """The column as float64, or a TableError that names the first cell that is not a positive finite number."""
    words = [] if is_number(column) else [i for i, cell in enumerate(column.tolist()) if not _reads_as_number(cell)]
    if words:
        at = words[0]
        fault = f"says {str(column[at])!r}, which is not a number" if column[at] else "is empty"
    else:
        numbers = column.astype(np.float64)  # text too: a column may quote some of its numbers
        good = np.isfinite(numbers) & (numbers > 0)
        if good.all():
            return np.asarray(numbers)
        at = int(np.argmin(good))
        fault = _fault(float(numbers[at]))
    raise TableError(f"{source}: row {rows[at]}, {label} {fault}; correct the cell, or leave the row out (--where).")


def six_nd(params: FloatArray, tokens: FloatArray, rows: RowNumbers, source: str) -> FloatArray:
    """C = 6 N D, refused with the row where it is beyond what a float holds."""
    with np.errstate(over="ignore", under="ignore"):
        flops = 6.0 * params * tokens
    return positive_numbers(flops, "6 N D of params and tokens", rows, source)


def _fault(value: float) -> str:
    if np.isnan(value):
        return "is empty or nan, not a number"
    if np.isinf(value):
        return "is infinite, not a finite number"
    return f"is {value:g}, {'negative' if value < 0 else 'zero'} where only positive numbers make sense"


def _reads_as_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii()  # float() takes the digits of every script


def _is_absent(column: Column | None) -> bool:
    return column is None or bool(blanks(column).all())


def _renamed(raw: RawTable, names: Mapping[str, str]) -> dict[str, Column]:
    """All columns, the mapped ones under our name; a column of the source that had that name gives way."""
    for ours, theirs in names.items():
        if theirs not in raw.columns:
            raise TableError(_no_column(raw, theirs, f"asked for as {ours}"))
    mapped = set(names.values())
    columns = {name: column for name, column in raw.columns.items() if name not in mapped}
    columns |= {ours: raw.columns[theirs] for ours, theirs in names.items()}
    for name in REQUIRED:
        if name in mapped and name not in names:
            other = next(ours for ours, theirs in names.items() if theirs == name)
            raise TableError(
                f"{raw.source}: the column {name!r} is asked for as {other}, and it is needed as {name}; "
                f"say which column holds {name} with --{name}-column."
            )
        if name not in columns:
            raise TableError(_no_column(raw, name, f"say which one it is with --{name}-column"))
    return _restated(columns, raw, names)


def _restated(columns: dict[str, Column], raw: RawTable, names: Mapping[str, str]) -> dict[str, Column]:
    """The columns, with the conventions of those that were mapped: the table states those of other columns.

    A name such as "params_total" says how its numbers were counted; any other name leaves it unstated.
    """
    for ours, (convention, ways) in CONVENTIONS.items():
        theirs = names.get(ours, ours)
        if theirs == ours or convention in names:
            continue
        columns.pop(convention, None)
        way = theirs.removeprefix(f"{ours}_")
        if way in list(ways):
            columns[convention] = np.full(raw.rows.shape, way)
    return columns


def _no_column(raw: RawTable, name: str, remedy: str) -> str:
    known = list(raw.columns)
    near = [column for column in known if name.rstrip("s") in column.lower()]
    near = near or difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(map(repr, known))}."
    return f"{raw.source} has no column {name!r} ({remedy}); {hint}"


def _finished(columns: Mapping[str, Column], rows: RowNumbers) -> tuple[NDArray[np.bool_], tuple[DroppedRun, ...]]:
    """Which rows are finished runs, and a word on each that is not."""
    done = np.asarray(columns.get("state", np.full(rows.shape, "done")) == "done", dtype=np.bool_)
    probes = np.asarray(columns.get("purpose", np.full(rows.shape, "")) == "probe", dtype=np.bool_)
    run_ids = columns.get("run_id", np.full(rows.shape, ""))

    def reason(i: int) -> str:
        return PROBE if done[i] else f"its state is {str(columns['state'][i])!r}, not 'done'"

    kept = done & ~probes
    dropped = tuple(DroppedRun(int(rows[i]), str(run_ids[i]), reason(int(i))) for i in np.flatnonzero(~kept))
    return kept, dropped


def _nothing_left(raw: RawTable, dropped: tuple[DroppedRun, ...], where: str | None) -> str:
    if not len(raw.rows):
        return f"{raw.source} has no runs: there is no row below the header; give a table with one run a row."
    if len(dropped) == len(raw.rows):
        return (
            f"{raw.source} has no finished run (row {dropped[0].row}: {dropped[0].reason}); let its runs finish first."
        )
    return f"{raw.source}: the selection {where!r} leaves none of {len(raw.rows)} rows; widen it."


def _conventions(columns: Mapping[str, Column], rows: RowNumbers, source: str) -> Conventions:
    return Conventions(
        params=_constant("params_convention", ParamsConvention, columns, rows, source),
        flops=_constant("flops_convention", FlopsConvention, columns, rows, source),
        loss=_constant("loss_unit", LossUnit, columns, rows, source),
    )


def _constant(
    name: str, kind: type[Convention], columns: Mapping[str, Column], rows: RowNumbers, source: str
) -> Convention:
    """The one value of a column of conventions: numbers under two conventions are not one table."""
    column = columns.get(name)
    if column is None or _is_absent(column):
        return kind("unstated")
    values, first = np.unique(column, return_index=True)
    if len(values) > 1:
        (one, other), (at, at_other) = map(str, values[:2]), rows[first[:2]]
        seen = f"{name} is {one!r} in row {at} and {other!r} in row {at_other}"
        raise TableError(f'{source} mixes conventions: {seen}; select one with --where "{name} == {one!r}".')
    if values[0] not in list(kind):
        known = ", ".join(kind)
        raise TableError(f"{source}: row {rows[0]}, column {name!r} says {str(values[0])!r}; there are: {known}.")
    return kind(str(values[0]))

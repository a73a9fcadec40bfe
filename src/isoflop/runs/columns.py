"""From cells to columns: text where anything is text, float64 where every cell is a number."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[Any]
"""Either float64 (a blank cell is nan) or str (a blank cell is '')."""


@dataclass(frozen=True)
class RawTable:
    """What a reader found, before anything was asked of it: columns of one length, and each row's number.

    ``rows`` numbers the rows as a person finds them: the line in a file, the place in a frame.
    """

    source: str
    columns: Mapping[str, Column]
    rows: NDArray[np.int64]


def column_from_text(name: str, cells: Sequence[str]) -> Column:
    """Numbers where all cells that are not blank are numbers, else text.

    >>> column_from_text("seed", ["0", " 1e3", ""])
    array([   0., 1000.,   nan])
    >>> column_from_text("run_id", ["0", "1"])
    array(['0', '1'], dtype='<U1')
    """
    text = np.strings.strip(np.array(cells, dtype=np.str_))
    if is_a_name(name):
        return text
    if not all(map(str.isascii, cells)):
        return text  # NumPy takes the digits of every script; a table has those of one
    blank = text == ""
    try:
        numbers = np.where(blank, "nan", text).astype(np.float64)
    except ValueError:
        return text
    return text if blank.all() else numbers


def cut(text: str, longest: int | None) -> str:
    """A text of at most ``longest`` characters and a sign that there were more; None for no limit. A column is as wide
    as its longest cell, in every row: one of megabytes would fill the memory.

    >>> cut("abcdef", 3), cut("abc", 3)
    ('abc …', 'abc')
    """
    return text if longest is None or len(text) <= longest else f"{text[:longest]} …"


def column_from_values(name: str, values: Sequence[object], longest: int | None = None) -> Column:
    """The same for values that already have a type: numbers stay numbers, None is blank, the rest is text, which is cut
    to ``longest`` characters where it is given.

    >>> column_from_values("loss", [2, None, 1.5])
    array([2. , nan, 1.5])
    >>> column_from_values("state", ["done", None, True])
    array(['done', '', 'True'], dtype='<U4')
    """
    filled = [value for value in values if value is not None]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in filled)
    if filled and numeric and not is_a_name(name):
        return np.array([np.nan if value is None else _as_float(value) for value in values], dtype=np.float64)
    return np.array(["" if value is None else cut(str(value), longest) for value in values], dtype=np.str_)


def _as_float(value: Any) -> float:
    """An integer of hundreds of digits, which JSON and Python allow, as an infinity; the door refuses those."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def column_from_array(name: str, values: ArrayLike) -> Column:
    """The same for an array or a list of any kind; always a copy."""
    array = np.asarray(values)
    if array.dtype.kind in "iuf" and not is_a_name(name):
        return array.astype(np.float64)
    if array.dtype.kind == "U":
        return array.copy()
    return column_from_values(name, array.tolist())


def is_a_name(column: str) -> bool:
    """Whether a column names things, so that "007" and the hex digest "12e4" are never read as numbers."""
    return column == "run_id" or column.endswith("_digest")


def is_number(column: Column) -> bool:
    return bool(column.dtype.kind == "f")


def blanks(column: Column) -> NDArray[np.bool_]:
    """Where a column has no value."""
    return np.isnan(column) if is_number(column) else np.asarray(column == "", dtype=np.bool_)


def as_csv(columns: Mapping[str, Column]) -> str:
    """The columns as CSV, in their order.

    >>> print(as_csv({"run_id": np.array(["a", "b"]), "loss": np.array([2.5, np.nan])}), end="")
    run_id,loss
    a,2.5
    b,
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_cells, columns.values()), strict=True))
    return text.getvalue()


def _cells(column: Column) -> list[str]:
    write = _number_cell if is_number(column) else str
    return [write(value) for value in column.tolist()]


def _number_cell(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point, nan as a blank."""
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)

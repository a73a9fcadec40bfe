"""Runs in a CSV or TSV file."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from isoflop.errors import TableError
from isoflop.runs.columns import RawTable, column_from_text, cut

# The csv module's own limit of 128 KB a cell is one for the whole process: raised once, here, and never lowered.
csv.field_size_limit(max(csv.field_size_limit(), 2**30))


def read_delimited(path: Path) -> RawTable:
    """One header, one run a line; rows carry the numbers of their lines, the header being line 1."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return parse_delimited(file, path)


def parse_delimited(text: Iterable[str], path: Path, longest: int | None = None) -> RawTable:
    """The same from lines of text; ``path`` names them, and its suffix says what delimits their cells. Cells are cut
    to ``longest`` characters where it is given."""
    reader = csv.reader(text, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        lines = [(reader.line_num, [cut(cell, longest) for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise TableError(f"{path}: line {reader.line_num} cannot be read as cells: {error}.") from error
    if not lines:
        raise TableError(f"{path} is empty; give a table with the columns params, tokens and loss.")
    (_, header), *body = lines
    names = [name.strip() for name in header]
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise TableError(f"{path} has the column {repeated[0]!r} more than once; give each column its own name.")
    _refuse_other_delimiters(path, names)
    for line, cells in body:
        if len(cells) != len(names):
            fault = f"row {line} has {len(cells)} cells and the header {len(names)}"
            raise TableError(f"{path}: {fault}; add or remove the delimiters that differ.")
    by_column = zip(*(cells for _, cells in body), strict=True) if body else ([] for _ in names)
    return RawTable(
        source=str(path),
        columns={name: column_from_text(name, cells) for name, cells in zip(names, by_column, strict=True)},
        rows=np.array([line for line, _ in body], dtype=np.int64),
    )


def _refuse_other_delimiters(path: Path, names: list[str]) -> None:
    """A header of one name that holds several is a table with another delimiter."""
    if len(names) > 1:
        return
    used = next((delimiter for delimiter in (";", "\t", "|", ",") if delimiter in names[0]), None)
    if used is not None:
        remedy = "name it .tsv" if used == "\t" else "save it with commas, as .csv"
        raise TableError(f"{path} seems to be delimited by {used!r}, a {path.suffix} is not; {remedy}.")

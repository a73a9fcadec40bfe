"""Runs in a JSONL file: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.errors import TableError
from isoflop.runs.columns import RawTable, column_from_values

MOST_CELLS = 2_000_000
"""A key that stands in one row is a column of all rows: a key of its own in every row fills the memory."""


def read_jsonl(path: Path) -> RawTable:
    """The union of the objects' keys as columns; rows carry the numbers of their lines."""
    with path.open(encoding="utf-8") as file:
        return parse_jsonl(file, path)


def parse_jsonl(text: Iterable[str], path: Path, longest: int | None = None) -> RawTable:
    """The same from lines of text; ``path`` names them. Where ``longest`` is given, the lines are a stranger's: texts
    are cut to so many characters, and a table of more than MOST_CELLS is refused."""
    rows: list[int] = []
    objects: list[dict[str, Any]] = []
    for number, line in enumerate(text, start=1):
        if line.strip():
            rows.append(number)
            objects.append(_object(line, path, number))
    if not objects:
        raise TableError(f"{path} is empty; give one object a line, with the keys params, tokens and loss.")
    names = dict.fromkeys(name for run in objects for name in run)
    if longest is not None and len(names) * len(rows) > MOST_CELLS:
        fault = f"{len(rows):,} rows with {len(names):,} different keys make a table of more than {MOST_CELLS:,} cells"
        raise TableError(f"{path}: {fault}; give all rows the same few keys.")
    columns = {name: column_from_values(name, [run.get(name) for run in objects], longest) for name in names}
    return RawTable(source=str(path), columns=columns, rows=np.array(rows, dtype=np.int64))


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        run = json.loads(line)
    except json.JSONDecodeError as error:
        raise TableError(f"{path}: row {number} is not JSON ({error.msg}); give one object a line.") from error
    except (ValueError, RecursionError):  # an integer of thousands of digits, or brackets nested as deep
        raise TableError(
            f"{path}: row {number} is JSON beyond what can be read; give one flat object a line."
        ) from None
    if not isinstance(run, dict):
        raise TableError(f'{path}: row {number} is not an object; give one object a line, as in {{"loss": 3.1}}.')
    return run

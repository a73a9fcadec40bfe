"""The table that a command works on: the options that name it, once for every command that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop.errors import IsoflopError
from isoflop.runs import Runs, read_runs

RunsPath = Annotated[
    Path, typer.Argument(metavar="RUNS", help="A CSV, TSV, JSONL or Parquet table, or a study folder.")
]
Where = Annotated[str | None, typer.Option(help='Rows to use, as in "flops < 1e21 and seed == 0".')]
ParamsColumn = Annotated[str | None, typer.Option(help="The column that holds N.")]
TokensColumn = Annotated[str | None, typer.Option(help="The column that holds D.")]
LossColumn = Annotated[str | None, typer.Option(help="The column that holds the loss.")]
FlopsColumn = Annotated[str | None, typer.Option(help="The column that holds C; 6 N D without one.")]
Group = Annotated[str | None, typer.Option(help="The column that names what rows share, as a curve.")]
Level = Annotated[float, typer.Option(help="Level of the intervals.")]
Seed = Annotated[int, typer.Option(help="Seed of the draws.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def read_parted(path: Path, where: str | None, **columns: str | None) -> tuple[Runs, Runs | None]:
    """The rows that ``where`` chooses, and the others; None for those where there are none or they are no runs."""
    if where is None:
        return read_table(path, None, **columns), None
    try:
        chosen, others = read_table(path, None, **columns).parted(where)
    except IsoflopError:  # a row that is not chosen may hold anything
        return read_table(path, where, **columns), None
    return chosen, others if len(others) else None


def read_table(path: Path, where: str | None, **columns: str | None) -> Runs:
    """The runs at a path, under the columns that the user named; ``columns`` is ours = theirs."""
    return read_runs(path, {ours: theirs for ours, theirs in columns.items() if theirs is not None}, where)

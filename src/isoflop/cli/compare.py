"""``isoflop compare``: families judged by what they said of larger runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.families import read_family
from isoflop.runs import read_runs

FAMILIES = ["chinchilla", "chinchilla_shared", "skaling", "kaplan"]


def compare(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", help="A CSV, TSV, JSONL or Parquet table, or a study folder.")
    ],
    family: Annotated[list[str] | None, typer.Option(help="A family, or FILE.py:NAME; give several.")] = None,
    where: Annotated[str | None, typer.Option(help='Rows to use, as in "flops < 1e21 and seed == 0".')] = None,
    params_column: Annotated[str | None, typer.Option(help="The column that holds N.")] = None,
    tokens_column: Annotated[str | None, typer.Option(help="The column that holds D.")] = None,
    loss_column: Annotated[str | None, typer.Option(help="The column that holds the loss.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Compare law families on runs larger than they were fitted to."""
    columns = {"params": params_column, "tokens": tokens_column, "loss": loss_column}
    table = read_runs(runs, {ours: theirs for ours, theirs in columns.items() if theirs is not None}, where)
    found = fitting.compare(table, [read_family(name) for name in family or FAMILIES])
    typer.echo(found.to_json() if json else found.summary())
    return 0

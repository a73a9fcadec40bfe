"""``isoflop backtest``: fit on the smaller budgets, predict the larger, say how wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop import fitting
from isoflop.fitting.fit import DRAWS, LEVEL
from isoflop.runs import read_runs


def backtest(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", help="A CSV, TSV, JSONL or Parquet table, or a study folder.")
    ],
    draws: Annotated[int, typer.Option(help="Joint draws of each fit.")] = DRAWS // 4,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = LEVEL,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    where: Annotated[str | None, typer.Option(help='Rows to use, as in "flops < 1e21 and seed == 0".')] = None,
    params_column: Annotated[str | None, typer.Option(help="The column that holds N.")] = None,
    tokens_column: Annotated[str | None, typer.Option(help="The column that holds D.")] = None,
    loss_column: Annotated[str | None, typer.Option(help="The column that holds the loss.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Fit on the smaller budgets, predict the larger, say how wrong."""
    columns = {"params": params_column, "tokens": tokens_column, "loss": loss_column}
    table = read_runs(runs, {ours: theirs for ours, theirs in columns.items() if theirs is not None}, where)
    found = fitting.backtest(table, draws=draws, level=level, seed=seed)
    typer.echo(found.to_json() if json else found.summary())
    return 0

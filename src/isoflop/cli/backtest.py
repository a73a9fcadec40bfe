"""``isoflop backtest``: fit on the smaller budgets, predict the larger, say how wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.table import Json, Level, LossColumn, ParamsColumn, RunsPath, Seed, TokensColumn, Where, read_table
from isoflop.fitting.fit import DRAWS, LEVEL


def backtest(
    runs: RunsPath,
    draws: Annotated[int, typer.Option(help="Joint draws of each fit.")] = DRAWS // 4,
    level: Level = LEVEL,
    seed: Seed = 0,
    where: Where = None,
    params_column: ParamsColumn = None,
    tokens_column: TokensColumn = None,
    loss_column: LossColumn = None,
    json: Json = False,
) -> int:
    """Fit on the smaller budgets, predict the larger, say how wrong."""
    table = read_table(runs, where, params=params_column, tokens=tokens_column, loss=loss_column)
    found = fitting.backtest(table, draws=draws, level=level, seed=seed)
    typer.echo(found.to_json() if json else found.summary())
    return 0

"""``isoflop compare``: families judged by what they said of larger runs."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.families import read_family
from isoflop.cli.table import Json, LossColumn, ParamsColumn, RunsPath, TokensColumn, Where, read_table
from isoflop.errors import DataError

FAMILIES = ["chinchilla", "chinchilla_shared", "skaling", "kaplan"]


def compare(
    runs: RunsPath,
    family: Annotated[list[str] | None, typer.Option(help="A family, or FILE.py:NAME; give several.")] = None,
    where: Where = None,
    params_column: ParamsColumn = None,
    tokens_column: TokensColumn = None,
    loss_column: LossColumn = None,
    json: Json = False,
) -> int:
    """Compare law families on runs larger than they were fitted to."""
    table = read_table(runs, where, params=params_column, tokens=tokens_column, loss=loss_column)
    found = fitting.compare(table, [read_family(name) for name in family or FAMILIES])
    typer.echo(found.to_json() if json else found.summary())
    return 0 if found.best else DataError.exit_code

"""``isoflop predict``: the loss of a network on so many tokens, or the compute that a loss takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.families import Own, named_law, read_inputs
from isoflop.cli.table import FlopsColumn, Json, LossColumn, ParamsColumn, TokensColumn, Where, read_table
from isoflop.errors import UsageError
from isoflop.planning import Asked
from isoflop.planning import plan as plan_budget
from isoflop.planning import predict as predict_loss
from isoflop.quantities import read_params, read_tokens


def predict(
    law: Annotated[
        str, typer.Argument(metavar="LAW", help="A published law (isoflop laws), a law file, or a table of runs.")
    ],
    params: Annotated[str | None, typer.Option(help='Parameters, as in "7B".')] = None,
    tokens: Annotated[str | None, typer.Option(help='Training tokens, as in "2T".')] = None,
    target_loss: Annotated[float | None, typer.Option(help="Ask for the compute that reaches this loss.")] = None,
    given: Annotated[
        list[str] | None, typer.Option(help="A further input of the law, as in unique_tokens=3e11; may be repeated.")
    ] = None,
    family: Own = None,
    level: Annotated[float, typer.Option(help="Level of the interval.")] = 0.9,
    where: Where = None,
    params_column: ParamsColumn = None,
    tokens_column: TokensColumn = None,
    loss_column: LossColumn = None,
    flops_column: FlopsColumn = None,
    json: Json = False,
) -> None:
    """Predict a loss with its interval, or the compute for one."""
    if Path(law).exists() and Path(law).suffix.lower() != ".toml":
        if params is None or tokens is None or target_loss is not None:
            raise UsageError(
                f"{law} is a table of runs: give --params and --tokens, or fit a law of it (isoflop fit -o)."
            )
        columns = {"params": params_column, "tokens": tokens_column, "loss": loss_column, "flops": flops_column}
        read = read_table(Path(law), where, **columns)
        beyond = fitting.pooled(read, read_params(params).value, read_tokens(tokens).value, level=level)
        typer.echo(beyond.to_json() if json else str(beyond))
        return
    if any((where, params_column, tokens_column, loss_column, flops_column)):
        raise UsageError(f"{law} is a law: --where and the columns are for a table of runs.")
    found = named_law(law, family)
    if target_loss is not None:
        if params or tokens:
            raise UsageError("give --target-loss alone, or --params and --tokens.")
        answer = plan_budget(found, level=level, asked=Asked(target_loss=target_loss))
        typer.echo(answer.to_json() if json else str(answer))
        return
    if params is None or tokens is None:
        raise UsageError("give --params and --tokens, or --target-loss.")
    said = predict_loss(found, read_params(params).value, read_tokens(tokens).value, level, **read_inputs(given or []))
    typer.echo(said.to_json() if json else str(said))

"""``isoflop fit``: a scaling law from a table of runs or a study."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.families import read_family, read_pins
from isoflop.cli.output import check_law_file
from isoflop.conventions import ParamsConvention
from isoflop.errors import CheckFailed, DataError
from isoflop.fitting.fit import DRAWS, LEVEL
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.laws import write_law
from isoflop.runs import read_runs, with_convention


class Approach(StrEnum):
    PROFILES = "2"
    SURFACE = "3"
    ALL = "all"


class Criterion(StrEnum):
    HUBER = "huber"
    LEAST_SQUARES = "least_squares"
    ABSOLUTE = "absolute"


class Counted(StrEnum):
    TOTAL = "total"
    NON_EMBEDDING = "non_embedding"
    MATRICES_AND_HEAD = "matrices_and_head"


def fit(
    runs: Annotated[
        Path, typer.Argument(metavar="RUNS", help="A CSV, TSV, JSONL or Parquet table, or a study folder.")
    ],
    family: Annotated[
        str, typer.Option(help="The form of the loss surface of approach 3: a name, or FILE.py:NAME of your own.")
    ] = "chinchilla",
    approach: Annotated[
        Approach | None,
        typer.Option(help="2: isoFLOP minima; 3: a loss surface (default); all: both."),
    ] = None,
    convention: Annotated[Counted | None, typer.Option(help="Count N this way, where the table has the count.")] = None,
    objective: Annotated[Criterion, typer.Option(help="What approach 3 sums over log residuals.")] = Criterion.HUBER,
    delta: Annotated[float, typer.Option(help="Where Huber's loss turns linear, in log loss.")] = HUBER_DELTA,
    pin: Annotated[list[str] | None, typer.Option(help="Hold a coefficient, as in E=1.69; may be repeated.")] = None,
    draws: Annotated[int, typer.Option(help="Joint draws behind the intervals; 0 for none.")] = DRAWS,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = LEVEL,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    where: Annotated[str | None, typer.Option(help='Rows to use, as in "flops < 1e21 and seed == 0".')] = None,
    params_column: Annotated[str | None, typer.Option(help="The column that holds N.")] = None,
    tokens_column: Annotated[str | None, typer.Option(help="The column that holds D.")] = None,
    loss_column: Annotated[str | None, typer.Option(help="The column that holds the loss.")] = None,
    flops_column: Annotated[str | None, typer.Option(help="The column that holds C; 6 N D without one.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the law to this TOML file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 5 unless the verdict has no caution.")] = False,
) -> int:
    """Fit a scaling law to runs: verdict, coefficients, intervals."""
    if output is not None:
        check_law_file(output)
    form = read_family(family)
    columns = {"params": params_column, "tokens": tokens_column, "loss": loss_column, "flops": flops_column}
    table = read_runs(runs, {ours: theirs for ours, theirs in columns.items() if theirs is not None}, where)
    if convention is not None:
        table = with_convention(table, ParamsConvention(convention))
    held = read_pins(pin or [])
    found: fitting.Fit | fitting.Approaches
    if approach == Approach.ALL:
        found = fitting.fit_all(
            table, form, draws=draws, level=level, seed=seed, pin=held, objective=objective, delta=delta
        )
    else:
        n = None if approach is None else int(approach)
        found = fitting.fit(
            table, form, approach=n, draws=draws, level=level, seed=seed, pin=held, objective=objective, delta=delta
        )
    typer.echo(found.to_json() if json else found.summary())
    leading = found if isinstance(found, fitting.Fit) else found.leading
    if leading.verdict.status == "refused":
        return DataError.exit_code
    if output is not None:
        write_law(leading.law, output)
    if strict and leading.verdict.status != "ok":
        raise CheckFailed(f"--strict: the verdict is {leading.verdict.describe()}.")
    return 0

"""``isoflop fit``: a scaling law from a table of runs or a study."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isoflop import fitting
from isoflop.cli.families import read_family, read_pins, read_priors
from isoflop.cli.output import check_law_file
from isoflop.cli.profiles import as_json, as_text, read_profiles
from isoflop.cli.table import (
    FlopsColumn,
    Group,
    Json,
    Level,
    LossColumn,
    ParamsColumn,
    RunsPath,
    Seed,
    TokensColumn,
    Where,
    read_table,
)
from isoflop.conventions import ParamsConvention
from isoflop.errors import CheckFailed, DataError
from isoflop.fitting.fit import DRAWS, LEVEL
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.laws import write_law
from isoflop.runs import with_convention


class Approach(StrEnum):
    ENVELOPE = "1"
    PROFILES = "2"
    SURFACE = "3"
    ALL = "all"


class Criterion(StrEnum):
    HUBER = "huber"
    LEAST_SQUARES = "least_squares"
    ABSOLUTE = "absolute"
    RAW = "raw_least_squares"
    ASYMMETRIC = "asymmetric"


class Counted(StrEnum):
    TOTAL = "total"
    NON_EMBEDDING = "non_embedding"
    MATRICES_AND_HEAD = "matrices_and_head"


def fit(
    runs: RunsPath,
    family: Annotated[str, typer.Option(help="The surface of approach 3: a name, or FILE.py:NAME.")] = "chinchilla",
    approach: Annotated[
        Approach | None,
        typer.Option(help="1: envelope of curves; 2: isoFLOP minima; 3: a loss surface (default); all."),
    ] = None,
    convention: Annotated[Counted | None, typer.Option(help="Count N this way, where the table has the count.")] = None,
    objective: Annotated[Criterion, typer.Option(help="What approach 3 sums over residuals.")] = Criterion.HUBER,
    delta: Annotated[float, typer.Option(help="Where Huber's loss turns linear, in log loss.")] = HUBER_DELTA,
    pin: Annotated[list[str] | None, typer.Option(help="Hold a coefficient, as in E=1.69; may be repeated.")] = None,
    prior: Annotated[list[str] | None, typer.Option(help="Lean a coefficient, as in E=1.7+-0.1.")] = None,
    weigh: Annotated[bool, typer.Option("--weigh", help="Weigh runs by 1 / loss_noise^2.")] = False,
    profile: Annotated[list[str] | None, typer.Option(help='Profile of a coefficient, or of "N*@1e24".')] = None,
    group: Group = None,
    draws: Annotated[int, typer.Option(help="Joint draws behind the intervals; 0 for none.")] = DRAWS,
    level: Level = LEVEL,
    seed: Seed = 0,
    where: Where = None,
    params_column: ParamsColumn = None,
    tokens_column: TokensColumn = None,
    loss_column: LossColumn = None,
    flops_column: FlopsColumn = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the law to this TOML file.")] = None,
    json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 5 unless the verdict has no caution.")] = False,
) -> int:
    """Fit a scaling law to runs: verdict, coefficients, intervals."""
    if output is not None:
        check_law_file(output)
    form = read_family(family)
    table = read_table(runs, where, params=params_column, tokens=tokens_column, loss=loss_column, flops=flops_column)
    if convention is not None:
        table = with_convention(table, ParamsConvention(convention))
    asked = fitting.Asked(
        draws=draws,
        level=level,
        seed=seed,
        pin=read_pins(pin or []),
        prior=read_priors(prior or []),
        objective=objective,
        delta=delta,
        weigh=weigh,
        group=group,
    )
    found: fitting.Fit | fitting.Approaches
    if approach == Approach.ALL:
        found = fitting.fit_all(table, form, **asked)
    else:
        found = fitting.fit(table, form, approach=None if approach is None else int(approach), **asked)
    profiles = read_profiles(found, profile or [])
    typer.echo(as_json(found, profiles) if json else as_text(found, profiles))
    return _finish(found if isinstance(found, fitting.Fit) else found.leading, output, strict)


def _finish(leading: fitting.Fit, output: Path | None, strict: bool) -> int:
    """Write the law where one was asked for, and say by the exit code what the verdict is."""
    if leading.verdict.status == "refused":
        return DataError.exit_code
    if output is not None:
        write_law(leading.law, output)
    if strict and leading.verdict.status != "ok":
        raise CheckFailed(f"--strict: the verdict is {leading.verdict.describe()}.")
    return 0

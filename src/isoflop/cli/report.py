"""``isoflop report``: runs as one page that can be looked at, trusted and argued with."""

from __future__ import annotations

import json as json_format
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.evidence import Draws, Surface, Target, read_evidence, read_wanted
from isoflop.cli.output import check_file, say
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
)
from isoflop.errors import DataError, UsageError
from isoflop.files import write_atomic
from isoflop.fitting.fit import LEVEL
from isoflop.reports import as_markdown, as_object, render
from isoflop.reports.answers import decision_line


class Format(StrEnum):
    HTML = "html"
    MARKDOWN = "md"


def report(
    runs: RunsPath,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file to write; md goes to stdout.")] = None,
    format: Annotated[Format | None, typer.Option(help="html, or md for an issue; else as the file is named.")] = None,
    target: Target = None,
    within: Annotated[float | None, typer.Option(help="The ratio of N*'s interval that is good enough.")] = None,
    family: Surface = "chinchilla",
    group: Group = None,
    title: Annotated[str | None, typer.Option(help="The heading; the table's name unless given.")] = None,
    draws: Draws = None,
    level: Level = LEVEL,
    seed: Seed = 0,
    where: Where = None,
    params_column: ParamsColumn = None,
    tokens_column: TokensColumn = None,
    loss_column: LossColumn = None,
    flops_column: FlopsColumn = None,
    json: Json = False,
) -> int:
    """Report on runs: the decision, how sure, why, what was excluded, how it would be wrong."""
    form = format or _named(output)
    if output is not None:
        check_file(output, "the report", "md" if form is Format.MARKDOWN else "html")
    elif form is Format.HTML and not json:
        raise UsageError("a page needs a file: give one with -o report.html, or --format md for text.")
    if within is not None and not 1 < within < math.inf:
        raise UsageError(f"--within {within:g} is no ratio above 1; give one such as 1.5.")
    wanted = read_wanted(target, family, within=within, draws=draws, level=level, seed=seed, group=group)
    columns = {"params": params_column, "tokens": tokens_column, "loss": loss_column, "flops": flops_column}
    evidence = read_evidence(runs, wanted, where, title, **columns)
    if output is not None:
        write_atomic(output, as_markdown(evidence) if form is Format.MARKDOWN else render(evidence))
        say(f"report: {output}")
    if json:
        typer.echo(json_format.dumps(as_object(evidence), indent=2, allow_nan=False))
    else:
        typer.echo(as_markdown(evidence).rstrip() if output is None else decision_line(evidence))
    return DataError.exit_code if evidence.leading.fitted is None else 0


def _named(output: Path | None) -> Format:
    return Format.MARKDOWN if output is not None and output.suffix.lower() == ".md" else Format.HTML

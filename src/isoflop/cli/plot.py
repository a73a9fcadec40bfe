"""``isoflop plot``: one figure of a report, for a paper."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.columns import table as columns
from isoflop.cli.evidence import Draws, Surface, Target, read_evidence, read_wanted
from isoflop.cli.output import check_file
from isoflop.cli.table import FlopsColumn, Group, Json, Level, LossColumn, ParamsColumn, Seed, TokensColumn, Where
from isoflop.errors import UnknownName, UsageError
from isoflop.files import write_atomic
from isoflop.fitting.fit import LEVEL
from isoflop.reports.drawings import DRAWINGS, Drawing
from isoflop.reports.figures import Figure
from isoflop.reports.painting import shown
from isoflop.reports.palette import Scheme
from isoflop.reports.static import FORMS, save_static, sheet_size

SCHEMA = "isoflop.plot/1"
Millimetres = Annotated[float | None, typer.Option(help="In mm; 84, or 174 with panes side by side.")]


def plot(
    figure: Annotated[str | None, typer.Argument(metavar="FIGURE", help="Its name.", show_default=False)] = None,
    runs: Annotated[
        Path | None, typer.Argument(metavar="RUNS", help="A table of runs, or a study folder.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file: .svg, .pdf, .png, or .json for plotly.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Name the figures.")] = False,
    target: Target = None,
    family: Surface = "chinchilla",
    group: Group = None,
    width: Millimetres = None,
    height: Annotated[float | None, typer.Option(help="In mm; what suits the panes.")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="In colours for a dark page.")] = False,
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
    """Draw one figure of the report, at the size of a column of print and with text as text."""
    if listing:
        typer.echo(_list(json))
        return 0
    if figure is None:
        raise UsageError("which figure? isoflop plot --list names them.")
    if figure not in DRAWINGS:
        raise UnknownName.among("figure", figure, DRAWINGS)
    if runs is None:
        raise UsageError(f"of which runs? give a table or a study, as in isoflop plot {figure} runs.csv.")
    if output is not None:
        check_file(output, "a figure", *FORMS, "json")
    elif not json:
        raise UsageError(f"a figure needs a file: give one with -o {figure}.svg, or --json.")
    wanted = read_wanted(target, family, draws=draws, level=level, seed=seed, group=group)
    named = {"params": params_column, "tokens": tokens_column, "loss": loss_column, "flops": flops_column}
    drawn = DRAWINGS[figure].draw(read_evidence(runs, wanted, where, **named))
    scheme: Scheme = "dark" if dark else "light"
    said = "" if output is None else _write(drawn, output, width, height, scheme)
    if json:
        about = {"schema": SCHEMA, "figure": figure, "title": DRAWINGS[figure].title, "file": output and str(output)}
        typer.echo(json_format.dumps(about | shown(drawn, scheme), allow_nan=False))
    else:
        typer.echo(f"{DRAWINGS[figure].title}: {said}")
    return 0


def _write(figure: Figure, output: Path, width: float | None, height: float | None, scheme: Scheme) -> str:
    """Write the figure, and say where and how large."""
    if output.suffix.lower() == ".json":
        write_atomic(output, json_format.dumps(shown(figure, scheme), allow_nan=False))
        return str(output)
    save_static(figure, output, width_mm=width, height_mm=height, scheme=scheme)
    wide, high = sheet_size(figure, width, height)
    return f"{output}, {wide:.0f} x {high:.0f} mm"


def _list(json: bool) -> str:
    if json:
        facts = {name: {"title": drawing.title, "says": drawing.says} for name, drawing in DRAWINGS.items()}
        return json_format.dumps({"schema": SCHEMA, "figures": facts}, indent=2)
    return "\n".join(columns([(name, _line(drawing)) for name, drawing in DRAWINGS.items()], left=2))


def _line(drawing: Drawing) -> str:
    return f"{drawing.title}: {drawing.says}"

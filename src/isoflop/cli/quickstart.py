"""``isoflop quickstart``: a real isoFLOP study on this machine, from nothing to a report."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from isoflop import quickstart as loop
from isoflop.cli.arguments import cores
from isoflop.cli.findings import as_dict, as_text
from isoflop.cli.progress import watch
from isoflop.errors import DataError, UsageError
from isoflop.quantities import read_flops
from isoflop.sweeps.design import QUICKSTART_BUDGETS


def _folder(name: str | Path) -> Path:
    """The folder called so; "" would quietly be the current one."""
    if not str(name):
        raise UsageError("--out is empty; name the folder of the study.")
    return Path(name)


def quickstart(
    out: Annotated[
        Path,
        typer.Option(
            metavar="<path>", parser=_folder, help="The folder of the study; the same folder again goes on with it."
        ),
    ] = Path("quickstart"),
    text: Annotated[
        Path | None, typer.Option(help="A folder of your own text; without it, this Python's standard library.")
    ] = None,
    budgets: Annotated[str | None, typer.Option(help='FLOPs of the isoFLOP profiles, as in "1.5e11, 5e11".')] = None,
    widths: Annotated[str | None, typer.Option(help='Widths at every budget, as in "16, 24, 32".')] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, data order and draws.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Runs at a time, one core each; all cores without it.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Train one run at 3 times the largest budget as a test.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Train, fit and report a small isoFLOP study on this CPU."""
    wanted = loop.Quickstart(
        out=out,
        budgets=QUICKSTART_BUDGETS if budgets is None else _budgets(budgets),
        widths=None if widths is None else _widths(widths),
        text=text,
        seed=seed,
        workers=cores() if workers is None else workers,
        verify=verify,
    )
    with watch(wanted.workers, loop.expected_forecast(wanted)) as on_progress:
        findings = loop.quickstart(wanted, on_progress)
    typer.echo(json_module.dumps(as_dict(findings), indent=2, allow_nan=False) if json else as_text(findings))
    return DataError.exit_code if findings.frontier.verdict.status == "refused" else 0


def _budgets(text: str) -> tuple[float, ...]:
    return tuple(read_flops(part).value for part in text.split(","))


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--widths {text!r} is not a list of whole numbers; write it as in 16,24,32.") from None

"""What a report or one of its figures is asked, as the command line reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isoflop.cli.families import read_family
from isoflop.cli.table import read_parted
from isoflop.quantities import read_flops
from isoflop.reports import Evidence, Wanted, gather
from isoflop.reports.provenance import provenance

Target = Annotated[str | None, typer.Option(help="The budget to decide on; 10 times the largest run's.")]
Surface = Annotated[str, typer.Option(help="The form of the loss surface, or FILE.py:NAME.")]
Draws = Annotated[int | None, typer.Option(help="Joint draws behind the intervals.")]


def read_wanted(target: str | None, family: str, **others: Any) -> Wanted:
    """``others`` are the fields of Wanted that need no reading."""
    return Wanted(family=read_family(family), target=None if target is None else read_flops(target).value, **others)


def read_evidence(
    path: Path, wanted: Wanted, where: str | None, title: str | None = None, **columns: str | None
) -> Evidence:
    """The runs at a path as evidence, those that ``where`` leaves out beside them."""
    chosen, aside = read_parted(path, where, **columns)
    named = title or "/".join(path.resolve().parts[-2:])
    return gather(chosen, wanted, title=named, provenance=provenance(chosen, wanted, where), aside=aside)

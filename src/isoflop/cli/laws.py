"""``isoflop laws``: the published laws that come with isoflop."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from isoflop.laws import Law, catalogue
from isoflop.laws import law as find_law

SCHEMA = "isoflop.laws/1"


def laws(
    name: Annotated[str | None, typer.Argument(metavar="ID", help="The law to show.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the published laws, or show one: formula, constants, conventions, fitted range, source."""
    shown = [find_law(one) for one in ((name,) if name else catalogue())]
    if json:
        typer.echo(jsonlib.dumps({"schema": SCHEMA, "laws": [_facts(law) for law in shown]}, indent=2))
    elif name:
        typer.echo(_page(shown[0]))
    else:
        width = max(len(law.id) for law in shown)
        typer.echo("\n".join(f"{law.id.ljust(width)}  {law.title}" for law in shown))


def _facts(law: Law) -> dict[str, Any]:
    return {
        "id": law.id,
        "title": law.title,
        "family": law.family.name,
        "formula": law.family.formula,
        "coefficients": dict(law.coefficients),
        "conventions": law.conventions.to_dict(),
        "fitted_range": dict(vars(law.fitted_range)),
        "source": dict(vars(law.source)),
        "caveats": list(law.caveats),
    }


def _page(law: Law) -> str:
    """One law as text; constants with every digit that the source has."""
    source = f"{law.source.title}, {law.source.where}"
    lines = [f"{law.id}: {law.title}", "", f"  {law.family.formula}"]
    lines += [f"  {one.name:<6} {law.coefficients[one.name]!r:<20} {one.meaning}" for one in law.family.coefficients]
    spans = {name: span for name, span in vars(law.fitted_range).items() if span is not None}
    fitted = ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in spans.items())
    lines += ["", f"  conventions  {law.conventions.describe()}", f"  fitted on    {fitted or 'not stated'}"]
    lines += [f"  source       {source}" + (f", arXiv {law.source.arxiv}" if law.source.arxiv else "")]
    lines += [f"  caution      {caveat}" for caveat in law.caveats]
    return "\n".join(lines)

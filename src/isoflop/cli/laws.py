"""``isoflop laws``: the published laws, rules and records that come with isoflop."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from isoflop.laws import Law, Record, Rule, entries, facts, kind
from isoflop.laws import entry as find_entry

SCHEMA = "isoflop.laws/1"
KINDS = {
    "loss_and_split": "Loss and split of a budget: isoflop plan 1e24 --law ID",
    "split": "Split of a budget, and no loss: isoflop plan 1e24 --law ID",
    "loss": "Loss, and no split of a budget: isoflop.law(ID).predict(...)",
    "rule": "Learning rate and batch: isoflop.laws.entry(ID).predict(...)",
    "record": "Records: shown, and nothing is computed from them",
}
Entry = Law | Rule | Record


def laws(
    name: Annotated[str | None, typer.Argument(metavar="ID", help="The law to show.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the published laws, or show one: formula, constants, conventions, fitted range, source."""
    shown = [find_entry(one) for one in ((name,) if name else entries())]
    if json:
        typer.echo(jsonlib.dumps({"schema": SCHEMA, "laws": [facts(entry) for entry in shown]}, indent=2))
    elif name:
        typer.echo(_page(shown[0]))
    else:
        typer.echo(_list(shown))


def _list(shown: list[Entry]) -> str:
    width = max(len(entry.id) for entry in shown)
    groups = [
        "\n".join([says, *(f"  {entry.id.ljust(width)}  {entry.title}" for entry in shown if kind(entry) == one)])
        for one, says in KINDS.items()
    ]
    return "\n\n".join(groups)


def _page(entry: Entry) -> str:
    """One entry as text; constants with every digit that the source has, cautions first."""
    source = f"{entry.source.title}, {entry.source.where}"
    lines = [f"{entry.id}: {entry.title}", "", *(f"  caution      {caveat}" for caveat in entry.caveats)]
    lines += [""] * bool(entry.caveats) + _numbers(entry) + [""]
    if not isinstance(entry, Record):
        spans = {name: span for name, span in vars(entry.fitted_range).items() if span is not None}
        fitted = ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in spans.items())
        lines += [f"  conventions  {entry.conventions.describe()}", f"  fitted on    {fitted or 'not stated'}"]
    lines += [f"  source       {source}" + (f", arXiv {entry.source.arxiv}" if entry.source.arxiv else "")]
    lines += [f"  read in      {entry.source.verified}", f"  use          {KINDS[kind(entry)]}"]
    return "\n".join(lines)


def _numbers(entry: Entry) -> list[str]:
    if isinstance(entry, Rule):
        return [f"  {name} = {power}" for name, power in entry.outputs.items()]
    if isinstance(entry, Record):
        return [f"  {entry.formula}", *(f"  {name:<22} {_plain(value)}" for name, value in entry.constants.items())]
    numbers = [
        f"  {one.name:<8} {_plain(entry.coefficients[one.name]):<20} {one.meaning}" for one in entry.family.coefficients
    ]
    drawn = [] if entry.draws is None else [f"  and {len(next(iter(entry.draws.values())))} joint draws"]
    return [f"  {entry.family.formula}", *numbers, *drawn]


def _plain(value: Any) -> str:
    """A constant, a row or a set of them on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(_plain(one) for one in value) + "]"
    short = f"{value:g}"
    return short if float(short) == value else repr(value)

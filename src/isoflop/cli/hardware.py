"""``isoflop hardware``: the accelerators that come with isoflop."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from typing import Annotated

import typer

from isoflop.hardware import Accelerator, accelerators
from isoflop.hardware import accelerator as find_accelerator
from isoflop.quantities import format_number, format_usd

SCHEMA = "isoflop.hardware/1"
HEAD = ("accelerator", "TFLOP/s", "in", "GB", "TB/s", "W", "$/hour", "of")
FOOT = """
Dense peaks, per device. A price is typical of its month, on demand: give your own.
? is remembered, not read in a source. isoflop hardware ID has every figure, its source and its cautions."""


def hardware(
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="The accelerator to show.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the accelerators, or show one: dense peaks, memory, power, price with its date, sources.

    ID is an id of the list, or a name such as H100, 4090, v5p.
    """
    shown = [find_accelerator(name)] if name else list(accelerators().values())
    if json:
        typer.echo(jsonlib.dumps({"schema": SCHEMA, "accelerators": [one.to_dict() for one in shown]}, indent=2))
    elif name:
        typer.echo(_page(shown[0]))
    else:
        typer.echo(_table(shown))


def _table(shown: list[Accelerator]) -> str:
    rows = [HEAD, *map(_row, shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join([*(_aligned(row, widths) for row in rows), FOOT.lstrip("\n")])


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    """The name to the left, the figures to the right."""
    first, *rest = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]).rstrip()


def _row(one: Accelerator) -> tuple[str, ...]:
    price = one.price
    return (
        one.id,
        f"{one.peak[one.dtype] / 1e12:.4g}{_doubt(one.source.verified)}",
        one.dtype,
        f"{one.memory_gigabytes:g}",
        f"{one.bandwidth_bytes_per_second / 1e12:.4g}",
        "-" if one.watts is None else f"{one.watts:g}",
        "-" if price is None else f"{price.typical:.2f}{_doubt(price.verified)}",
        "" if price is None else price.date,
    )


def _doubt(verified: str) -> str:
    return "?" if verified == "memory" else ""


def _page(one: Accelerator) -> str:
    """One accelerator as text, with what each figure rests on."""
    note = f" ({one.unit_note})" if one.unit_note else ""
    lines = [f"{one.id}: {one.vendor} {one.title}", "", *_rates("dense peak", one.peak)]
    lines += _rates("matrix product, measured", one.matmul)
    lines += [
        f"  memory       {one.memory_gigabytes:g} GB, {one.bandwidth_bytes_per_second / 1e12:.4g} TB/s",
        f"  power        {'no figure here' if one.watts is None else f'{one.watts:g} W, rated'}",
        f"  counted per  {one.unit}{note}",
        f"  also called  {', '.join(one.aliases) or 'nothing else'}",
        f"  MFU          {one.utilisation.typical:.0%}, {one.utilisation.low:.0%} to {one.utilisation.high:.0%} "
        f"({one.utilisation.verified}): {one.utilisation.source}",
    ]
    if one.price is None:
        lines += ["  price        none here: give your own"]
    else:
        span = f"{format_usd(one.price.low)} to {format_usd(one.price.high)}"
        lines += [
            f"  price        {format_usd(one.price.typical)} an hour, {span}, {one.price.date} "
            f"({one.price.verified}): {one.price.source}"
        ]
    lines += [f"  source       {one.source.title}, {one.source.date} ({one.source.verified})"]
    lines += [f"  caution      {caution}" for caution in one.cautions]
    if one.source.verified == "memory":
        lines += ["  caution      Remembered, not read in a source: check before you rely on it."]
    return "\n".join(lines)


def _rates(title: str, rates: Mapping[str, float]) -> list[str]:
    if not rates:
        return []
    said = ", ".join(f"{dtype} {format_number(rate / 1e12)}" for dtype, rate in rates.items())
    return [f"  {title}, TFLOP/s", f"    {said}"]

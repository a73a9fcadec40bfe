"""Laying out an answer as text: a title, a table whose numbers line up on the right, notes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True)
class Sheet:
    """What is to be laid out. The first column of the table holds names, the others numbers."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def lay_out(sheet: Sheet) -> str:
    """The sheet as text.

    >>> print(lay_out(Sheet("Budget: 1e21 FLOPs", ("law", "loss"), (("mine", "2.31"),), ("Mind the gap.",))))
    Budget: 1e21 FLOPs
    <BLANKLINE>
      law   loss
      mine  2.31
    <BLANKLINE>
      note  Mind the gap.
    """
    text = [sheet.title, "", *_table(sheet)] if sheet.title else _table(sheet)
    if sheet.notes and text:
        text.append("")
    for note in sheet.notes:
        text += textwrap.wrap(note, WIDTH, initial_indent="  note  ", subsequent_indent="        ")
    return "\n".join(text)


def format_ratio(ratio: float) -> str:
    """Tokens a parameter: to a tenth, or where they are few to three digits.

    >>> format_ratio(18.39), format_ratio(0.03931)
    ('18.4', '0.0393')
    """
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.3g}"


def _table(sheet: Sheet) -> list[str]:
    table = tuple(line for line in (sheet.header, *sheet.lines) if line)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))] if table else []
    text = []
    for first, *others in table:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        text.append("  " + "  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return text

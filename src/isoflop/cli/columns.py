"""Rows in columns and lengths of time, as commands print them."""

from __future__ import annotations

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """A length of time as people say it.

    >>> [duration(s) for s in (4.2, 100, 9000, 400000)]
    ['4 s', '1 min 40 s', '2 h 30 min', '4.6 days']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min" if whole < 172_800 else f"{seconds / 86400:.1f} days"


def count_of(runs: int) -> str:
    """So many runs, in words that agree with the number."""
    return f"{runs:,} run{'' if runs == 1 else 's'}"


def table(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows as lines in columns: the first ``left`` to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        names = [cell.ljust(width) for cell, width in zip(row[:left], widths[:left], strict=True)]
        figures = [cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)]
        return "  ".join([*names, *figures]).rstrip()

    return [line(row) for row in rows]

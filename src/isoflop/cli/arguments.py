"""The words of a command that typer reads, or cannot read: what it is given, and what it says of them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from typing import Any

import typer

# What typer raises for an option or argument it cannot read. Its base class lives in click for older
# versions of typer and in typer itself for newer ones; the public subclass leads to it in both.
UnreadableArgument: type[Any] = typer.BadParameter.__bases__[0]

# What typer's validation says in terms of Python, and what a person says. The words are those of typer and
# pydantic; where they change, the sentence is only less plain.
REWORDED = (
    (r"Value error, ", ""),
    (r"Input should be a valid integer\b.*", "it is not a whole number"),
    (r"Input should be a valid number\b.*", "it is not a number"),
    (r"Got unexpected extra argument\(s\) \((.*)\)", r"there is no place for \1: words with spaces go in quotes"),
)


def shield_negative_number(word: str) -> str:
    """A space before "-5" keeps it from being read as an option, so that it is refused as a quantity.

    >>> shield_negative_number("-5"), shield_negative_number("-o")
    (' -5', '-o')
    """
    return f" {word}" if re.match(r"-\.?\d", word) else word


def reworded(error: Any, words: Sequence[str], commands: Collection[str]) -> str:
    """What typer says of an argument, without the terms of its validation, and where to read on."""
    said = str(error.format_message())
    for theirs, ours in REWORDED:
        said = re.sub(theirs, ours, said)
    named = [word for word in words if word in commands][:1]
    path = error.ctx.command_path if error.ctx else " ".join(["isoflop", *named])
    return f"{said.rstrip('.')} (see {path} --help)."


def cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

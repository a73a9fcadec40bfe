"""Families and their coefficients as a command line names them."""

from __future__ import annotations

from collections.abc import Sequence

from isoflop.errors import UsageError
from isoflop.laws import Family, family, family_from_file


def read_family(words: str) -> Family:
    """A family by name, or from a file of the user's as FILE.py:NAME."""
    return family_from_file(words) if ":" in words else family(words)


def read_pins(words: Sequence[str]) -> dict[str, float]:
    """What ``--pin E=1.69`` holds.

    >>> read_pins(["E=1.69"])
    {'E': 1.69}
    """
    pinned = {}
    for word in words:
        name, equals, number = word.partition("=")
        try:
            pinned[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise UsageError(f"--pin {word}: give a coefficient and a number, as in E=1.69.")
    return pinned

"""Families and their coefficients as a command line names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from isoflop.errors import UsageError
from isoflop.laws import Family, family, family_from_file

Given = TypeVar("Given")


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
    return _once("--pin", words, pinned)


def read_priors(words: Sequence[str]) -> dict[str, tuple[float, float]]:
    """What ``--prior E=1.7+-0.1`` leans on: mean and standard deviation.

    >>> read_priors(["E=1.7+-0.1"])
    {'E': (1.7, 0.1)}
    """
    priors = {}
    for word in words:
        name, _, numbers = word.partition("=")
        mean, _, deviation = numbers.replace("±", "+-").partition("+-")
        try:
            priors[name.strip()] = float(mean), float(deviation)
        except ValueError:
            raise UsageError(f"--prior {word}: give a coefficient, a mean and a deviation, as in E=1.7+-0.1.") from None
    return _once("--prior", words, priors)


def _once(option: str, words: Sequence[str], read: dict[str, Given]) -> dict[str, Given]:
    if len(read) < len(words):
        raise UsageError(f"{option} names a coefficient twice ({', '.join(words)}); give each once.")
    return read

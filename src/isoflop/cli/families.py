"""Families and their coefficients as a command line names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import typer

from isoflop.errors import UsageError
from isoflop.laws import Family, Law, family, family_from_file
from isoflop.planning import find_law

Given = TypeVar("Given")


Own = Annotated[
    str | None, typer.Option("--family", help="FILE.py:NAME, of which a law file is.", metavar="FILE.py:NAME")
]


def named_law(words: str, own: str | None) -> Law:
    """A published law by its id, or a law file, which may be of the user's own family."""
    return find_law(words, *(() if own is None else (family_from_file(own),)))


def read_family(words: str) -> Family:
    """A family by name, or from a file of the user's as FILE.py:NAME; one that can be fitted."""
    found = family_from_file(words) if ":" in words else family(words)
    if not found.fitted:
        raise UsageError(f"the family {found.name} is here for its published constants and is not fitted; fit another.")
    return found


def read_pins(words: Sequence[str]) -> dict[str, float]:
    """What ``--pin E=1.69`` holds.

    >>> read_pins(["E=1.69"])
    {'E': 1.69}
    """
    return _numbers(words, "--pin", "give a coefficient and a number, as in E=1.69")


def read_inputs(words: Sequence[str]) -> dict[str, float]:
    """What ``--given unique_tokens=3e11`` holds.

    >>> read_inputs(["experts=64"])
    {'experts': 64.0}
    """
    return _numbers(words, "--given", "give an input of the law and a number, as in unique_tokens=3e11")


def _numbers(words: Sequence[str], option: str, remedy: str) -> dict[str, float]:
    numbers = {}
    for word in words:
        name, equals, number = word.partition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError:
            equals = ""
        if not equals:
            raise UsageError(f"{option} {word}: {remedy}.")
    return _once(option, words, numbers)


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

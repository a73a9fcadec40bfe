"""What a question of the API may be given: each parameter once, for reading it and for describing it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from isoflop.errors import UnknownName, UsageError

LONGEST = 200
"""Characters of a text; what is longer is no budget, name or count."""
MOST = 12
"""Values of a parameter that may be given again."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a question: text, or a number from ``low`` to ``high``, or one of ``choices``.

    ``default`` stands where it is not given; without one the parameter is None, or must be given where ``required``.
    ``many`` may be given again, and reads as a tuple.
    """

    name: str
    says: str
    kind: Literal["string", "number", "integer"] = "string"
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    example: Any = None

    def read(self, text: str) -> str | float | int:
        """The value that a text gives; UsageError, one sentence, where it gives none."""
        if self.choices and text not in self.choices:
            raise UnknownName.among(self.name, text[:LONGEST], self.choices)
        if self.kind == "string":
            return self._text(text)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (self.kind == "integer" and value % 1):
            whole = "whole " if self.kind == "integer" else ""
            raise UsageError(
                f"{self.name} is {text[:LONGEST]!r}, not a {whole}number; give one such as {self.example}."
            )
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise UsageError(f"{self.name} is {value:g}; give a number from {self.low:g} to {self.high:g}.")
        return int(value) if self.kind == "integer" else value

    def _text(self, text: str) -> str:
        if not text.strip() or len(text) > LONGEST:
            raise UsageError(f"{self.name} is a text of 1 to {LONGEST} characters, not of {len(text)}.")
        if ".toml" in text.lower():  # the library would read such a name as the path of a file of this machine
            raise UsageError(f"{self.name} may not name a file here; isoflop plan, in a terminal, reads your own.")
        return text

    def schema(self) -> dict[str, Any]:
        """The parameter as JSON schema."""
        one: dict[str, Any] = {"type": self.kind}
        if self.choices:
            one["enum"] = list(self.choices)
        elif self.kind == "string":
            one |= {"minLength": 1, "maxLength": LONGEST}
        bounds = {"minimum": self.low, "maximum": self.high}
        one |= {name: bound for name, bound in bounds.items() if bound is not None}
        if self.many:
            one = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST}
        default = list(self.default) if self.many and self.default else self.default
        return one if default is None else {**one, "default": default}

    def to_openapi(self) -> dict[str, Any]:
        """The parameter as OpenAPI describes those of a query."""
        described = {"name": self.name, "in": "query", "required": self.required, "description": self.says}
        return described | {"schema": self.schema()} | ({} if self.example is None else {"example": self.example})


def read_query(parameters: Sequence[Parameter], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Every parameter's value, from the pairs of a query.

    Raises UsageError, one sentence, for a name that is none of them, a value that cannot be read, and one that is
    missing.

    >>> level = Parameter("level", "Level of the intervals.", "number", 0.9, low=0.5, high=0.99, example=0.9)
    >>> read_query([level], []), read_query([level], [("level", "0.8")])
    ({'level': 0.9}, {'level': 0.8})
    """
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    known = {one.name: one for one in parameters}
    for name in given:
        if name not in known:
            raise UnknownName.among("parameter", name[:LONGEST], known)
    return {one.name: _value(one, given) for one in parameters}


def _value(one: Parameter, given: Mapping[str, list[str]]) -> Any:
    texts = given.get(one.name, [])
    if not texts:
        if one.required:
            raise UsageError(f"{one.name} is missing; give it, as {one.name}={one.example}.")
        return one.default
    if len(texts) > (MOST if one.many else 1):
        raise UsageError(f"{one.name} is given {len(texts)} times; give it {MOST if one.many else 1} at most.")
    values = tuple(one.read(text) for text in texts)
    return tuple(dict.fromkeys(values)) if one.many else values[0]

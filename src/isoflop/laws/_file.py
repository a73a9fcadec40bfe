"""Laws as TOML: one file holds a whole law, with its joint draws, and can be mailed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.conventions import Conventions
from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.laws._family import Family
from isoflop.laws._law import FittedRange, FloatArray, Law, Source

SCHEMA = "isoflop.law/1"
# Draws feed quantiles with a Monte Carlo error of per cents; nine digits lose nothing and halve the file.
DRAW_DIGITS = 9


def law_from_toml(text: str, where: str, families: Mapping[str, Family]) -> Law:
    """Read a law; ``where`` names the file in error messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}.") from error
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{where} is not a law: its schema is {table.get('schema')!r}, expected {SCHEMA!r}.")
    name = table.get("family")
    family = families.get(str(name))
    if family is None:
        raise UsageError(f"{where} is of family {name!r}; this isoflop knows {', '.join(sorted(families))}.")
    coefficients = _numbers(table.get("coefficients", {}), family, where)
    return Law(
        id=table["id"],
        title=table.get("title", ""),
        family=family,
        coefficients=coefficients,
        conventions=Conventions.from_dict(table.get("conventions", {})),
        fitted_range=FittedRange(**{key: (low, high) for key, (low, high) in table.get("fitted_range", {}).items()}),
        source=Source(**table.get("source", {"title": "", "where": ""})),
        caveats=tuple(table.get("caveats", ())),
        draws=_draws(table.get("draws"), family, where),
    )


def law_to_toml(law: Law) -> str:
    """The law as TOML, coefficients with every digit, draws with nine."""
    lines = [f'schema = "{SCHEMA}"']
    for key in ("id", "title"):
        lines.append(f"{key} = {_text(getattr(law, key))}")
    lines.append(f"family = {_text(law.family.name)}")
    lines.append(f"caveats = {_list(law.caveats)}")
    lines += ["", f"# {law.family.formula}", "[coefficients]"]
    lines += [f"{name} = {law.coefficients[name]!r}" for name in law.family.names]
    lines += ["", "[conventions]"] + [f"{key} = {_text(value)}" for key, value in law.conventions.to_dict().items()]
    lines += ["", "[fitted_range]"]
    spans = {key: getattr(law.fitted_range, key) for key in ("params", "tokens", "flops")}
    lines += [f"{key} = [{low!r}, {high!r}]" for key, (low, high) in ((k, s) for k, s in spans.items() if s)]
    lines += ["", "[source]"]
    lines += [f"{key} = {_text(getattr(law.source, key))}" for key in ("title", "where", "arxiv", "verified")]
    if law.draws is not None:
        lines += ["", "# Row i of all of these is one plausible law: carry rows, take quantiles last.", "[draws]"]
        lines += [f"{name} = [{_row(law.draws[name])}]" for name in law.family.names]
    return "\n".join(lines) + "\n"


def write_law(law: Law, path: Path | str) -> None:
    """Write a law, whole or not at all."""
    write_atomic(Path(path), law_to_toml(law))


def _numbers(table: Mapping[str, Any], family: Family, where: str) -> dict[str, float]:
    missing = [name for name in family.names if name not in table]
    if missing:
        raise UsageError(f"{where} lacks the coefficient {', '.join(missing)} of the family {family.name}.")
    return {name: float(table[name]) for name in family.names}


def _draws(table: Mapping[str, Any] | None, family: Family, where: str) -> dict[str, FloatArray] | None:
    if table is None:
        return None
    draws = {name: np.asarray(table.get(name, ()), dtype=np.float64) for name in family.names}
    if len({column.size for column in draws.values()}) != 1 or not draws[family.names[0]].size:
        raise UsageError(f"{where} has draws of unequal length; they are joint, one row per law.")
    return draws


def _text(value: str) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(value, ensure_ascii=False)


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _row(values: FloatArray) -> str:
    # Shortest of fixed and exponent notation; a TOML float needs a point or an exponent.
    return ", ".join(repr(float(f"{value:.{DRAW_DIGITS}g}")) for value in values)

"""Laws as TOML: one file holds a whole law, with its joint draws, and can be mailed."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.conventions import Conventions
from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.laws._family import Family
from isoflop.laws._law import FittedRange, FloatArray, FormError, Law, Source

SCHEMA = "isoflop.law/1"
FORM_ERROR = ("scale", "flops", "learned")
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
        raise UsageError(
            f"{where} is of family {name!r}; this isoflop knows {', '.join(sorted(families))}; "
            "name the file of a family of your own, as in --family my_laws.py:FAMILY."
        )
    caveats = table.get("caveats", [])
    if not isinstance(caveats, list):
        raise UsageError(f"{where} says caveats = {caveats!r}; write a list of sentences.")
    return Law(
        id=word(table, "id", where),
        title=word({"title": "", **table}, "title", where),
        family=family,
        coefficients=_coefficients(_section(table, "coefficients", family.names, where), family, where),
        conventions=conventions(table, where),
        fitted_range=fitted_range(table, where),
        source=source(table, where),
        caveats=tuple(map(str, caveats)),
        draws=_draws(_section(table, "draws", family.names, where), family, where) if "draws" in table else None,
        form_error=_form_error(_section(table, "form_error", FORM_ERROR, where), where)
        if "form_error" in table
        else None,
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
    if law.form_error is not None:
        lines += [
            "",
            "# Error of ln L at the level .9 for a jump of e in compute, from backtests on the runs.",
            "[form_error]",
        ]
        lines += [f"scale = {law.form_error.scale!r}", f"flops = {law.form_error.flops!r}"]
        lines += [f"learned = {str(law.form_error.learned).lower()}"]
    if law.draws is not None:
        lines += ["", "# Row i of all of these is one plausible law: carry rows, take quantiles last.", "[draws]"]
        lines += [f"{name} = [{_row(law.draws[name])}]" for name in law.family.names]
    return "\n".join(lines) + "\n"


def write_law(law: Law, path: Path | str) -> None:
    """Write a law, whole or not at all."""
    write_atomic(Path(path), law_to_toml(law))


def _names(kind: type[Conventions | FittedRange | Source]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _section(table: Mapping[str, Any], name: str, known: Sequence[str], where: str) -> Mapping[str, Any]:
    """The table called ``name``, empty where there is none, with no key that is not known."""
    section = table.get(name, {})
    if not isinstance(section, dict):
        raise UsageError(f"{where} says {name} = {section!r}; write it as a table, [{name}].")
    unknown = [key for key in section if key not in known]
    if unknown:
        raise UsageError(f"{where} has {unknown[0]!r} in [{name}]; there belong {', '.join(known)}.")
    return section


def word(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        seen = f"says {key} = {value!r}" if key in table else f"has no {key}"
        raise UsageError(f'{where} {seen}; write words in quotes, as in {key} = "mine".')
    return value


def _number(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(f"{where} says {key} = {value!r}, which is not a finite number.")
    return float(value)


def _coefficients(section: Mapping[str, Any], family: Family, where: str) -> dict[str, float]:
    missing = [name for name in family.names if name not in section]
    if missing:
        raise UsageError(f"{where} lacks the coefficient {', '.join(missing)} of the family {family.name}.")
    values = {name: _number(section[name], name, where) for name in family.names}
    for coefficient in family.coefficients:
        value = values[coefficient.name]
        if not coefficient.lower <= value <= coefficient.upper:
            raise UsageError(
                f"{where} says {coefficient.name} = {value:g}; in the family {family.name} it lies between "
                f"{coefficient.lower:g} and {coefficient.upper:g}."
            )
    return values


def conventions(table: Mapping[str, Any], where: str) -> Conventions:
    section = _section(table, "conventions", _names(Conventions), where)
    try:
        return Conventions.from_dict({key: word(section, key, where) for key in section})
    except ValueError as error:
        raise UsageError(f"{where}, in [conventions]: {error}; isoflop laws ID shows how one is written.") from None


def fitted_range(table: Mapping[str, Any], where: str) -> FittedRange:
    spans = {}
    section = _section(table, "fitted_range", _names(FittedRange), where)
    for key, ends in section.items():
        if not isinstance(ends, list) or len(ends) != 2:
            raise UsageError(
                f"{where} says {key} = {ends!r} in [fitted_range]; write the two ends, as in [1e18, 1e21]."
            )
        spans[key] = (_number(ends[0], key, where), _number(ends[1], key, where))
    return FittedRange(**spans)


def source(table: Mapping[str, Any], where: str) -> Source:
    section = _section(table, "source", _names(Source), where)
    return Source(**{"title": "", "where": ""} | {key: word(section, key, where) for key in section})


def _form_error(section: Mapping[str, Any], where: str) -> FormError:
    scale, flops = (_number(section.get(key), key, where) for key in ("scale", "flops"))
    if scale < 0 or flops <= 0:
        raise UsageError(f"{where} says scale = {scale:g} and flops = {flops:g} in [form_error]; neither can be.")
    return FormError(scale, flops, bool(section.get("learned", True)))


def _draws(section: Mapping[str, Any], family: Family, where: str) -> dict[str, FloatArray]:
    draws = {}
    for name in family.names:
        column = section.get(name, [])
        if not isinstance(column, list):
            raise UsageError(f"{where} says {name} = {column!r} in [draws]; write a list of numbers.")
        draws[name] = np.array([_number(value, name, where) for value in column], dtype=np.float64)
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

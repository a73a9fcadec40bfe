"""Tables of study.toml as frozen dataclasses: each key by its name and the type of its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from isoflop.errors import UnknownName, UsageError

_Settings = TypeVar("_Settings")
AT_LEAST_ONE: Mapping[str, Any] = {"least": 1}
"""The metadata of a field that is no number below."""


def refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: {UnknownName.among('key', key, known)}")


def table_in(table: Mapping[str, Any], key: str, where: object) -> dict[str, Any]:
    """The table under a key, {} where there is none; UsageError for something else."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {key} is {value!r}, not a table; write it as [{key}].")
    return value


def settings(kind: type[_Settings], table: Mapping[str, Any], where: str) -> _Settings:
    """The dataclass ``kind``, all of whose fields have defaults, with what the table says; UsageError for a key that
    there is not, or a value of another type than the default's."""
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    refuse_unknown(table, set(known), where)
    return kind(**{key: _value(value, known[key], f"{where}: {key}") for key, value in table.items()})


def unusual(row: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults."""
    return {
        field.name: getattr(row, field.name) for field in fields(row) if getattr(row, field.name) != _default(field)
    }


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _value(value: Any, field: Field[Any], where: str) -> Any:
    """``value`` as the type of the field's default has it."""
    default = _default(field)
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise UsageError(f"{where} is {value!r}; give true or false.")
    if isinstance(default, int | float):
        whole, least = isinstance(default, int), field.metadata.get("least", 0)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not least <= value < 1e18:
            raise UsageError(f"{where} is {value!r}; give a {'whole ' if whole else ''}number from {least} up.")
        return value if whole else float(value)
    if isinstance(default, str):
        if isinstance(value, str) and "\n" not in value:
            return value
        raise UsageError(f"{where} is {value!r}; give a word in quotes.")
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(one, str) and "\n" not in one for one in value):
            return tuple(value)
        raise UsageError(f"{where} is {value!r}; give a list of lines in quotes.")
    return _by_name(value, field.metadata.get("values", "labels"), where)


def _by_name(value: Any, kind: str, where: str) -> dict[str, Any]:
    """A table by names: of numbers, of words that a shell takes as variables, or of labels, which are either: as the
    metadata of the field says."""
    in_numbers, in_words = kind == "numbers", kind == "variables"
    example = "{ a100 = 1 }" if in_numbers else '{ NAME = "value" }'
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r}; give a table, as in {example}.")
    for name, one in value.items():
        is_number = isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one < 1e18
        is_word = isinstance(one, str) and "\n" not in one and (name.isidentifier() or not in_words)
        if not ((is_number and not in_words) or (is_word and not in_numbers)):
            raise UsageError(f"{where} has {name} = {one!r}; write it as in {example}.")
    return {name: float(one) for name, one in value.items()} if in_numbers else value

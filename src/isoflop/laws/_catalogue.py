"""The published laws, rules and records that come with isoflop: one TOML each, whose folder says what it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np

from isoflop.errors import UnknownName, UsageError
from isoflop.laws._entries import Record, Rule, entry_from_toml
from isoflop.laws._family import Family
from isoflop.laws._file import law_from_toml
from isoflop.laws._law import Law

FOLDERS = ("", "rules", "records")
Entry = Law | Rule | Record


@cache
def entries() -> Mapping[str, str]:
    """Id -> folder of everything in the catalogue.

    >>> entries()["steplaw2025"], entries()["besiroglu2024"]
    ('rules', '')
    """
    root = resources.files(__package__) / "catalogue"
    found = [(file.name, folder) for folder in FOLDERS for file in (root / folder).iterdir()]
    return {name.removesuffix(".toml"): folder for name, folder in sorted(found) if name.endswith(".toml")}


def kind(entry: Entry) -> str:
    """What an entry can be asked: "loss_and_split", "split" (no loss), "loss" (no split), "rule" or "record"."""
    if isinstance(entry, Rule):
        return "rule"
    if isinstance(entry, Record):
        return "record"
    if not (entry.has_optimum or {"params", "tokens"} <= set(entry.family.inputs)):
        return "loss"
    return "loss_and_split" if entry.has_loss else "split"


def read_entry(name: str, families: Mapping[str, Family]) -> Entry:
    """The law, rule or record of that id; UnknownName if there is none."""
    if name not in entries():
        raise UnknownName.among("law", name, entries(), "isoflop laws")
    folder = resources.files(__package__) / "catalogue" / entries()[name]
    text, where = (folder / f"{name}.toml").read_text(encoding="utf-8"), f"the catalogue's {name}.toml"
    if entries()[name]:
        return entry_from_toml(text, where)
    law, draws = law_from_toml(text, where, families), folder / f"{name}.npz"
    if not draws.is_file():
        return law
    # Four thousand draws as text would cost a plan a tenth of a second.
    with np.load(io.BytesIO(draws.read_bytes()), allow_pickle=False) as columns:
        return replace(law, draws={key: columns[key] for key in law.family.names})


def read_published_law(name: str, families: Mapping[str, Family]) -> Law:
    """The law of that id; UsageError for a rule or a record, which have no loss and no split of a budget."""
    if entries().get(name):
        kind = entries()[name].removesuffix("s")
        raise UsageError(f"{name} is a {kind}, not a law to plan with; isoflop laws {name} shows what it says.")
    if name not in entries():
        laws = [key for key, folder in entries().items() if not folder]
        raise UnknownName.among("law", name, laws, "isoflop laws")
    law = read_entry(name, families)
    assert isinstance(law, Law)
    return law

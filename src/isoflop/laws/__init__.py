"""What may be true: families of laws, the laws that people have published, and laws in files."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from isoflop.errors import UnknownName, UsageError
from isoflop.laws._catalogue import entries, kind, read_entry, read_published_law
from isoflop.laws._counting import OMEGA, Recounted, convert, embedding_scale, local_exponent
from isoflop.laws._entries import Power, Record, Rule
from isoflop.laws._facts import facts
from isoflop.laws._family import Coefficient, Coefficients, Family
from isoflop.laws._file import law_from_toml, law_to_toml, write_law
from isoflop.laws._law import FittedRange, FormError, Law, Optimum, Source
from isoflop.laws._user import family_from_file

__all__ = [
    "OMEGA",
    "Coefficient",
    "Coefficients",
    "Family",
    "FittedRange",
    "FormError",
    "Law",
    "Optimum",
    "Power",
    "Record",
    "Recounted",
    "Rule",
    "Source",
    "catalogue",
    "convert",
    "embedding_scale",
    "entries",
    "entry",
    "facts",
    "families",
    "family",
    "family_from_file",
    "kind",
    "law",
    "law_to_toml",
    "local_exponent",
    "read_law",
    "write_law",
]


@cache
def families() -> dict[str, Family]:
    """Every family, by name: a module of this package each, or a few that differ in one input; found by looking.

    >>> "chinchilla" in families(), "kaplan" in families()
    (True, True)
    """
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [family for module in modules for family in getattr(module, "FAMILIES", None) or (module.FAMILY,)]
    return {family.name: family for family in found}


def family(name: str) -> Family:
    """The family of that name; UnknownName if there is none."""
    if name not in families():
        raise UnknownName.among("family", name, families())
    return families()[name]


def catalogue() -> tuple[str, ...]:
    """The ids of the published laws that come with isoflop; ``entries`` holds rules and records too.

    >>> len([name for name in catalogue() if name.startswith("hoffmann2022")])
    4
    """
    return tuple(name for name, folder in entries().items() if not folder)


def law(name: str) -> Law:
    """A published law by its id; UnknownName if there is none, UsageError for a rule or a record.

    >>> best = law("besiroglu2024").optimum(5.76e23)
    >>> f"{best.params:.4g} parameters on {best.tokens:.4g} tokens"
    '7.225e+10 parameters on 1.329e+12 tokens'
    """
    return read_published_law(name, families())


def entry(name: str) -> Law | Rule | Record:
    """Anything of the catalogue by its id: a law, a rule for hyper-parameters, or a record.

    >>> rule = entry("steplaw2025")
    >>> {name: f"{value:.3g}" for name, value in rule.predict(params=7e9, tokens=1.4e12).items()}
    {'learning_rate': '0.000917', 'batch_tokens': '5e+06'}
    """
    return read_entry(name, families())


def read_law(path: Path | str, *own: Family) -> Law:
    """Read a law from a TOML file that ``write_law`` or ``isoflop fit -o`` made; ``own`` are families of one's own."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no law file {path}; isoflop laws lists the published ones.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the law file {path}: {error}.") from error
    return law_from_toml(text, str(path), families() | {one.name: one for one in own})

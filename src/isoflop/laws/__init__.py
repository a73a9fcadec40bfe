"""What may be true: families of laws, the laws that people have published, and laws in files."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib import resources
from pathlib import Path

from isoflop.errors import UnknownName, UsageError
from isoflop.laws._family import Coefficient, Coefficients, Family
from isoflop.laws._file import law_from_toml, law_to_toml, write_law
from isoflop.laws._law import FittedRange, FormError, Law, Optimum, Source
from isoflop.laws._user import family_from_file

__all__ = [
    "Coefficient",
    "Coefficients",
    "Family",
    "FittedRange",
    "FormError",
    "Law",
    "Optimum",
    "Source",
    "catalogue",
    "families",
    "family",
    "family_from_file",
    "law",
    "law_to_toml",
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


@cache
def catalogue() -> tuple[str, ...]:
    """The ids of the published laws that come with isoflop.

    >>> catalogue()
    ('besiroglu2024', 'hoffmann2022', 'hoffmann2022_rounded')
    """
    files = (resources.files(__name__) / "catalogue").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def law(name: str) -> Law:
    """A published law by its id; UnknownName if there is none.

    >>> best = law("besiroglu2024").optimum(5.76e23)
    >>> f"{best.params:.4g} parameters on {best.tokens:.4g} tokens"
    '7.225e+10 parameters on 1.329e+12 tokens'
    """
    if name not in catalogue():
        raise UnknownName.among("law", name, catalogue())
    text = (resources.files(__name__) / "catalogue" / f"{name}.toml").read_text(encoding="utf-8")
    return law_from_toml(text, f"the catalogue's {name}.toml", families())


def read_law(path: Path | str) -> Law:
    """Read a law from a TOML file that ``write_law`` or ``isoflop fit -o`` made."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no law file {path}; isoflop laws lists the published ones.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the law file {path}: {error}.") from error
    return law_from_toml(text, str(path), families())

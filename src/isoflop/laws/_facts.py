"""An entry of the catalogue as plain data, for those who show it."""

from __future__ import annotations

from typing import Any

from isoflop.laws._catalogue import Entry, kind
from isoflop.laws._entries import Record, Rule
from isoflop.laws._law import Law


def facts(entry: Entry) -> dict[str, Any]:
    """Everything that is known of an entry of the catalogue, as plain JSON types.

    >>> from isoflop import laws
    >>> facts(laws.entry("besiroglu2024"))["family"]
    'chinchilla'
    """
    about: dict[str, Any] = {"id": entry.id, "title": entry.title, "kind": kind(entry)}
    if isinstance(entry, Law):
        about |= {"family": entry.family.name, "formula": entry.family.formula}
        about |= {"coefficients": dict(entry.coefficients)}
        about |= {"draws_n": 0 if entry.draws is None else len(next(iter(entry.draws.values())))}
    elif isinstance(entry, Rule):
        about |= {"formula": entry.formula}
        about |= {
            "outputs": {
                key: {"coefficient": power.coefficient, "exponents": dict(power.exponents)}
                for key, power in entry.outputs.items()
            }
        }
    else:
        about |= {"formula": entry.formula, "constants": dict(entry.constants)}
    if not isinstance(entry, Record):
        about |= {"conventions": entry.conventions.to_dict(), "fitted_range": dict(vars(entry.fitted_range))}
    return {**about, "source": dict(vars(entry.source)), "caveats": list(entry.caveats)}

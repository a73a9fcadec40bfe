"""Neural scaling laws, done carefully: from runs to a law, from a law to a plan.

>>> import isoflop as iso
>>> best = iso.law("besiroglu2024").optimum(1e24)
>>> f"{best.params / 1e9:.0f}B parameters on {best.tokens / 1e12:.2f}T tokens"
'96B parameters on 1.74T tokens'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
    from isoflop.errors import DataError, IsoflopError, QuantityError, TableError, UnknownName, UsageError
    from isoflop.fitting import Approaches, Fit, fit, fit_all
    from isoflop.laws import Law, catalogue, law, read_law, write_law
    from isoflop.planning import Asked, Demand, Plan, plan, plans
    from isoflop.runs import Runs, read_runs, with_convention
    from isoflop.sweeps.designed import design
    from isoflop.sweeps.simulate import simulate

__all__ = [
    "Approaches",
    "Asked",
    "Conventions",
    "DataError",
    "Demand",
    "Fit",
    "FlopsConvention",
    "IsoflopError",
    "Law",
    "LossUnit",
    "ParamsConvention",
    "Plan",
    "QuantityError",
    "Runs",
    "TableError",
    "UnknownName",
    "UsageError",
    "catalogue",
    "design",
    "fit",
    "fit_all",
    "law",
    "plan",
    "plans",
    "read_law",
    "read_runs",
    "simulate",
    "with_convention",
    "write_law",
]

# Where each name lives. Importing isoflop imports none of these: the command line starts in a tenth of
# the time, and whoever only plans never loads SciPy.
_HOMES = {
    "isoflop.conventions": ("Conventions", "FlopsConvention", "LossUnit", "ParamsConvention"),
    "isoflop.errors": ("DataError", "IsoflopError", "QuantityError", "TableError", "UnknownName", "UsageError"),
    "isoflop.fitting": ("Approaches", "Fit", "fit", "fit_all"),
    "isoflop.laws": ("Law", "catalogue", "law", "read_law", "write_law"),
    "isoflop.planning": ("Asked", "Demand", "Plan", "plan", "plans"),
    "isoflop.runs": ("Runs", "read_runs", "with_convention"),
    "isoflop.sweeps.designed": ("design",),
    "isoflop.sweeps.simulate": ("simulate",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'isoflop' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__

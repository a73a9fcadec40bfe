"""A specification curve: the same question under every choice an analyst could defend.

Li et al. 2025 (arXiv 2502.18969) found that papers seldom state the criterion, its delta, the rule for outliers, the
count of parameters, or which small runs were cut, and that each moves the answer. Here they are varied together
and the question is the one that money is spent on: N* at a budget. An interval that is narrower than this spread is
an interval of one specification.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from isoflop.conventions import ParamsConvention
from isoflop.errors import DataError, IsoflopError
from isoflop.fitting.fit import fit
from isoflop.fitting.judgement import ROBUST
from isoflop.fitting.result import Fit
from isoflop.laws import Family
from isoflop.quantities import format_flops, format_si
from isoflop.runs import Runs, with_convention

CRITERIA = (("huber", 1e-3), ("huber", 1e-2), ("least_squares", 1e-3), ("absolute", 1e-3))
CUTS = (0.0, 0.2)
"""Share of the runs of least compute that is left out."""
OUTLIER_RULES = (None, 5.0)
"""Residuals beyond this many robust standard deviations of a first fit are left out; None keeps all."""


@dataclass(frozen=True)
class Specification:
    """One set of choices, and the compute-optimal parameters and loss it leads to (None where it has no law)."""

    objective: str
    delta: float | None
    convention: str
    cut: float
    outliers: float | None
    n_runs: int
    params: float | None
    loss: float | None

    @property
    def criterion(self) -> str:
        return self.objective if self.delta is None else f"{self.objective} {self.delta:g}"

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class SpecificationCurve:
    """All specifications of one question, smallest N* first; those without a law last."""

    flops: float
    rows: tuple[Specification, ...]

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest N* in any convention that the table allows."""
        found = [row.params for row in self.rows if row.params is not None]
        if not found:
            raise DataError("no specification gives a law: see the verdict of the plain fit.")
        return min(found), max(found)

    def summary(self) -> str:
        """What each choice does to N*, as the ratio of its median to the median of all."""
        low, high = self.spread
        found = [row for row in self.rows if row.params is not None]
        middle = float(np.median([row.params for row in found if row.params is not None]))
        lines = [
            f"N* at {format_flops(self.flops)} FLOPs under {len(found)} of {len(self.rows)} specifications: "
            f"{format_si(low)} to {format_si(high)}, median {format_si(middle)}"
        ]
        for choice in ("criterion", "convention", "cut", "outliers"):
            values = list(dict.fromkeys(getattr(row, choice) for row in found))
            if len(values) > 1:
                medians = [np.median([r.params for r in found if getattr(r, choice) == value]) for value in values]
                shown = ", ".join(f"{_said(v)} {m / middle:.2f}x" for v, m in zip(values, medians, strict=True))
                lines.append(f"  {choice:<11}{shown}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        return {"flops": self.flops, "spread": self.spread, "rows": [row.to_dict() for row in self.rows]}


def specification_curve(runs: Runs, flops: float, family: str | Family = "chinchilla") -> SpecificationCurve:
    """Fit ``family`` under every combination of criterion, outlier rule, convention and cut of the smallest runs.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> curve = specification_curve(runs, 1e24)
    >>> low, high = curve.spread
    >>> len(curve.rows), round(high / low, 3)
    (16, 1.0)
    """
    rows = []
    for (name, table), cut in product(_tables(runs).items(), CUTS):
        kept = table.take(table.flops >= np.quantile(table.flops, cut))
        for (objective, delta), outliers in product(CRITERIA, OUTLIER_RULES):
            found = _fitted(kept, family, objective, delta, outliers)
            best = None if found.fitted is None else found.law.optimum(flops)
            rows.append(
                Specification(
                    objective,
                    delta if objective == "huber" else None,
                    name,
                    cut,
                    outliers,
                    len(found.runs),
                    None if best is None else float(best.params),
                    None if best is None else float(best.loss),
                )
            )
    return SpecificationCurve(flops, tuple(sorted(rows, key=lambda row: (row.params is None, row.params or 0.0))))


def _tables(runs: Runs) -> dict[str, Runs]:
    """The runs under every convention of N that the table can be read in."""
    tables = {str(runs.conventions.params): runs}
    for convention in (ParamsConvention.TOTAL, ParamsConvention.NON_EMBEDDING):
        try:
            tables.setdefault(str(convention), with_convention(runs, convention))
        except IsoflopError:  # the table has no column for this count
            continue
    return tables


def _fitted(runs: Runs, family: str | Family, objective: str, delta: float, outliers: float | None) -> Fit:
    first = fit(runs, family, draws=0, objective=objective, delta=delta)
    if outliers is None or first.fitted is None:
        return first
    residual = np.log(first.law.predict(runs.params, runs.tokens) / runs.loss)
    deviation = np.abs(residual - np.median(residual))
    kept = deviation <= outliers * ROBUST * max(float(np.median(deviation)), 1e-9)
    return first if kept.all() else fit(runs.take(kept), family, draws=0, objective=objective, delta=delta)


def _said(value: Any) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

"""One set of runs, three ways to count N, three exponents: the Kaplan-Chinchilla gap in a table."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.conventions import ParamsConvention
from isoflop.fitting.result import Fit, Span


@dataclass(frozen=True)
class CountingRow:
    """The allocation exponents of approach 2 when N is counted in one way."""

    convention: ParamsConvention
    a: float
    a_interval: Span | None
    b: float
    b_interval: Span | None


def counting_row(fit: Fit) -> CountingRow:
    """Read the exponents off a fit; DataError when the fit was refused."""
    allocation = fit.law.allocation()
    assert allocation is not None  # approach 2 has a closed form
    return CountingRow(
        convention=fit.runs.conventions.params,
        a=allocation[0],
        a_interval=fit.intervals.get("a"),
        b=allocation[1],
        b_interval=fit.intervals.get("b"),
    )

"""One table, several parameter counts: putting another of them in the place of N."""

from __future__ import annotations

from dataclasses import replace

from isoflop.conventions import FlopsConvention, ParamsConvention
from isoflop.errors import UnknownName
from isoflop.runs.table import Runs


def with_convention(runs: Runs, params: ParamsConvention) -> Runs:
    """The same runs with N counted by another convention, from the column that holds that count.

    FLOPs counted as 6 N D follow N; FLOPs counted any other way stay. Raises UnknownName when the
    table does not hold the count.

    >>> runs = Runs([10, 20], [5, 5], [3, 2], columns={"params_total": [15, 25]})
    >>> with_convention(runs, ParamsConvention.TOTAL).params.tolist()
    [15.0, 25.0]
    """
    if params not in list(ParamsConvention):
        raise UnknownName.among("convention of N", str(params), map(str, ParamsConvention))
    params = ParamsConvention(params)
    if runs.conventions.params == params:
        return runs
    name = f"params_{params}"
    if name not in runs.columns:
        known = [f"params_{c}" for c in ParamsConvention if f"params_{c}" in runs.columns]
        there = f"it holds {', '.join(known)}" if known else "it holds no count but params itself"
        raise UnknownName(f"{runs.source} has no column {name!r} to count N by; {there}.")
    counted_before = f"params_{runs.conventions.params}"
    kept = {} if runs.conventions.params == "unstated" else {counted_before: runs.params}
    six_nd = runs.conventions.flops == FlopsConvention.SIX_ND
    return Runs(
        params=runs.columns[name],
        tokens=runs.tokens,
        loss=runs.loss,
        flops=None if six_nd else runs.flops,
        columns={**kept, **runs.columns},
        conventions=replace(runs.conventions, params=params),
        source=runs.source,
        dropped=runs.dropped,
    )

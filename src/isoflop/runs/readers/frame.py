"""Runs in a data frame of pandas, polars or Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoflop.errors import TableError
from isoflop.runs.columns import Column, RawTable, column_from_values, is_a_name


def read_frame(frame: Any) -> RawTable:
    """The frame's columns; rows are counted from 0, as the frame counts them."""
    import narwhals as nw  # Only here: nobody else pays for it.

    try:
        table = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        kind = type(frame).__name__
        raise TableError(f"a {kind} is not a data frame; give one of pandas, polars or Arrow.") from error
    columns: dict[str, Column] = {}
    for name in table.columns:
        series = table[name]
        if series.dtype.is_numeric() and not is_a_name(str(name)):
            columns[str(name)] = series.cast(nw.Float64).to_numpy().astype(np.float64)
        else:
            columns[str(name)] = column_from_values(str(name), series.to_list())
    return RawTable(source="the data frame", columns=columns, rows=np.arange(len(table)))

"""Runs in a Parquet file (extra: parquet)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isoflop.errors import TableError
from isoflop.runs.columns import RawTable
from isoflop.runs.readers.frame import read_frame


def read_parquet(path: Path) -> RawTable:
    """The file's columns; rows are counted from 0, since a Parquet file has no lines."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise TableError(f"{path} is Parquet, and pyarrow is not installed; pip install 'isoflop[parquet]'.") from error
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise TableError(f"{path} is not a Parquet file that can be read: {str(error).rstrip('.')}.") from error
    return replace(read_frame(table), source=str(path))

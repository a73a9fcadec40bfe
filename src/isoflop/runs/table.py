"""The table of runs: what was observed, checked once at the door and trusted afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.conventions import Conventions, FlopsConvention
from isoflop.display import Displayed
from isoflop.errors import TableError, UnknownName
from isoflop.files import write_atomic
from isoflop.runs.assemble import OPTIONAL, DroppedRun, assemble, positive_numbers, six_nd
from isoflop.runs.columns import Column, as_csv, column_from_array
from isoflop.runs.readers.frame import read_frame
from isoflop.runs.where import select

__all__ = ["DroppedRun", "FloatArray", "Runs"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, init=False)
class Runs(Displayed):
    """Finished training runs, one per row.

    ``params`` (N), ``tokens`` (D) and ``loss`` (L) are positive float64 arrays of one length; ``flops``
    (C) is taken as 6 N D when it is not given. ``columns`` holds every further column (float64 where
    all cells are numbers, str otherwise). ``conventions`` says what N, C and L mean. The arrays are
    read-only copies. Raises TableError for a number that is not positive and finite; the columns ``budget``
    and ``loss_noise``, where there are any, hold such numbers too.

    >>> runs = Runs(params=[1e8, 2e8], tokens=[2e9, 1e9], loss=[3.1, 3.0])
    >>> len(runs), runs.flops.tolist(), str(runs.conventions.flops)
    (2, [1.2e+18, 1.2e+18], 'six_nd')
    """

    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    flops: FloatArray
    columns: Mapping[str, Column] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)
    source: str = "memory"
    dropped: tuple[DroppedRun, ...] = ()

    def __init__(
        self,
        params: ArrayLike,
        tokens: ArrayLike,
        loss: ArrayLike,
        flops: ArrayLike | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
        conventions: Conventions | None = None,
        source: str = "memory",
        dropped: tuple[DroppedRun, ...] = (),
    ) -> None:
        conventions = Conventions() if conventions is None else conventions
        N, D, L = (_checked(*pair, source) for pair in (("params", params), ("tokens", tokens), ("loss", loss)))
        if flops is None:
            _same_length({"params": N, "tokens": D}, source)
            C = six_nd(N, D, np.arange(len(N)), source)
            conventions = replace(conventions, flops=FlopsConvention.SIX_ND)
        else:
            C = _checked("flops", flops, source)
        others = {
            name: _checked(name, column, source) if name in OPTIONAL else column_from_array(name, column)
            for name, column in (columns or {}).items()
        }
        _same_length({"params": N, "tokens": D, "loss": L, "flops": C, **others}, source)
        for column in (N, D, L, C, *others.values()):
            column.setflags(write=False)
        facts = {"params": N, "tokens": D, "loss": L, "flops": C, "columns": MappingProxyType(others)}
        for name, value in (facts | {"conventions": conventions, "source": source, "dropped": dropped}).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_frame(cls, frame: Any, columns: Mapping[str, str] | None = None, where: str | None = None) -> Runs:
        """Runs from a pandas, polars or Arrow table; ``columns`` maps our names to the frame's.

        >>> import pandas as pd
        >>> frame = pd.DataFrame({"n": [1e8, 2e8], "tokens": [2e9, 1e9], "loss": [3.1, 3.0]})
        >>> len(Runs.from_frame(frame, columns={"params": "n"}, where="loss < 3.05"))
        1
        """
        return cls(**assemble(read_frame(frame), columns or {}, where))

    def __len__(self) -> int:
        return len(self.params)

    def column(self, name: str) -> Column:
        """A column by name; raises UnknownName."""
        everything = self._everything()
        if name not in everything:
            raise UnknownName.among("column", name, everything)
        return everything[name]

    def where(self, expression: str) -> Runs:
        """The runs for which an expression holds, as in ``"flops < 1e21 and family == 'chinchilla'"``."""
        return self.take(select(expression, self._everything()))

    def parted(self, expression: str) -> tuple[Runs, Runs]:
        """The runs for which an expression holds, and the others."""
        held = np.asarray(select(expression, self._everything()), dtype=bool)
        return self.take(held), self.take(~held)

    def take(self, rows: ArrayLike) -> Runs:
        """The runs that a mask or an array of indices picks."""
        picked = np.asarray(rows) if np.size(rows) else np.array([], dtype=np.intp)  # NumPy reads [] as floats
        return replace(
            self,
            params=self.params[picked],
            tokens=self.tokens[picked],
            loss=self.loss[picked],
            flops=self.flops[picked],
            columns={name: column[picked] for name, column in self.columns.items()},
        )

    def to_csv(self) -> str:
        """The table as CSV: run_id, the four numbers, the conventions, and the other columns in their order."""
        everything = self._everything()
        return as_csv({name: everything[name] for name in sorted(everything, key=lambda name: name != "run_id")})

    def write_csv(self, path: Path | str) -> None:
        """Write the table, whole or not at all."""
        write_atomic(Path(path), self.to_csv())

    def digest(self) -> str:
        """The SHA-256 of the table as CSV, in hex: what ``sha256sum`` says of the file that write_csv wrote."""
        return hashlib.sha256(self.to_csv().encode()).hexdigest()

    def _everything(self) -> dict[str, Column]:
        """All columns by name; a convention that is stated is a constant column."""
        stated = {
            "params_convention": self.conventions.params,
            "flops_convention": self.conventions.flops,
            "loss_unit": self.conventions.loss,
        }
        constants = {k: np.full(len(self), str(v)) for k, v in stated.items() if v != "unstated"}
        numbers = {"params": self.params, "tokens": self.tokens, "flops": self.flops, "loss": self.loss}
        return {**numbers, **constants, **self.columns}


def _checked(name: str, values: ArrayLike, source: str) -> FloatArray:
    """A private copy of a column of positive finite numbers; rows are counted from 0, as NumPy counts."""
    if (dimensions := np.ndim(values)) != 1:
        raise TableError(f"{source}: {name} has {dimensions} dimensions; give one number a run.")
    column = column_from_array(name, values)
    return positive_numbers(column, f"column {name!r}", np.arange(len(column)), source)


def _same_length(columns: Mapping[str, NDArray[Any]], source: str) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    (first, rows), *rest = lengths.items()
    for name, length in rest:
        if length != rows:
            raise TableError(f"{source}: {first} has {rows} rows and {name} {length}; give one value a run in each.")

"""The table of runs: what was observed, checked once at the door and trusted afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.conventions import Conventions

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class DroppedRun:
    """A row that is in the source and not in the table, and why."""

    row: int
    run_id: str
    reason: str


@dataclass(frozen=True, eq=False)
class Runs:
    """Finished training runs, one per row.

    ``params`` (N), ``tokens`` (D) and ``loss`` (L) are positive float64 arrays of one length; ``flops``
    (C) is taken as 6 N D when it is not given. ``columns`` holds every further column (float64 where
    all cells are numbers, str otherwise). ``conventions`` says what N, C and L mean.
    """

    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    flops: FloatArray
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)
    source: str = "memory"
    dropped: tuple[DroppedRun, ...] = ()

"""A design: which runs a study would make, each at N parameters and D tokens, and what they cost together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLOPS_PER_PARAM_AND_TOKEN = 6.0

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """Runs before they are made: arrays of one length, one entry a run.

    ``budgets`` are the isoFLOP budgets that the runs were laid out for, NaN for a run of none. ``trunks`` number the
    runs that share one training (WSD: a trunk, and branches that leave its plateau to decay), -1 for a run of its own;
    ``flops`` is what each run adds to the bill, which for a branch is its decay alone. A run that is repeated with
    another seed is another entry.

    >>> Design("mine", np.array([1e8]), np.array([2e9]), np.array([1.2e18]), np.array([np.nan]), np.array([-1])).cost
    1.2e+18
    """

    kind: str
    params: FloatArray
    tokens: FloatArray
    flops: FloatArray
    budgets: FloatArray
    trunks: NDArray[np.int64]

    @property
    def cost(self) -> float:
        """FLOPs of all runs together."""
        return float(self.flops.sum())

    def __len__(self) -> int:
        return len(self.params)


def of_runs(kind: str, params: FloatArray, tokens: FloatArray, budgets: FloatArray | None = None) -> Design:
    """A design of runs that share nothing, at 6 N D FLOPs each."""
    N, D = np.asarray(params, float), np.asarray(tokens, float)
    nominal = np.full(N.shape, np.nan) if budgets is None else np.asarray(budgets, float)
    return Design(kind, N, D, FLOPS_PER_PARAM_AND_TOKEN * N * D, nominal, np.full(N.shape, -1))

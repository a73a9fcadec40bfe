"""How far the loss moves when only the seed changes: the scale that approach 2's intervals stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Minimum
from isoflop.runs import Runs

FEWEST_FREEDOM = 3
"""Below three degrees of freedom a standard deviation is itself unknown to a factor of two."""


@dataclass(frozen=True)
class Noise:
    """A standard deviation of the loss between seeds, where it was measured, and on how many degrees of freedom.

    ``freedom`` is infinite for a value that the table states: how well it was measured is not known here.
    ``of_residuals`` says that the parabolas' own misfit is in it, so that it cannot judge them.
    """

    value: float
    source: str
    freedom: float
    of_residuals: bool = False

    def draw(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Plausible values of the standard deviation itself, so that few repeats give wide intervals."""
        if np.isinf(self.freedom):
            return np.full(draws, self.value)
        return np.asarray(self.value * np.sqrt(self.freedom / rng.chisquare(self.freedom, draws)))


def seed_noise(runs: Runs, minima: Sequence[Minimum]) -> Noise | None:
    """The best measurement of the noise that the table allows.

    In order of trust: repeated runs (same N and D, different ``seed``), a ``loss_noise`` column that
    carries a measurement made elsewhere, the residuals about the parabolas (which also hold the
    parabola's misfit). None when there is none of these.
    """
    return _from_repeats(runs) or _from_column(runs) or _from_residuals(runs, minima)


def _from_repeats(runs: Runs) -> Noise | None:
    """From cells of equal N and D whose runs all have different seeds; equal seeds were varied in something else."""
    if "seed" not in runs.columns:
        return None
    cells = np.unique(np.stack([runs.params, runs.tokens]), axis=1, return_inverse=True)[1]
    squares, freedom, count = 0.0, 0, 0
    for cell in np.flatnonzero(np.bincount(cells) > 1):
        rows = np.flatnonzero(cells == cell)
        if np.unique(runs.columns["seed"][rows]).size == rows.size:
            squares += float(((runs.loss[rows] - runs.loss[rows].mean()) ** 2).sum())
            freedom, count = freedom + rows.size - 1, count + rows.size
    if freedom < FEWEST_FREEDOM or not squares:
        return None
    return Noise(float(np.sqrt(squares / freedom)), f"{count} repeated runs", freedom)


def _from_column(runs: Runs) -> Noise | None:
    if "loss_noise" not in runs.columns:
        return None
    value = float(np.median(np.asarray(runs.columns["loss_noise"], float)))
    return Noise(value, "the table's column loss_noise", np.inf) if value > 0 else None


def _from_residuals(runs: Runs, minima: Sequence[Minimum]) -> Noise | None:
    squares, freedom = 0.0, 0
    for minimum in minima:
        if minimum.interior:
            used = np.array(minimum.used)
            squares += float(((runs.loss[used] - minimum.loss_at(runs.params[used])) ** 2).sum())
            freedom += used.size - 3
    value = float(np.sqrt(squares / freedom)) if freedom >= FEWEST_FREEDOM else 0.0
    return Noise(value, "the residuals about the parabolas", freedom, of_residuals=True) if value > 0 else None

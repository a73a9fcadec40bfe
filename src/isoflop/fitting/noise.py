"""How far the loss moves when only the seed changes: the scale that approach 2's intervals stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Minimum
from isoflop.runs import Runs


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

    In order of trust: repeated runs (same N and D), a ``loss_noise`` column that carries a measurement
    made elsewhere, the residuals about the parabolas (which also hold the parabola's misfit). None when
    the parabolas go through their runs exactly.
    """
    return _from_repeats(runs) or _from_column(runs) or _from_residuals(runs, minima)


def _from_repeats(runs: Runs) -> Noise | None:
    cells = np.unique(np.stack([runs.params, runs.tokens]), axis=1, return_inverse=True)[1]
    counts = np.bincount(cells)
    means = np.bincount(cells, runs.loss) / counts
    freedom = int((counts - 1).sum())
    if freedom < 3:  # below this a standard deviation is itself unknown to a factor of two
        return None
    value = float(np.sqrt(((runs.loss - means[cells]) ** 2).sum() / freedom))
    return Noise(value, f"{freedom + int((counts > 1).sum())} repeated runs", freedom) if value > 0 else None


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
    value = float(np.sqrt(squares / freedom)) if freedom else 0.0
    return Noise(value, "the residuals about the parabolas", freedom, of_residuals=True) if value > 0 else None

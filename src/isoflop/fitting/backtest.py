"""Fit on the smaller budgets, predict the runs above, say how wrong: what forecasts from a table are worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError
from isoflop.fitting.compare import baselines, refuse_one_loss
from isoflop.fitting.extrapolate import Extrapolation, Table, bootstrap_half_width, extrapolate, gather
from isoflop.fitting.fit import DRAWS, LEVEL, fit
from isoflop.fitting.objective import FloatArray
from isoflop.quantities import format_flops, format_level
from isoflop.runs import Runs

SCHEMA = "isoflop.backtest/1"
JUMPS = (3.0, 8.0, 30.0, 100.0)
FEWEST_FITTED, FEWEST_ABOVE = 8, 2


@dataclass(frozen=True)
class Split:
    """One split in compute, judged on ``judged`` runs above ``fitted_up_to`` FLOPs.

    ``predicted``, ``interval`` and ``actual`` are the loss of the best run of the largest compute;
    ``relative_error`` is the mean over all runs above, of the pooled prediction; ``plain_error`` that of the certified
    fit alone (None where it was refused); ``hit_rate`` the share of the runs above inside their intervals;
    ``form_share`` the share of the squared width that is the form's error and not noise.
    """

    jump: float
    fitted_up_to: float
    fitted: int
    judged: int
    predicted: float
    interval: tuple[float, float]
    actual: float
    relative_error: float
    plain_error: float | None
    inside_interval: bool
    hit_rate: float
    form_share: float
    baselines: dict[str, float]


@dataclass(frozen=True)
class Backtest:
    """Every split that the table can carry, the shortest jump first."""

    source: str
    level: float
    splits: tuple[Split, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "source": self.source,
            "level": self.level,
            "splits": [asdict(split) for split in self.splits],
            "baselines": self.splits[0].baselines,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """A line a split, and what the errors are errors of."""
        header = f"  {'fitted up to':<14}{'runs':>6}{'above':>7}{'jump':>7}{'error':>9}{'plain fit':>11}"
        lines = [f"{self.source}: fitted below, judged above", f"{header}{'best so far':>13}{'line':>8}{'hits':>7}"]
        for split in self.splits:
            plain = "refused" if split.plain_error is None else f"{split.plain_error:.2%}"
            best, line = (f"{error:.2%}" for error in split.baselines.values())
            lines.append(
                f"  {format_flops(split.fitted_up_to):<14}{split.fitted:>6}{split.judged:>7}{split.jump:>6g}x"
                f"{split.relative_error:>9.2%}{plain:>11}{best:>13}{line:>8}{split.hit_rate:>7.0%}"
            )
        lines.append(
            "  error: mean |relative error| of the pooled prediction above the split; hits: runs inside its "
            f"{format_level(self.level)} interval"
        )
        return "\n".join(lines)


def backtest(
    runs: Runs,
    *,
    draws: int = DRAWS // 4,
    level: float = LEVEL,
    seed: int = 0,
    jumps: Sequence[float] = JUMPS,
) -> Backtest:
    """Split at 3, 8, 30 and 100 times below the largest compute, or other ``jumps``, as far as the table reaches.

    At each split everything is done anew with the runs below alone: the fit, its bootstrap, the inner backtests that
    teach the interval its width. Raises DataError where no split leaves eight runs below and two above.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 7)))
    >>> loss = 1.8 + 480 * N**-0.35 + 2100 * D**-0.37
    >>> found = backtest(iso.Runs(params=N, tokens=D, loss=loss), draws=50)
    >>> [split.plain_error < 1e-6 for split in found.splits]
    [True, True, True]
    """
    splits = []
    for jump in jumps:
        below = runs.flops <= runs.flops.max() / jump
        if below.sum() >= FEWEST_FITTED and (~below).sum() >= FEWEST_ABOVE:
            refuse_one_loss(runs)
            splits.append(_split(jump, runs.take(below), runs.take(~below), draws, level, seed))
    if not splits:
        raise DataError(
            f"{runs.source}: {len(runs)} runs cannot be split in compute into {FEWEST_FITTED} to fit and "
            f"{FEWEST_ABOVE} above to judge by; add runs at smaller or larger budgets."
        )
    return Backtest(runs.source, level, tuple(splits))


def _split(jump: float, below: Runs, above: Runs, draws: int, level: float, seed: int) -> Split:
    plain = fit(below, draws=draws, level=level, seed=seed)
    noise, plain_error = np.zeros(len(above)), None
    if plain.fitted is not None:
        said = plain.law.predict(above.params, above.tokens)
        plain_error = float(np.mean(np.abs(said / above.loss - 1)))
        predicted = plain.law.predict_draws(above.params, above.tokens)
        noise = noise if predicted is None else bootstrap_half_width(np.log(predicted), level)
    found = extrapolated(below, above.params, above.tokens, above.flops, noise, level)
    low, high = found.interval
    inside = (low <= above.loss) & (above.loss <= high)
    largest = above.flops >= above.flops.max() * 0.9
    last = int(np.flatnonzero(largest)[above.loss[largest].argmin()])
    pooled = np.exp(found.log_loss)
    return Split(
        jump=jump,
        fitted_up_to=float(below.flops.max()),
        fitted=len(below),
        judged=len(above),
        predicted=float(pooled[last]),
        interval=(float(low[last]), float(high[last])),
        actual=float(above.loss[last]),
        relative_error=float(np.mean(np.abs(pooled / above.loss - 1))),
        plain_error=plain_error,
        inside_interval=bool(inside[last]),
        hit_rate=float(inside.mean()),
        form_share=float(found.form_share[last]),
        baselines=baselines(below, above),
    )


def extrapolated(
    runs: Runs, params: FloatArray, tokens: FloatArray, flops: FloatArray, noise: FloatArray, level: float = LEVEL
) -> Extrapolation:
    """The pooled prediction at N, D and C, arrays of shape (Q,), with the error that this table's own backtests teach.

    Raises DataError where neither the surface nor a frontier line can be fitted.
    """
    evidence = gather(Table(runs.params, runs.tokens, runs.flops, runs.loss), params, tokens, flops)
    if not evidence.outer:
        raise DataError(f"{runs.source}: no surface and no frontier line fits these runs; see isoflop fit.")
    return extrapolate(evidence, noise, level)

"""Families against one another, judged by what they said of larger runs than they had seen.

A family with more coefficients fits better and need not predict better, so the judge is the error above the
split: fit on runs of at most a fraction of the largest compute, predict the rest. AIC and BIC of the fit to all
runs stand beside it, and so do two baselines without a family: any form that loses to those has nothing to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.fitting import diagnose
from isoflop.fitting.fit import FRONTIER, fit
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Fit
from isoflop.fitting.surface import inputs_of
from isoflop.laws import Family, Law
from isoflop.quantities import format_flops
from isoflop.runs import Runs

SCHEMA = "isoflop.compare/1"
JUMPS = (8.0, 4.0, 2.0)
"""Compute of the largest run over that of the largest fitted one: the first that leaves enough on both sides."""
FEWEST_BELOW, FEWEST_ABOVE = 8, 2
SAME_BUDGET = 1e-6


@dataclass(frozen=True)
class Compared:
    """One family: mean |relative error| above the split (None when refused below it), AIC and BIC of all runs."""

    family: str
    held_out_error: float | None
    aic: float | None
    bic: float | None
    verdict: str
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Comparison:
    """All families on one split: fitted up to ``fitted_up_to`` FLOPs, judged on ``judged`` runs above."""

    source: str
    fitted_up_to: float
    fitted: int
    judged: int
    families: tuple[Compared, ...]
    baselines: dict[str, float]

    @property
    def best(self) -> str | None:
        """The family of least held-out error, or None where none has one."""
        usable = [row for row in self.families if row.held_out_error is not None]
        return min(usable, key=lambda row: row.held_out_error or 0.0).family if usable else None

    @property
    def beats_baselines(self) -> bool:
        errors = [row.held_out_error for row in self.families if row.held_out_error is not None]
        return bool(errors) and min(errors) < min(self.baselines.values())

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "source": self.source,
            "fitted_up_to": self.fitted_up_to,
            "n_fitted": self.fitted,
            "n_held_out": self.judged,
            "families": [row.to_dict() for row in self.families],
            "baselines": self.baselines,
            "best": self.best,
            "beats_baselines": self.beats_baselines,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """A line a family, best first, then the baselines and what the comparison cannot say."""
        budget = format_flops(self.fitted_up_to)
        lines = [
            f"fitted to {self.fitted} runs up to {budget} FLOPs, judged on the {self.judged} above",
            f"  {'family':<24}{'error above':>12}{'AIC':>10}{'BIC':>10}  verdict",
        ]
        ordered = sorted(self.families, key=lambda row: (row.held_out_error is None, row.held_out_error or 0.0))
        lines += [
            f"  {row.family:<24}{_percent(row.held_out_error):>12}{_whole(row.aic):>10}{_whole(row.bic):>10}  "
            f"{row.verdict}{': ' + row.reason if row.reason else ''}"
            for row in ordered
        ]
        lines += [f"  {name:<24}{_percent(error):>12}" for name, error in self.baselines.items()]
        if self.best and not self.beats_baselines:
            lines.append("  no family does better than a baseline here: extrapolate none of them")
        elif self.judged < 5:
            lines.append(f"  {self.judged} held-out runs rank nothing firmly: add runs at larger budgets")
        return "\n".join(lines)


def compare(runs: Runs, families: Sequence[str | Family]) -> Comparison:
    """Fit every family below a split in compute and judge it above.

    The likelihood behind AIC and BIC is Laplace's of the log residuals, which least absolute deviation, and Huber
    with a small delta nearly, maximises; differences below 2 mean nothing. Raises DataError where the runs cannot
    be split, UsageError without two families.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> compare(runs, ["chinchilla", "chinchilla_shared"]).best
    'chinchilla'
    """
    if len(families) < 2:
        raise UsageError("a comparison needs two families; give --family twice or more.")
    names = [family if isinstance(family, str) else family.name for family in families]
    if len(set(names)) < len(names):
        raise UsageError(f"a family is named twice ({', '.join(names)}); give each once.")
    for family in families:
        if (family if isinstance(family, str) else family.name) == FRONTIER:
            raise UsageError("the family frontier has no loss off the frontier to be judged by; compare surfaces.")
    below = _split(runs)
    refuse_one_loss(runs)
    small, large = runs.take(below), runs.take(~below)
    rows = tuple(_compared(runs, small, large, family) for family in families)
    return Comparison(runs.source, float(small.flops.max()), len(small), len(large), rows, baselines(small, large))


def refuse_one_loss(runs: Runs) -> None:
    """DataError where every loss is the same: there is nothing to predict."""
    if note := diagnose.one_loss(runs):
        raise DataError(f"{runs.source}: {note.message}")


def _split(runs: Runs) -> np.ndarray[Any, np.dtype[np.bool_]]:
    for jump in JUMPS:
        below = runs.flops <= runs.flops.max() / jump
        if below.sum() >= FEWEST_BELOW and (~below).sum() >= FEWEST_ABOVE:
            return np.asarray(below)
    raise DataError(
        f"{runs.source}: {len(runs)} runs cannot be split in compute into {FEWEST_BELOW} to fit and {FEWEST_ABOVE} "
        "above to judge by; add runs at smaller or larger budgets."
    )


def _compared(runs: Runs, small: Runs, large: Runs, family: str | Family) -> Compared:
    partial, whole = fit(small, family, draws=0), fit(runs, family, draws=0)
    error, reason = None, ""
    if partial.fitted is not None:
        error = relative_error(predicted(partial.law, large), large.loss)
    else:
        reason = partial.verdict.notes[0].message
    aic, bic = (None, None) if whole.fitted is None else _criteria(whole, runs)
    return Compared(partial.family, error, aic, bic, partial.verdict.status, reason)


def predicted(law: Law, runs: Runs) -> FloatArray:
    """The law's loss at each run, whatever columns its family reads."""
    values = {name: np.asarray(value) for name, value in law.coefficients.items()}
    return law.family.loss(values, inputs_of(runs, law.family))


def relative_error(predicted: FloatArray, loss: FloatArray) -> float:
    """The mean of |predicted - loss| / loss."""
    return float(np.mean(np.abs(predicted / loss - 1)))


def _criteria(whole: Fit, runs: Runs) -> tuple[float, float]:
    """AIC and BIC under Laplace-distributed log residuals: -2 ln likelihood is 2 n (1 + ln 2b), b = mean |residual|."""
    scale = float(np.mean(np.abs(np.log(predicted(whole.law, runs) / runs.loss))))
    free = len(whole.law.family.names) + 1  # and the scale
    misfit = 2 * len(runs) * (1 + np.log(2 * max(scale, 1e-12)))
    return misfit + 2 * free, misfit + free * float(np.log(len(runs)))


def baselines(small: Runs, large: Runs) -> dict[str, float]:
    """Errors above the split without a family: the best loss so far, and a line through the frontier in log-log."""
    best = float(small.loss.min())
    return {
        "best loss so far": relative_error(np.full(len(large), best), large.loss),
        "frontier line": relative_error(_frontier_line(small, large.flops), large.loss),
    }


def _frontier_line(small: Runs, flops: FloatArray) -> FloatArray:
    """ln L against ln C through the runs that no cheaper run beats."""
    order = np.lexsort((small.loss, small.flops))
    running = np.minimum.accumulate(small.loss[order])
    frontier = order[small.loss[order] <= running]
    x, y = np.log(small.flops[frontier]), np.log(small.loss[frontier])
    if np.ptp(x) < SAME_BUDGET:
        return np.full(flops.shape, small.loss.min())
    away = x - x.mean()
    slope = float(away @ y / (away @ away))
    return np.asarray(np.exp(y.mean() + slope * (np.log(flops) - x.mean())))


def _percent(error: float | None) -> str:
    return "-" if error is None else f"{error:.2%}"


def _whole(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"

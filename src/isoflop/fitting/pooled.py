"""A loss beyond a table, from the table: the pooled prediction beside the plain fit's."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoflop.errors import UsageError
from isoflop.fitting.backtest import extrapolated
from isoflop.fitting.fit import DRAWS, LEVEL, fit
from isoflop.fitting.result import Span
from isoflop.fitting.uncertainty import interval
from isoflop.quantities import format_flops, format_interval, format_level, format_si
from isoflop.runs import Runs

SCHEMA = "isoflop.predict/1"


@dataclass(frozen=True)
class Pooled:
    """The loss of N parameters on D tokens, pooled over surfaces, windows and the frontier line.

    ``interval`` holds noise and form at ``level``; ``plain`` is the plain fit's loss, ``noise`` its interval, None
    without draws. ``learned``: the table's own backtests, ``splits`` of them, taught the form's error.
    """

    law: str
    params: float
    tokens: float
    loss: float
    interval: Span
    noise: Span | None
    plain: float
    form_share: float
    learned: bool
    splits: int
    times_largest_run: float
    level: float

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        asked = f"{format_si(self.params)} parameters, {format_si(self.tokens)} tokens"
        taught = (
            f"{self.splits} backtests on the table" if self.learned else "public tables; this one is too short to ask"
        )
        far = f"{format_flops(6 * self.params * self.tokens)} FLOPs, {self.times_largest_run:.2g} times the largest run"
        lines = [
            f"{self.law}: {asked}: loss {self.loss:.3f} {format_interval(*self.interval)} ({format_level(self.level)})",
            f"  {far}; {self.form_share:.0%} of the squared width is the error of the form, learnt from {taught}",
        ]
        noise = "" if self.noise is None else f" {format_interval(*self.noise)}, noise alone"
        return "\n".join([*lines, f"  plain Chinchilla fit: {self.plain:.3f}{noise}"])


def pooled(
    runs: Runs, params: float, tokens: float, *, draws: int = DRAWS // 4, level: float = LEVEL, seed: int = 0
) -> Pooled:
    """The pooled loss at N and D with an interval that these runs' own backtests teach.

    Raises DataError, with its reasons, where the plain fit of the runs is refused: what a fit cannot tell from them, a
    prediction cannot either.

    >>> import isoflop as iso
    >>> N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    >>> runs = iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    >>> found = pooled(runs, 7e10, 1e12, draws=50)
    >>> found.interval[0] < 1.8 + 480 * 7e10**-0.35 + 2100 * 1e12**-0.37 < found.interval[1]
    True
    """
    flops = 6 * params * tokens
    if not np.isfinite(flops) or flops <= 0:
        raise UsageError("give positive numbers of parameters and tokens.")
    N, D = np.array([params]), np.array([tokens])
    surface = fit(runs, draws=draws, level=level, seed=seed)
    plain, noise, half = float(surface.law.predict(params, tokens)), None, np.zeros(1)
    if (drawn := surface.law.predict_draws(params, tokens)) is not None:
        noise = interval(drawn, level)
        half = np.array([np.log(noise[1] / noise[0]) / 2])
    found = extrapolated(runs, N, D, np.array([flops]), half, level)
    low, high = (float(edge[0]) for edge in found.interval)
    return Pooled(
        law="pooled",
        params=params,
        tokens=tokens,
        loss=float(np.exp(found.log_loss[0])),
        interval=(low, high),
        noise=noise,
        plain=plain,
        form_share=float(found.form_share[0]),
        learned=found.learned,
        splits=found.splits,
        times_largest_run=float(flops / (6 * runs.params * runs.tokens).max()),
        level=level,
    )

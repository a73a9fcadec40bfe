"""What the runs of a study say of its target so far: is the interval as narrow as was wanted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.fitting import Fit, fit
from isoflop.runs import Runs

SCHEMA = "isoflop.watch/1"


@dataclass(frozen=True)
class SoFar:
    """N* at ``target`` FLOPs by the runs that there are, and how wide its interval is: the upper end over the lower.

    ``why`` says what keeps the runs from an answer, "" where nothing does.
    """

    n_runs: int
    target: float
    within: float
    params: float | None = None
    interval: tuple[float, float] | None = None
    why: str = ""

    @property
    def width(self) -> float | None:
        return None if self.interval is None else self.interval[1] / self.interval[0]

    @property
    def is_reached(self) -> bool:
        return self.width is not None and self.width <= self.within

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "n_runs": self.n_runs,
            "target": self.target,
            "within": self.within,
            "params": self.params,
            "interval": None if self.interval is None else list(self.interval),
            "width": self.width,
            "is_reached": self.is_reached,
            "why": self.why,
        }


def so_far(
    runs: Runs, target: float, *, within: float, family: str = "chinchilla", level: float = 0.9, draws: int = 1000
) -> SoFar:
    """Fit the runs (approach 3) and look at N* for ``target`` FLOPs; ``within`` is how wide its interval may be.

    Runs that cannot carry a fit yet are no error: there will be more. UsageError for a width that no interval has.

    >>> import isoflop as iso
    >>> law = iso.law("besiroglu2024")
    >>> N, D = np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(4e9, 2e10, 4))
    >>> runs = iso.Runs(N.ravel(), D.ravel(), law.predict(N, D).ravel())
    >>> so_far(runs, 1e22, within=1.5).is_reached
    True
    """
    if not within > 1.0:
        raise UsageError(
            f"an interval is its upper end over its lower, more than 1, and {within:g} is asked; give 1.5."
        )
    try:
        found = fit(runs, family, draws=draws, level=level)
    except DataError as error:
        return SoFar(len(runs), target, within, why=str(error))
    assert isinstance(found, Fit)
    if found.fitted is None:
        said = [note.message for note in found.verdict.notes]
        return SoFar(len(runs), target, within, why=said[0] if said else "the fit was refused")
    params = float(found.fitted.optimum(target).params)
    drawn = found.fitted.optimum_draws(target)
    if drawn is None:
        return SoFar(len(runs), target, within, params, why="the fit has no draws")
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(np.asarray(drawn.params), [tail, 1.0 - tail])
    return SoFar(len(runs), target, within, params, (float(low), float(high)))

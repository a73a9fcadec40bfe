"""What is asked of the runs in approach 3: a family, what is held, the criterion, the draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from isoflop.fitting.objective import HUBER_DELTA, OVER, Penalty
from isoflop.laws import Coefficient, Family
from isoflop.runs import Runs

OBJECTIVES = ("huber", "least_squares", "absolute", "raw_least_squares", "asymmetric")
CLOSED = ("huber", "least_squares", "absolute")
"""Criteria that the pool of candidates knows."""
ABSOLUTE_DELTA = 1e-6
"""Least absolute deviation is Huber's loss in the limit; residuals of 1e-6 of the loss are nobody's."""


@dataclass(frozen=True)
class Question:
    """What is asked of the runs: a family, its pinned coefficients, the criterion, and the draws."""

    family: Family
    draws: int
    level: float
    seed: int
    pinned: Mapping[str, float] = field(default_factory=dict)
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    objective: str = "huber"
    delta: float = HUBER_DELTA
    weigh: bool = False
    group: str | None = None

    @property
    def criterion(self) -> tuple[str, float]:
        """The objective's name for a reader, and the Huber delta that the solver minimises it with."""
        name, delta = {
            "huber": (f"Huber({self.delta:g}) of log residuals", self.delta),
            "least_squares": ("squared log residuals, halved", np.inf),
            "absolute": (f"absolute log residuals, as Huber({ABSOLUTE_DELTA:g})", ABSOLUTE_DELTA),
            "raw_least_squares": ("squared residuals of the loss, halved", np.inf),
            "asymmetric": (f"Huber({self.delta:g}) of log residuals, overestimates {OVER:g} times", self.delta),
        }[self.objective]
        weighed = ", weighed by loss_noise" if self.weigh else ""
        held = "".join(f", {key} held to {mean:g} ± {sd:g}" for key, (mean, sd) in self.priors.items())
        return name + weighed + held, delta

    def penalty(self, runs: Runs) -> Penalty:
        """What a residual of these runs costs besides delta; raises UnknownName without the noise that it is to use."""
        weights = None
        if self.weigh:
            relative = np.asarray(runs.column("loss_noise"), float) / (
                1.0 if self.objective == "raw_least_squares" else runs.loss
            )
            weights = (np.median(relative) / relative) ** 2
        over = OVER if self.objective == "asymmetric" else 1.0
        return Penalty(over, self.objective == "raw_least_squares", weights)

    @property
    def is_plain(self) -> bool:
        """Whether the closed form of Chinchilla's surface answers it."""
        return self.family.name == "chinchilla" and not self.pinned and not self.priors

    @property
    def free(self) -> int:
        return len(self.family.names) - len(self.pinned)

    @property
    def bounded(self) -> list[Coefficient]:
        """The free coefficients that the search could take out of their bounds."""
        return [c for c in self.family.coefficients if c.name not in self.pinned and not c.logarithmic]

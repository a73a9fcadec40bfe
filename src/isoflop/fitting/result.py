"""What a fit found: the verdict first, then the numbers, rounded by what is known of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from isoflop.display import Displayed
from isoflop.errors import DataError, UnknownName
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.question import Question
from isoflop.fitting.summary import summarise
from isoflop.laws import Law
from isoflop.runs import Runs

SCHEMA = "isoflop.fit/1"
Status = Literal["ok", "caution", "refused"]
Span = tuple[float, float]
INFORMING = frozenset({"correlated", "local_exponents"})
"""Notes that say how to read such fits, and take nothing from a verdict."""


@dataclass(frozen=True)
class Note:
    """One reservation: a code for scripts and a sentence that says what to do."""

    code: str
    message: str

    @property
    def cautions(self) -> bool:
        """Whether it is a doubt about this fit, and not a reminder of how to read such fits."""
        return self.code not in INFORMING


@dataclass(frozen=True)
class Verdict:
    """Whether the fit may be used, and what to know before using it."""

    status: Status
    notes: tuple[Note, ...] = ()

    def describe(self) -> str:
        if self.status == "refused":
            return "refused"
        count = sum(note.cautions for note in self.notes)
        return "usable" if not count else f"usable, with {count} caution{'s' if count > 1 else ''}"


@dataclass(frozen=True)
class Objective:
    """The criterion that was minimised, and its value at the minimum. Always a sum over runs."""

    name: str
    delta: float | None
    value: float

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "delta": self.delta, "value": self.value, "reduction": "sum"}


@dataclass(frozen=True)
class Starts:
    """How many starts were tried, and the share that ended at the best objective found (to 1e-6)."""

    tried: int
    agreeing_fraction: float


@dataclass(frozen=True)
class Minimum:
    """The minimum of one isoFLOP profile: the parabola through its runs, and its vertex.

    ``rows`` are the profile's runs in the table, ``used`` those that the parabola went through. The
    parabola is loss = c0 + c1 x + c2 x^2 with x = ln N - ``centre``. When the minimum is refused,
    ``interior`` is false, ``reason`` says why, and the vertex is that of the best run.
    """

    flops: float
    params_opt: float
    tokens_opt: float
    loss_min: float
    interior: bool
    rows: tuple[int, ...]
    used: tuple[int, ...]
    centre: float
    parabola: tuple[float, float, float]
    reason: str = ""
    params_interval: Span | None = None
    tokens_interval: Span | None = None
    loss_interval: Span | None = None

    def loss_at(self, params: FloatArray) -> FloatArray:
        """The parabola at N parameters."""
        x = np.log(params) - self.centre
        c0, c1, c2 = self.parabola
        return np.asarray(c0 + c1 * x + c2 * x * x)

    def to_dict(self) -> dict[str, Any]:
        return {
            "flops": self.flops,
            "params_opt": self.params_opt,
            "tokens_opt": self.tokens_opt,
            "loss_min": self.loss_min,
            "interior": self.interior,
            "n_runs": len(self.rows),
            "reason": self.reason,
            "params_interval": self.params_interval,
            "tokens_interval": self.tokens_interval,
            "loss_interval": self.loss_interval,
        }


@dataclass(frozen=True, eq=False)
class Fit(Displayed):
    """A fitted law with its certificate, or the reasons for refusing one.

    ``family`` and ``approach`` (1: envelope of training curves, 2: minima of isoFLOP profiles, 3: a loss surface) say
    what was asked; ``verdict`` whether the answer may be used. ``level`` is that of every interval, ``draws_n`` the
    number of joint draws behind them and ``drawn_by`` what was resampled: "run", "group", "curve" or "noise".
    ``noise`` is the standard deviation of the loss between seeds that the intervals assume (approach 2),
    ``noise_source`` where it was measured, ``noise_draws`` its own uncertainty, row by row with the law's draws.
    ``residual`` is the root mean square residual as a share of the loss, ``conditioning`` the condition number of a
    surface at its optimum, and ``question`` what was asked of it.
    """

    family: str
    approach: int
    runs: Runs
    verdict: Verdict
    fitted: Law | None
    objective: Objective | None
    starts: Starts | None
    converged: bool
    level: float
    residual: float = float("nan")
    minima: tuple[Minimum, ...] = ()
    noise: float | None = None
    noise_source: str = ""
    noise_draws: FloatArray | None = None
    drawn_by: str = "run"
    conditioning: float = float("nan")
    question: Question | None = None
    intervals: Mapping[str, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "intervals", MappingProxyType(dict(self.intervals)))

    @property
    def law(self) -> Law:
        """The fitted law; DataError with the reasons when the fit was refused."""
        if self.fitted is None:
            raise DataError("there is no law: " + "; ".join(note.message for note in self.verdict.notes))
        return self.fitted

    @property
    def draws_n(self) -> int:
        if self.fitted is None or self.fitted.draws is None:
            return 0
        return int(next(iter(self.fitted.draws.values())).size)

    @property
    def allocation(self) -> tuple[float, float] | None:
        """The exponents (a, b), or None where there is no law or the family has none."""
        return None if self.fitted is None else self.fitted.allocation()

    def interval(self, name: str) -> Span:
        """The interval of a coefficient, or of the allocation exponents "a" and "b", at ``level``."""
        if name not in self.intervals:
            raise UnknownName.among("coefficient", name, self.intervals)
        return self.intervals[name]

    def to_dict(self) -> dict[str, Any]:
        """The fit as the object that ``isoflop fit --json`` prints."""
        table: dict[str, Any] = {
            "schema": SCHEMA,
            "family": self.family,
            "approach": self.approach,
            "source": self.runs.source,
            "n_runs": len(self.runs),
            "runs_dropped": [{"row": d.row, "run_id": d.run_id, "reason": d.reason} for d in self.runs.dropped],
            "conventions": self.runs.conventions.to_dict(),
            "objective": None if self.objective is None else self.objective.to_dict(),
            "coefficients": self._coefficients(),
            "allocation": self._allocation(),
            "draws_n": self.draws_n,
            "level": self.level,
            "drawn_by": self.drawn_by,
            "starts": None if self.starts is None else vars(self.starts),
            "converged": self.converged,
            "conditioning": None if np.isnan(self.conditioning) else self.conditioning,
            "residual": None if np.isnan(self.residual) else self.residual,
            "noise": {"value": self.noise, "source": self.noise_source},
            "verdict": {"status": self.verdict.status, "notes": [vars(note) for note in self.verdict.notes]},
        }
        if self.minima:
            table["budgets"] = [minimum.to_dict() for minimum in self.minima]
        return table

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """The fit as text: verdict, evidence, numbers rounded by their intervals, cautions."""
        return summarise(self)

    def __str__(self) -> str:
        return self.summary()

    def _coefficients(self) -> dict[str, Any]:
        if self.fitted is None:
            return {}
        values = self.fitted.coefficients
        return {name: {"value": values[name], "interval": self.intervals.get(name)} for name in values}

    def _allocation(self) -> dict[str, Any] | None:
        if self.allocation is None:
            return None
        a, b = self.allocation
        return {
            "a": {"value": a, "interval": self.intervals.get("a")},
            "b": {"value": b, "interval": self.intervals.get("b")},
        }

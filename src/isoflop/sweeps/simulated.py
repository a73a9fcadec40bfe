"""What simulated studies say of a design: how near to the truth, how sure, how often refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.quantities import format_flops
from isoflop.sweeps.designs import Design

Span = tuple[float, float]


@dataclass(frozen=True)
class Told:
    """One number at the target as simulated studies tell it: N*, D* or the loss.

    ``truth`` is the planted value (the median, where truths vary). ``ratio`` is the central interval of estimate /
    truth between studies, ``bias`` its median less 1 and ``deviation`` the standard deviation of its logarithm. Where
    the studies have intervals of their own, ``stated`` is the median ratio of their two ends and ``coverage`` the share
    of them that hold the truth.
    """

    truth: float
    ratio: Span
    bias: float
    deviation: float
    stated: float | None
    coverage: float | None

    @property
    def interval(self) -> Span:
        """Where a study's estimate will lie."""
        return self.truth * self.ratio[0], self.truth * self.ratio[1]

    @property
    def width(self) -> float:
        """The ratio of the two ends of that interval."""
        return self.ratio[1] / self.ratio[0]

    def to_dict(self) -> dict[str, Any]:
        return {
            "truth": finite(self.truth),
            "interval": [finite(end) for end in self.interval],
            "interval_ratio": finite(self.width),
            "bias": finite(self.bias),
            "deviation": finite(self.deviation),
            "stated_ratio": finite(self.stated),
            "coverage": self.coverage,
        }


@dataclass(frozen=True)
class Outcome:
    """What one approach makes of the simulated studies.

    ``answered`` studies gave a law; the numbers at the target are None where too few did. ``wasted`` is the share of
    the target's compute that following N* wastes under the truth: the mean, and what no more than 1 - level of the
    studies exceed. ``verdicts`` and ``notes`` are shares of all studies, by status and by code. ``noise_free`` is the
    bias of N*, D* and the loss at the target on losses without any noise: the approach's own; None where that fit is
    refused.
    """

    approach: int
    answered: int
    params: Told | None
    tokens: Told | None
    loss: Told | None
    wasted: Span | None
    verdicts: Mapping[str, float]
    notes: Mapping[str, float]
    noise_free: Mapping[str, float] | None

    def to_dict(self) -> dict[str, Any]:
        told = {"params_opt": self.params, "tokens_opt": self.tokens, "loss": self.loss}
        return {
            "approach": self.approach,
            "answered": self.answered,
            **{name: None if one is None else one.to_dict() for name, one in told.items()},
            "wasted": None if self.wasted is None else {"mean": self.wasted[0], "at_level": self.wasted[1]},
            "verdicts": dict(self.verdicts),
            "notes": dict(self.notes),
            "noise_free_bias": None if self.noise_free is None else dict(self.noise_free),
        }

    def describe(self, level: float) -> list[str]:
        """The outcome in a few lines."""
        said = ", ".join(f"{status} {share:.0%}" for status, share in self.verdicts.items())
        head = f"approach {self.approach}: verdict {said}"
        if self.params is None or self.loss is None or self.wasted is None:
            return [head, *self._notes()]
        low, high = self.params.ratio
        lines = [
            f"  N* at the target {low:.2f} to {high:.2f} times the truth in {level:.0%} of them, bias "
            f"{self.params.bias:+.1%}{_own(self.params, 'N')}",
            f"  loss {_span(self.loss.interval)}{_own(self.loss, 'loss')}",
            f"  compute wasted there: {self.wasted[0]:.1%} on average, up to {self.wasted[1]:.1%}",
        ]
        if self.noise_free is not None and abs(self.noise_free["params_opt"]) > 5e-4:
            lines.append(f"  without any noise N* would still be off by {self.noise_free['params_opt']:+.1%}")
        return [head, *lines, *self._notes()]

    def _notes(self) -> list[str]:
        said = ", ".join(f"{code} {share:.0%}" for code, share in self.notes.items())
        return [f"  notes: {said}"] if said else []


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulated studies of a design: what was planted, and what each approach made of it."""

    design: Design
    law: str
    target: float
    noise: float
    shared_noise: float
    truth: str
    studies: int
    draws: int
    level: float
    outcomes: tuple[Outcome, ...]

    def outcome(self, approach: int = 3) -> Outcome:
        """What that approach made of it; the first one where it was not asked."""
        return next((one for one in self.outcomes if one.approach == approach), self.outcomes[0])

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "target_flops": self.target,
            "noise": self.noise,
            "shared_noise": self.shared_noise,
            "truth": self.truth,
            "studies": self.studies,
            "draws": self.draws,
            "level": self.level,
            "approaches": {str(one.approach): one.to_dict() for one in self.outcomes},
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """What was simulated, and every approach's outcome."""
        truth = self.law if self.truth == "point" else f"draws of {self.law}"
        shared = f" and {self.shared_noise:.3g} shared" if self.shared_noise else ""
        head = (
            f"{self.studies} simulated studies of {len(self.design)} runs ({self.design.kind}), "
            f"{format_flops(self.design.cost)} FLOPs each; truth {truth}, noise {self.noise:.3g}{shared} of ln loss; "
            f"target {format_flops(self.target)}"
        )
        return "\n".join([head, *(line for one in self.outcomes for line in one.describe(self.level))])

    def __str__(self) -> str:
        return self.summary()


def told(estimates: Any, truths: Any, spans: Any, level: float) -> Told:
    """One number over studies: estimates and truths (S,), and the studies' own intervals (S, 2) or None."""
    ratios = np.asarray(estimates, float) / np.asarray(truths, float)
    low, middle, high = np.quantile(ratios, [(1 - level) / 2, 0.5, (1 + level) / 2])
    stated = coverage = None
    if spans is not None:
        lows, highs = np.asarray(spans, float).T
        stated = float(np.median(highs / lows))
        coverage = float(np.mean((lows <= truths) & (truths <= highs)))
    spread = float(np.log(ratios).std(ddof=1)) if len(ratios) > 1 else 0.0
    return Told(float(np.median(truths)), (float(low), float(high)), float(middle - 1), spread, stated, coverage)


def finite(number: float | None) -> float | None:
    """A number as JSON has it: none for what is infinite or no number."""
    return None if number is None or not np.isfinite(number) else float(number)


def _span(span: Span) -> str:
    """Two losses to the digits that tell them apart.

    >>> _span((1.86512, 1.87891)), _span((1.9, 1.90044))
    ('1.865 to 1.879', '1.90000 to 1.90044')
    """
    width = span[1] - span[0]
    digits = 3 if width < 1e-9 else max(3, 1 - int(np.floor(np.log10(width))))
    return f"{span[0]:.{digits}f} to {span[1]:.{digits}f}"


def _own(one: Told, what: str) -> str:
    """What the studies' own intervals say, where they have any."""
    if one.stated is None or one.coverage is None:
        return ""
    width = f"{one.truth * (one.stated - 1):.2g} wide" if what == "loss" else f"a factor of {one.stated:.3g} wide"
    return f"; their own intervals, {width}, hold it in {one.coverage:.0%}"

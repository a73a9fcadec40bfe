"""Approaches 1, 2 and 3 to the same runs, side by side, and what it means when they disagree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Unpack

from isoflop.display import Displayed
from isoflop.fitting.bias import Bias, bias
from isoflop.fitting.fit import DRAWS, FRONTIER, LEVEL, Asked, fit
from isoflop.fitting.result import Fit
from isoflop.laws import Family
from isoflop.runs import Runs

NAMES = {1: "the envelope", 2: "profiles", 3: "the surface"}


@dataclass(frozen=True)
class Approaches(Displayed):
    """Approach 1 (envelope), 2 (profiles) and 3 (surface) to the same runs."""

    envelope: Fit
    profiles: Fit
    surface: Fit

    @property
    def fits(self) -> tuple[Fit, Fit, Fit]:
        return self.envelope, self.profiles, self.surface

    @property
    def leading(self) -> Fit:
        """What a single answer is taken from: the surface, unless it was refused or misses its own runs.

        Then the profiles; the envelope, whose curves are seldom those of finished runs, only where it is alone.
        """
        missed = any(note.code == "lack_of_fit" for note in self.surface.verdict.notes)
        order = (self.profiles, self.surface, self.envelope) if missed else (self.surface, self.profiles, self.envelope)
        return next((found for found in order if found.fitted is not None), self.profiles)

    @property
    def bias(self) -> Bias | None:
        """What parabolas would be off by on these runs, were the surface the truth; None where either has no law."""
        return bias(self.profiles, self.surface)

    def to_dict(self) -> dict[str, Any]:
        """The leading fit's object, under ``approaches`` the exponents of each, and the profiles' ``bias``."""
        tables = {str(found.approach): found.to_dict() for found in self.fits}
        exponents = {
            number: {**(table["allocation"] or {}), "verdict": table["verdict"]} for number, table in tables.items()
        }
        found = self.bias
        return {**self.leading.to_dict(), "approaches": exponents, "bias": None if found is None else found.to_dict()}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """Every summary, and what it means if the exponents differ."""
        return "\n\n".join([*(found.summary() for found in self.fits), self._disagreement()]).rstrip()

    def _disagreement(self) -> str:
        seen = [(NAMES[found.approach], found.allocation[0]) for found in self.fits if found.allocation is not None]
        if len(seen) < 2:
            return ""
        found = self.bias
        return (
            "a is "
            + ", ".join(f"{exponent:.3f} by {name}" for name, exponent in seen)
            + ". The envelope and profiles see only the frontier, the envelope often through runs that were not "
            "finished; the surface weighs every run and trusts its form. Where they differ by more than their "
            "intervals, the form, the schedule or the design is at fault, and no exponent should be quoted alone."
            + ("" if found is None else f" {found.describe()}")
        )


def fit_all(runs: Runs, family: str | Family = "chinchilla", **asked: Unpack[Asked]) -> Approaches:
    """Approaches 1, 2 and 3 to the same runs; the rest as in ``fit``, criterion and pins for the surface."""
    common: Asked = {
        "draws": asked.get("draws", DRAWS),
        "level": asked.get("level", LEVEL),
        "seed": asked.get("seed", 0),
    }
    grouped: Asked = {**common, "group": asked.get("group")}
    surface = fit(runs, family, approach=3, **asked)
    return Approaches(fit(runs, FRONTIER, approach=1, **grouped), fit(runs, FRONTIER, approach=2, **common), surface)

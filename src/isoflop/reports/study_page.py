"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isoflop.fitting import CountingRow, Fit, Forecast, Outcome
from isoflop.runs import Runs


@dataclass(frozen=True)
class StudyPage:
    """Everything that a report shows; it computes nothing of its own.

    ``runs`` are all runs, that of the forecast included; ``frontier`` is the fit of approach 2 to the
    runs of the sweep, ``surface`` that of approach 3. ``counting`` are the exponents under the ways of
    counting N. ``provenance`` maps what to its value: command, versions, digests, seed.
    """

    title: str
    runs: Runs
    frontier: Fit
    surface: Fit | None
    counting: tuple[CountingRow, ...]
    forecast: Forecast | None
    outcome: Outcome | None
    provenance: Mapping[str, str]

"""The options of ``isoflop design``, as they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isoflop.cli.design_words import read_share, refuse_together


@dataclass(frozen=True)
class Wish:
    """The options of ``isoflop design``, as they were written."""

    budget: str | None
    target: str | None
    kind: str
    runs: int
    noise: str | None
    prior: str | None
    goal: str
    ratio: str
    sizes: int
    largest_run: str | None
    overhead: str | None
    trunks: bool
    against: str | None
    simulate: bool
    studies: int
    approach: str
    draws: int
    level: float
    seed: int
    next_after: Path | None
    hardware: str | None
    mfu: float | None
    usd_per_hour: float | None
    output: Path | None
    study: Path | None
    recipe: str
    playground: bool
    setting: str | None
    json: bool

    @property
    def deviation(self) -> float | None:
        return None if self.noise is None else read_share(self.noise, "the noise")

    def refuse_beside(self, first: str, *names: str) -> None:
        refuse_together(first, {name: getattr(self, name) for name in names})

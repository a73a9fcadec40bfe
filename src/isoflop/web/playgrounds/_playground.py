"""What a playground is: a question with a few controls, and an answer quick enough to follow a slider.

A page needs to know no more than this to show one. Nothing here knows HTTP: ``ask`` reads what a query string holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isoflop.errors import UnknownName, UsageError
from isoflop.quantities import format_number
from isoflop.reports.figures import Figure


@dataclass(frozen=True)
class Control:
    """One thing to move: a number from ``low`` to ``high``, or one of ``choices`` where there are any.

    ``name`` is its key in an address and in JSON; ``label`` says the unit. A slider of a ``log`` control runs in
    log10; ``step`` 0 is continuous.
    """

    name: str
    label: str
    default: float | str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    step: float = 0.0
    log: bool = False
    help: str = ""

    def read(self, given: str | float) -> float | str:
        """The value of a query string's text; UsageError for what is no number, out of range or no choice."""
        if self.choices:
            if given not in self.choices:
                raise UnknownName.among(self.name, str(given), self.choices)
            return str(given)
        try:
            value = float(given)
        except ValueError:
            raise UsageError(f"{self.name} is {given!r}, which is no number; give {self._range}.") from None
        if not self.low <= value <= self.high:
            raise UsageError(f"{self.name} is {format_number(value)}; give {self._range}.")
        if self.step and not math.isclose(steps := (value - self.low) / self.step, round(steps), abs_tol=1e-6):
            raise UsageError(f"{self.name} is {format_number(value)}; it moves in steps of {self.step:g}.")
        return value

    def to_dict(self) -> dict[str, Any]:
        """Plain data: a choice has no ends and no steps."""
        facts = asdict(self) | {"choices": list(self.choices)}
        unset = ("low", "high", "step", "log") if self.choices else ()
        return {name: value for name, value in facts.items() if name not in unset}

    @property
    def _range(self) -> str:
        return f"a number from {format_number(self.low)} to {format_number(self.high)}"


@dataclass(frozen=True)
class Settings:
    """What every control is set to, by its name: numbers, and choices."""

    numbers: Mapping[str, float]
    choices: Mapping[str, str]


@dataclass(frozen=True)
class Number:
    """A number of an answer: ``text`` is the value rounded as it should be read, None a value that cannot be had."""

    label: str
    value: float | None
    text: str


@dataclass(frozen=True)
class Answer:
    """What a setting comes to: numbers, what they say in a sentence, and one or two figures.

    A figure is a plotly dict whose colours are roles, with a ``caption`` beside its data and layout.
    """

    numbers: tuple[Number, ...]
    sentence: str
    figures: Mapping[str, Figure]

    def number(self, label: str) -> float | None:
        """The value under a label."""
        return next(one.value for one in self.numbers if one.label == label)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold."""
        numbers = [asdict(one) for one in self.numbers]
        return {"numbers": numbers, "sentence": self.sentence, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Playground:
    """A question to play with, and the paper it is from.

    ``sentences`` say what is asked, what to move and what to see. ``paper`` has the arXiv number.

    >>> from isoflop.web.playgrounds import PLAYGROUNDS
    >>> answer = PLAYGROUNDS["kaplan_chinchilla"].ask({"constants": "hoffmann2022"})
    >>> [f"{one.label}: {one.text}" for one in answer.numbers][0]
    'fitted exponent: 0.740'
    """

    id: str
    title: str
    paper: str
    sentences: tuple[str, str, str]
    controls: tuple[Control, ...]
    answer: Callable[[Settings], Answer]

    def ask(self, values: Mapping[str, str | float]) -> Answer:
        """The answer at these settings, raw texts or numbers; a control that is left out is at its default.

        UsageError, in one sentence, for a name that no control has and for a value that a control cannot take.
        """
        known = {control.name: control for control in self.controls}
        for name in values:
            if name not in known:
                raise UnknownName.among(f"control of the playground {self.id}", name, known)
        read = {name: control.read(values.get(name, control.default)) for name, control in known.items()}
        numbers = {name: value for name, value in read.items() if isinstance(value, float)}
        choices = {name: value for name, value in read.items() if isinstance(value, str)}
        return self.answer(Settings(numbers, choices))

    def to_dict(self) -> dict[str, Any]:
        """Everything but the answers, as plain data."""
        facts = {"id": self.id, "title": self.title, "paper": self.paper, "sentences": list(self.sentences)}
        return facts | {"controls": [one.to_dict() for one in self.controls]}

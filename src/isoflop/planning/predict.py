"""The loss of one network on one amount of data, as a law has it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.planning.result import check_level
from isoflop.planning.surface import with_form_error
from isoflop.quantities import format_flops, format_interval, format_level, format_si

SCHEMA = "isoflop.predict/1"
Span = tuple[float, float]
ABSURD = 1e3
"""A loss far beyond that of a guess among any number of tokens: the form is asked where it says nothing."""


@dataclass(frozen=True)
class Prediction:
    """The loss at N and D; ``interval`` holds noise and form, ``noise`` the draws alone (None without draws)."""

    law: str
    params: float
    tokens: float
    loss: float
    interval: Span | None
    noise: Span | None
    level: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        width = "" if self.interval is None else f" {format_interval(*self.interval)} ({format_level(self.level)})"
        asked = f"{format_si(self.params)} parameters, {format_si(self.tokens)} tokens"
        return "\n".join(
            [f"{self.law}: {asked}: loss {self.loss:.3f}{width}", *(f"  note  {note}" for note in self.notes)]
        )


def predict(law: Law, params: float, tokens: float, level: float = 0.9, **others: float) -> Prediction:
    """The loss of N parameters trained on D tokens, with what noise and form leave of doubt.

    ``others`` are further inputs of the law by name, such as ``unique_tokens``.

    >>> import isoflop as iso
    >>> round(predict(iso.law("besiroglu2024"), 70e9, 1.4e12).loss, 4)
    1.9739
    """
    check_level(level)
    flops = 6 * params * tokens
    if not (params >= 1 and tokens >= 1 and flops < np.inf):
        raise UsageError(
            f"{params:g} parameters on {tokens:g} tokens: a network has one or more, and computes with finite numbers."
        )
    with np.errstate(all="ignore"):  # what is no number is refused below
        loss = float(law.predict(params, tokens, **others))
    if not loss < ABSURD:
        raise DataError(f"the law {law.id} gives no loss there (it says {loss:g}); ask nearer to its runs.")
    draws = law.predict_draws(params, tokens, **others)
    cautions = [*law.assumptions(*others), *law.caveats]
    if draws is None:
        note = "no interval: the law has no joint draws; a law that you fit has them."
        return Prediction(law.id, params, tokens, loss, None, None, level, (*beyond(law, flops), note, *cautions))
    low, high = (float(edge) for edge in np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]))
    interval, notes = (low, high), [*beyond(law, flops), *cautions]
    if law.form_error is not None:
        interval = with_form_error(law, flops, loss, interval, level)
        share = 1 - (high - low) / (interval[1] - interval[0])
        if flops > law.form_error.flops:
            notes.insert(1, f"{share:.0%} of the width is the error of the form, the rest noise.")
    return Prediction(law.id, params, tokens, loss, interval, (low, high), level, tuple(notes))


def beyond(law: Law, flops: float) -> tuple[str, ...]:
    """How far 6 N D lies outside what the law was fitted on; nothing where it lies within or nobody knows."""
    unread = [name for name in ("params", "tokens") if name not in law.family.inputs]
    if unread:
        read = " and ".join(law.family.inputs)
        return (f"it reads {read} alone: its loss is that of the {' and '.join(unread)} it was fitted at.",)
    span = law.fitted_range.flops
    if span is None or span[0] <= flops <= span[1]:
        return ()
    far, edge = (
        (flops / span[1], "times the largest") if flops > span[1] else (span[0] / flops, "times below the least")
    )
    return (
        f"{format_flops(flops)} FLOPs is {far:.2g} {edge} run it was fitted on; the form is assumed to hold there.",
    )

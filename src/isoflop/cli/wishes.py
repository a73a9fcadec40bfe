"""What ``isoflop plan`` is asked for beside a budget, as its words are read."""

from __future__ import annotations

from enum import StrEnum

from isoflop.errors import UsageError
from isoflop.planning import Demand
from isoflop.quantities import read_params, read_tokens

Number = float | None
Text = str | None
SERVING = {
    "samples": "samples",
    "train": "training_mfu",
    "read": "prefill_mfu",
    "write": "decode_mfu",
    "price_read": "prefill_price",
    "price_write": "decode_price",
}
"""Words of --serving and what they set: samples of each answer, utilisations, device-hours over one of training."""


class Shown(StrEnum):
    VALLEY = "valley"
    STRATEGIES = "strategies"
    KNOWN = "known"


def read_demand(read: str | None, generated: str | None, serving: str | None) -> Demand | None:
    """The demand of a lifecycle; None where none is asked.

    >>> read_demand("2T", "100B", "train=0.4 write=0.02").equivalent_tokens
    4000000000000.0
    """
    terms = _terms(serving or "")
    if read is None and generated is None:
        if terms:
            raise UsageError("--serving needs --inference-tokens or --generated-tokens.")
        return None
    prompt, written = (0.0 if one is None else read_tokens(one).value for one in (read, generated))
    return Demand(prompt, written, **terms)


def _terms(words: str) -> dict[str, float]:
    terms = {}
    for word in words.replace(",", " ").split():
        name, _, number = word.partition("=")
        try:
            terms[SERVING[name]] = float(number)
        except (KeyError, ValueError):
            known = ", ".join(SERVING)
            raise UsageError(f"--serving {word}: write NAME=NUMBER with one of {known}, as in write=0.02.") from None
    return terms


def read_measured(words: str) -> tuple[float, float, float]:
    """A run as "1B,20B,2.62": parameters, tokens, loss.

    >>> read_measured("1B, 20B, 2.62")
    (1000000000.0, 20000000000.0, 2.62)
    """
    parts = words.split(",")
    if len(parts) == 3:
        try:
            loss = float(parts[2])
        except ValueError:
            loss = -1.0
        if 0 < loss < float("inf"):
            return read_params(parts[0]).value, read_tokens(parts[1]).value, loss
    raise UsageError(f"--measured {words}: give parameters, tokens and loss, as in 1B,20B,2.62.")

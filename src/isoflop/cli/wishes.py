"""What ``isoflop plan`` is asked for beside a budget, as its words are read."""

from __future__ import annotations

from collections.abc import Mapping
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


POWER = {"pue": "pue", "grid": "grid_kg_co2_per_kwh", "share": "power_share", "watts": "watts"}
"""Words of --power: facility over devices, kg of CO2 a kWh, the share of the watts that is drawn, watts a device."""


class Shown(StrEnum):
    VALLEY = "valley"
    STRATEGIES = "strategies"
    KNOWN = "known"


def read_demand(read: str | None, generated: str | None, serving: str | None) -> Demand | None:
    """The demand of a lifecycle; None where none is asked.

    >>> read_demand("2T", "100B", "train=0.4 write=0.02").equivalent_tokens
    4000000000000.0
    """
    terms = _terms("--serving", serving or "", SERVING, "write=0.02")
    if read is None and generated is None:
        if terms:
            raise UsageError("--serving needs --inference-tokens or --generated-tokens.")
        return None
    prompt, written = (0.0 if one is None else read_tokens(one).value for one in (read, generated))
    return Demand(prompt, written, **terms)


def read_power(words: str | None) -> dict[str, float]:
    """What energy and carbon are computed with.

    >>> read_power("pue=1.1, grid=0.2")
    {'pue': 1.1, 'grid_kg_co2_per_kwh': 0.2}
    """
    return _terms("--power", words or "", POWER, "pue=1.1")


def _terms(option: str, words: str, names: Mapping[str, str], example: str) -> dict[str, float]:
    terms = {}
    for word in words.replace(",", " ").split():
        name, _, number = word.partition("=")
        try:
            terms[names[name]] = float(number)
        except (KeyError, ValueError):
            known = ", ".join(names)
            raise UsageError(f"{option} {word}: write NAME=NUMBER with one of {known}, as in {example}.") from None
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

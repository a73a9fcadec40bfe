"""What ``isoflop design`` is asked for, as its words are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isoflop.errors import UsageError
from isoflop.hardware import Cluster, accelerator
from isoflop.quantities import read_flops, read_params

SETTINGS = ("region", "decimals", "bias", "target", "objective")


def read_share(text: str, what: str) -> float:
    """A share as people write it.

    >>> read_share("0.3%", "the noise"), read_share(".003", "the noise")
    (0.003, 0.003)
    """
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        raise UsageError(f"{text!r} is no share; write {what} as 0.3% or 0.003.") from None
    return value / 100 if text.strip().endswith("%") else value


def read_ratio(text: str) -> tuple[float, float]:
    """A range of tokens per parameter.

    >>> read_ratio("5..100")
    (5.0, 100.0)
    """
    ends = re.split(r"\s*(?:\.\.|to|,)\s*", text.strip())
    try:
        low, high = map(float, ends)
    except ValueError:
        raise UsageError(f"{text!r} is no range of tokens per parameter; write it as 5..100.") from None
    return low, high


def read_largest(text: str, budget: float) -> float:
    """The share of the budget that one run may cost, given as such (25%) or in FLOPs."""
    return read_share(text, "it") if text.strip().endswith("%") else read_flops(text).value / budget


def read_setting(words: str) -> dict[str, Any]:
    """A setting of the playground, as keywords of ``playground``.

    >>> read_setting("region=small decimals=1 target=1e14")
    {'region': 'small', 'decimals': 1, 'target_params': 100000000000000.0}
    """
    setting: dict[str, Any] = {}
    for word in words.replace(",", " ").split():
        name, _, value = word.partition("=")
        if name not in SETTINGS or not value:
            raise UsageError(f"--setting {word}: write NAME=VALUE with one of {', '.join(SETTINGS)}.")
        try:
            setting |= _setting(name, value)
        except ValueError:
            raise UsageError(f"--setting {word}: {value!r} is no number.") from None
    return setting


def _setting(name: str, value: str) -> dict[str, Any]:
    if name == "target":
        return {"target_params": read_params(value).value}
    return {name: int(value) if name == "decimals" else float(value) if name == "bias" else value}


def read_approach(text: str) -> int | str:
    """1, 2, 3 or "all"; what is neither is refused where it is used."""
    return int(text) if text.isdigit() else text


def refuse_together(first: str, others: Mapping[str, object]) -> None:
    """UsageError where an option stands beside one of those that mean nothing with it."""
    names = {"next_after": "next"}
    given = [f"--{names.get(name, name).replace('_', '-')}" for name, value in others.items() if value]
    if given:
        raise UsageError(f"{first} is another question, in which {' and '.join(given)} has no part; leave one out.")


def read_cluster(hardware: str | None, mfu: float | None, usd_per_hour: float | None) -> Cluster | None:
    """What runs are priced on, one device each."""
    if hardware is None:
        if mfu is not None or usd_per_hour is not None:
            raise UsageError("--mfu and --price are those of hardware: name it (--hardware H100).")
        return None
    return Cluster(accelerator(hardware), None, mfu, price_usd_per_hour=usd_per_hour)

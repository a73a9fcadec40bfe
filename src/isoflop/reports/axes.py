"""What an axis says: ticks at round numbers with SI names, and titles that carry the convention."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, describe
from isoflop.quantities import format_flops, format_si
from isoflop.runs import Runs

MOST_TICKS = 6
EVEN_WITHIN = 3

FLOPS_MEANING = {
    FlopsConvention.UNSTATED: "convention unstated",
    FlopsConvention.SIX_ND: "6ND",
    FlopsConvention.EXACT_CAUSAL: "counted exactly, causal attention",
    FlopsConvention.EXACT_FULL: "counted exactly, full attention",
}
LOSS_MEANING = {
    LossUnit.UNSTATED: "unit unstated",
    LossUnit.NATS_PER_TOKEN: "nats per token",
    LossUnit.NATS_PER_BYTE: "nats per byte",
    LossUnit.BITS_PER_BYTE: "bits per byte",
}


def params_title(conventions: Conventions) -> str:
    return f"parameters N ({describe(conventions.params)})"


def conventions_sentence(runs: Runs) -> str:
    """What N, C and the loss of every number on the page mean; and how far 6 N D, by which budgets are split, is from
    the runs' own C where they were counted exactly."""
    held = runs.conventions
    said = f"N counts parameters: {describe(held.params)}. C counts FLOPs: {FLOPS_MEANING[held.flops]}. "
    said += f"Loss: {LOSS_MEANING[held.loss]}."
    if held.flops not in (FlopsConvention.EXACT_CAUSAL, FlopsConvention.EXACT_FULL):
        return said
    times = runs.flops / (6 * runs.params * runs.tokens)
    ends = f"{times.min():.2f} to {times.max():.2f}"
    return f"{said} A budget is split as C = 6 N D; the C of the runs is {ends} times that."


def loss_title(conventions: Conventions) -> str:
    return f"loss ({LOSS_MEANING[conventions.loss]})"


def count_label(value: float) -> str:
    """A round count on an axis, without the zeros that say how exactly it is known.

    >>> count_label(10_000), count_label(200_000), count_label(1e9)
    ('10K', '200K', '1B')
    """
    return re.sub(r"\.0+(?=[KMBT]|$)", "", format_si(value))


def log_span(values: Iterable[float], margin: float = 0.04) -> tuple[float, float]:
    """From the smallest to the largest value, wider by a share of the range in ln at either end."""
    x = np.log(np.fromiter(values, float))
    room = margin * max(float(np.ptp(x)), 1.0)
    return float(np.exp(x.min() - room)), float(np.exp(x.max() + room))


def log_ticks(low: float, high: float) -> list[float]:
    """At most six round numbers in [low, high] for a logarithmic axis.

    >>> log_ticks(6e3, 3e5)
    [10000.0, 20000.0, 50000.0, 100000.0, 200000.0]
    >>> log_ticks(1e18, 1e25)
    [1e+18, 1e+20, 1e+22, 1e+24]
    """
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for mantissas in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{m}e{k}") for k in decades for m in mantissas if low <= float(f"{m}e{k}") <= high]
        if len(ticks) <= MOST_TICKS:
            return ticks
    return ticks[:: int(np.ceil(len(ticks) / MOST_TICKS))]


def linear_ticks(low: float, high: float) -> list[float]:
    """Round numbers in [low, high], about five.

    >>> linear_ticks(1.47, 2.43)
    [1.6, 1.8, 2.0, 2.2, 2.4]
    """
    rough = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [round(float(k * step), 12) for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def log_axis(title: str, low: float, high: float, label: Callable[[float], str]) -> dict[str, object]:
    """A logarithmic plotly axis from ``low`` to ``high``."""
    ticks = log_ticks(low, high)
    return {
        "type": "log",
        "title": {"text": title},
        "range": [float(np.log10(low)), float(np.log10(high))],
        "tickvals": ticks,
        "ticktext": [label(tick) for tick in ticks],
    }


def loss_axis(conventions: Conventions, low: float, high: float) -> dict[str, object]:
    """A logarithmic axis of loss; within a factor of a few, round numbers at even steps say more than decades do."""
    axis = log_axis(loss_title(conventions), low, high, lambda loss: f"{loss:g}")
    ticks = log_ticks(low, high) if high > EVEN_WITHIN * low else linear_ticks(low, high)
    return axis | {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def flops_axis(low: float, high: float) -> dict[str, object]:
    return log_axis("training compute C (FLOPs)", low, high, format_flops)

"""Numbers of the report whose rounding is not the interval's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isoflop.fitting.result import Span
from isoflop.quantities import format_si

LOSS_DIGITS = 4
"""No interval is known for the loss of one run."""


def loss_text(loss: float) -> str:
    """The loss of one run.

    >>> loss_text(1.3358214), loss_text(1.75)
    ('1.336', '1.750')
    """
    return loss_column([loss])[0]


def loss_column(losses: Sequence[float]) -> list[str]:
    """The losses of a column, all to the decimal that the largest is shown to.

    >>> loss_column([1.75, 1.60318, 0.98])
    ['1.750', '1.603', '0.980']
    """
    largest = max(losses, default=1.0)
    decimals = max(LOSS_DIGITS - 1 - math.floor(math.log10(largest)), 0)
    return [f"{loss:.{decimals}f}" for loss in losses]


def count_with_interval(value: float, span: Span | None) -> str:
    """A number of parameters or tokens and its interval.

    >>> count_with_interval(28_310, (25_120, 31_920))
    '28.3K [25.1K, 31.9K]'
    """
    return format_si(value) + ("" if span is None else f" [{format_si(span[0])}, {format_si(span[1])}]")

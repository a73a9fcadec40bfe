"""Numbers with their intervals as text, rounded by the intervals."""

from __future__ import annotations

import math

from isoflop.fitting.result import Span
from isoflop.quantities import format_error, format_flops, format_interval, format_si


def rounded(value: float, span: Span | None) -> str:
    """A value, rounded by half its interval; four digits where there is none.

    Where the ends are more than a factor of three apart, half the width says nothing about the digits
    of a value near the lower end; three are kept, as for the ends themselves.

    >>> rounded(0.54731, (0.5102, 0.5889)), rounded(0.54731, None), rounded(384.2, (32.8, 283e3))
    ('0.55', '0.5473', '384')
    >>> rounded(7.225e10, (6.8e10, 7.6e10))
    '7.2e10'
    """
    if span is None:
        return format_error(value, math.nan)
    if span[1] > 3 * span[0] > 0:
        return format_flops(value, digits=3)
    value_part, _, error_part = format_error(value, (span[1] - span[0]) / 2).partition(" ± ")
    return value_part.removeprefix("(") + error_part.partition(")")[2]


def with_interval(value: float, span: Span | None) -> str:
    """A value and its interval.

    >>> with_interval(0.54731, (0.5102, 0.5889))
    '0.55 [0.51, 0.59]'
    """
    return rounded(value, span) + ("" if span is None else f" {format_interval(*span)}")


def loss_text(loss: float) -> str:
    """The loss of one run, to four digits: no interval is known for it."""
    return rounded(float(loss), None)


def count_with_interval(value: float, span: Span | None) -> str:
    """A number of parameters or tokens and its interval.

    >>> count_with_interval(28_310, (25_120, 31_920))
    '28.3K [25.1K, 31.9K]'
    """
    return format_si(value) + ("" if span is None else f" [{format_si(span[0])}, {format_si(span[1])}]")

"""Numbers of the report whose rounding is not the interval's."""

from __future__ import annotations

from isoflop.fitting.result import Span
from isoflop.quantities import format_si, format_value


def loss_text(loss: float) -> str:
    """The loss of one run, to four digits: no interval is known for it.

    >>> loss_text(1.3358214)
    '1.336'
    """
    return format_value(float(loss), None)


def count_with_interval(value: float, span: Span | None) -> str:
    """A number of parameters or tokens and its interval.

    >>> count_with_interval(28_310, (25_120, 31_920))
    '28.3K [25.1K, 31.9K]'
    """
    return format_si(value) + ("" if span is None else f" [{format_si(span[0])}, {format_si(span[1])}]")

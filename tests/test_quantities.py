"""Quantities: what people write is read as they meant it, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import QuantityError
from isoflop.quantities import (
    SI_PREFIXES,
    Quantity,
    format_error,
    format_estimate,
    format_flops,
    format_interval,
    format_si,
    format_usd,
    read_flops,
    read_params,
    read_time,
    read_tokens,
    read_usd,
)

DAY = 24 * 60 * 60
amounts = st.floats(min_value=1e-3, max_value=1e30)
counts = st.floats(min_value=1.0, max_value=9.9e14)


@pytest.mark.parametrize(
    ("text", "flops"),
    [
        ("1e24", 1e24),
        ("3.8e25 FLOPs", 3.8e25),
        ("3.8e25FLOP", 3.8e25),
        ("1 ZFLOP", 1e21),
        ("1 PF-day", 1e15 * DAY),
        ("3640 PF-days", 3.14e23),  # GPT-3's training compute: both figures are in Brown et al. 2020, table D.1
        ("10 EFLOP/s * 64 days", 1e19 * 64 * DAY),
        ("10 EFLOP/s for 64 days", 1e19 * 64 * DAY),
        ("10 EFLOPs/s x 64 d", 1e19 * 64 * DAY),
        ("1 PFLOP/s-day", 1e15 * DAY),
        ("2 TFLOP/s for 90 minutes", 2e12 * 5400),
        ("1_000_000", 1e6),
        (".5 EFLOP", 5e17),
        (1e24, 1e24),
        (10**24, 1e24),
    ],
)
def test_amounts_of_compute(text: str | float, flops: float) -> None:
    assert read_flops(text).value == pytest.approx(flops, rel=2e-3 if "3640" in str(text) else 1e-12)


@pytest.mark.parametrize(
    ("text", "count"),
    [("70B", 70e9), ("70b params", 70e9), ("400M", 400e6), ("1_000_000", 1e6), ("1.3 T", 1.3e12), ("16160", 16160)],
)
def test_parameter_counts(text: str, count: float) -> None:
    assert read_params(text).value == pytest.approx(count, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "count"), [("15T tokens", 15e12), ("15T", 15e12), ("300 B tok", 300e9), ("1e12", 1e12)]
)
def test_token_counts(text: str, count: float) -> None:
    assert read_tokens(text).value == pytest.approx(count, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("10 EFLOP/s", "is a rate; say for how long"),
        ("10 EFLOPS", "FLOPs for an amount, or FLOP/s and a time"),
        ("10 EFLOPS for 3 days", "ambiguous"),
        ("10 EFLOP for 3 days", "write a rate"),
        ("10 EFLOP/s for 3 fortnights", "'fortnights'"),
        ("10 EFLOP/s for -3 days", "negative"),
        ("70B params", "a budget is in FLOPs"),
        ("400M", "a budget is in FLOPs"),
        ("64xH100 for 30 days", "hardware is not understood"),
        ("$2M", "prices are not understood"),
        ("1e24 bananas", "'bananas'"),
        ("banana", "'banana' is not a budget"),
        ("-5", "'-5' is negative"),
        ("0", "'0' is zero"),
        ("nan", "'nan' is not a budget"),
        ("inf", "'inf' is not a budget"),
        ("1e999", "not a finite number"),
        ("1e300 YFLOP", "not a finite number"),
        ("", "an empty text"),
        ("1__0", "not a number"),
        ("1,000", "',000'"),
        (float("nan"), "nan is not a finite number"),
        (-1e20, "-1e+20 is negative"),
    ],
)
def test_what_is_no_budget_is_named_and_a_remedy_given(text: str | float, named: str) -> None:
    with pytest.raises(QuantityError) as caught:
        read_flops(text)
    sentence = str(caught.value)
    assert named in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("text", ["15T tokens", "7G", "1e24 FLOPs", "-3B", "many", "0", "7e9 /s"])
def test_what_is_no_parameter_count_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match=r"number of parameters|does not count parameters"):
        read_params(text)


def test_the_reading_shows_the_arithmetic() -> None:
    assert read_flops("1 PF-day").reading == "1 PF-day = 8.64e19 FLOPs (1e15 FLOP/s x 86400 s)"
    assert read_flops("2 ZFLOP").reading == "2 ZFLOP = 2e21 FLOPs"
    assert read_params("70_000M").reading == "70B parameters"


@pytest.mark.parametrize(
    ("text", "usd"),
    [
        ("$2M", 2e6),
        ("$2m", 2e6),
        ("$ 2 M", 2e6),
        ("US$2M", 2e6),
        ("2M USD", 2e6),
        ("2.5 million dollars", 2.5e6),
        ("$1 billion", 1e9),
        ("$1bn", 1e9),
        ("$500k", 5e5),
        ("$1,500,000.50", 1_500_000.5),
        ("$2e6", 2e6),
        ("$2.10", 2.1),
        ("1 dollar", 1.0),
    ],
)
def test_dollars(text: str, usd: float) -> None:
    assert read_usd(text).value == pytest.approx(usd, rel=1e-12)


NO_DOLLARS = (
    "2M|€2M|$|$2 dollars|$2,5|$1,00,000|$2MM|$2P|2M tokens|$-2M|-$2M|$0|$1e999|$nan||$2M on H100|$٣|$2 \N{KELVIN SIGN}"
)


@pytest.mark.parametrize("text", NO_DOLLARS.split("|"))
def test_what_is_no_amount_of_dollars_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="US dollars"):
        read_usd(text)


@pytest.mark.parametrize(
    ("text", "days"),
    [("30 days", 30), ("90d", 90), ("3 months", 91.3125), ("1 month", 30.4375), ("2 years", 730.5), ("12 h", 0.5)],
)
def test_lengths_of_time(text: str, days: float) -> None:
    assert read_time(text).value == pytest.approx(days * DAY, rel=1e-12)
    assert read_flops(f"1 PFLOP/s for {text}").value == pytest.approx(1e15 * days * DAY, rel=1e-12)


@pytest.mark.parametrize("text", ["30", "days", "a day", "3 m", "-3 days", "0 days", "3 fortnights", "30 days ago", ""])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        read_time(text)


@given(st.floats(min_value=1e-3, max_value=1e20))
def test_the_reading_of_dollars_reads_back(value: float) -> None:
    reading = read_usd(f"${value!r}").reading
    assert read_usd(reading).value == pytest.approx(value, rel=1e-5)
    if 0.01 <= value < 1e15:
        assert read_usd(format_usd(value)).value == pytest.approx(value, rel=5.1e-3, abs=0.0051)


@given(amounts)
def test_printed_flops_read_back_within_the_printed_digits(value: float) -> None:
    assert read_flops(format_flops(value)).value == pytest.approx(value, rel=0.5e-2 + 1e-9)


@given(amounts)
def test_a_reading_reads_back_as_the_quantity(value: float) -> None:
    assert read_flops(read_flops(value).reading).value == pytest.approx(value, rel=0.5e-5 + 1e-9)


@given(counts, st.integers(min_value=1, max_value=6))
def test_printed_counts_read_back_within_the_printed_digits(value: float, digits: int) -> None:
    printed = format_si(value, digits)
    assert read_params(printed).value == pytest.approx(value, rel=0.5 * 10 ** (1 - digits) + 1e-9)
    assert read_tokens(printed).value == read_params(printed).value


@given(amounts, st.sampled_from([prefix for prefix in SI_PREFIXES if prefix]))
def test_a_prefix_scales(value: float, prefix: str) -> None:
    scaled = read_flops(f"{value!r} {prefix.upper()}FLOP").value
    assert scaled == pytest.approx(value * SI_PREFIXES[prefix], rel=1e-12)


@given(
    amounts, st.sampled_from(["", " ", "\t", "   "]), st.sampled_from(["zflop", "ZFLOP", "Zflop", "ZFLOPs", "zflops"])
)
def test_spaces_and_case_change_nothing(value: float, gap: str, unit: str) -> None:
    assert read_flops(f"{gap}{value!r}{gap}{unit}{gap}").value == read_flops(f"{value!r} ZFLOP").value


@given(
    amounts, st.sampled_from([("24 hours", "1 day"), ("60 minutes", "1 h"), ("7 days", "1 week"), ("60 s", "1 min")])
)
def test_units_of_time_agree(value: float, times: tuple[str, str]) -> None:
    one, other = (read_flops(f"{value!r} TFLOP/s for {time}").value for time in times)
    assert one == pytest.approx(other, rel=1e-12)


@given(
    st.one_of(
        st.text(), st.from_regex(r"-?[0-9_.]{0,6}(e[0-9]{1,3})? ?[kKMGTPEZYBFLOPs/ xdayfor*$-]{0,12}", fullmatch=True)
    )
)
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for read in (read_flops, read_params, read_tokens):
        value, sentence = _value_or_sentence(read, text)
        assert 0 < value < math.inf
        assert len(sentence.splitlines()) <= 1


def _value_or_sentence(read: Callable[[str], Quantity], text: str) -> tuple[float, str]:
    try:
        return read(text).value, ""
    except QuantityError as error:
        return 1.0, str(error)


@given(st.floats(min_value=-1e12, max_value=1e12), st.floats(min_value=1e-9, max_value=1e9))
def test_a_value_and_its_error_are_rounded_within_the_error(value: float, half_width: float) -> None:
    printed = format_error(value, half_width)
    scale = 1.0
    if printed.startswith("("):
        printed, exponent = printed[1:].split(")e")
        scale = 10.0 ** int(exponent)
    shown, error = (float(part) * scale for part in printed.split(" ± "))
    assert error == pytest.approx(half_width, rel=0.26)
    # Half of the last digit kept: at most 5 % of an error that starts with 1, at most 25 % of any other.
    assert abs(shown - value) <= 0.26 * half_width + 1e-12 * abs(value)


@pytest.mark.parametrize(
    ("value", "half_width", "printed"),
    [
        (1.8331, 0.0092, "1.833 ± 0.009"),
        (0.5132, 0.0031, "0.513 ± 0.003"),
        (0.348, 0.0154, "0.348 ± 0.015"),
        (1.5, 0.0195, "1.50 ± 0.02"),
        (0.1, 0.00099, "0.1000 ± 0.0010"),
        (72.25e9, 3.8e9, "(7.2 ± 0.4)e10"),
        (3.0, 40.0, "0 ± 40"),
        (1.81722, 0.0, "1.817"),
        (1.81722, math.inf, "1.817"),
    ],
)
def test_errors_as_they_are_printed(value: float, half_width: float, printed: str) -> None:
    assert format_error(value, half_width) == printed


@pytest.mark.parametrize(
    ("value", "interval", "printed"),
    [
        (0.5139, (0.5110, 0.5172), "0.514 [0.511, 0.517]"),
        (477.83, (302.0, 681.0), "480 [300, 680]"),
        (2143.4, (1230.4, 5041.0), "2140 [1230, 5040]"),
        (5e-8, (4.1e-8, 6.2e-8), "5.0e-8 [4.1e-8, 6.2e-8]"),
        (0.02, (-0.5, 0.6), "0.02 [-0.5, 0.6]"),
        (7.225e10, (6.83e10, 7.61e10), "7.2e10 [6.83e10, 7.61e10]"),
        (2.1e142, (911.0, 3.81e143), "2.1e142 [911, 3.81e143]"),
        (1.81722, (1.81722, 1.81722), "1.82 [1.82, 1.82]"),
        (1.81722, None, "1.817"),
    ],
)
def test_estimates_as_they_are_printed(value: float, interval: tuple[float, float] | None, printed: str) -> None:
    assert format_estimate(value, interval) == printed


@pytest.mark.parametrize(
    ("lo", "hi", "printed"),
    [
        (0.50988, 0.51633, "[0.510, 0.516]"),
        (-0.5, 0.5, "[-0.5, 0.5]"),
        (1230.4, 5041.0, "[1230, 5040]"),
        (6.5e10, 8.1e10, "[6.5e10, 8.1e10]"),
        (2.0, 2.0, "[2, 2]"),
        (0.0, 0.0, "[0, 0]"),
    ],
)
def test_intervals_as_they_are_printed(lo: float, hi: float, printed: str) -> None:
    assert format_interval(lo, hi) == printed

"""Quantities as people write them: "1e24", "70B", "15T tokens", "3640 PF-days", "10 EFLOP/s for 64 days", "$2M".

Two rules keep a budget from being off by a factor of a billion. B and T are 1e9 and 1e12 and count
parameters, tokens or dollars; SI prefixes (k M G T P E Z Y) belong to FLOPs. And an amount (FLOPs) is
never taken for a rate (FLOP/s). Whatever was read is echoed, so that a wrong reading is seen at once.
Accelerators and their prices are read by ``isoflop.hardware``.

Printing lives here too, so that the whole project rounds by one rule.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from isoflop.errors import QuantityError

SI_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
COUNT_SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
SECONDS |= {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hr": 3600.0, "d": 86400.0}
# A year is 365.25 days, and a month a twelfth of it.
SECONDS |= {"month": 30.4375 * 86400.0, "year": 365.25 * 86400.0}
USD_SUFFIXES = COUNT_SUFFIXES | {"bn": 1e9, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

# ASCII, or the Kelvin sign would be a kilo and "٣" a three.
FLAGS = re.IGNORECASE | re.ASCII
NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?"
QUANTITY = re.compile(rf"(?P<number>{NUMBER})\s*(?P<unit>.*)", FLAGS | re.DOTALL)
SPELLED_PREFIX = re.compile(r"(?<![a-z])(kilo|mega|giga|tera|peta|exa|zetta|yotta)-?(?=flop)", FLAGS)
AMOUNT = re.compile(r"(?P<prefix>[kmgtpezy]?)flops?", FLAGS)
RATE = re.compile(r"(?P<prefix>[kmgtpezy]?)flops?/s(?:ec|econd)?", FLAGS)
RATE_FOR_A_TIME = re.compile(
    r"(?P<prefix>[kmgtpezy]?)(?:flops?/s(?:ec|econd)?|f(?=\s*[-·]))"
    rf"(?:\s*[-·*x×]\s*|\s+for\s+)(?P<times>{NUMBER})?\s*(?P<time>[a-z]+)",
    FLAGS,
)
COUNT = re.compile(r"(?P<suffix>[kmbt]?)\s*(?P<noun>params?|parameters?|tok|tokens?)?", FLAGS)
TIME = re.compile(rf"(?P<times>{NUMBER})\s*(?P<time>[a-z]+)", FLAGS)
USD = re.compile(
    rf"(?P<sign>(?:us)?\$|usd)?\s*(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|{NUMBER})"
    r"\s*(?P<suffix>[kmbt]|bn|thousand|million|billion|trillion)?\s*(?P<word>usd|us dollars|dollars?)?",
    FLAGS,
)

FLOPS_UNDERSTOOD = "1e24, 3.8e25 FLOPs, 1 ZFLOP, 3640 PF-days or 10 EFLOP/s for 64 days"
COUNT_UNDERSTOOD = {
    "parameters": "7e9, 70B, 400M params or 1_000_000",
    "tokens": "1e12, 15T, 300B tokens or 1_000_000",
}
USD_UNDERSTOOD = "$2M, $500k, $1,500,000 or 2.5 million dollars"


@dataclass(frozen=True)
class Quantity:
    """A number in base units (FLOPs, parameters, tokens, seconds, US dollars) and how the text was read."""

    value: float
    reading: str


def abbreviate_prefixes(text: str) -> str:
    """Spelled-out prefixes of FLOPs as letters.

    >>> abbreviate_prefixes("3640 petaflop/s-days")
    '3640 Pflop/s-days'
    """
    return SPELLED_PREFIX.sub(lambda match: match[1][0].upper(), text)


def read_flops(text: str | float) -> Quantity:
    """Read an amount of compute.

    Raises QuantityError, with one sentence, for anything else: a rate without a time, the ambiguous
    "FLOPS", a parameter count, a price, nonsense.

    >>> read_flops("1 PF-day").reading
    '1 PF-day = 8.64e19 FLOPs (1e15 FLOP/s x 86400 s)'
    >>> read_flops("10 EFLOP/s for 64 days").value == 1e19 * 64 * 86400
    True
    >>> read_flops(1e24)
    Quantity(value=1e+24, reading='1e24 FLOPs')
    """
    if not isinstance(text, str):
        value = _positive(_as_float(text, "a budget"), f"{text}", "a budget", FLOPS_UNDERSTOOD)
        return Quantity(value, f"{_short(value)} FLOPs")
    seen = abbreviate_prefixes(" ".join(text.split()))
    number, unit = _split(seen, "a budget", FLOPS_UNDERSTOOD)
    if re.search(r"FLOPS", unit):
        _refuse(seen, "is ambiguous", "write FLOPs for an amount, or FLOP/s and a time for a rate")
    if re.match(r"m(?i:flops?|f\b)", unit):
        _refuse(seen, "has the prefix m, which is a thousandth", "write M for a million")
    if amount := (AMOUNT.fullmatch(unit) if unit else re.match(r"(?P<prefix>)", unit)):
        value = _positive(number * SI_PREFIXES[amount["prefix"].lower()], f"{seen!r}", "a budget", FLOPS_UNDERSTOOD)
        plain = f"{_short(value)} FLOPs"
        return Quantity(value, f"{seen} = {plain}" if amount["prefix"] else plain)
    if rate := RATE_FOR_A_TIME.fullmatch(unit):
        per_second = number * SI_PREFIXES[rate["prefix"].lower()]
        seconds = _seconds(rate["times"], rate["time"], seen)
        value = _positive(per_second * seconds, f"{seen!r}", "a budget", FLOPS_UNDERSTOOD)
        sum_of_it = f"{_short(per_second)} FLOP/s x {_short(seconds, 9)} s"
        return Quantity(value, f"{seen} = {_short(value)} FLOPs ({sum_of_it})")
    _refuse_unit_of_compute(seen, unit)


def read_params(text: str | float) -> Quantity:
    """Read a parameter count; B is 1e9 and T is 1e12.

    >>> read_params("70b params")
    Quantity(value=70000000000.0, reading='70B parameters')
    """
    return _read_count(text, "parameters")


def read_tokens(text: str | float) -> Quantity:
    """Read a number of training tokens; B is 1e9 and T is 1e12.

    >>> read_tokens("15T").value
    15000000000000.0
    """
    return _read_count(text, "tokens")


def read_time(text: str) -> Quantity:
    """Read a length of time, in seconds; a month is 30.4375 days, and "m" is nothing.

    >>> read_time("3 months")
    Quantity(value=7889400.0, reading='3 months of 30.4375 days')
    """
    seen = " ".join(text.split())
    match = TIME.fullmatch(seen)
    if match is None:
        _refuse(seen, "is not a length of time", "write 30 days, 12 hours or 3 months")
    month = re.fullmatch("months?", match["time"], FLAGS)
    return Quantity(_seconds(match["times"], match["time"], seen), seen + (" of 30.4375 days" if month else ""))


def read_usd(text: str) -> Quantity:
    """Read an amount of US dollars; M, in either case, is a million.

    Raises QuantityError for a number without a currency, another currency, anything else.

    >>> read_usd("$2M").reading, read_usd("2.5 million dollars").reading, read_usd("$2.10").reading
    ('$2,000,000', '$2,500,000', '$2.10')
    """
    seen = " ".join(text.split())
    match = USD.fullmatch(seen)
    if match is None or (not match["sign"]) == (not match["word"]):
        _refuse(seen, "is not an amount of US dollars", f"write {USD_UNDERSTOOD}")
    scale = USD_SUFFIXES[(match["suffix"] or "").lower()]
    number = _number(match["number"].replace(",", ""), seen)
    value = _positive(number * scale, f"{seen!r}", "an amount of US dollars", USD_UNDERSTOOD)
    return Quantity(value, _dollars(value))


def _dollars(value: float) -> str:
    """Dollars in full, so that an M that was misread is seen; to the cent where that is exact enough."""
    if not 0.01 <= value < 1e15:
        return f"${_short(value)}"
    cents = f"{value:,.2f}".removesuffix(".00")
    return f"${cents}" if math.isclose(float(cents.replace(",", "")), value, rel_tol=1e-6) else f"${_short(value)}"


def _read_count(text: str | float, noun: str) -> Quantity:
    wanted, understood = f"a number of {noun}", COUNT_UNDERSTOOD[noun]
    if not isinstance(text, str):
        number, unit = _as_float(text, wanted), ""
        seen = str(text)
    else:
        seen = " ".join(text.split())
        number, unit = _split(seen, wanted, understood)
    count = COUNT.fullmatch(unit)
    if count is None:
        _refuse(seen, f"has the unit {unit!r}, which does not count {noun}", f"write {understood}")
    if count["noun"] and count["noun"][0].lower() != noun[0]:
        _refuse(seen, f"is not {wanted}", f"write {understood}")
    value = _positive(number * COUNT_SUFFIXES[count["suffix"].lower()], f"{seen!r}", wanted, understood)
    scaled, suffix = _scaled(value, digits=6)
    return Quantity(value, f"{_short(scaled)}{suffix} {noun}")


def _split(seen: str, wanted: str, understood: str) -> tuple[float, str]:
    """The number that a text starts with, and the rest of it."""
    if not seen:
        raise QuantityError(f"an empty text is not {wanted}; write {understood}.")
    if seen.startswith("$"):
        _refuse(seen, "is a price, and prices are not understood", f"write {wanted} as {understood}")
    match = QUANTITY.fullmatch(seen)
    if match is None:
        _refuse(seen, f"is not {wanted}", f"write {understood}")
    return _number(match["number"], seen), match["unit"].strip()


def _number(digits: str, seen: str) -> float:
    # The pattern lets any underscores through; float() wants them single and between digits.
    try:
        return float(digits)
    except ValueError:
        _refuse(seen, f"starts with {digits!r}, which is not a number", "write digits as in 1e24 or 1_000_000")


def _as_float(number: float, wanted: str) -> float:
    try:
        return float(number)
    except (TypeError, ValueError):
        raise QuantityError(f"{wanted} is one number or a text, not {number!r}.") from None
    except OverflowError:
        raise QuantityError(f"{wanted} of more than 1e308 is beyond what can be computed with; give less.") from None


def _seconds(times: str | None, unit: str, seen: str) -> float:
    name = unit.lower()
    seconds = SECONDS.get(name) or SECONDS.get(name.removesuffix("s"))
    if seconds is None:
        _refuse(seen, f"has {unit!r} for a time", "write seconds, minutes, hours, days, weeks, months or years")
    count = 1.0 if times is None else _number(times, seen)
    return _positive(count * seconds, f"the time in {seen!r}", "a time", "64 days or 12 hours")


def _refuse_unit_of_compute(seen: str, unit: str) -> NoReturn:
    """Say what is wrong with a unit that is not one of compute; the likely slips get a hint of their own."""
    if RATE.fullmatch(unit):
        _refuse(seen, "is a rate", f"say for how long: {seen} for 30 days")
    if COUNT.fullmatch(unit):
        _refuse(seen, "counts parameters or tokens, and a budget is in FLOPs", f"write {FLOPS_UNDERSTOOD}")
    if re.match(r"x\s*[a-z]", unit, FLAGS):
        _refuse(seen, "names hardware, and hardware is not understood", f"write FLOPs as {FLOPS_UNDERSTOOD}")
    if re.match(r"[kmgtpezy]?flops?\s*(?:[-·*x×]|for\b)", unit, FLAGS):
        _refuse(seen, "multiplies an amount of FLOPs by something", "write a rate, as in 10 EFLOP/s for 64 days")
    _refuse(seen, f"has the unit {unit!r}, which is not one of compute", f"write {FLOPS_UNDERSTOOD}")


def _positive(value: float, seen: str, wanted: str, understood: str) -> float:
    if math.isfinite(value) and value > 0:
        return value
    fault = "not a finite number" if not math.isfinite(value) else "negative" if value < 0 else "zero"
    raise QuantityError(f"{seen} is {fault}; {wanted} is a positive number such as {understood}.")


def _refuse(seen: str, fault: str, remedy: str) -> NoReturn:
    raise QuantityError(f"{seen!r} {fault}; {remedy}.")


def _short(value: float, digits: int = 6) -> str:
    """A number as a person writes it: 1e24 and 86400, not 1e+24 and 86400.0."""
    rounded = float(f"{value:.{digits - 1}e}")
    return _plain_exponent(f"{rounded:.{max(digits, 6)}g}")


def _plain_exponent(text: str) -> str:
    """1e24 for Python's 1e+24, and 2e-7 for its 2e-07."""
    return re.sub(r"e([+-])0*", lambda sign: "e" + sign[1].strip("+"), text)


def _scaled(value: float, digits: int) -> tuple[float, str]:
    """A count in thousands, millions, billions or trillions, rounded first so that 999.96M becomes 1B."""
    rounded = float(f"{value:.{digits - 1}e}")
    for suffix, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if scale <= rounded < 1000 * scale:
            return rounded / scale, suffix
    return rounded, ""


def format_flops(value: float, digits: int = 3) -> str:
    """FLOPs to so many significant digits; the unit stands in the text around it.

    >>> format_flops(5.76e23), format_flops(8.6412e19), format_flops(1e24)
    ('5.76e23', '8.64e19', '1e24')
    """
    return _short(value, digits)


def format_number(value: float, digits: int = 6) -> str:
    """Any number to so many significant digits, as a person writes it.

    >>> format_number(46080.0), format_number(1122048.0, 3), format_number(1e24)
    ('46080', '1.12e6', '1e24')
    """
    return _short(value, digits)


def format_si(value: float, digits: int = 3) -> str:
    """Parameters or tokens to so many significant digits, with K, M, B or T.

    >>> format_si(70e9), format_si(1.329e12, digits=4), format_si(999.96e6), format_si(16160)
    ('70.0B', '1.329T', '1.00B', '16.2K')
    """
    scaled, suffix = _scaled(value, digits)
    return f"{scaled:#.{digits}g}".removesuffix(".") + suffix if suffix else _short(scaled, digits)


def format_level(level: float) -> str:
    """A level as people say it.

    >>> format_level(0.9), format_level(0.999), format_level(0.68)
    ('90%', '99.9%', '68%')
    """
    return f"{100 * level:.4g}%"


def format_usd(value: float, digits: int = 3) -> str:
    """US dollars: to the cent below a thousand, to so many significant digits above.

    >>> format_usd(2.95), format_usd(2_070_605), format_usd(135_936)
    ('$2.95', '$2.07M', '$136K')
    """
    return f"${value:.2f}" if 0.01 <= value < 999.995 else f"${format_si(value, digits)}"


def format_error(value: float, half_width: float) -> str:
    """A value and the half width of its interval, both rounded by the interval.

    The error keeps two digits where the first is a 1 and one digit otherwise, so that rounding never
    moves it by more than a quarter; the value ends at the same decimal. A value with no interval (half
    width 0, infinite or nan) keeps four digits.

    >>> format_error(0.51312, 0.0031), format_error(1.81722, 0.0257), format_error(477.83, 124.6)
    ('0.513 ± 0.003', '1.82 ± 0.03', '480 ± 120')
    >>> format_error(7.225e10, 3.8e9)
    '(7.2 ± 0.4)e10'
    """
    if not (math.isfinite(half_width) and half_width > 0):
        return _short(value, 4)
    exponent = math.floor(math.log10(max(abs(value), half_width)))
    if -4 <= exponent < 6:
        return _round_together(value, half_width)
    return f"({_round_together(value / 10.0**exponent, half_width / 10.0**exponent)})e{exponent}"


def _round_together(value: float, half_width: float) -> str:
    decimals = _decimals(half_width)
    shown = max(decimals, 0)
    return f"{round(value, decimals):.{shown}f} ± {round(half_width, decimals):.{shown}f}"


def _decimals(error: float) -> int:
    """The last decimal place that an error of this size supports (negative: tens, hundreds, ...)."""
    exponent = math.floor(math.log10(error))
    digits = 2 if round(error / 10.0 ** (exponent - 1)) < 20 else 1
    return digits - 1 - exponent


def format_value(value: float, interval: tuple[float, float] | None) -> str:
    """A value alone, to the digits that its interval supports; four where it has none.

    Where the ends are more than a factor of three apart, or the interval is wider than twice the value,
    half the width says nothing about the value's own digits, and it keeps three.

    >>> format_value(0.54731, (0.5102, 0.5889)), format_value(0.54731, None), format_value(384.2, (32.8, 283e3))
    ('0.55', '0.5473', '384')
    >>> format_value(7.225e10, (6.8e10, 7.6e10))
    '7.2e10'
    """
    if interval is None:
        return _short(value, 4)
    lo, hi = interval
    half_width = (hi - lo) / 2
    if not 0 < half_width < abs(value) or hi > 3 * lo > 0:
        return _short(value, 3)
    decimals, exponent = _decimals(half_width), math.floor(math.log10(abs(value)))
    if -4 <= exponent < 6:
        return f"{round(value, decimals):.{max(decimals, 0)}f}"
    return _plain_exponent(f"{value:.{max(decimals + exponent, 0)}e}")


def format_estimate(value: float, interval: tuple[float, float] | None) -> str:
    """A value and its interval, which need not be symmetric about it.

    >>> format_estimate(0.54731, (0.5102, 0.5889)), format_estimate(1.8172, None)
    ('0.55 [0.51, 0.59]', '1.817')
    """
    return format_value(value, interval) + ("" if interval is None else f" {format_interval(*interval)}")


def format_interval(lo: float, hi: float) -> str:
    """The ends of an interval, rounded by half its width.

    Ends that are more than a factor of three apart keep three digits each: a shared decimal place
    would say nothing about the lower one.

    >>> format_interval(0.50988, 0.51633), format_interval(3.1e9, 4.2e11)
    ('[0.510, 0.516]', '[3.1e9, 4.2e11]')
    """
    half_width = (hi - lo) / 2
    exponent = math.floor(math.log10(max(abs(lo), abs(hi)))) if lo or hi else 0
    if not (math.isfinite(half_width) and half_width > 0) or hi > 3 * lo > 0 or not -4 <= exponent < 6:
        return f"[{_short(lo, 3)}, {_short(hi, 3)}]"
    decimals = _decimals(half_width)
    shown = max(decimals, 0)
    return f"[{round(lo, decimals):.{shown}f}, {round(hi, decimals):.{shown}f}]"

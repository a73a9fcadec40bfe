"""Budgets that name hardware or money: "64xH100 for 30 days", "$2M at $2.10 per H100-hour", "100k H100-hours".

A head, then clauses in any order::

    head      64xH100 · 64 H100s · $2M · 100k H100-hours · 10 EFLOP/s FP16 · whatever read_flops reads
    clauses   for 30 days · @ 40% MFU · in fp8 · on 64xH100 · at $2.10 per H100-hour

What is left out takes the accelerator's default and is echoed with its date. What could be read in two
ways is refused with one sentence.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from isoflop.errors import QuantityError, UnknownName
from isoflop.hardware._accelerator import DTYPES, SPELLED_OUT, Accelerator
from isoflop.hardware._catalogue import accelerator, is_accelerator
from isoflop.hardware.cost import MOST_DEVICES, Cluster
from isoflop.quantities import (
    FLAGS,
    NUMBER,
    Quantity,
    abbreviate_prefixes,
    format_number,
    format_usd,
    read_flops,
    read_time,
    read_usd,
)

CLAUSE = re.compile(r"\s+(for|on|in|at|with)(?:\s+|$)|\s*(@)\s*", FLAGS)
NAMED = {"for": "a time", "on": "hardware", "in": "a number format", "mfu": "an MFU", "price": "a price"}
DEVICES = re.compile(rf"(?P<number>{NUMBER})(?P<suffix>k?)(?P<times>\s*[x×*]\s*|\s+)(?P<name>[a-z0-9./~].*)", FLAGS)
DEVICE_HOURS = re.compile(
    rf"(?P<number>{NUMBER})\s?(?P<suffix>k|m|thousand|million)?\s+(?P<name>[a-z0-9./~].*?)[\s-]"
    r"(?P<unit>h|hrs?|hours?|days?|weeks?|months?|years?)",
    FLAGS,
)
RATE = re.compile(r"(?P<rate>\S+?\s*[kmgtpezy]?flops?/s(?:ec|econd)?)\s*(?P<dtype>[a-z][a-z0-9]*)?", FLAGS)
COMPUTE = re.compile(r"[kmgtpezy]?(?:flops?|f)(?:/s\w*)?|[kmgtpezy]flops?.*", FLAGS)
SHARE = re.compile(rf"(?:mfu\s*(?:of\s*)?)?(?P<number>{NUMBER})\s*(?P<percent>%)?(?P<mfu>\s*mfu)?", FLAGS)
PRICE = re.compile(r"(?P<usd>.+?)\s*(?:/|\s+per\s+|\s+an?\s+)\s*(?P<unit>.+)", FLAGS)
PER_HOUR = re.compile(r"(?:(?P<name>.+?)[\s-])?(?:h|hr|hour)", FLAGS)
DEVICE_WORD = re.compile(r"\s+(?:gpus?|cards?|chips?)$", FLAGS)
ANY_DEVICE = ("gpu", "tpu", "device", "accelerator", "card", "chip")
LARGE = {"": 1.0, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6}
LEAST_SHARE = 0.01

EXAMPLES = "64xH100 for 30 days, $2M on H100, or 100k H100-hours"


@dataclass(frozen=True)
class Budget:
    """FLOPs, and how a text came to mean so many.

    ``reading`` holds every number that entered; ``hours`` and ``usd`` are None where nothing says them, and
    ``usd`` is what was offered, or what the time costs; ``notes`` are cautions about the hardware.
    """

    flops: float
    reading: str
    cluster: Cluster | None = None
    hours: float | None = None
    usd: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def compute(self) -> Quantity:
        """The FLOPs and their reading alone, as ``read_flops`` gives them."""
        return Quantity(self.flops, self.reading)


def read_budget(text: str | float) -> Budget:
    """Read a budget: an amount of compute, devices for a time, money, device-hours.

    Raises UsageError (QuantityError, UnknownName), with one sentence, for anything else.

    >>> read_budget("10 EFLOP/s FP16 @ 40% for 64 days").reading
    '10 EFLOP/s FP16 @ 40% for 64 days = 2.21184e25 FLOPs (1e19 FLOP/s fp16 x 5529600 s x 40 % MFU)'
    >>> f"{read_budget('$1M on H100').flops:.3g}"
    '4.83e+23'
    """
    if not isinstance(text, str):
        return _of_compute(read_flops(text))
    seen = abbreviate_prefixes(" ".join(text.split()))
    head, *rest = CLAUSE.split(seen)
    words = list(zip(rest[0::3], rest[1::3], rest[2::3], strict=True))
    if _is_money(head):
        return _of_money(seen, read_usd(head), _clauses(seen, words))
    if re.match(r"\d+,\d", head):
        _refuse(seen, "has a comma in its number", "write digits alone, as in 1024 or 1_000_000")
    hours = DEVICE_HOURS.fullmatch(head)
    if hours and not COMPUTE.fullmatch(hours["name"]):
        return _of_device_hours(seen, hours, _clauses(seen, words))
    devices = DEVICES.fullmatch(head)
    if devices and _names_hardware(devices):
        return _of_devices(seen, devices, _clauses(seen, words))
    joined = re.fullmatch(rf"({NUMBER})([a-z].*)", head, FLAGS)
    if joined and is_accelerator(joined[2]):
        _refuse(seen, "runs a number and hardware together", f"write {joined[1]}x{joined[2]}")
    rate = RATE.fullmatch(head)
    if rate and (rate["dtype"] or any(word != "for" for word in (one or two for one, two, _ in words))):
        return _of_rate(seen, rate, _clauses(seen, words))
    strays = [key for key in _clauses(seen, words) if key != "for"]
    if strays:
        _refuse(seen, f"gives {NAMED[strays[0]]}, and {head!r} is neither money nor hardware", f"write {EXAMPLES}")
    return _of_compute(read_flops(seen))


def _of_compute(amount: Quantity) -> Budget:
    return Budget(amount.value, amount.reading)


def _is_money(head: str) -> bool:
    if re.match(r"[€£¥]|eur\b|gbp\b", head, FLAGS):
        _refuse(head, "is not in US dollars", "convert it, as in $2M on H100")
    return bool(re.match(r"(?:us\s*)?\$|usd\b", head, FLAGS) or re.search(r"\b(?:dollars?|usd)$", head, FLAGS))


def _names_hardware(devices: re.Match[str]) -> bool:
    """Whether "64 NAME" counts devices: always after an x, else where NAME is one or looks like one."""
    name = devices["name"]
    if devices["times"].strip():
        return True
    return is_accelerator(name) or bool(re.match(r"[a-z]+-?\d", name, FLAGS) or is_accelerator(name.split()[0]))


def _clauses(seen: str, words: list[tuple[str | None, str | None, str]]) -> dict[str, str]:
    """The text after each keyword; "at" is said of prices and of utilisation."""
    found: dict[str, str] = {}
    for word, sign, body in words:
        key = (word or sign or "").lower()
        if key in ("at", "@", "with"):
            key = "mfu" if SHARE.fullmatch(body) or "mfu" in body.lower() else "price"
        if key in found:
            _refuse(seen, f"gives {NAMED[key]} twice", "leave one out")
        if not body:
            _refuse(seen, f"ends where {NAMED[key]} should follow", f"write {EXAMPLES}")
        found[key] = body.strip()
    return found


def _of_devices(seen: str, devices: re.Match[str], clauses: dict[str, str]) -> Budget:
    _refuse_clause(seen, clauses, "on", "leave out the second hardware")
    count, one = _devices(seen, devices)
    if "for" not in clauses:
        start = f"{count}x{devices['name']}"
        _refuse(seen, "gives neither a time nor money", f"write {start} for 30 days, or $500k on {start}")
    cluster = _cluster(seen, one, count, clauses)
    time = read_time(clauses["for"])
    hours = time.value / 3600
    said = f"{count} {one.id} x {format_number(hours)} hours"
    if time.reading != clauses["for"]:
        said += f" ({time.reading})"
    return _budget(seen, f"{said} = {format_number(count * hours)} device-hours", cluster, count * hours)


def _of_device_hours(seen: str, match: re.Match[str], clauses: dict[str, str]) -> Budget:
    _refuse_clause(seen, clauses, "for", "device-hours already hold the time")
    _refuse_clause(seen, clauses, "on", "device-hours already name the hardware")
    if match["suffix"] == "m":
        _refuse(seen, "has the suffix m, which is a thousandth", "write M for a million")
    one = _accelerator(match["name"])
    hours = read_time(f"1 {match['unit']}").value / 3600
    device_hours = _number(seen, match["number"]) * LARGE[(match["suffix"] or "").lower()] * hours
    cluster = _cluster(seen, one, None, clauses, named=True)
    return _budget(seen, f"{format_number(device_hours)} device-hours of {one.id}", cluster, device_hours)


def _of_money(seen: str, money: Quantity, clauses: dict[str, str]) -> Budget:
    _refuse_clause(seen, clauses, "for", "money and a time are two budgets, and one must follow from the other")
    count, one = None, None
    if "on" in clauses:
        devices = DEVICES.fullmatch(clauses["on"])
        if devices and not is_accelerator(clauses["on"]) and _names_hardware(devices):
            count, one = _devices(seen, devices)
        else:
            one = _accelerator(clauses["on"])
    elif "price" in clauses:
        _, one = _price(seen, clauses["price"])
    if one is None:
        _refuse(seen, "names no hardware", "say what the money buys, as in $2M on H100 or $2M at $2.10 per H100-hour")
    cluster = _cluster(seen, one, count, clauses)
    if cluster.price is None:
        remedy = f"give yours, as in {seen} at $1.50 per {one.id}-hour"
        _refuse(seen, f"needs a price for {one.id}, and there is none here", remedy)
    device_hours = cluster.device_hours_for(money.value)
    said = f"{money.reading} / {cluster.say_price()} = {format_number(device_hours)} device-hours of {one.id}"
    if count is not None:
        said += f", {format_number(device_hours / count)} hours on {count}"
    return _budget(seen, said, cluster, device_hours, money.value)


def _of_rate(seen: str, rate: re.Match[str], clauses: dict[str, str]) -> Budget:
    """A machine known by its rate alone; the number format enters no product, and is echoed as a label."""
    for key in ("on", "price"):
        _refuse_clause(seen, clauses, key, "a rate says all that is needed")
    dtype = _dtype(seen, rate["dtype"] or clauses["in"]) if rate["dtype"] or "in" in clauses else ""
    if rate["dtype"] and "in" in clauses:
        _refuse(seen, "gives a number format twice", "leave one out")
    if "for" not in clauses:
        _refuse(seen, "is a rate", f"say for how long: {seen} for 30 days")
    time = read_time(clauses["for"])
    amount = read_flops(f"{rate['rate']} for {clauses['for']}")
    share = _share(seen, clauses["mfu"]) if "mfu" in clauses else None
    flops = _finite(seen, amount.value * (share or 1.0))
    per_second = format_number(amount.value / time.value)
    of = f" x {100 * share:.6g} % MFU" if share else ""
    label = f" {dtype}" if dtype else ""
    said = f"{per_second} FLOP/s{label} x {time.value:.9g} s{of}"
    note = f"{rate['rate']} is taken as the rate that training sustains; if it is the peak, add an MFU: @ 40%."
    return Budget(flops, f"{seen} = {_flops(flops)} ({said})", None, time.value / 3600, None, () if share else (note,))


def _cluster(
    seen: str, one: Accelerator, count: int | None, clauses: dict[str, str], *, named: bool = False
) -> Cluster:
    """``named``: the budget is in device-hours, so that "$2 per hour" is of one of them."""
    price, priced = _price(seen, clauses["price"], named) if "price" in clauses else (None, None)
    if priced is not None and priced.id != one.id:
        _refuse(seen, f"prices {priced.id} and uses {one.id}", "name one of them in both places")
    share = _share(seen, clauses["mfu"]) if "mfu" in clauses else None
    dtype = _dtype(seen, clauses["in"]) if "in" in clauses else None
    return Cluster(one, count, utilisation=share, dtype=dtype, price_usd_per_hour=price)


def _budget(seen: str, said: str, cluster: Cluster, device_hours: float, usd: float | None = None) -> Budget:
    flops = _finite(seen, device_hours * cluster.flops_per_device_hour)
    factors = f"{said}, {cluster.say_rate()}, {cluster.say_mfu()}"
    if usd is None and cluster.price is not None:
        usd = _finite(seen, device_hours * cluster.price)
        factors += f"; {cluster.say_price()}, makes {format_usd(usd)}"
    hours = None if cluster.count is None else device_hours / cluster.count
    return Budget(flops, f"{seen} = {_flops(flops)} ({factors})", cluster, hours, usd, cluster.cautions())


def _devices(seen: str, match: re.Match[str]) -> tuple[int, Accelerator]:
    """How many of what "64xH100" is."""
    count = _number(seen, match["number"]) * LARGE[match["suffix"].lower()]
    name = DEVICE_WORD.sub("", match["name"])
    if not is_accelerator(name) and re.match(rf"{NUMBER}\s*[x×*]", name, FLAGS):
        _refuse(seen, "multiplies more than once", "write the number of devices in all, as in 32xH100")
    hours = re.fullmatch(r"(.+?)[\s-](?:h|hrs?|hours?)", name, FLAGS)
    if hours and is_accelerator(hours[1]):
        of = f"{count:g} {hours[1]}-hours"
        _refuse(seen, "could count devices or device-hours", f"write {of}, or {count:g}x{hours[1]} for 30 days")
    first, _, more = name.partition(" ")
    if more and not is_accelerator(name) and is_accelerator(first):
        _refuse(seen, f"has {more!r} after the hardware", "put 'for' before a time, '@' before an MFU, 'in' before fp8")
    if count % 1 or count > MOST_DEVICES:
        _refuse(seen, f"asks for {format_number(count)} devices", "give a whole number, of a billion at most")
    return int(count), _accelerator(name)


def _accelerator(name: str) -> Accelerator:
    """By name; the plural counts, as in 64 H100s."""
    if name.lower() in ANY_DEVICE:
        raise UnknownName(f"{name!r} could be any of them; name the accelerator, as in 100k H100-hours.")
    bare = DEVICE_WORD.sub("", name)
    singular = bare[:-1] if bare.lower().endswith("s") and not is_accelerator(bare) else bare
    return accelerator(singular if is_accelerator(singular) else bare)


def _price(seen: str, body: str, named: bool = False) -> tuple[float, Accelerator | None]:
    """Dollars per device-hour, and the device that the price names, if it names one."""
    match = PRICE.fullmatch(body)
    per = PER_HOUR.fullmatch(match["unit"]) if match else None
    if match is None or per is None:
        if re.match(rf"{NUMBER}$", body, FLAGS):
            _refuse(seen, f"says {body!r} with no unit", "write 40% for an MFU, or $2.10 per H100-hour for a price")
        _refuse(seen, f"has {body!r}, which is neither an MFU nor a price", "write 40%, or $2.10 per H100-hour")
    if per["name"] is None and named:
        return read_usd(match["usd"]).value, None
    if per["name"] is None:
        _refuse(seen, "does not say of what an hour is priced", f"write {match['usd']} per H100-hour")
    generic = per["name"].lower() in ANY_DEVICE
    return read_usd(match["usd"]).value, None if generic else _accelerator(per["name"])


def _share(seen: str, body: str) -> float:
    match = SHARE.fullmatch(body)
    if match is None:
        _refuse(seen, f"has {body!r} for an MFU", "write @ 40%, or @ 0.4 MFU")
    number = _number(seen, match["number"])
    if not match["percent"] and number > 1:
        _refuse(seen, f"has {body!r} for an MFU", f"write {number:g}% if that is meant")
    if not match["percent"] and "mfu" not in body.lower():
        _refuse(seen, f"says {body!r} with no unit", f"write {100 * number:g}% or {number:g} MFU")
    share = number / 100 if match["percent"] else number
    if share > 1:
        _refuse(seen, f"has an MFU of {number:g} %, and more than the peak is impossible", "write 40%")
    if share < LEAST_SHARE:
        meant = f"write {100 * number:g}% if that is meant" if match["percent"] else "write 40%"
        _refuse(seen, f"has an MFU of {100 * share:g} %, which no training run is sized by", meant)
    return share


def _dtype(seen: str, name: str) -> str:
    dtype = SPELLED_OUT.get(name.lower(), name.lower())
    if dtype not in DTYPES:
        _refuse(seen, f"has {name!r} for a number format", f"write one of {', '.join(DTYPES)}")
    return dtype


def _refuse_clause(seen: str, clauses: dict[str, str], key: str, why: str) -> None:
    if key in clauses:
        _refuse(seen, f"gives {NAMED[key]} ({clauses[key]!r}) that has no place in it", why)


def _number(seen: str, digits: str) -> float:
    """A positive number; NUMBER lets underscores through that float() does not."""
    try:
        value = float(digits)
    except ValueError:
        _refuse(seen, f"has {digits!r} for a number", "write digits as in 1024 or 1_000_000")
    if not 0 < value < math.inf:
        _refuse(seen, f"has {digits} where a positive, finite number belongs", f"write {EXAMPLES}")
    return value


def _finite(seen: str, flops: float) -> float:
    if not 0 < flops < math.inf:
        _refuse(seen, "comes to nothing, or to more than can be computed with", f"write {EXAMPLES}")
    return flops


def _flops(value: float) -> str:
    return read_flops(value).reading


def _refuse(seen: str, fault: str, remedy: str) -> NoReturn:
    raise QuantityError(f"{seen!r} {fault}; {remedy}.")

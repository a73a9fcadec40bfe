"""One kind of accelerator: its dense peaks, memory, power, what to expect of it, what it costs, and who says so."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from isoflop.errors import UsageError

SCHEMA = "isoflop.accelerator/1"
# From the most trustworthy down: the vendor's own page; a compiled table that links the vendors' pages; another
# page; worked out from one of these; only remembered.
VERIFIED = ("vendor", "table", "page", "derived", "memory")
# From the fewest bits up.
DTYPES = ("fp4", "fp6", "fp8", "bf16", "fp16", "tf32", "fp32")
SPELLED_OUT = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float8": "fp8"}


@dataclass(frozen=True)
class Source:
    """Who says so, when it was read (a date, ISO), and how that was checked (one of VERIFIED)."""

    title: str
    date: str
    verified: str


@dataclass(frozen=True)
class Price:
    """On-demand US dollars per device and hour in the month ``date``: prices age within weeks."""

    low: float
    typical: float
    high: float
    date: str
    source: str
    verified: str


@dataclass(frozen=True)
class Utilisation:
    """Model FLOPs utilisation (MFU) to expect: training FLOPs per second over the dense peak."""

    low: float
    typical: float
    high: float
    source: str
    verified: str


@dataclass(frozen=True)
class Accelerator:
    """A kind of accelerator. Rates are FLOP/s of one device, dense: without structured sparsity.

    ``peak`` is by number format (bf16, fp8, ...); ``matmul`` is what a matrix product alone was measured
    to reach. ``unit`` says what one device is (GPU, card, chip), ``unit_note`` where it could be mistaken.
    ``watts`` and ``price`` are None where there is no figure.
    """

    id: str
    vendor: str
    title: str
    aliases: tuple[str, ...]
    unit: str
    unit_note: str
    peak: Mapping[str, float]
    memory_gigabytes: float
    bandwidth_bytes_per_second: float
    watts: float | None
    matmul: Mapping[str, float]
    utilisation: Utilisation
    price: Price | None
    source: Source
    cautions: tuple[str, ...]

    @property
    def dtype(self) -> str:
        """The number format that training uses unless told: bf16, or fp16 where there is no bf16."""
        return "bf16" if "bf16" in self.peak else "fp16"

    def peak_in(self, dtype: str) -> float:
        """Dense peak in a number format, FLOP/s; UsageError, with those there are, where there is no figure."""
        name = dtype.strip().lower()
        name = SPELLED_OUT.get(name, name)
        if name not in self.peak:
            raise UsageError(
                f"there is no {dtype} figure for {self.id}; it has {', '.join(self.peak)} (isoflop hardware {self.id})."
            )
        return self.peak[name]

    def to_dict(self) -> dict[str, Any]:
        """Every fact, as plain JSON types; what is not known is None."""
        facts = vars(self) | {"peak": dict(self.peak), "matmul": dict(self.matmul)}
        facts |= {"aliases": list(self.aliases), "cautions": list(self.cautions)}
        facts |= {"utilisation": vars(self.utilisation), "source": vars(self.source)}
        return facts | {"price": None if self.price is None else vars(self.price)}


def accelerator_from_toml(text: str, where: str) -> Accelerator:
    """Read an accelerator; ``where`` names the file in error messages. UsageError for what is not one."""
    try:
        facts = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}.") from error
    if facts.get("schema") != SCHEMA:
        raise UsageError(f"{where} is no accelerator: its schema is {facts.get('schema')!r}, expected {SCHEMA!r}.")
    top = _Section(facts, "the file", where)
    memory, source = top.section("memory"), top.section("source")
    power = top.section("power", optional=True)
    return Accelerator(
        id=top.word("id"),
        vendor=top.word("vendor"),
        title=top.word("title"),
        aliases=top.words("aliases"),
        unit=top.word("unit", "GPU"),
        unit_note=top.word("unit_note", ""),
        peak=top.section("peak").rates(),
        memory_gigabytes=memory.number("gigabytes"),
        bandwidth_bytes_per_second=memory.number("bytes_per_second"),
        watts=power.number("watts") if power else None,
        matmul=section.rates() if (section := top.section("matmul", optional=True)) else MappingProxyType({}),
        utilisation=_utilisation(top.section("utilisation")),
        price=_price(section) if (section := top.section("price", optional=True)) else None,
        source=Source(source.word("title"), source.word("date"), source.verified()),
        cautions=top.words("cautions"),
    )


def _utilisation(table: _Section) -> Utilisation:
    low, typical, high = table.band()
    if high > 1:
        raise UsageError(f"{table.place} says high = {high:g}; a utilisation is a share, 0.4 for 40 %.")
    return Utilisation(low, typical, high, table.word("source"), table.verified())


def _price(table: _Section) -> Price:
    return Price(*table.band(), table.word("date"), table.word("source"), table.verified())


@dataclass(frozen=True)
class _Section:
    """A table of a TOML file whose entries are asked for by type, and complained about by place."""

    facts: Mapping[str, Any]
    name: str
    where: str

    @property
    def place(self) -> str:
        return f"{self.where}, {self.name},"

    def section(self, key: str, optional: bool = False) -> _Section:
        found = self.facts.get(key, {} if optional else None)
        if not isinstance(found, dict):
            raise UsageError(f"{self.where} has no section [{key}]; write one, as every accelerator has.")
        return _Section(found, f"[{key}]", self.where)

    def __bool__(self) -> bool:
        return bool(self.facts)

    def word(self, key: str, default: str | None = None) -> str:
        found = self.facts.get(key, default)
        if not isinstance(found, str) or not (found or default == ""):
            raise UsageError(f"{self.place} says {key} = {found!r}; write a text in quotes.")
        return found

    def words(self, key: str) -> tuple[str, ...]:
        found = self.facts.get(key, [])
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            raise UsageError(f"{self.place} says {key} = {found!r}; write a list of texts.")
        return tuple(found)

    def number(self, key: str) -> float:
        found = self.facts.get(key)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
            raise UsageError(f"{self.place} says {key} = {found!r}; write a positive number.")
        return float(found)

    def band(self) -> tuple[float, float, float]:
        low, typical, high = (self.number(key) for key in ("low", "typical", "high"))
        if not low <= typical <= high:
            raise UsageError(f"{self.place} says {low:g}, {typical:g}, {high:g}; order them low, typical, high.")
        return low, typical, high

    def rates(self) -> Mapping[str, float]:
        strange = [key for key in self.facts if key not in DTYPES]
        if strange or not self.facts:
            raise UsageError(f"{self.place} has {strange or 'nothing'}; write rates in {', '.join(DTYPES)}.")
        return MappingProxyType({dtype: self.number(dtype) for dtype in DTYPES if dtype in self.facts})

    def verified(self) -> str:
        found = self.word("verified")
        if found not in VERIFIED:
            raise UsageError(f"{self.place} says verified = {found!r}; write one of {', '.join(VERIFIED)}.")
        return found

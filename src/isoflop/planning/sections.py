"""What else is asked of a plan: what hardware makes of the budget, which architecture, with which learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isoflop import laws
from isoflop.accounting import Recompute
from isoflop.conventions import ParamsConvention
from isoflop.errors import UnknownName, UsageError
from isoflop.hardware import Budget, Cluster, Cost, accelerator
from isoflop.laws import Law
from isoflop.planning.architecture import CONTEXT, VOCAB, Candidate, architectures
from isoflop.planning.backward import ValleySection, fixed, gain, measured
from isoflop.planning.data_limited import data_limited
from isoflop.planning.exact import exact_split
from isoflop.planning.known import KnownSection, place
from isoflop.planning.lifecycle import Demand, Lifecycle, lifecycle
from isoflop.planning.optimum import optimum
from isoflop.planning.precision import precision
from isoflop.planning.recount import VOCAB as RELATION_VOCAB
from isoflop.planning.result import Section
from isoflop.planning.strategies import strategies
from isoflop.planning.text import Sheet
from isoflop.planning.valley import valley
from isoflop.quantities import format_si, format_usd

RULES = ("steplaw2025", "deepseek2024_hyperparameters", "moonlight2025")
"""Published rules for learning rate and batch whose inputs a plan knows."""
GIGABYTE = 1e9
SHOWN = ("valley", "strategies", "known")
KEPT_FREE = 0.1
"""Of a device's memory, for buffers and fragmentation."""


@dataclass(frozen=True)
class Asked:
    """What else a plan is to answer. ``hardware`` is an accelerator's name; None where a thing is not asked.

    ``devices``, ``mfu``, ``dtype`` and ``price_usd_per_hour`` (of a device) replace the accelerator's defaults, and
    ``power`` those of Cluster for energy and carbon, by their names there, whoever names the hardware.
    ``architecture`` is the kind of network whose shapes are sought, with ``vocab`` and ``context``; ``exact_flops``
    splits the budget again with what a token of that kind (llama where none is named) costs.

    ``target_loss`` takes the place of a budget, alone or with one of what may be held; beside a budget one of
    ``params``, ``tokens`` and ``tokens_per_param`` is held. ``demand`` is a lifecycle's, ``unique_tokens`` what there
    is of data, the two bits are those of training and of the weights afterwards, ``multiplier`` a gain in compute,
    ``measured`` a run of one's own (N, D, loss). ``show`` holds any of "valley", "strategies" and "known".
    """

    hardware: str | None = None
    devices: int | None = None
    mfu: float | None = None
    dtype: str | None = None
    price_usd_per_hour: float | None = None
    power: Mapping[str, float] = field(default_factory=dict)
    architecture: str | None = None
    vocab: int | None = None
    context: int | None = None
    exact_flops: bool = False
    target_loss: float | None = None
    params: float | None = None
    tokens: float | None = None
    tokens_per_param: float | None = None
    demand: Demand | None = None
    unique_tokens: float | None = None
    training_bits: float | None = None
    post_bits: float | None = None
    multiplier: float | None = None
    measured: tuple[float, float, float] | None = None
    show: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if any(value is not None and value < 1 for value in (self.vocab, self.context)):
            raise UsageError(f"vocabulary {self.vocab}, context {self.context}: each is at least one.")
        for name in self.show:
            if name not in SHOWN:
                raise UnknownName.among("section to show", name, SHOWN)

    @property
    def about_networks(self) -> bool:
        """Whether a vocabulary or context is given where no whole network is asked for."""
        given = self.vocab is not None and self.training_bits is None and self.post_bits is None
        return self.architecture is None and not self.exact_flops and (given or self.context is not None)

    @property
    def widths(self) -> tuple[int, int]:
        """Vocabulary and context of whole networks."""
        return VOCAB if self.vocab is None else self.vocab, CONTEXT if self.context is None else self.context


NOTHING = Asked()


def answer(law: Law, spent: Budget, asked: Asked, level: float) -> tuple[Section, ...]:
    """Every section that was asked for, under one law."""
    cluster = _cluster(spent, asked)
    sections: list[Section] = []
    if cluster is not None:
        cost = cluster.cost(spent.flops)
        if not all(math.isfinite(value) for value in (cost.usd or 0.0, cost.energy_kwh or 0.0, cost.co2_kg or 0.0)):
            raise UsageError(f"{cluster.say_price()} comes to no finite price; give an amount that somebody could pay.")
        # A budget in hardware has said its cautions with its reading.
        cautions = () if spent.cluster is not None else cluster.cautions()
        sections.append(HardwareSection(cluster, cost, cautions))
    if _holds(asked) and asked.target_loss is None:
        sections.append(fixed(law, spent.flops, asked.params, asked.tokens, asked.tokens_per_param, level))
    if asked.exact_flops:
        kind = asked.architecture or "llama"
        sections.append(exact_split(law, spent.flops, kind, *asked.widths, level))
    if asked.architecture is not None:
        sections.append(_architecture(law, spent.flops, asked, cluster))
    return (*sections, *_further(law, spent.flops, asked, cluster, level))


def _lifecycle(law: Law, flops: float, asked: Asked, cluster: Cluster | None, level: float) -> Lifecycle:
    """In dollars too where hardware is known, whose utilisation is then training's."""
    demand = asked.demand
    assert demand is not None
    if cluster is not None and demand.training_mfu is None:
        demand = replace(demand, training_mfu=cluster.mfu)
    if cluster is not None and demand.training_mfu != cluster.mfu:
        raise UsageError(
            f"training at {demand.training_mfu:.0%} of the peak for serving and at {cluster.mfu:.0%} on "
            f"{cluster.accelerator.id}: say it once, with the hardware."
        )
    if demand.training_mfu is None and (demand.prefill_mfu or demand.decode_mfu):
        raise UsageError("utilisation in serving is compared with training's: give that too (train=0.4), or hardware.")
    found = lifecycle(law, flops, demand, unique_tokens=asked.unique_tokens, level=level)
    if cluster is None or cluster.price is None:
        return found
    dollars = cluster.price / cluster.flops_per_device_hour
    return replace(found, usd=(float(found.baseline_cost) * dollars, float(found.cost) * dollars))


def _holds(asked: Asked) -> bool:
    return (asked.params, asked.tokens, asked.tokens_per_param) != (None, None, None)


def _further(law: Law, flops: float, asked: Asked, cluster: Cluster | None, level: float) -> list[Section]:
    """What is asked of the law's own optimum."""
    sections: list[Section] = []
    if asked.demand is not None:
        sections.append(_lifecycle(law, flops, asked, cluster, level))
    if asked.unique_tokens is not None:
        sections.append(data_limited(law, flops, asked.unique_tokens, level=level))
    best = optimum(law, flops)
    if asked.training_bits is not None or asked.post_bits is not None:
        vocab = RELATION_VOCAB if asked.vocab is None else asked.vocab
        bits = {"training_bits": asked.training_bits, "post_bits": asked.post_bits}
        sections.append(
            precision(float(best.params), float(best.tokens), **bits, conventions=law.conventions, vocab=vocab)
        )
    if asked.multiplier is not None:
        sections.append(gain(law, flops, asked.multiplier, level))
    if asked.measured is not None:
        sections.append(measured(law, asked.measured, float(best.params), float(best.tokens)))
    if "valley" in asked.show:
        sections.append(ValleySection(law.id, valley(law, flops), level))
    if "strategies" in asked.show:
        sections.append(strategies(law, flops))
    if "known" in asked.show:
        sections.append(KnownSection(law.id, law.conventions.params, place(law)))
    return sections


def _cluster(spent: Budget, asked: Asked) -> Cluster | None:
    """The budget's own hardware, or the one that is asked for beside an amount of FLOPs."""
    given = (asked.devices, asked.mfu, asked.dtype, asked.price_usd_per_hour)
    if spent.cluster is not None:
        if asked.hardware is not None or any(value is not None for value in given):
            raise UsageError(
                f"the budget names its hardware ({spent.cluster.accelerator.id}); say devices, MFU, price and number "
                "format there, as in 64xH100 @ 40% for 30 days."
            )
        return spent.cluster.powered(**asked.power)
    if asked.hardware is None:
        if asked.power or any(value is not None for value in given):
            raise UsageError("devices, MFU, price, power or number format need hardware to be of; name it, as in H100.")
        return None
    one = accelerator(asked.hardware)
    return Cluster(one, asked.devices, asked.mfu, asked.dtype, asked.price_usd_per_hour).powered(**asked.power)


@dataclass(frozen=True)
class HardwareSection:
    """What the budget takes of a cluster: time, device-hours, money, energy, with every number assumed."""

    cluster: Cluster
    cost: Cost
    cautions: tuple[str, ...]

    name = "hardware"

    def to_dict(self) -> dict[str, Any]:
        return {"accelerator": self.cluster.accelerator.id, "devices": self.cluster.count, **self.cost.to_dict()}

    def sheet(self) -> Sheet:
        cost, count = self.cost, self.cluster.count
        rows = [("device-hours", format_si(cost.device_hours, 4))]
        if cost.days is not None:
            rows.insert(0, (f"days on {count}", f"{cost.days:,.4g}"))
        if cost.usd is not None:
            rows.append(("price", format_usd(cost.usd)))
        if cost.energy_kwh is not None and cost.co2_kg is not None:
            rows += [
                ("energy", f"{format_si(cost.energy_kwh)} kWh"),
                ("carbon", f"{format_si(cost.co2_kg / 1000)} t CO2e"),
            ]
        assumed = f"Assumed: {'; '.join(cost.assumptions)}."
        return Sheet(f"Hardware: {self.cluster.accelerator.title}", (), tuple(rows), (assumed, *self.cautions))


@dataclass(frozen=True)
class ArchitectureSection:
    """Whole networks near N*, the best proportioned first, with what published rules advise for it.

    ``rates`` and ``batches`` are rule -> learning rate and rule -> batch in tokens. ``capacity`` is the memory of a
    device in bytes, None without hardware; ``counted`` whether anybody said how many devices there are.
    """

    candidates: tuple[Candidate, ...]
    rates: dict[str, float]
    batches: dict[str, float]
    capacity: float | None
    counted: bool
    lawful: str
    held: bool = False
    """Whether a network of another size, or other tokens, were asked for beside it."""

    name = "architecture"

    @property
    def recompute(self) -> Recompute | None:
        """With how much recomputation the first candidate fits in a device with one sequence; None: not at all."""
        if self.capacity is None or not self.counted:
            return None
        return self.candidates[0].fits((1 - KEPT_FREE) * self.capacity)

    @property
    def least_devices(self) -> int | None:
        """The fewest devices that hold the first candidate, all state sharded, whole blocks recomputed; None: none."""
        first = self.candidates[0]
        room = 0.0 if self.capacity is None else (1 - KEPT_FREE) * self.capacity - first.recomputed
        return math.ceil(first.memory.total * first.devices / room) if room > 0 else None

    def to_dict(self) -> dict[str, Any]:
        first, *others = (candidate.to_dict() for candidate in self.candidates)
        return {
            **first,
            "fits": self.recompute is not None if self.capacity is not None and self.counted else None,
            "least_devices": self.least_devices,
            "recompute": self.recompute,
            "hyperparameters": {"learning_rate": self.rates, "batch_tokens": self.batches},
            "alternatives": others,
        }

    def sheet(self) -> Sheet:
        header = ("layers x width", "heads/kv", "d_ff", "parameters", "tokens", "loss")
        first = self.candidates[0]
        kind, vocab, context = first.shape.architecture.name, first.shape.vocab, first.shape.context
        title = f"Architecture: {kind}, vocabulary {vocab}, context {context}, scored by {self.lawful} with exact FLOPs"
        return Sheet(
            title,
            header,
            tuple(one.cells() for one in self.candidates),
            (*self._whose(), *self._rules(), self._memory()),
        )

    def _whose(self) -> tuple[str, ...]:
        return ("Near the law's N* at this compute, not the network that was held.",) if self.held else ()

    def _rules(self) -> tuple[str, ...]:
        said = []
        for what, found, unit in (("Learning rate", self.rates, ""), ("Batch", self.batches, " tokens")):
            low, high = min(found.values()), max(found.values())
            show = format_si if unit else lambda value: f"{value:.2g}"
            each = ", ".join(f"{name} {show(value)}" for name, value in found.items())
            said.append(
                f"{what} {show(low)} to {show(high)}{unit} ({each}): rules differ by design; tune on small runs."
            )
        return tuple(said)

    def _memory(self) -> str:
        first = self.candidates[0]
        on = f"{first.devices} device{'s' if first.devices > 1 else ''}"
        state, sequence = (f"{value / GIGABYTE:,.3g} GB" for value in (first.memory.total, first.activations))
        said = f"Memory on each of {on}, all state sharded: {state}, and {sequence} for each sequence"
        if self.capacity is None:
            return f"{said}; name hardware to see whether it fits."
        room = f"{self.capacity / GIGABYTE:g} GB with a tenth kept free"
        if not self.counted:
            least = self.least_devices
            fewest = (
                "no number of devices" if least is None else f"{least} device{'s' if least > 1 else ''} at the least"
            )
            return f"{said}: {fewest} hold{'s' if least in (None, 1) else ''} it in {room} each, blocks recomputed."
        if self.recompute is None:
            return f"{said}: does NOT fit in {room}, recomputed or not: more devices, or tensor parallelism."
        again = f", whole blocks recomputed ({first.recomputed / GIGABYTE:,.3g} GB)" if self.recompute == "full" else ""
        return f"{said}: fits in {room}{again}."


def _architecture(law: Law, flops: float, asked: Asked, cluster: Cluster | None) -> ArchitectureSection:
    assert asked.architecture is not None
    counted = cluster is not None and cluster.count is not None
    devices = cluster.count if cluster is not None and cluster.count is not None else 1
    vocab, context = asked.widths
    found = architectures(law, flops, kind=asked.architecture, vocab=vocab, context=context, devices=devices)
    rates, batches = _hyperparameters(found[0], flops)
    capacity = None if cluster is None else cluster.accelerator.memory_gigabytes * GIGABYTE
    return ArchitectureSection(found, rates, batches, capacity, counted, law.id, _holds(asked))


def _hyperparameters(candidate: Candidate, flops: float) -> tuple[dict[str, float], dict[str, float]]:
    """What each published rule says, N counted as the rule counts it."""
    rates, batches = {}, {}
    for name in RULES:
        rule = laws.entry(name)
        assert isinstance(rule, laws.Rule)
        blocks = rule.conventions.params == ParamsConvention.NON_EMBEDDING
        N = candidate.count.non_embedding if blocks else candidate.count.total
        said = rule.predict(params=N, tokens=candidate.tokens, flops=flops)
        rates[name], batches[name] = float(said["learning_rate"]), float(said["batch_tokens"])
    return rates, batches

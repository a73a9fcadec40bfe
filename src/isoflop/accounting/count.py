"""The whole account of one network: what ``isoflop count`` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from isoflop.accounting.flops import (
    FlopsPerToken,
    Recompute,
    described_by_appendix_f,
    flops_per_token,
    hardware_flops_per_token,
    hoffmann_flops_per_token,
)
from isoflop.accounting.memory import (
    GIB,
    ActivationMemory,
    StateMemory,
    activation_memory,
    kv_cache,
    state_memory,
)
from isoflop.accounting.params import ParamsCount, Parts, count_params, count_parts
from isoflop.accounting.presets import preset, presets
from isoflop.accounting.shapes import Experts, Shape, architecture, read_shape, usual_shape
from isoflop.errors import UsageError
from isoflop.quantities import format_flops, format_si

SCHEMA = "isoflop.count/1"
PARTS = {
    "token_embedding": "token embedding",
    "positions": "learned positions",
    "attention": "attention",
    "mlp": "MLP",
    "experts": "experts",
    "router": "routers",
    "biases": "biases",
    "norms": "norms",
    "head": "head",
}


@dataclass(frozen=True)
class Account:
    """One network: parameters, FLOPs for a token of training, bytes of memory on each device.

    ``hoffmann_flops`` is None for blocks that appendix F does not describe.
    ``hardware_flops`` is exact_full with what ``recompute`` computes again; ``kv_cache_token`` and
    ``kv_cache_context`` are bytes for one token and for one sequence of the whole context.
    """

    shape: Shape
    params: ParamsCount
    parts: Parts
    flops: FlopsPerToken
    hoffmann_flops: float | None
    hardware_flops: float
    states: StateMemory
    activations: ActivationMemory
    kv_cache_token: float
    kv_cache_context: float
    devices: int
    stage: int
    precision: str
    sequences: int
    recompute: Recompute

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "shape": self.shape.to_dict(),
            "params": self.params.to_dict(),
            "parts": self.parts.to_dict(),
            "flops_per_token": {
                **self.flops.to_dict(),
                "hoffmann": self.hoffmann_flops,
                "forward_causal": self.flops.exact_causal / 3,
                "hardware": self.hardware_flops,
            },
            "memory": {
                "devices": self.devices,
                "stage": self.stage,
                "precision": self.precision,
                "sequences": self.sequences,
                "recompute": self.recompute,
                **{f"{name}_bytes": value for name, value in self.states.to_dict().items()},
                "activations_bytes": self.activations.total,
                "activations_of": {f"{name}_bytes": value for name, value in vars(self.activations).items()},
                "kv_cache_bytes_per_token": self.kv_cache_token,
                "kv_cache_bytes_at_context": self.kv_cache_context,
            },
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        return "\n".join([self._title(), "", *self._params(), "", *self._flops(), "", *self._memory()])

    def _title(self) -> str:
        s = self.shape
        shared = "" if s.key_value_heads == s.heads else f" sharing {s.key_value_heads} of keys and values"
        mixture = "" if s.experts is None else f", {s.experts.top_k} of {s.experts.count} experts"
        return (
            f"{s.architecture.name}: {s.layers} layers, d_model {s.d_model}, {s.heads} heads{shared}, d_ff {s.d_ff}"
            f"{mixture}, vocabulary {s.vocab}, context {s.context}"
        )

    def _params(self) -> list[str]:
        counted = self.params
        rows = {
            "total": counted.total,
            "active for a token": counted.active,
            "blocks only (non_embedding)": counted.non_embedding,
            "matrices and head": counted.matrices_and_head,
            "embedding": counted.embedding,
        }
        if counted.active == counted.total:
            del rows["active for a token"]
        parts = {PARTS[name]: value for name, value in self.parts.to_dict().items() if name in PARTS and value}
        head = "head (the embedding again)" if self.shape.shares_head else None
        lines = ["parameters"] + [f"  {name:<30}{value:>20,}  {format_si(value)}" for name, value in rows.items()]
        lines += ["  of which"] + [
            f"    {name:<28}{value:>20,}  {value / counted.total:.1%}" for name, value in parts.items()
        ]
        return lines + ([f"    {head:<28}{0:>20}"] if head else [])

    def _flops(self) -> list[str]:
        rows = {
            "6 N": self.flops.six_n,
            "Kaplan's, with attention": self.flops.kaplan,
            "every product, causal": self.flops.exact_causal,
            "every product, full square": self.flops.exact_full,
            "Hoffmann et al.'s, appendix F": self.hoffmann_flops,
            f"done by the hardware, recompute {self.recompute}": self.hardware_flops,
        }
        base = self.flops.six_n
        return ["training FLOPs a token (a third is the forward pass)"] + [
            f"  {name:<44}{format_flops(value, 4):>10}  {value / base:.3f} of 6 N"
            for name, value in rows.items()
            if value is not None
        ]

    def _memory(self) -> list[str]:
        over = f"{self.devices} device{'s' if self.devices > 1 else ''}, ZeRO stage {self.stage}, {self.precision}"
        kept = f"{self.sequences} sequence{'s' if self.sequences > 1 else ''}, recompute {self.recompute}"
        states, kept_of = self.states, self.activations
        again = f", one while computed again {_gib(kept_of.at_work)}" if kept_of.at_work else ""
        return [
            f"memory on each of {over}",
            f"  {_gib(states.total)} of state: weights {_gib(states.weights)}, gradients {_gib(states.gradients)}, "
            f"optimiser {_gib(states.optimiser)}",
            f"  activations ({kept}) {_gib(kept_of.total)}: blocks {_gib(kept_of.blocks)}{again}, "
            f"head and loss {_gib(kept_of.head)}",
            f"  keys and values while serving: {self.kv_cache_token / 1e3:,.4g} kB a token, "
            f"{_gib(self.kv_cache_context)} at the whole context (16 bits)",
        ]


def _gib(count: float) -> str:
    return f"{count / GIB:,.3g} GiB"


def count_network(
    shape: Shape,
    *,
    devices: int = 1,
    stage: int = 0,
    precision: str = "bf16",
    sequences: int = 1,
    recompute: Recompute = "selective",
) -> Account:
    """The account of a network whose training state lies on ``devices``, ``sequences`` at a time on each.

    >>> from isoflop.accounting import preset
    >>> count_network(preset("gpt2")).params.total
    124439808
    """
    params = count_params(shape)
    return Account(
        shape=shape,
        params=params,
        parts=count_parts(shape),
        flops=flops_per_token(shape),
        hoffmann_flops=hoffmann_flops_per_token(shape) if described_by_appendix_f(shape) else None,
        hardware_flops=hardware_flops_per_token(shape, recompute),
        states=state_memory(params.total, devices=devices, stage=stage, precision=precision),
        activations=activation_memory(shape, sequences=sequences, recompute=recompute, precision=precision),
        kv_cache_token=kv_cache(shape),
        kv_cache_context=kv_cache(shape, shape.context),
        devices=devices,
        stage=stage,
        precision=precision,
        sequences=sequences,
        recompute=recompute,
    )


def list_networks() -> str:
    """Every preset, a line each, with its parameters.

    >>> list_networks().splitlines()[0]
    'gpt2                        124,439,808  124M'
    """
    totals = {name: count_params(shape).total for name, shape in presets().items()}
    return "\n".join(f"{name:<20}{total:>19,}  {format_si(total)}" for name, total in totals.items())


def named_or_described(name: str | None, arch: str | None, given: Mapping[str, Any]) -> Shape:
    """A preset by its name or a shape of a file (.toml), at another context if one is given, or a shape by its widths.

    Raises UsageError where neither or both are given.

    >>> named_or_described(None, "gpt2", {"layers": 12, "d_model": 768, "context": 1024}).d_ff
    3072
    """
    if name is not None:
        others = sorted(set(given) - {"context"}) + (["arch"] if arch else [])
        if others:
            options = ", ".join("--" + other.replace("_", "-") for other in others)
            raise UsageError(f"{name} has its own shape: leave out {options}, or describe a network without a name.")
        return replace(read_shape(name) if name.endswith(".toml") else preset(name), **given)
    missing = [option for option in ("layers", "d_model") if option not in given]
    if missing:
        raise UsageError("name a network (isoflop count llama3-8b), or give --layers and --d-model.")
    facts = dict(given)
    count, top_k = facts.pop("experts", None), facts.pop("top_k", None)
    if (count is None) != (top_k is None):
        raise UsageError("experts need both --experts and --top-k.")
    for option in ("layers", "d_model", "heads", "head_dim"):
        if facts.get(option, 1) < 1:
            raise UsageError(f"{option} is {facts[option]}; a network has at least one.")
    shape = usual_shape(architecture(arch or "gpt2"), **facts)
    return shape if count is None else replace(shape, experts=Experts(count, top_k, shape.d_ff))

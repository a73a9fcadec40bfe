"""Integer architectures near N*, scored again under the law with what they really cost.

A law asks for 72.25B parameters; a network has whole layers and heads. Every width and depth of usual proportions is
counted exactly, gets the tokens that the budget leaves it, and is scored by the law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoflop.accounting import (
    Architecture,
    FlopsPerToken,
    ParamsCount,
    Recompute,
    Shape,
    StateMemory,
    activation_memory,
    architecture,
    count_params,
    flops_per_token,
    state_memory,
    usual_shape,
)
from isoflop.conventions import ParamsConvention
from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.planning.optimum import optimum, refuse_unbuildable
from isoflop.planning.recount import counted
from isoflop.planning.surface import view
from isoflop.quantities import format_si

NEAR = 0.12
"""Candidates have N* to within this share; twice too small costs 16 % of the compute, this a tenth of a per cent."""
PROPORTION = 1.6
"""How far d_model over layers may be from that of published networks: loss is flat within (Kaplan et al., figure 5)."""
ALIKE = 0.01
"""Of the reducible loss: below it proportions decide; shallow networks save attention, and the law sees no depth."""
SMALL_ASPECT, LARGE_ASPECT = 64.0, 128.0
SMALL, LARGE = 1e8, 7e9
"""Published decoders are 64 times as wide as deep near 100M parameters and 128 times from 7B."""
STEPS = ((1024, 64), (2048, 128), (4096, 256), (8192, 512), (32768, 1024))
DEPTHS = 9
"""Of each width, spread over those whose N lies near N*."""
VOCAB, CONTEXT = 128_256, 8192


@dataclass(frozen=True)
class Candidate:
    """One architecture for a budget.

    ``params`` is in the law's own convention, ``count`` in all; ``tokens`` are what the budget buys at ``cost`` FLOPs a
    token; ``excess`` is the loss above that of the unrounded optimum. ``memory`` are bytes on each device with all
    state sharded over ``devices``, ``activations`` those of one sequence there, attention's scores not stored, and
    ``recomputed`` those with whole blocks recomputed.
    """

    shape: Shape
    count: ParamsCount
    flops: FlopsPerToken
    params: float
    cost: float
    tokens: float
    loss: float
    excess: float
    memory: StateMemory
    activations: float
    recomputed: float
    devices: int

    def fits(self, capacity: float) -> Recompute | None:
        """With how much recomputation state and one sequence fit in so many bytes; None where they do not."""
        for how, kept in (("selective", self.activations), ("full", self.recomputed)):
            if self.memory.total + kept <= capacity:
                return "full" if how == "full" else "selective"
        return None

    def to_dict(self) -> dict[str, Any]:
        shape = self.shape
        return {
            "architecture": shape.architecture.name,
            "layers": shape.layers,
            "d_model": shape.d_model,
            "heads": shape.heads,
            "kv_heads": shape.key_value_heads,
            "d_ff": shape.d_ff,
            "vocab": shape.vocab,
            "context": shape.context,
            "params_exact": self.count.total,
            "params": self.count.to_dict(),
            "flops_per_token": self.flops.to_dict(),
            "tokens": self.tokens,
            "loss": self.loss,
            "excess_loss": self.excess,
            "memory": {
                "devices": self.devices,
                "state_bytes_per_device": self.memory.total,
                "activations_bytes_per_sequence": self.activations,
                "activations_bytes_per_sequence_recomputed": self.recomputed,
            },
        }

    def cells(self) -> tuple[str, ...]:
        shape = self.shape
        return (
            f"{shape.layers} x {shape.d_model}",
            f"{shape.heads}/{shape.key_value_heads}",
            str(shape.d_ff),
            format_si(self.count.total, 4),
            format_si(self.tokens),
            f"{self.loss:.4f}",
        )


def architectures(
    law: Law,
    flops: float,
    *,
    kind: str = "llama",
    vocab: int = VOCAB,
    context: int = CONTEXT,
    exact: bool = True,
    devices: int = 1,
    keep: int = 5,
) -> tuple[Candidate, ...]:
    """The architectures of a kind that spend a budget of C FLOPs best, one a width, best proportioned first.

    ``exact`` takes every product's FLOPs, attention causal, off the budget; otherwise 6 N. Candidates whose loss is the
    same to a hundredth of what is reducible are ordered by how near their proportions are to those of published
    networks: the law knows N alone. Raises DataError where no whole network of such proportions lies near N*,
    UnknownName for the kind.

    >>> import isoflop as iso
    >>> best = architectures(iso.law("besiroglu2024"), 5.76e23, vocab=32000, context=2048)[0]
    >>> bool(abs(best.params / iso.law("besiroglu2024").optimum(5.76e23).params - 1) < 0.12)
    True
    """
    if vocab < 1 or context < 1 or devices < 1:
        raise UsageError(f"vocabulary {vocab}, context {context}, devices {devices}: each is at least one.")
    best = optimum(law, flops)
    target, least = float(best.params), float(best.loss)
    refuse_unbuildable(law, flops, target, float(best.tokens))
    shapes = list(_near(architecture(kind), target, law.conventions.params, vocab, context))
    if not shapes:
        raise DataError(
            f"no {kind} network with a vocabulary of {vocab} has {format_si(target)} parameters: the embedding alone "
            f"has more, or widths are too coarse there; take a smaller vocabulary or a larger budget."
        )
    scored = [_scored(law, flops, shape, exact, least, devices) for shape in shapes]
    wanted = math.log(_aspect(target))
    lowest = min(candidate.loss for candidate in scored)
    scored = [min(same, key=lambda one: one.loss) for same in _by_width(scored)]
    alike = ALIKE * (least - float(view(law).irreducible))

    def order(candidate: Candidate) -> tuple[int, float]:
        away = abs(math.log(candidate.shape.d_model / candidate.shape.layers) - wanted)
        return math.floor((candidate.loss - lowest) / alike), away

    return tuple(sorted(scored, key=order)[:keep])


def _by_width(scored: list[Candidate]) -> list[list[Candidate]]:
    widths = dict.fromkeys(candidate.shape.d_model for candidate in scored)
    return [[candidate for candidate in scored if candidate.shape.d_model == width] for width in widths]


def _near(kind: Architecture, target: float, convention: ParamsConvention, vocab: int, context: int) -> list[Shape]:
    """Shapes of usual proportions whose N lies near the target."""
    found = []
    aspect = _aspect(target)
    widest = 2 * (target * aspect * PROPORTION / 8) ** (1 / 3) + 256
    for d_model in _widths(widest):
        one, two = (
            counted(count_params(_proportioned(kind, layers, d_model, vocab, context)), convention) for layers in (1, 2)
        )
        each = two - one
        fewest = max(1.0, d_model / (aspect * PROPORTION), 1 + (target * (1 - NEAR) - one) / each)
        most = min(d_model * PROPORTION / aspect, 1 + (target * (1 + NEAR) - one) / each)
        spread = np.unique(np.linspace(math.ceil(fewest), math.floor(most), DEPTHS).round())
        found += [
            _proportioned(kind, int(layers), d_model, vocab, context) for layers in spread if fewest <= layers <= most
        ]
    return found


def _widths(widest: float) -> list[int]:
    """Whole heads, and heads that keys can be shared by: steps of an eighth of the width or finer."""
    widths, at = [], 64
    while at <= widest:
        widths.append(at)
        # Wider than anything built, steps of a sixteenth.
        at += next((step for below, step in STEPS if at < below), at // 16384 * 1024)
    return widths


def _proportioned(kind: Architecture, layers: int, d_model: int, vocab: int, context: int) -> Shape:
    """Where a gated network has 32 heads or more, eight of keys and values, or a quarter, as published ones do."""
    shape = usual_shape(kind, layers, d_model, vocab=vocab, context=context)
    if not kind.gated or shape.heads < 32 or shape.heads % 4:
        return shape
    return replace(shape, kv_heads=8 if shape.heads % 8 == 0 else shape.heads // 4)


def _scored(law: Law, flops: float, shape: Shape, exact: bool, least: float, devices: int) -> Candidate:
    count, each = count_params(shape), flops_per_token(shape)
    cost = each.exact_causal if exact else 6.0 * counted(count, law.conventions.params)
    N, D = float(counted(count, law.conventions.params)), flops / cost
    loss = float(law.predict(N, D))
    state = state_memory(count.total, devices=devices, stage=3)
    return Candidate(
        shape=shape,
        count=count,
        flops=each,
        params=N,
        cost=cost,
        tokens=D,
        loss=loss,
        excess=loss - least,
        memory=state,
        activations=activation_memory(shape).total,
        recomputed=activation_memory(shape, recompute="full").total,
        devices=devices,
    )


def _aspect(params: float) -> float:
    """d_model over layers of published networks of so many parameters."""
    return float(np.interp(math.log(params), np.log([SMALL, LARGE]), [SMALL_ASPECT, LARGE_ASPECT]))

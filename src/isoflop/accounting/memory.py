"""What training and serving a network take of a device's memory, in bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from isoflop.accounting.flops import Recompute
from isoflop.accounting.shapes import Shape
from isoflop.errors import UnknownName, UsageError

GIB = 2.0**30


@dataclass(frozen=True)
class Precision:
    """Bytes a parameter takes as a weight, as a gradient and in the optimiser (Adam's two moments, a master copy)."""

    weight: float
    gradient: float
    optimiser: float


PRECISIONS = {
    "bf16": Precision(2, 2, 12),
    "bf16_fp32_gradients": Precision(2, 4, 12),
    "fp32": Precision(4, 4, 8),
    "fp8": Precision(1, 2, 12),
}
"""Mixed precision with Adam in fp32: 16 bytes a parameter, 18 where gradients are kept in fp32 (Megatron-LM)."""


@dataclass(frozen=True)
class StateMemory:
    """Bytes on each device for weights, gradients and optimiser."""

    weights: float
    gradients: float
    optimiser: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimiser

    def to_dict(self) -> dict[str, float]:
        return {**asdict(self), "total": self.total}


def state_memory(params: float, *, devices: int = 1, stage: int = 0, precision: str = "bf16") -> StateMemory:
    """Bytes of training state on each of ``devices`` data-parallel devices.

    ``stage`` is ZeRO's (Rajbhandari et al., arXiv 1910.02054): 0 copies all state, 1 shards the optimiser, 2 gradients
    too, 3 weights too (FSDP). Raises UsageError for another stage or no device, UnknownName for a precision.

    >>> [round(state_memory(6_738_415_616, devices=64, stage=stage).total / GIB, 2) for stage in range(4)]
    [100.41, 26.28, 13.92, 1.57]
    """
    if precision not in PRECISIONS:
        raise UnknownName.among("precision", precision, PRECISIONS)
    if stage not in (0, 1, 2, 3):
        raise UsageError(f"ZeRO has the stages 0 to 3, not {stage}.")
    if devices < 1:
        raise UsageError(f"{devices} devices hold nothing; give one or more.")
    bytes_of = PRECISIONS[precision]
    shares = [devices if stage >= first else 1 for first in (3, 2, 1)]
    each = (bytes_of.weight, bytes_of.gradient, bytes_of.optimiser)
    return StateMemory(*(params * size / share for size, share in zip(each, shares, strict=True)))


def activation_memory(shape: Shape, *, sequences: int = 1, recompute: Recompute = "selective") -> float:
    """Bytes of activations kept for the backward pass of ``sequences`` sequences of the shape's context, 16 bits each.

    s b h L (34 + 5 a s / h), 34 s b h L where attention's scores are recomputed or never stored (FlashAttention), and
    2 s b h L where blocks are recomputed from their inputs (Korthikanti et al., arXiv 2205.05198, equations 2, 4 and
    table 2). Derived for GPT blocks with d_ff = 4 d and as many key heads as heads: a few per cent off for others.

    >>> llama = Shape(32, 4096, 32, 11008, 32000, 4096)
    >>> [round(activation_memory(llama, recompute=kind) / GIB, 1) for kind in ("none", "selective", "full")]
    [97.0, 17.0, 1.0]
    """
    if sequences < 1:
        raise UsageError(f"{sequences} sequences are no batch; give one or more.")
    block_inputs = float(shape.context) * sequences * shape.d_model * shape.layers
    scores = 5 * shape.heads * shape.context / shape.d_model
    return block_inputs * {"none": 34 + scores, "selective": 34.0, "full": 2.0}[recompute]


def kv_cache(shape: Shape, tokens: int = 1, *, bytes_per_number: float = 2.0) -> float:
    """Bytes of keys and values kept for one sequence of ``tokens`` tokens while it is continued.

    Keys and values of the key heads alone; a latent attention keeps its latent and one rotary key; windowed layers
    keep their window.

    >>> kv_cache(Shape(80, 8192, 64, 28672, 128256, 8192, kv_heads=8, head_dim=128))
    327680.0
    """
    each = 2 * shape.key_value_heads * shape.head_width
    if shape.latent is not None:
        each = shape.latent.kv_rank + shape.latent.rotary
    kept = (shape.layers - shape.windowed_layers) * tokens + shape.windowed_layers * min(shape.window or 0, tokens)
    return float(kept * each) * bytes_per_number

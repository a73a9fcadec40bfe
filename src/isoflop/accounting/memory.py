"""What training and serving a network take of a device's memory, in bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from isoflop.accounting.flops import Recompute
from isoflop.accounting.shapes import Shape
from isoflop.errors import UnknownName, UsageError

GIB = 2.0**30
MOST_DEVICES = 10**9


@dataclass(frozen=True)
class Precision:
    """Bytes a parameter takes as a weight, as a gradient and in the optimiser (Adam's two moments, a master copy);
    bytes of an activation."""

    weight: float
    gradient: float
    optimiser: float
    activation: float = 2


PRECISIONS = {
    "bf16": Precision(2, 2, 12),
    "bf16_fp32_gradients": Precision(2, 4, 12),
    "fp32": Precision(4, 4, 8, 4),
    "fp8": Precision(1, 2, 12),
}
"""Mixed precision with Adam in fp32: 16 bytes a parameter, 18 where gradients are kept in fp32 (Megatron-LM)."""


def precision_of(name: str) -> Precision:
    """The precision of that name; UnknownName if there is none."""
    if name not in PRECISIONS:
        raise UnknownName.among("precision", name, PRECISIONS)
    return PRECISIONS[name]


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
    bytes_of = precision_of(precision)
    if stage not in (0, 1, 2, 3):
        raise UsageError(f"ZeRO has the stages 0 to 3, not {stage}.")
    if not 1 <= devices <= MOST_DEVICES:
        raise UsageError(f"{devices} devices hold nothing; give one or more, a billion at most.")
    shares = [devices if stage >= first else 1 for first in (3, 2, 1)]
    each = (bytes_of.weight, bytes_of.gradient, bytes_of.optimiser)
    return StateMemory(*(params * size / share for size, share in zip(each, shares, strict=True)))


@dataclass(frozen=True)
class ActivationMemory:
    """Bytes that the forward pass leaves for the backward pass: of the blocks, of the one block that is computed
    again (none where nothing is), and of the last norm, the head and the loss."""

    blocks: float
    at_work: float
    head: float

    @property
    def total(self) -> float:
        return self.blocks + self.at_work + self.head


def activation_memory(
    shape: Shape,
    *,
    sequences: int = 1,
    recompute: Recompute = "selective",
    precision: str = "bf16",
    dropout: bool = False,
) -> ActivationMemory:
    """Bytes of activations kept for the backward pass of ``sequences`` sequences of the shape's context.

    Every tensor that a gradient needs, as an implementation without fused operators keeps it: inputs of norms, of
    matrices and of activations, queries, keys and values. "selective" leaves out attention's scores, which are computed
    again or never stored (FlashAttention); "full" keeps the input of each block and what one block needs while it is
    computed again. The head adds its logits and their log-probabilities in 32 bits. With ``dropout``, whose masks take
    a byte, a block of GPT takes the s b h (34 + 5 a s / h) of Korthikanti et al. (arXiv 2205.05198, equation 1).

    >>> from isoflop.accounting import preset
    >>> llama = preset("llama2-7b")
    >>> [round(activation_memory(llama, recompute=kind).blocks / GIB, 1) for kind in ("none", "selective", "full")]
    [50.8, 18.8, 1.0]
    """
    if sequences < 1:
        raise UsageError(f"{sequences} sequences are no batch; give one or more.")
    tokens, each = float(shape.context) * sequences, precision_of(precision).activation
    masks = 2.0 * shape.d_model if dropout else 0.0
    dense, mixture = (each * count + masks for count in (_block(shape, False), _block(shape, True)))
    mixtures = shape.mixture_layers
    kept = {"dense": shape.layers - mixtures, "mixture": mixtures}
    blocks = kept["dense"] * dense + kept["mixture"] * mixture
    at_work = 0.0
    if recompute == "none":
        scores = each + (each + 1 if dropout else 0)  # the softmax; its mask and what the mask leaves
        blocks += shape.layers * scores * shape.heads * shape.context
    if recompute == "full":
        largest = max(size for size, layers in ((dense, kept["dense"]), (mixture, kept["mixture"])) if layers)
        blocks = each * shape.layers * shape.d_model
        at_work = largest - each * shape.d_model
    head = each * (2 * shape.d_model + shape.vocab) + 4.0 * shape.vocab
    return ActivationMemory(tokens * blocks, tokens * at_work, tokens * head)


def _block(shape: Shape, mixture: bool) -> int:
    """Numbers a token that one block keeps, attention's scores apart: a dense block, or one with experts."""
    kind, d = shape.architecture, shape.d_model
    kept = kind.norms * d + _attention(shape) + d  # inputs of norms, attention, input of the MLP or of the router
    each = 4 if kind.gated else 2  # of its width: gate, up, activation and product; or what enters and leaves one
    if not mixture or shape.experts is None:
        return kept + each * shape.d_ff
    experts = shape.experts
    routed = 2 * d + each * experts.d_ff  # its own copy of the input, and the output that the router weights
    return kept + experts.top_k * routed + experts.shared * each * experts.d_ff


def _attention(shape: Shape) -> int:
    """Numbers a token: the input, queries, keys, values, the output, and what norms within it are given."""
    d, heads = shape.d_model, shape.heads
    if shape.latent is not None:
        latent = shape.latent
        ranks = 2 * (latent.query_rank + latent.kv_rank) + latent.rotary  # before and after their norms
        return d + ranks + heads * (2 * (latent.plain + latent.rotary) + 2 * latent.value)
    queries, keys = heads * shape.head_width, shape.key_value_heads * shape.head_width
    normed = 0 if shape.architecture.qk_norm == "none" else queries + keys
    return d + 2 * queries + 2 * keys + normed


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

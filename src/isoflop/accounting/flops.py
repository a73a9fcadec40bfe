"""How many FLOPs one token of training costs, by every rule that is in use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from isoflop.accounting.params import count_params, count_parts
from isoflop.accounting.shapes import Shape
from isoflop.errors import UsageError

Recompute = Literal["none", "selective", "full"]


@dataclass(frozen=True)
class FlopsPerToken:
    """FLOPs of forward and backward for one token of training, counted four ways. A third of each is the forward pass.

    ``six_n`` is 6 N with N the active parameters, the literature's shorthand; ``kaplan`` is 6 N + 6 L T d of Kaplan et
    al. (arXiv 2001.08361, table 1), N without embeddings and head, queries against keys alone; ``exact_causal`` counts
    every matrix product, attention only over the positions that the causal mask and the window let through;
    ``exact_full`` counts attention over the whole square or window, as most kernels compute it and as nanoGPT and
    PaLM report it.
    """

    six_n: float
    kaplan: float
    exact_causal: float
    exact_full: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def flops_per_token(shape: Shape, context: int | None = None) -> FlopsPerToken:
    """Count the training FLOPs per token of ``shape``, at its own context or another.

    A weight costs one multiply and one add in the forward pass and twice that in the backward pass: 6 FLOPs for each
    weight of blocks and head that a token uses; the embedding is a look-up and costs none. Attention's two products
    against T positions add 12 L T q with q the heads' width together (Chowdhery et al., PaLM, arXiv 2204.02311,
    appendix B); a causal mask lets through half of the square, 6 L T q, with the diagonal's half position per token
    left out as is usual, and a window of W positions W (1 - W / 2T). Softmax, norms, activations and the optimiser are
    not matrix products and are not counted (under 1 % at widths where FLOPs are the cost).

    >>> shape = Shape(layers=2, d_model=32, heads=1, d_ff=128, vocab=256, context=128)
    >>> flops_per_token(shape)
    FlopsPerToken(six_n=270336.0, kaplan=196608.0, exact_causal=245760.0, exact_full=294912.0)
    """
    context = shape.context if context is None else context
    params = count_params(shape)
    products = 6.0 * (params.matrices_and_head - count_parts(shape).inactive)
    full, causal = _positions(shape, context)
    return FlopsPerToken(
        six_n=6.0 * params.active,
        kaplan=6.0 * (params.non_embedding - count_parts(shape).inactive)
        + 6.0 * shape.layers * context * _query_width(shape),
        exact_causal=products + _attention_width(shape) * causal,
        exact_full=products + _attention_width(shape) * full,
    )


def _positions(shape: Shape, context: int) -> tuple[float, float]:
    """Positions that a token attends to, summed over layers: the whole square or window, and what the mask leaves."""
    whole = shape.layers - shape.windowed_layers
    seen = min(shape.window or context, context)
    full = whole * context + shape.windowed_layers * seen
    causal = whole * context / 2 + shape.windowed_layers * seen * (1 - seen / (2 * context))
    return float(full), float(causal)


def _query_width(shape: Shape) -> int:
    """Numbers in a token's queries, of all heads: what keys are compared with."""
    head = shape.head_width if shape.latent is None else shape.latent.plain + shape.latent.rotary
    return shape.heads * head


def _attention_width(shape: Shape) -> float:
    """Training FLOPs for each position attended to: 6 for every number of a query and of a value."""
    if shape.latent is not None:
        return 6.0 * shape.heads * (shape.latent.plain + shape.latent.rotary + shape.latent.value)
    return 12.0 * shape.heads * shape.head_width


def hardware_flops_per_token(shape: Shape, recompute: Recompute) -> float:
    """What the hardware computes for a token of training: exact_full, and the forward pass that is done again.

    "full" recomputation repeats the whole forward pass; "selective" the two products of attention alone
    (Korthikanti et al., arXiv 2205.05198). MFU divides model FLOPs by the peak, HFU these.

    >>> shape = Shape(layers=2, d_model=32, heads=1, d_ff=128, vocab=256, context=128)
    >>> hardware_flops_per_token(shape, "full") / flops_per_token(shape).exact_full
    1.3333333333333333
    """
    flops = flops_per_token(shape).exact_full
    forward = {
        "none": 0.0,
        "selective": _attention_width(shape) * _positions(shape, shape.context)[0] / 3,
        "full": flops / 3,
    }[recompute]
    return flops + forward


def described_by_appendix_f(shape: Shape) -> bool:
    """Whether its blocks are those of Hoffmann et al.: an MLP of two matrices, keys and values for every head."""
    mixed = shape.experts is not None or shape.latent is not None
    return not (shape.architecture.gated or mixed or shape.key_value_heads != shape.heads or shape.windowed_layers)


def hoffmann_flops_per_token(shape: Shape, context: int | None = None, *, embeddings: bool = True) -> float:
    """Training FLOPs for a token as Hoffmann et al. (arXiv 2203.15556, appendix F) count them.

    Queries, keys and values, their products, the softmax at 3 FLOPs for each head and pair, output, MLP of two
    matrices, and, with ``embeddings``, the look-up as a product and the head. The text includes embeddings and head;
    the ratios to 6 N D that table A4 prints come out only without them. UsageError for other blocks than it describes.

    >>> chinchilla = Shape(10, 640, 10, 2560, 32000, 2048, head_dim=64)
    >>> round(hoffmann_flops_per_token(chinchilla, embeddings=False) / (6 * 73e6), 3)
    1.037
    """
    if not described_by_appendix_f(shape):
        raise UsageError(
            "Hoffmann et al.'s appendix F is of plain blocks: an MLP of two matrices, keys for every head."
        )
    s, d = shape.context if context is None else context, shape.d_model
    q = shape.heads * shape.head_width
    block = 2 * 3 * d * q + 2 * s * q + 3 * shape.heads * s + 2 * s * q + 2 * q * d + 4 * d * shape.d_ff
    ends = 2 * 2 * shape.vocab * d if embeddings else 0
    return 3.0 * (shape.layers * block + ends)

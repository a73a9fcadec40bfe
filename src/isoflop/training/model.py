"""The decoder: its weights as views of one flat buffer, and its loss in readable torch.

Pre-norm blocks with parameter-free LayerNorm, learned positions, exact GELU, no biases, an untied head
that starts at zero. All weights lie in one buffer, embeddings and positions first, so that the norm of
the gradient, clipping and AdamW are one operation each instead of one per matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import Shape

NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Block:
    """One block's matrices; activations multiply from the left. ``qkv`` holds query, key and value side by side.

    ``down`` lies transposed, (d_model, d_ff): both of its gradient products are faster so.
    """

    qkv: Tensor
    out: Tensor
    up: Tensor
    down: Tensor


@dataclass(frozen=True)
class Weights:
    """Every weight of a decoder (or every gradient), as views of one flat buffer."""

    tokens: Tensor
    positions: Tensor
    blocks: tuple[Block, ...]
    head: Tensor

    @classmethod
    def over(cls, flat: Tensor, shape: Shape) -> Weights:
        """Lay the weights of ``shape`` over ``flat``, which holds count_params(shape).total numbers."""
        return cls.of(named_views(flat, shape))

    @classmethod
    def of(cls, named: dict[str, Tensor]) -> Weights:
        """Gather weights by the names of ``layout``, as ``weights.safetensors`` has them."""
        layers = sum(name.endswith(".qkv") for name in named)
        blocks = tuple(
            Block(*(named[f"blocks.{i}.{field}"] for field in ("qkv", "out", "up", "down"))) for i in range(layers)
        )
        return cls(tokens=named["tokens"], positions=named["positions"], blocks=blocks, head=named["head"])


def layout(shape: Shape) -> dict[str, tuple[int, int]]:
    """Every matrix by name, in the order in which they lie in the buffer: embeddings and positions come first."""
    d = shape.d_model
    blocks = {"qkv": (d, 3 * d), "out": (d, d), "up": (d, shape.d_ff), "down": (d, shape.d_ff)}
    return {
        "tokens": (shape.vocab, d),
        "positions": (shape.context, d),
        **{f"blocks.{i}.{name}": size for i in range(shape.layers) for name, size in blocks.items()},
        "head": (d, shape.vocab),
    }


def named_views(flat: Tensor, shape: Shape) -> dict[str, Tensor]:
    sizes = layout(shape)
    pieces = flat.split([rows * columns for rows, columns in sizes.values()])
    return {name: piece.view(size) for (name, size), piece in zip(sizes.items(), pieces, strict=True)}


def initial_weights(shape: Shape, seed: int) -> Tensor:
    """The flat buffer at step 0; a pure function of shape and seed.

    Normal numbers: embeddings with standard deviation 1, positions 0.02 as in GPT-2 (at 1 they drown the
    tokens: the loss at 1.5e11 FLOPs is 0.03 to 0.06 worse at width 24), matrices 1/sqrt(fan in), the two
    that write into the residual stream a further 1/sqrt(2 layers), GPT-2's rule again. The head is zero.
    """
    flat = torch.zeros(count_params(shape).total)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in named_views(flat, shape).items():
        if name != "head":
            weight.normal_(0.0, _initial_deviation(name, shape), generator=generator)
    return flat


def _initial_deviation(name: str, shape: Shape) -> float:
    if name == "tokens":
        return 1.0
    if name == "positions":
        return 0.02
    fan_in = shape.d_ff if name.endswith("down") else shape.d_model
    writers = 2 * shape.layers if name.endswith(("out", "down")) else 1
    return 1.0 / math.sqrt(fan_in * writers)


def loss(weights: Weights, heads: int, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token of ``inputs`` (windows, context) against ``targets``."""
    x = F.embedding(inputs, weights.tokens) + weights.positions
    for block in weights.blocks:
        x = x + _attention(_norm(x), block, heads)
        x = x + F.gelu(_norm(x) @ block.up) @ block.down.t()
    logits = _norm(x) @ weights.head
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON)


def _attention(x: Tensor, block: Block, heads: int) -> Tensor:
    windows, context, d_model = x.shape
    qkv = (x @ block.qkv).view(windows, context, 3, heads, d_model // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return mixed.transpose(1, 2).reshape(windows, context, d_model) @ block.out

"""The weights of a decoder: which there are, where they lie in one flat buffer, and what they are at first.

All weights lie in one buffer, embeddings and positions first, then the vectors of norms and biases, then matrices, so
that the norm of the gradient, clipping and AdamW are one operation each instead of one per matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import BUILT_IN, Shape

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
    """Every weight of a built-in decoder (or every gradient), as views of one flat buffer."""

    tokens: Tensor
    positions: Tensor
    blocks: tuple[Block, ...]
    head: Tensor

    @classmethod
    def over(cls, flat: Tensor, shape: Shape) -> Weights:
        """Lay the weights of ``shape`` over ``flat``, which holds count_params(shape).total numbers."""
        named = named_views(flat, shape)
        blocks = tuple(
            Block(*(named[f"blocks.{i}.{field}"] for field in ("qkv", "out", "up", "down")))
            for i in range(shape.layers)
        )
        return cls(tokens=named["tokens"], positions=named["positions"], blocks=blocks, head=named["head"])


def learned_positions(shape: Shape) -> bool:
    """Whether positions are a table of weights; elsewhere they are rotary."""
    return shape.architecture.positions == "learned"


def layout(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every weight by name, in the order in which they lie in the buffer: embeddings, vectors, matrices.

    >>> from isoflop.accounting.shapes import Shape
    >>> list(layout(Shape(layers=1, d_model=8, heads=1, d_ff=32, vocab=256, context=16)))
    ['tokens', 'positions', 'blocks.0.qkv', 'blocks.0.out', 'blocks.0.up', 'blocks.0.down', 'head']
    """
    d, queries, keys = shape.d_model, shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
    block = {"qkv": (d, queries + 2 * keys), "out": (queries, d), "up": (d, shape.d_ff)}
    block |= {"gate": (d, shape.d_ff)} if shape.architecture.gated else {}
    block["down"] = (d, shape.d_ff)
    positions = {"positions": (shape.context, d)} if learned_positions(shape) else {}
    head = {} if shape.shares_head else {"head": (d, shape.vocab)}
    return {
        "tokens": (shape.vocab, d),
        **positions,
        **vectors(shape),
        **{f"blocks.{i}.{name}": size for i in range(shape.layers) for name, size in block.items()},
        **head,
    }


def vectors(shape: Shape) -> dict[str, tuple[int]]:
    """The weights of norms and the biases, which are not decayed."""
    kind, d = shape.architecture, shape.d_model
    queries, keys = shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
    names = {"none": (), "weight": ("norm",), "weight and bias": ("norm", "norm_bias")}[kind.norm]
    block = {f"{part}_{name}": d for part in ("attention", "mlp") for name in names}
    if kind.qk_norm == "head":
        block |= {"query_norm": shape.head_width, "key_norm": shape.head_width}
    if kind.biases != "none":
        block["qkv_bias"] = queries + 2 * keys
    if kind.biases == "all":
        block |= {"out_bias": d, "up_bias": shape.d_ff, "down_bias": d}
    every = {f"blocks.{i}.{name}": (size,) for i in range(shape.layers) for name, size in block.items()}
    return {**every, **{f"last_{name}": (d,) for name in names}}


def group_sizes(shape: Shape) -> tuple[int, int]:
    """How many numbers of the buffer are embeddings and positions, and how many vectors follow them."""
    return count_params(shape).embedding, sum(size for (size,) in vectors(shape).values())


def named_views(flat: Tensor, shape: Shape) -> dict[str, Tensor]:
    """The weights of ``shape`` by name, as views of ``flat``, which holds count_params(shape).total numbers."""
    sizes = layout(shape)
    pieces = flat.split([math.prod(size) for size in sizes.values()])
    return {name: piece.view(size) for (name, size), piece in zip(sizes.items(), pieces, strict=True)}


def initial_weights(shape: Shape, seed: int) -> Tensor:
    """The flat buffer at step 0, on the CPU; a pure function of shape and seed.

    Normal numbers: embeddings with standard deviation 1, positions 0.02 as in GPT-2 (at 1 they drown the
    tokens: the loss at 1.5e11 FLOPs is 0.03 to 0.06 worse at width 24), matrices 1/sqrt(fan in), the two
    that write into the residual stream a further 1/sqrt(2 layers), GPT-2's rule again. The head is zero; an embedding
    that is the head too has GPT-2's 0.02. Norms begin at one, biases at zero.
    """
    flat = torch.empty(count_params(shape).total)
    views = named_views(flat, shape)
    for name, weight in initial_by_name(shape, seed):
        views[name].copy_(weight)
    return flat


def initial_by_name(shape: Shape, seed: int) -> Iterator[tuple[str, Tensor]]:
    """The weights at step 0 one after the other, for who cannot hold them all; one generator serves all in turn."""
    generator = torch.Generator().manual_seed(seed)
    for name, size in layout(shape).items():
        weight = torch.zeros(size)
        if name.endswith("norm"):
            weight.fill_(1.0)
        elif name != "head" and not name.endswith("bias"):
            weight.normal_(0.0, _initial_deviation(name, shape), generator=generator)
        yield name, weight


def _initial_deviation(name: str, shape: Shape) -> float:
    if name == "tokens":
        return 0.02 if shape.shares_head else 1.0
    if name == "positions":
        return 0.02
    fan_in = {"down": shape.d_ff, "out": shape.heads * shape.head_width}.get(name.split(".")[-1], shape.d_model)
    writers = 2 * shape.layers if name.endswith(("out", "down")) else 1
    return 1.0 / math.sqrt(fan_in * writers)


def is_built_in(shape: Shape) -> bool:
    """Whether it is the plain decoder of which a step is written out by hand (training.step)."""
    plain = shape.key_value_heads == shape.heads and shape.head_dim is None and not shape.shares_head
    return shape.architecture == BUILT_IN and plain

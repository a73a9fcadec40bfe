"""The decoder's loss in readable torch, of any architecture that is trained here.

Pre-norm blocks: x + attention(norm(x)), then x + mlp(norm(x)); a last norm, and the head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from isoflop.accounting.shapes import Shape
from isoflop.training.model import NORM_EPSILON, learned_positions

ROTARY_BASE = 10_000.0
"""Su et al., RoFormer (arXiv 2104.09864), section 3.4.3."""
Named = dict[str, Tensor]
Turn = tuple[Tensor, Tensor]
"""Cosines and sines of the rotary angles, (context, head width / 2) each."""


def loss(weights: Named, shape: Shape, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token of ``inputs`` (windows, context) against ``targets``."""
    return cross_entropy(forward(weights, shape, inputs), targets)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def forward(weights: Named, shape: Shape, inputs: Tensor) -> Tensor:
    """The logits, (windows, context, vocab); ``weights`` go by the names of ``model.layout``."""
    x, turn = embedded(weights, shape, inputs)
    for i in range(shape.layers):
        named = {name.removeprefix(f"blocks.{i}."): w for name, w in weights.items() if name.startswith(f"blocks.{i}.")}
        x = block(x, shape, named, turn)
    return logits(weights, shape, x)


def embedded(weights: Named, shape: Shape, inputs: Tensor) -> tuple[Tensor, Turn | None]:
    """What the first block is given, and the rotary angles where positions are rotary."""
    x = F.embedding(inputs, weights["tokens"])
    if learned_positions(shape):
        return x + weights["positions"], None
    return x, _turn(inputs.shape[1], shape.head_width, x.device)


def block(x: Tensor, shape: Shape, weights: Named, turn: Turn | None) -> Tensor:
    """One block; its weights go by the last part of their names."""
    x = x + _attention(_norm(x, shape, weights, "attention_norm"), shape, weights, turn)
    return x + _mlp(_norm(x, shape, weights, "mlp_norm"), weights)


def logits(weights: Named, shape: Shape, x: Tensor) -> Tensor:
    """What comes of the last block's output."""
    x = _norm(x, shape, weights, "last_norm")
    return x @ (weights["tokens"].t() if shape.shares_head else weights["head"])


def _norm(x: Tensor, shape: Shape, weights: Named, name: str) -> Tensor:
    """Root mean square where a norm has one weight (Llama's), LayerNorm elsewhere."""
    if shape.architecture.norm == "weight":
        return F.rms_norm(x, x.shape[-1:], weights[name], eps=NORM_EPSILON)
    return F.layer_norm(x, x.shape[-1:], weights.get(name), weights.get(f"{name}_bias"), eps=NORM_EPSILON)


def _product(x: Tensor, block: Named, name: str) -> Tensor:
    out = x @ block[name]
    return out + block[f"{name}_bias"] if f"{name}_bias" in block else out


def _mlp(x: Tensor, block: Named) -> Tensor:
    """SwiGLU where there is a gate (Shazeer, arXiv 2002.05202), exact GELU elsewhere."""
    up = _product(x, block, "up")
    hidden = F.silu(x @ block["gate"]) * up if "gate" in block else F.gelu(up)
    out = hidden @ block["down"].t()
    return out + block["down_bias"] if "down_bias" in block else out


def _attention(x: Tensor, shape: Shape, block: Named, turn: Turn | None) -> Tensor:
    windows, context, _ = x.shape
    width, shared = shape.head_width, shape.key_value_heads
    qkv = _product(x, block, "qkv").view(windows, context, shape.heads + 2 * shared, width).transpose(1, 2)
    query, key, value = qkv.split([shape.heads, shared, shared], dim=1)
    if "query_norm" in block:
        query = F.rms_norm(query, (width,), block["query_norm"].to(query.dtype), eps=NORM_EPSILON)
        key = F.rms_norm(key, (width,), block["key_norm"].to(key.dtype), eps=NORM_EPSILON)
    if turn is not None:
        query, key = _turned(query, turn), _turned(key, turn)
    grouped = shared != shape.heads
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
    return _product(mixed.transpose(1, 2).reshape(windows, context, shape.heads * width), block, "out")


def _turn(context: int, width: int, device: torch.device) -> Turn:
    speed = ROTARY_BASE ** (-torch.arange(0, width, 2, dtype=torch.float64, device=device) / width)
    angle = torch.outer(torch.arange(context, dtype=torch.float64, device=device), speed)
    return angle.cos().float(), angle.sin().float()


def _turned(x: Tensor, turn: Turn) -> Tensor:
    """Rotary positions: number i of the first half and of the second are one pair, turned by position times speed."""
    cos, sin = (half.to(x.dtype) for half in turn)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

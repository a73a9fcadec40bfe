"""One training step's loss and gradient, forward and backward written out.

``decoder.loss`` is what this computes; autograd gives the same gradient from it, and a test compares the
two. At the widths of a CPU study autograd spends much of a step on its own graph, on allocating and on
adding gradients up: here activations live in buffers that are made once, and every matrix product of
the backward pass writes its gradient straight into the flat buffer. ``bench/trainer.py`` measures it.

A name with ``d_`` in front is the gradient of the loss with respect to the thing named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isoflop.accounting.shapes import Shape
from isoflop.training.model import NORM_EPSILON, Block, Weights
from isoflop.training.product import product, product_into

_aten = torch.ops.aten


@dataclass(frozen=True)
class Norm:
    """A parameter-free LayerNorm over ``rows`` rows, with what its backward pass needs."""

    out: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def buffers(cls, rows: int, width: int) -> Norm:
        return cls(out=torch.empty(rows, width), mean=torch.empty(rows, 1), scale=torch.empty(rows, 1))

    def forward(self, x: Tensor) -> Tensor:
        _aten.native_layer_norm.out(
            x, [x.shape[1]], None, None, NORM_EPSILON, out0=self.out, out1=self.mean, out2=self.scale
        )
        return self.out

    def backward(self, d_out: Tensor, x: Tensor) -> Tensor:
        """The gradient of ``x``, given its norm's."""
        d_x: Tensor = _aten.native_layer_norm_backward(
            d_out, x, [x.shape[1]], self.mean, self.scale, None, None, [True, False, False]
        )[0]
        return d_x


class Attention:
    """Causal self-attention of one block. Heads are the batch of every product: (windows * heads, context, width).

    Scores are kept whole rather than in flash-attention's tiles: at 128 positions they fit the cache.
    """

    def __init__(self, shape: Shape, windows: int) -> None:
        width, batch = shape.d_model // shape.heads, windows * shape.heads
        self._norm = Norm.buffers(windows * shape.context, shape.d_model)
        self._weight = torch.empty(batch, shape.context, shape.context)
        self._scores = torch.empty_like(self._weight)
        self._mask = torch.full((shape.context, shape.context), -torch.inf).triu(1)
        self._temperature = width**-0.5
        # The same numbers twice: by row, as the matrices of the block see them, and by head.
        self._qkv = torch.empty(windows * shape.context, 3 * shape.d_model)
        self._qkv_by_head = torch.empty(3, batch, shape.context, width)
        self._mixed = torch.empty(windows * shape.context, shape.d_model)
        self._mixed_by_head = torch.empty(batch, shape.context, width)
        self._split = (windows, shape.context, -1, shape.heads, width)
        self._heads = (-1, windows, shape.heads, shape.context, width)

    def _to_heads(self, rows: Tensor, by_head: Tensor) -> None:
        by_head.view(self._heads).copy_(rows.view(self._split).permute(2, 0, 3, 1, 4))

    def _to_rows(self, by_head: Tensor, rows: Tensor) -> None:
        rows.view(self._split).permute(2, 0, 3, 1, 4).copy_(by_head.view(self._heads))

    def forward(self, x: Tensor, block: Block, out: Tensor) -> None:
        """out = x + attention(norm(x))."""
        self._to_heads(product(self._norm.forward(x), block.qkv), self._qkv_by_head)
        query, key, value = self._qkv_by_head.unbind()
        torch.baddbmm(self._mask, query, key.mT, alpha=self._temperature, out=self._scores)
        _aten._softmax.out(self._scores, 2, False, out=self._weight)
        torch.bmm(self._weight, value, out=self._mixed_by_head)
        self._to_rows(self._mixed_by_head, self._mixed)
        torch.add(x, product(self._mixed, block.out), out=out)

    def backward(self, d_x: Tensor, x: Tensor, block: Block, d_block: Block) -> None:
        """Turn ``d_x``, the gradient of the output, into that of the input ``x``; fill the block's gradient.

        The gradients of query, key and value take their places, each as soon as it is not needed any more.
        """
        product_into(d_block.out, self._mixed.t(), d_x)
        self._to_heads(product(d_x, block.out.t()), self._mixed_by_head)
        query, key, value = self._qkv_by_head.unbind()
        d_mixed, weight = self._mixed_by_head, self._weight
        d_weight = torch.bmm(d_mixed, value.mT, out=self._scores)
        torch.bmm(weight.mT, d_mixed, out=value)
        d_scores = _aten._softmax_backward_data.out(d_weight, weight, 2, torch.float32, grad_input=d_weight)
        d_query = torch.bmm(d_scores, key, out=d_mixed)
        key.baddbmm_(d_scores.mT, query, beta=0.0, alpha=self._temperature)
        torch.mul(d_query, self._temperature, out=query)
        self._to_rows(self._qkv_by_head, self._qkv)
        product_into(d_block.qkv, self._norm.out.t(), self._qkv)
        d_x.add_(self._norm.backward(product(self._qkv, block.qkv.t()), x))


class MLP:
    """The other half of a block: up, exact GELU, down."""

    def __init__(self, shape: Shape, windows: int) -> None:
        self._norm = Norm.buffers(windows * shape.context, shape.d_model)
        self._hidden = torch.empty(0)
        self._active = torch.empty(windows * shape.context, shape.d_ff)

    def forward(self, x: Tensor, block: Block, out: Tensor) -> None:
        """out = x + mlp(norm(x))."""
        self._hidden = product(self._norm.forward(x), block.up)
        _aten.gelu.out(self._hidden, out=self._active)
        torch.add(x, product(self._active, block.down.t()), out=out)

    def backward(self, d_x: Tensor, x: Tensor, block: Block, d_block: Block) -> None:
        """Turn ``d_x``, the gradient of the output, into that of the input ``x``; fill the block's gradient."""
        product_into(d_block.down, d_x.t(), self._active)
        d_active = product(d_x, block.down)
        d_hidden = _aten.gelu_backward.grad_input(d_active, self._hidden, grad_input=d_active)
        product_into(d_block.up, self._norm.out.t(), d_hidden)
        d_x.add_(self._norm.backward(product(d_hidden, block.up.t()), x))


class Head:
    """The last norm, the logits and the cross-entropy."""

    def __init__(self, shape: Shape, windows: int) -> None:
        rows = windows * shape.context
        self._norm = Norm.buffers(rows, shape.d_model)
        self._log_probabilities = torch.empty(rows, shape.vocab)
        self._d_log_probabilities = torch.zeros(rows, shape.vocab)
        self._starts = torch.arange(rows) * shape.vocab
        self._targets = torch.zeros(rows, dtype=torch.int64)

    def forward(self, x: Tensor, head: Tensor, targets: Tensor) -> float:
        """The mean cross-entropy in nats per token."""
        _aten._log_softmax.out(product(self._norm.forward(x), head), 1, False, out=self._log_probabilities)
        d_log_probabilities = self._d_log_probabilities.view(-1)
        d_log_probabilities.index_fill_(0, self._targets, 0.0)
        torch.add(self._starts, targets, out=self._targets)
        d_log_probabilities.index_fill_(0, self._targets, -1.0 / len(targets))
        return -float(self._log_probabilities.view(-1).index_select(0, self._targets).mean())

    def backward(self, x: Tensor, head: Tensor, d_head: Tensor) -> Tensor:
        """The gradient of ``x``; fill the head's."""
        d_logits = _aten._log_softmax_backward_data(
            self._d_log_probabilities, self._log_probabilities, 1, torch.float32
        )
        product_into(d_head, self._norm.out.t(), d_logits)
        return self._norm.backward(product(d_logits, head.t()), x)


class Step:
    """Loss and gradient of ``windows`` windows at a time; ``gradient`` is flat, like the weights."""

    def __init__(self, shape: Shape, windows: int, flat: Tensor) -> None:
        self.gradient = torch.zeros_like(flat)
        self._weights = Weights.over(flat, shape)
        self._d_weights = Weights.over(self.gradient, shape)
        self._layers = [layer(shape, windows) for _ in range(shape.layers) for layer in (Attention, MLP)]
        self._head = Head(shape, windows)
        self._residual = torch.empty(len(self._layers) + 1, windows * shape.context, shape.d_model)
        self._by_window = (windows, shape.context, shape.d_model)

    @torch.inference_mode()
    def loss_and_gradient(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        """The batch's mean loss in nats per token; leaves its gradient in ``gradient``."""
        weights, gradient = self._weights, self._d_weights
        tokens = torch.from_numpy(inputs).reshape(-1)
        residual = self._residual.unbind()
        torch.index_select(weights.tokens, 0, tokens, out=residual[0])
        residual[0].view(self._by_window).add_(weights.positions)
        for i, layer in enumerate(self._layers):
            layer.forward(residual[i], weights.blocks[i // 2], residual[i + 1])
        loss = self._head.forward(residual[-1], weights.head, torch.from_numpy(targets).reshape(-1))

        d_x = self._head.backward(residual[-1], weights.head, gradient.head)
        for i, layer in reversed(list(enumerate(self._layers))):
            layer.backward(d_x, residual[i], weights.blocks[i // 2], gradient.blocks[i // 2])
        torch.sum(d_x.view(self._by_window), 0, out=gradient.positions)
        gradient.tokens.zero_().index_add_(0, tokens, d_x)
        return loss

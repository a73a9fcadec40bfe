"""AdamW over one flat buffer."""

from __future__ import annotations

import torch
from torch import Tensor

from isoflop.training.spec import OptimiserSpec


class AdamW:
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101) with the gradient's norm clipped, on flat buffers.

    The first ``embedding`` numbers of the buffer, embeddings and positions, follow a learning rate of
    their own. Norm, clipping and update are one operation each: at these widths a step is mostly
    dispatch, and one operation per matrix would cost more than the arithmetic.
    """

    def __init__(self, spec: OptimiserSpec, weights: Tensor, gradient: Tensor, embedding: int) -> None:
        self.spec = spec
        self.gradient = gradient
        self.first_moment = torch.zeros_like(weights)
        self.second_moment = torch.zeros_like(weights)
        buffers = (weights, gradient, self.first_moment, self.second_moment)
        self._embedding_group = [[buffer[:embedding]] for buffer in buffers]
        self._matrix_group = [[buffer[embedding:]] for buffer in buffers]

    def update(self, step: int, factor: float) -> None:
        """Make step ``step`` (from 0) with both learning rates times ``factor``; scales the gradient in place."""
        spec = self.spec
        norm = float(torch.linalg.vector_norm(self.gradient))
        if norm > spec.clip_norm:
            self.gradient.mul_(spec.clip_norm / norm)
        count = [torch.tensor(float(step + 1))]
        self._adamw(self._embedding_group, count, spec.embedding_learning_rate * factor)
        self._adamw(self._matrix_group, count, spec.learning_rate * factor)

    def _adamw(self, group: list[list[Tensor]], count: list[Tensor], learning_rate: float) -> None:
        spec = self.spec
        weights, gradient, first, second = group
        torch._fused_adamw_(
            weights, gradient, first, second, [], count, amsgrad=False, maximize=False,
            lr=learning_rate, beta1=spec.beta1, beta2=spec.beta2, weight_decay=spec.weight_decay, eps=spec.epsilon,
        )  # fmt: skip

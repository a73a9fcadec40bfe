"""AdamW over one flat buffer."""

from __future__ import annotations

import torch
from torch import Tensor

from isoflop.training.spec import OptimiserSpec

Group = list[list[Tensor]]
"""Weights, gradients, first and second moments, as many tensors of each."""


class AdamW:
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101) with the gradient's norm clipped, on flat buffers.

    The first ``embedding`` numbers of the buffer, embeddings and positions, follow a learning rate of
    their own; the ``vectors`` numbers after them, norms and biases, are not decayed. Norm, clipping and update are one
    operation each: at these widths a step is mostly dispatch, and one operation per matrix would cost more than the
    arithmetic.
    """

    def __init__(
        self, spec: OptimiserSpec, weights: Tensor, gradient: Tensor, *, embedding: int, vectors: int = 0
    ) -> None:
        self.spec = spec
        self.gradient = gradient
        self.first_moment = torch.zeros_like(weights)
        self.second_moment = torch.zeros_like(weights)
        buffers = (weights, gradient, self.first_moment, self.second_moment)
        ends = [0, embedding, embedding + vectors, weights.numel()]
        self._groups = [
            ([[buffer[start:end]] for buffer in buffers], rate, decay)
            for start, end, (rate, decay) in zip(ends, ends[1:], rates_and_decays(spec), strict=False)
            if end > start
        ]

    def update(self, step: int, factor: float) -> None:
        """Make step ``step`` (from 0) with both learning rates times ``factor``; scales the gradient in place."""
        self._clip()
        for group, rate, decay in self._groups:
            adamw(self.spec, group, step, rate * factor, decay)

    def _clip(self) -> None:
        norm = torch.linalg.vector_norm(self.gradient)
        if self.gradient.device.type == "cpu":
            size = float(norm)
            if size > self.spec.clip_norm:
                self.gradient.mul_(self.spec.clip_norm / size)
        else:  # without waiting for the device to say how large it is
            self.gradient.mul_((self.spec.clip_norm / norm).clamp(max=1.0))


def rates_and_decays(spec: OptimiserSpec) -> tuple[tuple[float, float], ...]:
    """Learning rate and weight decay of embeddings, vectors and matrices."""
    return (
        (spec.embedding_learning_rate, spec.weight_decay),
        (spec.learning_rate, 0.0),
        (spec.learning_rate, spec.weight_decay),
    )


def adamw(spec: OptimiserSpec, group: Group, step: int, learning_rate: float, decay: float) -> None:
    """Step ``step`` (from 0) for a group of tensors: weights, gradients, first and second moments."""
    weights, gradients, first, second = group
    count = [torch.tensor(float(step + 1), device=weights[0].device)] * len(weights)
    torch._fused_adamw_(
        weights, gradients, first, second, [], count, amsgrad=False, maximize=False,
        lr=learning_rate, beta1=spec.beta1, beta2=spec.beta2, weight_decay=decay, eps=spec.epsilon,
    )  # fmt: skip

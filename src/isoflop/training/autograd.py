"""One training step's loss and gradient by autograd: any architecture, device and precision.

The leaves are views of the flat buffer and their gradients views of the flat gradient, so that the optimiser sees one
buffer. A batch may be cut into micro-batches whose gradients add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isoflop.accounting.shapes import Shape
from isoflop.errors import UsageError
from isoflop.training import decoder
from isoflop.training.model import named_views

SMALL = 50_000_000
"""Numbers in the buffer below which a step is mostly launches of kernels, which CUDA graphs save."""


class AutogradStep:
    """Loss and gradient of a batch; ``gradient`` is flat, like the weights."""

    def __init__(
        self, shape: Shape, flat: Tensor, *, micro_batches: int = 1, bfloat16: bool = False, compiled: bool = False
    ) -> None:
        self.gradient = torch.zeros_like(flat)
        self._shape = shape
        self._device = flat.device
        self._micro_batches = micro_batches
        self._bfloat16 = bfloat16
        self._leaves = {name: view.detach().requires_grad_() for name, view in named_views(flat, shape).items()}
        for name, view in named_views(self.gradient, shape).items():
            self._leaves[name].grad = view
        self._loss: Any = decoder.loss
        if compiled:
            graphs = flat.device.type == "cuda" and flat.numel() < SMALL
            self._loss = torch.compile(decoder.loss, mode="reduce-overhead" if graphs else None)

    def loss_and_gradient(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        """The batch's mean loss in nats per token; leaves its gradient in ``gradient``."""
        if len(inputs) % self._micro_batches:
            raise UsageError(f"{len(inputs)} windows a step do not divide into {self._micro_batches} micro-batches.")
        self.gradient.zero_()
        total = torch.zeros((), device=self._device)
        parts = zip(np.split(inputs, self._micro_batches), np.split(targets, self._micro_batches), strict=True)
        for some_inputs, some_targets in parts:
            loss = self._of(some_inputs, some_targets) / self._micro_batches
            loss.backward()
            total += loss.detach()
        return float(total)

    @torch.no_grad()
    def loss(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        """The mean loss alone, in nats per token."""
        return float(self._of(inputs, targets))

    def _of(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> Tensor:
        batch = (self._moved(inputs), self._moved(targets))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            result: Tensor = self._loss(self._leaves, self._shape, *batch)
        return result

    def _moved(self, tokens: NDArray[np.int64]) -> Tensor:
        here = torch.from_numpy(np.ascontiguousarray(tokens))
        if self._device.type == "cpu":
            return here
        return here.pin_memory().to(self._device, non_blocking=True)

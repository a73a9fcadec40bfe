"""A run's state in the middle, and its weights at the end, as safetensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.numpy
import torch
from torch import Tensor

from isoflop.errors import UsageError

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
Read = Callable[[str, int, int], Tensor]


@dataclass
class Progress:
    """Where a run is: ``step`` steps are done, in ``seconds`` of training over all attempts.

    ``loss_sum`` is the training loss summed over the ``loss_steps`` steps since the last line of
    metrics.
    """

    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0


def encode(tensors: dict[str, Tensor], progress: Progress, spec_digest: str) -> bytes:
    """A checkpoint's bytes; decimal text of a float is exact in Python, so nothing is lost in the metadata."""
    facts = {**vars(progress), "spec_digest": spec_digest}
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    return safetensors.numpy.save(arrays, metadata={name: str(fact) for name, fact in facts.items()})


def restore(path: Path, spec_digest: str, fill: Callable[[Read], None]) -> Progress:
    """Have ``fill`` take what it needs from a checkpoint, and say how far it got; UsageError when it is another spec's.

    ``fill`` is given a function that reads the numbers from one to another of a tensor by name, so that a rank which
    holds a part of the weights reads no more than that.
    """
    with safetensors.safe_open(path, framework="numpy") as file:
        facts = file.metadata()
        if facts["spec_digest"] != spec_digest:
            raise UsageError(
                f"{path} was written by a run of spec {facts['spec_digest']}, and spec.json beside it is "
                f"{spec_digest}: delete the checkpoint to start anew."
            )
        fill(lambda name, start, end: torch.from_numpy(file.get_slice(name)[start:end]))
    return Progress(
        step=int(facts["step"]),
        seconds=float(facts["seconds"]),
        loss_sum=float(facts["loss_sum"]),
        loss_steps=int(facts["loss_steps"]),
    )

"""One run in memory: its weights, its optimiser, its text, and how far it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from isoflop.errors import UsageError
from isoflop.training import decoder, model
from isoflop.training.autograd import AutogradStep
from isoflop.training.checkpoint import Progress, Read, restore
from isoflop.training.data import Corpus, Windows, read_corpus
from isoflop.training.group import ALONE, Group
from isoflop.training.optim import AdamW
from isoflop.training.schedule import factor
from isoflop.training.spec import RunSpec, branch_file, check_trained, read_spec
from isoflop.training.step import Step

EVALUATION_WINDOWS = 32
CPU = torch.device("cpu")


def step_of(spec: RunSpec, weights: torch.Tensor, ranks: int = 1) -> Step | AutogradStep:
    """Written out by hand where that is the faster: the built-in decoder, in float32, on a processor."""
    plain = spec.device == "cpu" and spec.precision == "float32" and not spec.compile and spec.micro_batches == 1
    if plain and model.is_built_in(spec.shape):
        return Step(spec.shape, spec.batch_windows // ranks, weights)
    return AutogradStep(
        spec.shape,
        weights,
        micro_batches=spec.micro_batches,
        bfloat16=spec.precision == "bfloat16",
        compiled=spec.compile,
    )


class Training(ABC):
    """One run in memory, as one of the group's ranks has it: how far it is, and the text. Kinds differ in where the
    weights are."""

    sharded = False

    def __init__(self, spec: RunSpec, corpus: Corpus, device: torch.device = CPU, group: Group = ALONE) -> None:
        check_trained(spec.shape)
        if spec.batch_windows % group.size:
            raise UsageError(
                f"run {spec.run_id} takes {spec.batch_windows} windows a step, which {group.size} ranks cannot share "
                f"evenly: start it with a number of ranks that divides {spec.batch_windows}."
            )
        self.spec = spec
        self.device = device
        self.group = group
        self.progress = Progress()
        self.training = Windows(corpus.train()[: spec.unique_tokens], spec.shape.context, spec.data_seed)

    @abstractmethod
    def tensors(self) -> dict[str, torch.Tensor]:
        """The state as flat tensors, whole; at the leading rank, where the others may have to take part."""

    @abstractmethod
    def judged(self) -> torch.Tensor:
        """The weights that the run is judged by, as ``tensors`` has them."""

    @abstractmethod
    def restore(self, path: Path, spec_digest: str) -> Progress:
        """Fill the state from a checkpoint, of whatever number of ranks."""

    @abstractmethod
    def _gradient(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        """The mean loss of this rank's windows; leaves the gradient of all ranks' mean loss."""

    @abstractmethod
    def _update(self, step: int, factor: float) -> None:
        """Make step ``step`` by that gradient."""

    @abstractmethod
    def _judge(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean loss of some windows by the judged weights."""

    def advance(self) -> float:
        """Make one step; the loss of this rank's share of its batch before the update, in nats per token."""
        step, spec = self.progress.step, self.spec
        share = self.group.share(spec.batch_windows)
        inputs, targets = self.training.batch(step, spec.batch_windows)
        loss = self._gradient(inputs[share], targets[share])
        self._update(step, self.schedule(step))
        self.progress.step += 1
        return loss

    def schedule(self, step: int) -> float:
        return factor(step, self.spec.optimiser, self.spec.steps)

    @torch.no_grad()
    def validation_loss(self, corpus: Corpus) -> float:
        """Mean over a corpus's first validation windows, the same for every run of a study, in nats per token."""
        windows = Windows(corpus.validation(), self.spec.shape.context, seed=0)
        inputs, targets = windows.first(self.spec.eval_windows)
        share = self.group.share(len(inputs))
        most = -(-len(inputs) // self.group.size)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(share.start, share.start + most, EVALUATION_WINDOWS):
            some = slice(start, min(start + EVALUATION_WINDOWS, share.stop))
            count = max(some.stop - some.start, 0)
            if not count:  # the shards of the weights are gathered by all ranks or none: one window more, not counted
                some = slice(0, 1)
            batch = (torch.from_numpy(part[some]).to(self.device) for part in (inputs, targets))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.precision == "bfloat16"):
                total += float(self._judge(*batch)) * count
        self.group.sum(total)
        return float(total) / len(inputs)

    def leave_trunk(self, folder: Path) -> None:
        """Take over what the trunk kept for this branch; UsageError where it has kept nothing."""
        branch = self.spec.branch
        if branch is None:
            return
        trunk = folder.parent / branch.trunk
        kept = trunk / branch_file(branch.step)
        if not kept.exists():
            raise UsageError(
                f"run {self.spec.run_id} leaves {branch.trunk} after step {branch.step}, and {kept} is not there: "
                "train the trunk first."
            )
        self.restore(kept, read_spec(trunk).digest())
        self.progress = Progress(step=branch.step)


class Run(Training):
    """Each rank has all weights. ``mean`` is their running mean, where the spec has one judged in their place."""

    def __init__(self, spec: RunSpec, corpus: Corpus, device: torch.device = CPU, group: Group = ALONE) -> None:
        super().__init__(spec, corpus, device, group)
        self.weights = model.initial_weights(spec.shape, spec.seed).to(device)
        self.mean = torch.zeros_like(self.weights) if spec.optimiser.ema else None
        self.step = step_of(spec, self.weights, group.size)
        embedding, vectors = model.group_sizes(spec.shape)
        self.optimiser = AdamW(spec.optimiser, self.weights, self.step.gradient, embedding=embedding, vectors=vectors)

    def tensors(self) -> dict[str, torch.Tensor]:
        mean = {} if self.mean is None else {"mean": self.mean}
        return {
            "weights": self.weights,
            "first_moment": self.optimiser.first_moment,
            "second_moment": self.optimiser.second_moment,
            **mean,
        }

    def judged(self) -> torch.Tensor:
        return self.weights if self.mean is None else self.mean

    def restore(self, path: Path, spec_digest: str) -> Progress:
        def fill(read: Read) -> None:
            for name, tensor in self.tensors().items():
                tensor.copy_(read(name, 0, tensor.numel()))

        return restore(path, spec_digest, fill)

    def _gradient(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        loss = self.step.loss_and_gradient(inputs, targets)
        self.group.average(self.step.gradient)
        return loss

    def _update(self, step: int, factor: float) -> None:
        self.optimiser.update(step, factor)
        if self.mean is not None:
            self.mean.lerp_(self.weights, share_of_newest(self.spec.optimiser.ema, step))

    def _judge(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return decoder.loss(model.named_views(self.judged(), self.spec.shape), self.spec.shape, inputs, targets)


def share_of_newest(kept: float, step: int) -> float:
    """Of all weights so far, the older the lighter; divided by their shares' sum: none of it is the start."""
    return (1.0 - kept) / (1.0 - kept ** (step + 1))


def open_corpus(folder: Path, spec: RunSpec, corpus: str, digest: str) -> Corpus:
    """The corpus at ``corpus``, a path relative to the run's folder; UsageError where it is another."""
    found = read_corpus(folder / corpus)
    if found.digest != digest:
        raise UsageError(
            f"run {spec.run_id} was designed for the corpus {digest[:12]}, and {corpus} holds {found.digest[:12]}: "
            "restore that corpus or start a new study."
        )
    return found

"""One run in memory: its weights, its optimiser, its text, and how far it is."""

from __future__ import annotations

from pathlib import Path

import torch

from isoflop.errors import UsageError
from isoflop.training import decoder, model
from isoflop.training.autograd import AutogradStep
from isoflop.training.checkpoint import Progress, restore
from isoflop.training.data import Corpus, Windows, read_corpus
from isoflop.training.optim import AdamW
from isoflop.training.schedule import factor
from isoflop.training.spec import RunSpec, branch_file, read_spec
from isoflop.training.step import Step

EVALUATION_WINDOWS = 32
CPU = torch.device("cpu")


def step_of(spec: RunSpec, weights: torch.Tensor) -> Step | AutogradStep:
    """Written out by hand where that is the faster: the built-in decoder, in float32, on a processor."""
    plain = spec.device == "cpu" and spec.precision == "float32" and not spec.compile and spec.micro_batches == 1
    if plain and model.is_built_in(spec.shape):
        return Step(spec.shape, spec.batch_windows, weights)
    return AutogradStep(
        spec.shape,
        weights,
        micro_batches=spec.micro_batches,
        bfloat16=spec.precision == "bfloat16",
        compiled=spec.compile,
    )


class Run:
    """One run in memory. ``mean`` is the running mean of the weights, where the spec has one judged in their place."""

    def __init__(self, spec: RunSpec, corpus: Corpus, device: torch.device = CPU) -> None:
        model.check_trained(spec.shape)
        self.spec = spec
        self.device = device
        self.weights = model.initial_weights(spec.shape, spec.seed).to(device)
        self.mean = torch.zeros_like(self.weights) if spec.optimiser.ema else None
        self.step = step_of(spec, self.weights)
        embedding, vectors = model.group_sizes(spec.shape)
        self.optimiser = AdamW(spec.optimiser, self.weights, self.step.gradient, embedding=embedding, vectors=vectors)
        self.progress = Progress()
        self.training = Windows(corpus.train()[: spec.unique_tokens], spec.shape.context, spec.data_seed)

    def tensors(self) -> dict[str, torch.Tensor]:
        mean = {} if self.mean is None else {"mean": self.mean}
        return {
            "weights": self.weights,
            "first_moment": self.optimiser.first_moment,
            "second_moment": self.optimiser.second_moment,
            **mean,
        }

    def advance(self) -> float:
        """Make one step; the loss of its batch before the update, in nats per token."""
        step, spec = self.progress.step, self.spec
        loss = self.step.loss_and_gradient(*self.training.batch(step, spec.batch_windows))
        self.optimiser.update(step, self.schedule(step))
        if self.mean is not None:
            # Of all weights so far, the older the lighter; divided by their shares' sum: none of it is the start.
            kept = spec.optimiser.ema
            self.mean.lerp_(self.weights, (1.0 - kept) / (1.0 - kept ** (step + 1)))
        self.progress.step += 1
        self.progress.loss_sum += loss
        self.progress.loss_steps += 1
        return loss

    def schedule(self, step: int) -> float:
        return factor(step, self.spec.optimiser, self.spec.steps)

    def judged(self) -> torch.Tensor:
        """The weights that the run is judged by."""
        return self.weights if self.mean is None else self.mean

    @torch.no_grad()
    def validation_loss(self, corpus: Corpus) -> float:
        """Mean over a corpus's first validation windows, the same for every run of a study, in nats per token."""
        shape = self.spec.shape
        inputs, targets = Windows(corpus.validation(), shape.context, seed=0).first(self.spec.eval_windows)
        weights = model.named_views(self.judged(), shape)
        total = 0.0
        for start in range(0, len(inputs), EVALUATION_WINDOWS):
            some = slice(start, start + EVALUATION_WINDOWS)
            batch = (torch.from_numpy(part[some]).to(self.device) for part in (inputs, targets))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.precision == "bfloat16"):
                total += float(decoder.loss(weights, shape, *batch)) * len(inputs[some])
        return total / len(inputs)

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
        restore(kept, self.tensors(), read_spec(trunk).digest())
        self.progress = Progress(step=branch.step)


def open_corpus(folder: Path, spec: RunSpec, corpus: str, digest: str) -> Corpus:
    """The corpus at ``corpus``, a path relative to the run's folder; UsageError where it is another."""
    found = read_corpus(folder / corpus)
    if found.digest != digest:
        raise UsageError(
            f"run {spec.run_id} was designed for the corpus {digest[:12]}, and {corpus} holds {found.digest[:12]}: "
            "restore that corpus or start a new study."
        )
    return found

"""From a run's folder with a spec to the same folder with a result."""

from __future__ import annotations

import json
import math
import platform
import time
from datetime import UTC, datetime
from typing import Any

import safetensors.numpy
import torch

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.params import count_params
from isoflop.errors import DataError, UsageError
from isoflop.training import model
from isoflop.training.attempt import Attempt, Metrics, Stopped
from isoflop.training.checkpoint import CHECKPOINT, WEIGHTS, Progress, encode, restore
from isoflop.training.data import Corpus, Windows, read_corpus
from isoflop.training.optim import AdamW
from isoflop.training.schedule import wsd
from isoflop.training.spec import RunSpec, read_spec
from isoflop.training.step import Step

SECONDS_BETWEEN_CHECKPOINTS = 3.0
LINES_OF_METRICS = 200
EVALUATION_WINDOWS = 32


class Run:
    """One run in memory: its weights, its optimiser and how far it is."""

    def __init__(self, spec: RunSpec, corpus: Corpus) -> None:
        self.spec = spec
        self.weights = model.initial_weights(spec.shape, spec.seed)
        self.step = Step(spec.shape, spec.batch_windows, self.weights)
        self.optimiser = AdamW(
            spec.optimiser, self.weights, self.step.gradient, embedding=count_params(spec.shape).embedding
        )
        self.progress = Progress()
        self.training = Windows(corpus.train(), spec.shape.context, spec.data_seed)
        self.validation = Windows(corpus.validation(), spec.shape.context, seed=0)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            "weights": self.weights,
            "first_moment": self.optimiser.first_moment,
            "second_moment": self.optimiser.second_moment,
        }

    def advance(self) -> float:
        """Make one step; the loss of its batch before the update, in nats per token."""
        step, spec = self.progress.step, self.spec
        loss = self.step.loss_and_gradient(*self.training.batch(step, spec.batch_windows))
        self.optimiser.update(step, self.schedule(step))
        self.progress.step += 1
        self.progress.loss_sum += loss
        self.progress.loss_steps += 1
        return loss

    def schedule(self, step: int) -> float:
        optimiser = self.spec.optimiser
        return wsd(step, steps=self.spec.steps, warmup_steps=optimiser.warmup_steps, decay_steps=optimiser.decay_steps)

    def validation_loss(self) -> float:
        """Mean over the validation windows, in nats per token: the same windows for every run of a study."""
        inputs, targets = self.validation.first(self.spec.eval_windows)
        weights = model.Weights.over(self.weights, self.spec.shape)
        total = 0.0
        with torch.inference_mode():
            for start in range(0, len(inputs), EVALUATION_WINDOWS):
                some = slice(start, start + EVALUATION_WINDOWS)
                batch = torch.from_numpy(inputs[some]), torch.from_numpy(targets[some])
                total += float(model.loss(weights, self.spec.shape.heads, *batch)) * len(batch[0])
        return total / len(inputs)


def train(attempt: Attempt) -> None:
    """Train the run in ``attempt.folder`` to its result, from its checkpoint if there is one.

    Does nothing when ``result.json`` is there. Raises Stopped, with the state saved, when the attempt
    is superseded, orphaned or asked to stop. Equal specs end in equal bits on one machine, torch and
    thread count, however often they were interrupted.
    """
    folder = attempt.folder
    checkpoint = folder / CHECKPOINT
    if (folder / "result.json").exists():
        checkpoint.unlink(missing_ok=True)
        return
    attempt.claim()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # moments of rare bytes decay into denormals, slow on many processors
    spec = read_spec(folder)
    run = Run(spec, _corpus(attempt, spec))
    if checkpoint.exists():
        run.progress = restore(checkpoint, run.tensors(), spec.digest())
    with Metrics(attempt, run.progress.step) as metrics:
        finite = _steps(run, attempt, metrics)
    loss = run.validation_loss() if finite else math.nan
    views = model.named_views(run.weights, spec.shape)
    attempt.publish(WEIGHTS, safetensors.numpy.save({name: view.numpy() for name, view in views.items()}))
    attempt.publish("result.json", json.dumps(_result(run, attempt, loss), indent=2).encode() + b"\n")
    checkpoint.unlink(missing_ok=True)


def _corpus(attempt: Attempt, spec: RunSpec) -> Corpus:
    corpus = read_corpus(attempt.folder / spec.corpus)
    if corpus.digest != spec.corpus_digest:
        raise UsageError(
            f"run {spec.run_id} was designed for the corpus {spec.corpus_digest[:12]}, and {spec.corpus} holds "
            f"{corpus.digest[:12]}: restore that corpus or start a new study."
        )
    windows = Windows(corpus.validation(), spec.shape.context, seed=0).count
    if windows < spec.eval_windows:
        raise DataError(
            f"run {spec.run_id} is to be judged on {spec.eval_windows} windows of {spec.shape.context} tokens, and its "
            f"corpus has {windows} for validation: ask for fewer or give more text."
        )
    return corpus


def _steps(run: Run, attempt: Attempt, metrics: Metrics) -> bool:
    """Make the steps that are left; False when the loss stops being finite."""
    spec, progress = run.spec, run.progress
    interval = max(1, spec.steps // LINES_OF_METRICS)
    earlier, started = progress.seconds, time.perf_counter()
    saved = started
    while progress.step < spec.steps:
        loss = run.advance()
        now = time.perf_counter()
        progress.seconds = earlier + now - started
        if not math.isfinite(loss):
            return False
        if progress.step % interval == 0 or progress.step == spec.steps:
            metrics.append(_line(run))
            progress.loss_sum, progress.loss_steps = 0.0, 0
        reason = attempt.reason_to_stop()
        if reason or now - saved > SECONDS_BETWEEN_CHECKPOINTS:
            attempt.publish(CHECKPOINT, encode(run.tensors(), progress, spec.digest()))
            saved = time.perf_counter()
        if reason:
            raise Stopped(f"run {spec.run_id} stopped at step {progress.step} of {spec.steps}, state kept: {reason}.")
    return True


def _line(run: Run) -> dict[str, Any]:
    spec, progress = run.spec, run.progress
    return {
        "step": progress.step,
        "tokens": progress.step * spec.batch_tokens,
        "loss": progress.loss_sum / progress.loss_steps,
        "learning_rate": spec.optimiser.learning_rate * run.schedule(progress.step - 1),
        "seconds": round(progress.seconds, 4),
    }


def _result(run: Run, attempt: Attempt, loss: float) -> dict[str, Any]:
    spec, progress = run.spec, run.progress
    params, flops = count_params(spec.shape), flops_per_token(spec.shape)
    done = math.isfinite(loss)
    tokens = progress.step * spec.batch_tokens
    return {
        "schema": "isoflop.result/1",
        "run_id": spec.run_id,
        "state": "done" if done else "diverged",
        "attempt": attempt.number,
        "spec_digest": spec.digest(),
        "params": params.to_dict(),
        "tokens": tokens,
        "steps": progress.step,
        "flops": flops.exact_causal * tokens,
        "flops_exact_full": flops.exact_full * tokens,
        "flops_six_nd": flops.six_n * tokens,
        "loss": loss if done else None,
        "bits_per_byte": loss / math.log(2.0) if done else None,
        "eval_tokens": spec.eval_windows * spec.shape.context,
        "seconds": round(progress.seconds, 4),
        "tokens_per_second": round(tokens / progress.seconds, 1),
        "device": "cpu",
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "corpus_digest": spec.corpus_digest,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }

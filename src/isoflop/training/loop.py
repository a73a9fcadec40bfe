"""From a run's folder with a spec to the same folder with a result."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import safetensors.numpy
import torch

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.params import count_params
from isoflop.training import model
from isoflop.training.attempt import Attempt, Metrics, Stopped
from isoflop.training.checkpoint import CHECKPOINT, WEIGHTS, encode
from isoflop.training.data import Corpus, check_text
from isoflop.training.device import check_precision, device_facts, device_of
from isoflop.training.group import ALONE, Group
from isoflop.training.run import Run, Training, open_corpus
from isoflop.training.spec import branch_file, read_spec

SECONDS_BETWEEN_CHECKPOINTS = 3.0
LINES_OF_METRICS = 200


def train(attempt: Attempt, group: Group = ALONE, kind: type[Training] = Run) -> None:
    """Train the run in ``attempt.folder`` to its result, from its checkpoint if there is one.

    Does nothing when ``result.json`` is there. Raises Stopped, with the state saved, when the attempt
    is superseded, orphaned or asked to stop. Equal specs end in equal bits on one machine, torch and
    thread count, however often they were interrupted. On several ranks all of them call this, and one writes.
    """
    folder = attempt.folder
    checkpoint = folder / CHECKPOINT
    if group.told((folder / "result.json").exists()):
        group.lead(lambda: checkpoint.unlink(missing_ok=True))
        return
    group.lead(attempt.claim)
    spec = read_spec(folder)
    device = device_of(spec, group.local_rank)
    group.lead(lambda: check_precision(spec, device))
    corpus = open_corpus(folder, spec, spec.corpus, spec.corpus_digest)
    others = {one.name: open_corpus(folder, spec, one.corpus, one.corpus_digest) for one in spec.also_judged}
    check_text(spec, corpus)
    for other in others.values():
        check_text(replace(spec, unique_tokens=None), other)
    run = kind(spec, corpus, device, group)
    if group.told(checkpoint.exists()):
        run.progress = run.restore(checkpoint, spec.digest())
    else:
        run.leave_trunk(folder)
    with ExitStack() as stack:
        metrics: list[Metrics] = []  # one at the leading rank, none elsewhere
        group.lead(lambda: metrics.append(stack.enter_context(Metrics(attempt, run.progress.step))))
        finite = _steps(run, attempt, metrics)
    loss = run.validation_loss(corpus) if finite else math.nan
    loss_on = {name: run.validation_loss(other) for name, other in others.items()} if finite else {}
    weights = run.judged()
    group.lead(lambda: _conclude(run, attempt, weights, _result(run, attempt, corpus, loss, loss_on)))


def _conclude(run: Training, attempt: Attempt, weights: torch.Tensor, result: dict[str, Any]) -> None:
    views = model.named_views(weights, run.spec.shape)
    attempt.publish(WEIGHTS, safetensors.numpy.save({name: view.cpu().numpy() for name, view in views.items()}))
    attempt.publish("result.json", json.dumps(result, indent=2).encode() + b"\n")
    (attempt.folder / CHECKPOINT).unlink(missing_ok=True)


def _steps(run: Training, attempt: Attempt, metrics: list[Metrics]) -> bool:
    """Make the steps that are left; False when the loss stops being finite."""
    spec, progress, group = run.spec, run.progress, run.group
    interval = max(1, spec.steps // LINES_OF_METRICS)
    earlier, started = progress.seconds, time.perf_counter()
    saved = started
    while progress.step < spec.steps:
        own_loss = run.advance()
        now = time.perf_counter()
        progress.seconds = earlier + now - started
        agreed = group.agree(own_loss, attempt.reason_to_stop(), now - saved > SECONDS_BETWEEN_CHECKPOINTS)
        if not math.isfinite(agreed.loss):
            return False
        progress.loss_sum += agreed.loss
        progress.loss_steps += 1
        if progress.step % interval == 0 or progress.step == spec.steps:
            group.lead(lambda: metrics[0].append(_line(run)))
            progress.loss_sum, progress.loss_steps = 0.0, 0
        if progress.step in spec.keep:
            _save(run, attempt, branch_file(progress.step))
        if agreed.reason or agreed.save:
            _save(run, attempt, CHECKPOINT)
            saved = time.perf_counter()
        if agreed.reason:
            raise Stopped(
                f"run {spec.run_id} stopped at step {progress.step} of {spec.steps}, state kept: {agreed.reason}."
            )
    return True


def _save(run: Training, attempt: Attempt, name: str) -> None:
    tensors = run.tensors()
    run.group.lead(lambda: attempt.publish(name, encode(tensors, run.progress, run.spec.digest())))


def _line(run: Training) -> dict[str, Any]:
    spec, progress = run.spec, run.progress
    return {
        "step": progress.step,
        "tokens": progress.step * spec.batch_tokens,
        "loss": progress.loss_sum / progress.loss_steps,
        "learning_rate": spec.optimiser.learning_rate * run.schedule(progress.step - 1),
        "seconds": round(progress.seconds, 4),
    }


def _result(
    run: Training, attempt: Attempt, corpus: Corpus, loss: float, loss_on: Mapping[str, float]
) -> dict[str, Any]:
    """What came out. ``tokens``, ``steps`` and ``flops`` are those that the weights have seen, a trunk's included;
    ``flops_own`` and the clocks are what this run spent itself."""
    spec, progress = run.spec, run.progress
    flops = flops_per_token(spec.shape)
    done = math.isfinite(loss)
    tokens = progress.step * spec.batch_tokens
    own = tokens - (spec.branch.step * spec.batch_tokens if spec.branch else 0)
    return {
        "schema": "isoflop.result/1",
        "run_id": spec.run_id,
        "state": "done" if done else "diverged",
        "attempt": attempt.number,
        "spec_digest": spec.digest(),
        "params": count_params(spec.shape).to_dict(),
        "tokens": tokens,
        "unique_tokens": spec.unique_tokens or (corpus.train_tokens if tokens > corpus.train_tokens else None),
        "epochs": tokens / (spec.unique_tokens or corpus.train_tokens),
        "steps": progress.step,
        "flops": flops.exact_causal * tokens,
        "flops_own": flops.exact_causal * own,
        "flops_exact_full": flops.exact_full * tokens,
        "flops_six_nd": flops.six_n * tokens,
        "loss": loss if done else None,
        "loss_unit": "nats_per_byte" if corpus.unit == "byte" else "nats_per_token",
        "bits_per_byte": loss / math.log(2.0) / corpus.bytes_per_token if done and corpus.bytes_per_token else None,
        "loss_on": dict(loss_on),
        "eval_tokens": spec.eval_windows * spec.shape.context,
        "seconds": round(progress.seconds, 4),
        "tokens_per_second": round(own / progress.seconds, 1),
        "flops_per_second": flops.exact_causal * own / progress.seconds,
        **device_facts(run.device),
        **({"ranks": run.group.size, "sharded": run.sharded} if run.group.size > 1 else {}),
        "precision": spec.precision,
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "corpus_digest": spec.corpus_digest,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }

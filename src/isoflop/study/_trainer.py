"""The command that trains a run: isoflop's own trainer, or anybody's, with placeholders for what is to be trained."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.params import count_params
from isoflop.conventions import LossUnit
from isoflop.errors import UnknownName, UsageError
from isoflop.executors import ATTEMPT, NODE_RANK, PYTHON, RENDEZVOUS, Left
from isoflop.files import object_in, write_atomic
from isoflop.study._executors import ExecutorPlan
from isoflop.study._plan import TrainerPlan
from isoflop.study._states import PUBLISHED, RESULT, RESULT_SCHEMA
from isoflop.training.spec import RunSpec


@dataclass(frozen=True)
class Trainer:
    """A command that trains a run. ``is_own`` tells a user's command, with placeholders, from one that obeys isoflop's
    contract of run folders and gets the folder, ``--attempt`` and ``--parent`` appended. It is started once on each of
    a run's ``nodes``."""

    command: tuple[str, ...]
    is_own: bool = False
    nodes: int = 1

    def words(self, spec: RunSpec, folder: Path, parent: int | None) -> tuple[str, ...]:
        """The words to run; the executor knows the attempt's number when it starts one."""
        if self.is_own:
            values = placeholders(spec, folder)
            return tuple(word.format_map(values) for word in self.command)
        ending = () if parent is None else ("--parent", str(parent))
        return (*self.command, str(folder), "--attempt", ATTEMPT, *ending)


BUILT_IN = Trainer((PYTHON, "-m", "isoflop.training"))
"""isoflop's own trainer."""


def trainer_of(plan: TrainerPlan, where: ExecutorPlan) -> Trainer:
    """The trainer that a study's plan asks for; isoflop's own over several processes where a run is to be spread."""
    if plan.command:
        if where.nodes > 1 and not any(f"{{{name}}}" in word for name in MEETING for word in plan.command):
            raise UsageError(
                f"[executor] says nodes = {where.nodes}, and the trainer's command, which is started on each of them, "
                "has neither {rendezvous} nor {node_rank}: every node would train the whole run; give it these, or "
                "nodes = 1."
            )
        return replace(own_trainer(plan.command), nodes=where.nodes)
    if where.processes == where.nodes == 1:
        return BUILT_IN
    spread = ["--processes", str(where.processes), *(["--shard"] if where.shard else [])]
    if where.nodes > 1:
        spread += ["--nodes", str(where.nodes), "--node-rank", NODE_RANK, "--rendezvous", RENDEZVOUS]
    return Trainer((PYTHON, "-m", "isoflop.training.launch", *spread), nodes=where.nodes)


def own_trainer(command: Sequence[str]) -> Trainer:
    """A trainer of one's own; UnknownName for a placeholder that there is not, UsageError for a brace out of place."""
    for word in command:
        try:
            fields = [field for field in string.Formatter().parse(word) if field[1] is not None]
        except ValueError as error:
            raise UsageError(f"the trainer's command has {word!r}: {error}; write {{{{ for a brace itself.") from None
        for _, name, form, conversion in fields:
            if name not in PLACEHOLDERS:
                raise UnknownName.among("placeholder", name or "", PLACEHOLDERS)
            if form or conversion:
                raise UsageError(f"the trainer's command has {word!r}; write {{{name}}} alone, without : or !.")
    return Trainer(tuple(command), is_own=True)


MEETING = ("rendezvous", "node_rank")
"""The placeholders by which processes on several nodes find together."""
PLACEHOLDERS = {
    "params": "N: matrices and head",
    "params_total": "N with embeddings",
    "params_non_embedding": "N of the blocks alone",
    "tokens": "D",
    "flops": "C, counted exactly",
    "budget": "C aimed at",
    "steps": "optimiser steps",
    "batch_tokens": "tokens a step",
    "batch_windows": "sequences a step",
    "context": "tokens a sequence",
    "layers": "blocks",
    "d_model": "width",
    "heads": "attention heads",
    "kv_heads": "heads of keys and values",
    "d_ff": "width of the MLP",
    "vocab": "tokens in the vocabulary",
    "learning_rate": "peak learning rate",
    "embedding_learning_rate": "that of the embeddings",
    "warmup_steps": "steps of warmup",
    "decay_steps": "steps of decay",
    "weight_decay": "weight decay",
    "schedule": "wsd, cosine, linear or constant",
    "seed": "seed of weights and data order",
    "unique_tokens": "cap of the text, 0 where there is none",
    "attempt": "1 for the first attempt",
    "run_id": "the run's name",
    "node_rank": "which of the run's nodes this is, from 0",
    "rendezvous": "HOST:PORT where its nodes meet, at node 0",
    "run_dir": "the run's folder, in which the command starts",
    "study_dir": "the study's folder",
    "spec": "spec.json, which holds all of this",
}


def placeholders(spec: RunSpec, folder: Path) -> dict[str, object]:
    """What the placeholders of a command stand for; numbers as a shell would write them."""
    shape, optimiser, params = spec.shape, spec.optimiser, count_params(spec.shape)
    return {
        "params": params.matrices_and_head,
        "params_total": params.total,
        "params_non_embedding": params.non_embedding,
        "tokens": spec.tokens,
        "flops": f"{flops_per_token(shape).exact_causal * spec.tokens:.6g}",
        "budget": f"{spec.budget:.6g}",
        "steps": spec.steps,
        "batch_tokens": spec.batch_tokens,
        "batch_windows": spec.batch_windows,
        **{name: getattr(shape, name) for name in ("context", "layers", "d_model", "heads", "d_ff", "vocab")},
        "kv_heads": shape.key_value_heads,
        "learning_rate": optimiser.learning_rate,
        "embedding_learning_rate": optimiser.embedding_learning_rate,
        **{name: getattr(optimiser, name) for name in ("warmup_steps", "decay_steps", "weight_decay", "schedule")},
        "seed": spec.seed,
        "unique_tokens": spec.unique_tokens or 0,
        "attempt": ATTEMPT,
        "run_id": spec.run_id,
        "node_rank": NODE_RANK,
        "rendezvous": RENDEZVOUS,
        "run_dir": folder,
        "study_dir": folder.parent.parent,
        "spec": folder / "spec.json",
    }


def planned_facts(spec: RunSpec) -> dict[str, Any]:
    """What a run costs by its spec, as a result and a failure record it."""
    flops = flops_per_token(spec.shape)
    return {
        "params": count_params(spec.shape).to_dict(),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "flops": flops.exact_causal * spec.tokens,
    }


LARGEST_NUMBER = 1e40
"""No count of anybody's is larger, and every one below is a float."""
LOSS_UNITS = tuple(unit for unit in LossUnit if unit != LossUnit.UNSTATED)
COUNTS = ("tokens", "flops", "steps", "unique_tokens")
OPTIONAL = ("unique_tokens", "tokens_per_second", "bits_per_byte")
"""What may be null too."""


def _fault(result: dict[str, Any]) -> str:
    """What is wrong with what a command has written, or ""."""
    if "schema" in result:  # the study writes it, when it has read the rest
        return f"says schema = {result['schema']!r}; leave that out"
    if "loss" not in result:
        return 'has no "loss"'
    for name in ("loss", *COUNTS, "seconds", "tokens_per_second", "bits_per_byte"):
        value = result.get(name, 1)
        if has_diverged(value) if name == "loss" else value is None and name in OPTIONAL:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"says {name} = {value!r}, which is no number"
        if not 0 <= value < LARGEST_NUMBER or (value == 0 and name not in ("seconds", "tokens_per_second")):
            kind = "count" if name in (*COUNTS, "seconds", "tokens_per_second") else name
            return f"says {name} = {str(value)[:30]}, and a {kind} is positive and finite"
        if name == "steps" and value != int(value):
            return f"says steps = {value!r}, and steps are whole"
    for name in ("params", "loss_on"):
        if not isinstance(result.get(name, {}), dict):
            return f"says {name} = {result[name]!r}, not a table; leave it out, or write one of numbers by name"
        for key, value in result.get(name, {}).items():
            is_number = not isinstance(value, bool) and isinstance(value, int | float)
            if not is_number or not 0 <= value < LARGEST_NUMBER or (value == 0 and key == "matrices_and_head"):
                return f"says {name}.{key} = {str(value)[:30]!r}, which is no positive number"
    unit = result.get("loss_unit", "nats_per_token")
    if unit not in LOSS_UNITS:
        return f"says loss_unit = {unit!r}; there are {', '.join(LOSS_UNITS)}"
    return ""


def has_diverged(loss: Any) -> bool:
    """Whether a loss, as a trainer writes it, is none: null or not finite."""
    return loss is None or (isinstance(loss, float) and not math.isfinite(loss))


def complete(folder: Path, spec: RunSpec, attempt: int, left: Left | None) -> str:
    """Publish what a command of somebody's own had left in its result.json; why it cannot be, or "" where it was.

    Needed is ``loss``, in nats per token unless ``loss_unit`` says otherwise; null or a number that is not finite says
    that the run diverged. Everything else is taken from the spec unless the command has written it, and the time from
    when its process was noted to when it wrote the result. That file stays as it is.
    """
    if left is None:
        return f"it ended without a {RESULT}"
    try:
        result = object_in(left.text, RESULT, "write one object")
    except UsageError:
        return f"its {RESULT} holds no JSON object"
    if fault := _fault(result):
        return f"its {RESULT} {fault}"
    loss, planned = result["loss"], planned_facts(spec)
    diverged = has_diverged(loss)
    seconds = result.get("seconds", round(max(0.0, left.written - left.began), 3))
    table = {
        **planned,
        "loss_unit": "nats_per_token",
        "seconds": seconds,
        "tokens_per_second": result.get("tokens", planned["tokens"]) / seconds if seconds else None,
        "finished_at": datetime.fromtimestamp(left.written, UTC).isoformat(timespec="seconds"),
        "corpus_digest": spec.corpus_digest,
        **result,
        "schema": RESULT_SCHEMA,
        "run_id": spec.run_id,
        "state": "diverged" if diverged else "done",
        "attempt": attempt,
        "spec_digest": spec.digest(),
        "params": {**planned["params"], **result.get("params", {})},
        "loss": None if diverged else loss,
    }
    write_atomic(folder / PUBLISHED, json.dumps(table, indent=2) + "\n")
    return ""

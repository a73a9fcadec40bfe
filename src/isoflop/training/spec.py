"""What one training run is to do: the whole of it, in plain numbers, and no torch.

A study writes ``spec.json`` into the run's folder before anything starts; the trainer reads nothing
else. Two runs with equal specs on one machine, torch and thread count end in the same bits, so a
finished run is recognised by its spec's digest and never repeated.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from isoflop.accounting.shapes import Shape, shape_from
from isoflop.errors import UsageError
from isoflop.files import read_object

SCHEMA = "isoflop.run_spec/1"
Schedule = Literal["wsd", "cosine", "linear", "constant"]
Precision = Literal["float32", "bfloat16"]
Device = Literal["cpu", "cuda"]
TRAINED = ("built-in", "gpt2", "llama", "olmo1", "qwen2", "qwen3")
"""Architectures that are trained here: pre-norm and dense, each block its attention and then its MLP."""
SWEEP, FORECAST, PROBE = "sweep", "forecast", "probe"
"""What a run is for: part of the design that a law is fitted to, the test of what the law forecast, or a probe of the
learning rate, which no fit reads."""


@dataclass(frozen=True)
class OptimiserSpec:
    """AdamW and the learning rate's schedule.

    Embeddings and positions have a learning rate of their own: it does not shrink with width as the
    matrices' does. ``schedule`` is wsd (warmup, plateau, linear decay over the last ``decay_steps``), cosine,
    linear or constant, each after ``warmup_steps``. ``floor`` is the share of the peak at which it ends.
    ``horizon`` is the step at which it ends, the run's last unless given: a schedule longer than its run, as
    Kaplan et al. used. ``ema`` > 0 judges a running mean of the weights, with that decay a step, in place of the last.
    """

    learning_rate: float
    embedding_learning_rate: float
    warmup_steps: int
    decay_steps: int
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    clip_norm: float
    schedule: Schedule = "wsd"
    floor: float = 0.0
    horizon: int | None = None
    ema: float = 0.0


@dataclass(frozen=True)
class Branch:
    """Where a run goes on from another's plateau: the trunk's run id, and after how many of its steps."""

    trunk: str
    step: int


@dataclass(frozen=True)
class Judged:
    """A further corpus on whose validation windows a run is judged: its name in the study, where it is, its digest."""

    name: str
    corpus: str
    corpus_digest: str


@dataclass(frozen=True)
class RunSpec:
    """One training run.

    ``budget`` is the compute that the sweep aimed at, in FLOPs; what the run really costs is counted
    from its shape and ``steps``. ``corpus`` is a path relative to the run's folder, so that a study
    can be moved; ``corpus_digest`` is what must be found there. ``batch_windows`` windows of
    ``shape.context`` tokens make a step. ``data_seed`` fixes the order of the windows and is shared by
    all runs of a study, ``seed`` the initial weights.

    ``unique_tokens`` caps the training text, which is then repeated. A run with a ``branch`` takes the trunk's weights
    and moments there and makes the ``steps`` that are left of its own; ``keep`` names the steps after which a trunk
    keeps its state for branches. A step's gradient is gathered over ``micro_batches``. ``also_judged`` are further
    corpora to be judged on.
    """

    run_id: str
    shape: Shape
    budget: float
    steps: int
    batch_windows: int
    optimiser: OptimiserSpec
    seed: int
    data_seed: int
    corpus: str
    corpus_digest: str
    eval_windows: int
    purpose: str = SWEEP
    unique_tokens: int | None = None
    branch: Branch | None = None
    keep: tuple[int, ...] = ()
    also_judged: tuple[Judged, ...] = ()
    micro_batches: int = 1
    precision: Precision = "float32"
    device: Device = "cpu"
    compile: bool = False

    @property
    def batch_tokens(self) -> int:
        return self.batch_windows * self.shape.context

    @property
    def tokens(self) -> int:
        return self.steps * self.batch_tokens

    def digest(self) -> str:
        """Sixteen hex digits that two specs share exactly when they describe the same training."""
        facts = {k: v for k, v in self._facts().items() if k not in ("run_id", "corpus", "purpose")}
        canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **self._facts()}

    def _facts(self) -> dict[str, Any]:
        """What is not as usual, and all that has no usual value: a new option changes no digest of a run without it."""
        facts = _beside_defaults(self)
        return {**facts, "shape": self.shape.to_dict(), "optimiser": _beside_defaults(self.optimiser)}

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> RunSpec:
        facts = {name: value for name, value in table.items() if name != "schema"}
        facts["shape"] = shape_from(table["shape"])
        facts["optimiser"] = OptimiserSpec(**table["optimiser"])
        if "branch" in facts:
            facts["branch"] = Branch(**facts["branch"])
        facts["keep"] = tuple(facts.get("keep", ()))
        facts["also_judged"] = tuple(Judged(**judged) for judged in facts.get("also_judged", ()))
        return cls(**facts)


def _beside_defaults(spec: Any) -> dict[str, Any]:
    """The fields of a dataclass as plain values, those left out that have their default."""
    facts = asdict(spec)
    return {f.name: facts[f.name] for f in fields(spec) if f.name == "purpose" or getattr(spec, f.name) != f.default}


def check_trained(shape: Shape) -> None:
    """Raise UsageError for a shape that isoflop does not train."""
    name = shape.architecture.name
    if name not in TRAINED or shape.experts or shape.latent or shape.windowed_layers:
        raise UsageError(
            f"isoflop trains dense decoders of the architectures {', '.join(TRAINED)} with full attention, and "
            f"this run asks for {name}; train it by a command of your own."
        )
    if shape.architecture.positions != "learned" and shape.head_width % 2:
        raise UsageError(f"rotary positions turn pairs, and a head is {shape.head_width} wide; give an even head_dim.")


def branch_file(step: int) -> str:
    """Where a trunk keeps its state after ``step`` steps, in its run's folder."""
    return f"branch-{step:07d}.safetensors"


def read_spec(folder: Path) -> RunSpec:
    """Read ``spec.json`` of a run's folder; UsageError where it is torn or not a spec."""
    path, remedy = folder / "spec.json", "delete it, and isoflop sweep init (or quickstart) writes it again"
    table = read_object(path, remedy)
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{path} says schema {table.get('schema')!r}; this isoflop reads {SCHEMA!r}.")
    try:
        return RunSpec.from_dict(table)
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path} is no spec of a run ({error}); {remedy}.") from None

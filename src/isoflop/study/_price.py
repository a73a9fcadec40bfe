"""What the runs of a study will take, before any of them is made: FLOPs, memory, hours, dollars."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.memory import activation_memory, state_memory
from isoflop.accounting.params import count_params
from isoflop.hardware import Cluster
from isoflop.quantities import format_number
from isoflop.study._specs import predicted_seconds
from isoflop.study._states import SECONDS_BESIDE_STEPS, makespan
from isoflop.training.spec import RunSpec

REFERENCE_FLOPS_PER_SECOND = 165e9
"""In fp32 products of one core of the machine on which ``predicted_seconds`` was measured."""
_CALIBRATION_SECONDS = 0.3
_SIDE = 512


@dataclass(frozen=True)
class Priced:
    """One run, priced: ``flops`` are its own, without what a branch takes over from its trunk; ``memory`` in bytes."""

    spec: RunSpec
    params: int
    flops: float
    memory: float
    hours: float
    usd: float | None


@dataclass(frozen=True)
class Preview:
    """All runs, priced, and ``hours`` until the last of them ends with so many at a time."""

    runs: tuple[Priced, ...]
    workers: int
    hours: float
    where: str
    notes: tuple[str, ...] = ()
    """What was assumed of a device, and what does not fit on one."""

    @property
    def flops(self) -> float:
        return sum(run.flops for run in self.runs)

    @property
    def usd(self) -> float | None:
        prices = [run.usd for run in self.runs]
        return None if None in prices else sum(price for price in prices if price is not None)


def price(specs: Sequence[RunSpec], workers: int, cluster: Cluster | None = None) -> Preview:
    """Price runs on one device each of ``cluster``, or one core each of this machine, timed by a matrix product."""
    speed = REFERENCE_FLOPS_PER_SECOND / _products_per_second() if cluster is None else 0.0
    runs = tuple(_priced(spec, cluster, speed) for spec in specs)
    where = "cores of this machine" if cluster is None else cluster.accelerator.id
    notes = () if cluster is None else _notes(runs, cluster)
    return Preview(runs, workers, makespan([run.hours for run in runs], workers), where, notes)


def _as_trained(spec: RunSpec, cluster: Cluster) -> Cluster:
    """The cluster in the number format of isoflop's own trainer; a command of one's own, whose runs have no corpus
    here, knows its own, and the device's usual one is taken."""
    if not spec.corpus_digest or cluster.dtype is not None:
        return cluster
    single = "tf32" if "tf32" in cluster.accelerator.peak else "fp32"  # as training.device multiplies float32
    return replace(cluster, dtype="bf16" if spec.precision == "bfloat16" else single)


def _notes(runs: Sequence[Priced], cluster: Cluster) -> tuple[str, ...]:
    formats = {place.number_format: place for place in (_as_trained(run.spec, cluster) for run in runs)}
    said = [
        f"at {place.mfu:.0%} of {format_number(place.peak_flops_per_second / 1e12, 3)} TFLOP/s ({name})"
        for name, place in formats.items()
    ]
    room = cluster.accelerator.memory_gigabytes * 1e9
    large = [run for run in runs if run.memory > room]
    if large:
        most, device = max(run.memory for run in large), cluster.accelerator.id
        said.append(
            f"caution: {len(large)} of {len(runs)} runs need up to {most / 1e9:.0f} GB, and one {device} has "
            f"{room / 1e9:.0f}: gather their gradient over micro_batches, or train them in bfloat16"
        )
    return tuple(said)


def _priced(spec: RunSpec, cluster: Cluster | None, slowness: float) -> Priced:
    count = count_params(spec.shape)
    steps = spec.steps - (spec.branch.step if spec.branch else 0)
    flops = flops_per_token(spec.shape).exact_causal * steps * spec.batch_tokens
    precision = "bf16" if spec.precision == "bfloat16" else "fp32"
    state = state_memory(count.total, precision=precision).total
    sequences = -(-spec.batch_windows // spec.micro_batches)
    activations = activation_memory(spec.shape, sequences=sequences, recompute="none", precision=precision)
    if cluster is None:
        hours, usd = (predicted_seconds(spec) * slowness + SECONDS_BESIDE_STEPS) / 3600, None
    else:
        cost = _as_trained(spec, cluster).cost(flops)
        hours, usd = cost.device_hours, cost.usd
    return Priced(spec, count.matrices_and_head, flops, state + activations.total, hours, usd)


def _products_per_second() -> float:
    """FLOPs of fp32 matrix products in a CPU second, as NumPy makes them here."""
    a = np.ones((_SIDE, _SIDE), dtype=np.float32)
    done, began = 0, time.process_time()
    while time.process_time() - began < _CALIBRATION_SECONDS:
        a @ a
        done += 1
    return 2.0 * _SIDE**3 * done / (time.process_time() - began)

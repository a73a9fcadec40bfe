"""What the runs of a study will take, before any of them is made: FLOPs, memory, hours, dollars."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.memory import activation_memory, state_memory
from isoflop.accounting.params import count_params
from isoflop.hardware import Cluster
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
    return Preview(runs, workers, makespan([run.hours for run in runs], workers), where)


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
        cost = cluster.cost(flops)
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

"""Where a run is trained: the device, what it is good at, and what was used of it."""

from __future__ import annotations

import resource
import sys
import time

import torch

from isoflop.errors import UsageError
from isoflop.training.spec import RunSpec

_SIDES = {"cpu": 512, "cuda": 8192}
_SECONDS = 0.1


def device_of(spec: RunSpec, local_rank: int | None = None) -> torch.device:
    """The device that the spec asks for, set up; UsageError where it is not there.

    The ranks of a node take its CUDA devices in turn.
    """
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"run {spec.run_id} is for a CUDA device, and PyTorch sees none here; run the study where there is one, or "
            'set device = "cpu" under [trainer].'
        )
    device = torch.device(spec.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)  # moments of rare bytes decay into denormals, slow on many processors
        return device
    torch.set_float32_matmul_precision("high")  # TF32 where precision is float32: ten bits in products
    return device if local_rank is None else torch.device("cuda", local_rank)


def check_precision(spec: RunSpec, device: torch.device) -> None:
    """UsageError for bfloat16 where its matrix products, timed here, are no faster than float32's: processors without
    instructions for it emulate them, five to ten times slower, whatever a library claims."""
    if spec.precision != "bfloat16":
        return
    gain = matrix_rate(device, torch.bfloat16) / matrix_rate(device, torch.float32)
    if gain < 1.0:
        raise UsageError(
            f"bfloat16 is {gain:.2g} times as fast as float32 in matrix products on this {device.type}: set "
            'precision = "float32" under [trainer].'
        )


def matrix_rate(device: torch.device, kind: torch.dtype) -> float:
    """FLOPs a second of square matrix products, timed for a tenth of a second: what utilisation is held against."""
    side = _SIDES[device.type]
    a = torch.ones(side, side, device=device, dtype=kind)
    (a @ a).sum().item()
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < _SECONDS:
        a @ a
        done += 1
        _wait(device)
    return 2.0 * side**3 * done / spent


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_facts(device: torch.device) -> dict[str, object]:
    """What a result says of the device: its name, and the most memory that the run held, in bytes."""
    if device.type == "cuda":
        return {
            "device": torch.cuda.get_device_name(device),
            "peak_memory_bytes": torch.cuda.max_memory_allocated(device),
            "cuda": torch.version.cuda,
        }
    unit = 1 if sys.platform == "darwin" else 1024
    return {"device": "cpu", "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}

"""The trainer on a GPU: throughput and utilisation from 1M to 1B parameters, against nanoGPT and against the card.

    python bench/gpu.py --peer DIR_OF_NANOGPT [--sizes 1M 10M 100M 350M 1B] [--no-compile]
    python bench/gpu.py --packed 1 2 4 8          # many small runs at once on one card
    python bench/gpu.py --peer DIR --smoke        # the same code in seconds on a CPU; figures mean nothing

GPT-2 shapes, context 1024, bfloat16, the same compile setting on both sides; slices of the two alternate. Utilisation
is model FLOPs (causal attention counted as half) over the card's rate of bfloat16 matrix products, measured first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nanogpt import load

from isoflop.accounting import Shape, count_params, flops_per_token
from isoflop.accounting.shapes import architecture, usual_shape
from isoflop.training.device import matrix_rate
from isoflop.training.run import step_of
from isoflop.training.spec import OptimiserSpec, RunSpec

VOCAB, CONTEXT = 50_304, 1024
# layers, width, heads, windows a step
SIZES = {
    "1M": (4, 128, 2, 64),
    "10M": (6, 384, 6, 64),
    "100M": (12, 768, 12, 32),
    "350M": (24, 1024, 16, 16),
    "1B": (24, 1792, 14, 8),
}
OPTIMISER = OptimiserSpec(3e-4, 3e-4, 100, 1000, 0.9, 0.95, 1e-8, 0.1, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--packed", type=int, nargs="+")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--alone", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    device = torch.device("cpu" if asked.smoke or not torch.cuda.is_available() else "cuda")
    if device.type == "cpu" and not asked.smoke:
        sys.exit("there is no CUDA device here: --smoke tries the code on the CPU.")
    if asked.alone:
        print(tokens_per_second(device, asked.alone))
    elif asked.packed:
        for count in asked.packed:
            print(json.dumps({"runs_at_once": count, "tokens_per_second": packed(count, smoke=asked.smoke)}))
    else:
        rate = matrix_rate(device, torch.bfloat16)
        print(json.dumps({"device": name_of(device), "matrix_rate_tflops": round(rate / 1e12, 3)}))
        for size in ["1M"] if asked.smoke else asked.sizes:
            print(json.dumps(row(size, asked, device, rate)), flush=True)


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "cpu"


def shape_of(size: str, *, smoke: bool) -> tuple[Shape, int]:
    layers, width, heads, windows = SIZES[size]
    vocab, context = (512, 64) if smoke else (VOCAB, CONTEXT)
    kind = architecture("gpt2")
    return usual_shape(kind, layers, width, heads=heads, vocab=vocab, context=context), 2 if smoke else windows


def ours(shape: Shape, windows: int, device: torch.device, *, compiled: bool) -> Callable[[], object]:
    """A step of ours on random tokens: batch, forward, backward, clipping, AdamW."""
    from isoflop.training import model
    from isoflop.training.optim import AdamW

    kind = "cuda" if device.type == "cuda" else "cpu"
    spec = RunSpec(
        "bench", shape, 1e18, 1000, windows, OPTIMISER, 0, 0, "", "", 1, precision="bfloat16", device=kind,
        compile=compiled,
    )  # fmt: skip
    weights = model.initial_weights(shape, 0).to(device)
    step = step_of(spec, weights)
    embedding, vectors = model.group_sizes(shape)
    optimiser = AdamW(OPTIMISER, weights, step.gradient, embedding=embedding, vectors=vectors)
    rng = np.random.default_rng(0)
    count = iter(range(10**9))

    def once() -> None:
        tokens = rng.integers(0, shape.vocab, (windows, shape.context + 1))
        step.loss_and_gradient(tokens[:, :-1], tokens[:, 1:])
        optimiser.update(next(count), 1.0)

    return once


def nanogpts(shape: Shape, windows: int, device: torch.device, peer: Path, *, compiled: bool) -> Callable[[], object]:
    """The step of nanoGPT's train.py on one device, with its own fused AdamW and bfloat16 autocast."""
    module = load(peer)
    config = module.GPTConfig(
        shape.context, shape.vocab, shape.layers, shape.heads, shape.d_model, dropout=0.0, bias=True
    )
    network: Any = module.GPT(config).to(device)
    optimiser = network.configure_optimizers(0.1, 3e-4, (0.9, 0.95), device.type)
    network = torch.compile(network) if compiled else network
    rng = np.random.default_rng(0)

    def once() -> None:
        tokens = torch.from_numpy(rng.integers(0, shape.vocab, (windows, shape.context + 1)))
        tokens = tokens.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tokens
        with torch.autocast(device.type, torch.bfloat16):
            _, loss = network(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss.item()

    return once


def row(size: str, asked: argparse.Namespace, device: torch.device, rate: float) -> dict[str, Any]:
    shape, windows = shape_of(size, smoke=asked.smoke)
    compiled = not (asked.no_compile or asked.smoke)
    steps = {"isoflop": ours(shape, windows, device, compiled=compiled)}
    if asked.peer:
        steps["nanogpt"] = nanogpts(shape, windows, device, asked.peer, compiled=compiled)
    count = 2 if asked.smoke else 10
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        seconds(step, 1 if asked.smoke else 5, device)
    for _ in range(2 if asked.smoke else 7):
        for name, step in steps.items():
            times[name].append(seconds(step, count, device))
    tokens = windows * shape.context
    found: dict[str, Any] = {"size": size, "params": count_params(shape).total, "tokens_per_step": tokens}
    for name, several in times.items():
        speed = tokens / statistics.median(several)
        found[f"{name}_tokens_per_second"] = round(speed)
        found[f"{name}_utilisation"] = round(flops_per_token(shape).exact_causal * speed / rate, 3)
    if asked.peer:
        found["ratio"] = round(statistics.median(b / a for a, b in zip(*times.values(), strict=True)), 3)
    return found


def seconds(step: Callable[[], object], count: int, device: torch.device) -> float:
    """Seconds of one step, the mean of so many."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / count


def tokens_per_second(device: torch.device, length: float) -> float:
    """What one process trains of the smallest size in so many seconds, after its warmup."""
    shape, windows = shape_of("1M", smoke=device.type == "cpu")
    step = ours(shape, windows, device, compiled=device.type == "cuda")
    seconds(step, 3, device)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < length:
        step()
        done += 1
    return windows * shape.context * done / (time.perf_counter() - began)


def packed(count: int, *, smoke: bool) -> float:
    """Tokens a second of so many processes at once on one device, together."""
    command = [sys.executable, __file__, "--alone", "1" if smoke else "20", *(["--smoke"] if smoke else [])]
    with tempfile.TemporaryFile("w+") as said:
        processes = [subprocess.Popen(command, stdout=said) for _ in range(count)]
        if any(process.wait() for process in processes):
            sys.exit(f"one of {count} processes at once failed")
        said.seek(0)
        return round(sum(map(float, said.read().split())))


if __name__ == "__main__":
    main()

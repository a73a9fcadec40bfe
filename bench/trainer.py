"""Our training step against nanoGPT's plain loop: same shape, same tokens a step, one thread, CPU time.

    python bench/trainer.py --peer DIR_OF_NANOGPT [--widths 32 64]

The peer's ``model.py`` is loaded from the given folder and driven by the loop of its ``train.py``: batches
from a memory-mapped file, forward, backward, clip, AdamW, zero_grad. Slices of the two alternate in one
process, so that a noisy machine is noisy for both; what is printed is the median over slices.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from nanogpt import load

from isoflop.accounting import Shape
from isoflop.training.data import build_corpus
from isoflop.training.run import Run
from isoflop.training.spec import OptimiserSpec, RunSpec

LAYERS, CONTEXT, VOCAB, WINDOWS = 2, 128, 256, 4


def ours(width: int, corpus_folder: Path) -> Callable[[], object]:
    corpus = build_corpus(corpus_folder)
    shape = Shape(LAYERS, width, max(1, round(width / 32)), 4 * width, VOCAB, CONTEXT)
    optimiser = OptimiserSpec(3e-3 * 64 / width, 2.4e-2, 200, 1000, 0.9, 0.95, 1e-10, 0.0, 1.0)
    spec = RunSpec("bench", shape, 1e12, 100_000, WINDOWS, optimiser, 0, 0, "", corpus.digest, 1024)
    return Run(spec, corpus).advance


def nanogpt(width: int, corpus_folder: Path, peer: Path) -> Callable[[], object]:
    """The step of nanoGPT's train.py on a CPU in float32, without the branches a single process never takes."""
    module = load(peer)
    heads = max(1, round(width / 32))
    config = module.GPTConfig(CONTEXT, VOCAB, LAYERS, heads, width, dropout=0.0, bias=False)
    network = module.GPT(config)
    optimiser = network.configure_optimizers(0.1, 3e-3, (0.9, 0.95), "cpu")

    def get_batch() -> tuple[torch.Tensor, torch.Tensor]:
        data = np.memmap(corpus_folder / "train.bin", dtype=np.uint8, mode="r")
        starts = torch.randint(len(data) - CONTEXT, (WINDOWS,))
        x = torch.stack([torch.from_numpy(data[i : i + CONTEXT].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + CONTEXT].astype(np.int64)) for i in starts])
        return x, y

    batch = get_batch()

    def step() -> None:
        nonlocal batch
        for group in optimiser.param_groups:
            group["lr"] = 3e-3
        _, loss = network(*batch)
        batch = get_batch()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def slice_time(step: Callable[[], object], steps: int) -> float:
    """CPU milliseconds per step."""
    started = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - started) / steps * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="a checkout of karpathy/nanoGPT")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--slices", type=int, default=15)
    parser.add_argument("--steps", type=int, default=50, help="steps in a slice")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus_folder = Path(folder)
        for width in options.widths:
            steps = {"isoflop": ours(width, corpus_folder), "nanogpt": nanogpt(width, corpus_folder, options.peer)}
            for step in steps.values():
                slice_time(step, options.steps)
            times: dict[str, list[float]] = {name: [] for name in steps}
            for _ in range(options.slices):
                for name, step in steps.items():
                    times[name].append(slice_time(step, options.steps))
            medians = {name: statistics.median(values) for name, values in times.items()}
            ratio = statistics.median(theirs / us for us, theirs in zip(*times.values(), strict=True))
            row = {"width": width, "tokens_per_step": WINDOWS * CONTEXT, "torch": torch.__version__}
            row |= {f"{name}_ms": round(value, 3) for name, value in medians.items()} | {"ratio": round(ratio, 3)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

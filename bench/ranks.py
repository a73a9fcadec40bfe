"""How far several ranks come from one process, beside how far that comes from itself with its first weights changed.

    python bench/ranks.py [--ranks 2] [--shard] [--steps 1500]

Both sum in another order or begin a hair apart, and what a run makes of that depends on the run: each is trained at two
learning rates, at one of which rounding grows. Printed are the largest relative distances of the training losses.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from isoflop.accounting import Shape
from isoflop.training import loop, model
from isoflop.training.attempt import Attempt
from isoflop.training.data import Corpus, build_corpus
from isoflop.training.spec import OptimiserSpec, RunSpec

SHAPE = Shape(layers=2, d_model=16, heads=2, d_ff=64, vocab=256, context=32)
RATES = {"gentle": 6e-4, "steep": 6e-2}
CHANGE = 1e-7
"""Relative, of every first weight: a float32 rounding."""
LAUNCH = [sys.executable, "-m", "isoflop.training.launch"]


def spec_of(name: str, corpus: Corpus, steps: int) -> RunSpec:
    rate = RATES[name]
    optimiser = OptimiserSpec(rate, 4 * rate, 10, steps // 5, 0.9, 0.95, 1e-10, 0.0, 1.0)
    return RunSpec(name, SHAPE, 1e9, steps, 4, optimiser, 0, 0, str(corpus.folder), corpus.digest, 128)


def new_run(folder: Path, spec: RunSpec) -> Path:
    (folder / "attempts").mkdir(parents=True)
    (folder / "attempts" / "0001.json").write_text("{}")
    (folder / "spec.json").write_text(json.dumps(replace(spec, run_id=folder.name).to_dict()))
    return folder


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def apart(one: Path, other: Path) -> float:
    return max(abs(a / b - 1.0) for a, b in zip(losses(other), losses(one), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--shard", action="store_true")
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    usual = model.initial_weights

    def changed(shape: Shape, seed: int) -> torch.Tensor:
        weights = usual(shape, seed)
        return weights * (1.0 + CHANGE * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)))

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        corpus = build_corpus(root / "corpus")
        for name in RATES:
            one, other, ranks = (
                new_run(root / f"{name}-{kind}", spec_of(name, corpus, options.steps))
                for kind in ("one", "changed", "ranks")
            )
            loop.train(Attempt(one, 1, None))
            model.initial_weights = changed
            loop.train(Attempt(other, 1, None))
            model.initial_weights = usual
            command = [*LAUNCH, str(ranks), "--attempt", "1", "--processes", str(options.ranks)]
            subprocess.run([*command, *(["--shard"] if options.shard else [])], check=True)
            kind = f"{options.ranks} ranks{' with shards' if options.shard else ''}"
            print(f"{name:7} one process, changed {apart(one, other):.1e}   {kind} {apart(one, ranks):.1e}", flush=True)


if __name__ == "__main__":
    main()

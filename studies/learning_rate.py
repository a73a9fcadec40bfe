"""Is the recipe's learning rate, or its batch, what limits the loss of a cell?

    python studies/learning_rate.py [--cells 64:4.5e12] [--variants 1:1:1 0.5:1:1 ...] [--seed 0] [--corpus DIR]

Trains each cell (width:budget in FLOPs) of the recipe once for each variant. A variant holds three multiples of what
the recipe says: learning rate of matrices and head, of embeddings, windows a step; with a larger batch the run has
fewer steps, so that it sees the same tokens. Prints a line of JSON a run. One seed moves a loss by 0.014, so compare
differences with 0.020. About 90 CPU seconds a run at the default cell.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import torch
from seed_noise import trained_loss

from isoflop.study import run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.data import build_corpus
from isoflop.training.spec import RunSpec

AS_LOGGED = ["1:1:1", "0.5:1:1", "0.7:0.7:1", "1.5:1:1", "1:0.5:1", "1:1:2"]


@dataclasses.dataclass(frozen=True)
class Variant:
    """Multiples of the recipe's learning rates and batch."""

    learning_rate: float
    embedding_learning_rate: float
    batch: float

    def of(self, spec: RunSpec) -> RunSpec:
        windows = round(spec.batch_windows * self.batch)
        steps = spec.steps * spec.batch_windows // windows
        optimiser = dataclasses.replace(
            spec.optimiser,
            learning_rate=spec.optimiser.learning_rate * self.learning_rate,
            embedding_learning_rate=spec.optimiser.embedding_learning_rate * self.embedding_learning_rate,
            warmup_steps=SMALL_BYTES.warmup_steps(steps),
            decay_steps=SMALL_BYTES.decay_steps(steps),
        )
        return dataclasses.replace(spec, batch_windows=windows, steps=steps, optimiser=optimiser)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["64:4.5e12"], metavar="WIDTH:BUDGET")
    parser.add_argument("--variants", nargs="+", default=AS_LOGGED, metavar="RATE:EMBEDDINGS:BATCH")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and the order of the text")
    parser.add_argument("--corpus", type=Path, help="keep the corpus here (default: a temporary folder)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as temporary:
        corpus = build_corpus(options.corpus or Path(temporary) / "corpus")
        for text in options.cells:
            width, budget = text.split(":")
            cell = Cell(float(budget), int(width))
            [spec] = run_specs(SMALL_BYTES, [cell], seed=options.seed, corpus_digest=corpus.digest)
            for variant in (Variant(*map(float, written.split(":"))) for written in options.variants):
                row = {"width": cell.width, "budget": cell.budget, "seed": options.seed, **dataclasses.asdict(variant)}
                print(json.dumps(row | {"loss": round(trained_loss(variant.of(spec), corpus), 4)}), flush=True)


if __name__ == "__main__":
    main()

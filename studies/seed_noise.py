"""How much does the loss of a run change with its seed alone?

    python studies/seed_noise.py [--cells 24:1.5e11 32:5e11] [--seeds 6] [--corpus DIR]

Trains each cell (width:budget in FLOPs) of the recipe with several seeds, twice: once with new initial
weights only, the order of the text kept as a study keeps it, and once with a new order as well. The
first is the scatter of points about an isoFLOP profile within one study, the recipe's ``seed_noise``;
the second that between two studies. Prints a line of JSON a cell and a way, standard deviations with their
standard error sigma / sqrt(2 (n - 1)). About 10 CPU seconds a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import tempfile
from pathlib import Path

import torch

from isoflop.study import run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.data import Corpus, build_corpus
from isoflop.training.loop import Run
from isoflop.training.spec import RunSpec


def trained_loss(spec: RunSpec, corpus: Corpus) -> float:
    run = Run(spec, corpus)
    while run.progress.step < spec.steps:
        run.advance()
    return run.validation_loss()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["24:1.5e11", "32:5e11"], metavar="WIDTH:BUDGET")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--corpus", type=Path, help="keep the corpus here (default: a temporary folder)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as temporary:
        corpus = build_corpus(options.corpus or Path(temporary) / "corpus")
        for text in options.cells:
            width, budget = text.split(":")
            [spec] = run_specs(SMALL_BYTES, [Cell(float(budget), int(width))], seed=0, corpus_digest=corpus.digest)
            for varied in (("seed",), ("seed", "data_seed")):
                specs = [dataclasses.replace(spec, **dict.fromkeys(varied, seed)) for seed in range(options.seeds)]
                losses = [trained_loss(spec, corpus) for spec in specs]
                sigma = statistics.stdev(losses)
                row = {"width": int(width), "budget": float(budget), "varied": varied, "seeds": options.seeds}
                row |= {"mean": round(statistics.fmean(losses), 4), "sigma": round(sigma, 4)}
                row |= {"sigma_error": round(sigma / math.sqrt(2 * (options.seeds - 1)), 4)}
                print(json.dumps(row | {"losses": [round(loss, 4) for loss in losses]}), flush=True)


if __name__ == "__main__":
    main()

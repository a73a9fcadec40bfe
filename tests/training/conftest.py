"""A small corpus and small runs, made once for all tests of the trainer."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.accounting import Shape
from isoflop.training.data import Corpus, build_corpus
from isoflop.training.spec import OptimiserSpec, RunSpec

WORDS = ["for", "in", "return", "def", "class", "yield", "None", "self", "assert", "import", "lambda", "with", "as"]

OPTIMISER = OptimiserSpec(
    learning_rate=6e-3,
    embedding_learning_rate=2.4e-2,
    warmup_steps=10,
    decay_steps=60,
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-10,
    weight_decay=0.0,
    clip_norm=1.0,
)


@pytest.fixture(scope="session")
def optimiser() -> OptimiserSpec:
    return OPTIMISER


@pytest.fixture(scope="session")
def write_text() -> Callable[[Path, int, int], None]:
    """Writes so many files of so many bytes of random words: text enough to learn from, the same on every machine."""
    return _write_text


def _write_text(folder: Path, documents: int, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    for i in range(documents):
        text = ""
        while len(text) < size:
            text += " ".join(rng.choices(WORDS, k=200)) + "\n"
        (folder / f"document{i}.txt").write_text(text[:size])


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    root = tmp_path_factory.mktemp("study")
    _write_text(root / "text", 80, 20_000)
    return build_corpus(root / "corpus", root / "text")


@pytest.fixture
def make_run(corpus: Corpus, tmp_path: Path) -> Callable[..., Path]:
    """Makes a run's folder with a spec and one attempt; keywords replace facts of the spec."""

    def make(name: str = "run", **facts: object) -> Path:
        folder = tmp_path / name
        (folder / "attempts").mkdir(parents=True)
        (folder / "attempts" / "0001.json").write_text("{}")
        spec = RunSpec(
            run_id=name,
            shape=Shape(layers=2, d_model=16, heads=2, d_ff=64, vocab=256, context=32),
            budget=1e9,
            steps=300,
            batch_windows=4,
            optimiser=OPTIMISER,
            seed=0,
            data_seed=0,
            corpus=str(corpus.folder),
            corpus_digest=corpus.digest,
            eval_windows=128,
        )
        (folder / "spec.json").write_text(json.dumps(dataclasses.replace(spec, **facts).to_dict()))
        return folder

    return make

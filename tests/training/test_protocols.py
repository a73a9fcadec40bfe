"""What a spec may ask for beside a plain run: branches, a mean of the weights, a cap on the text, further judges."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoflop.errors import DataError, UsageError
from isoflop.training.attempt import Attempt, Stopped
from isoflop.training.data import Corpus, Windows, build_corpus
from isoflop.training.spec import Branch, Judged, OptimiserSpec, branch_file, read_spec

torch = pytest.importorskip("torch", reason="torch is not installed")

import safetensors.numpy  # noqa: E402

from isoflop.training import loop, run  # noqa: E402

MakeRun = Callable[..., Path]


def train(folder: Path) -> dict[str, Any]:
    loop.train(Attempt(folder, 1, None))
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Train with a stop, and a checkpoint, after every seventh step."""
    count = iter(range(10_000))
    with monkeypatch.context() as patched:
        patched.setattr(Attempt, "reason_to_stop", lambda self: "enough" if next(count) % 7 == 6 else None)
        while not (folder / "result.json").exists():
            try:
                loop.train(Attempt(folder, 1, None))
            except Stopped:
                continue
    return train(folder)


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


class TestBranches:
    """A branch is the plain run that warms up as its trunk did, with the plateau's steps taken over."""

    @pytest.fixture
    def trunk(self, make_run: MakeRun) -> Path:
        return make_run("trunk", steps=300, keep=(100, 140))

    def test_a_branch_ends_in_the_bits_of_the_run_from_scratch(
        self, make_run: MakeRun, trunk: Path, optimiser: OptimiserSpec
    ) -> None:
        train(trunk)
        shorter = dataclasses.replace(optimiser, decay_steps=40)
        scratch = train(make_run("scratch", steps=140, optimiser=shorter))
        branch = make_run("branch", steps=140, optimiser=shorter, branch=Branch("trunk", 100))
        result = train(branch)
        assert weights(branch) == weights(branch.parent / "scratch")
        assert result["loss"] == scratch["loss"]
        assert result["tokens"] == scratch["tokens"] == 140 * 128
        assert result["flops"] == scratch["flops"] == scratch["flops_own"]
        assert result["flops_own"] == pytest.approx(result["flops"] * 40 / 140)

    def test_keeping_a_state_changes_no_bit_of_the_trunk(self, make_run: MakeRun, trunk: Path) -> None:
        train(trunk)
        plain = make_run("plain", steps=300)
        train(plain)
        assert weights(plain) == weights(trunk)
        assert (trunk / branch_file(100)).exists()
        assert (trunk / branch_file(140)).exists()

    def test_interrupted_trunk_and_branch_end_in_the_same_bits(
        self, make_run: MakeRun, trunk: Path, optimiser: OptimiserSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shorter = dataclasses.replace(optimiser, decay_steps=40)
        interrupted(trunk, monkeypatch)
        branch = make_run("branch", steps=180, optimiser=shorter, branch=Branch("trunk", 140))
        interrupted(branch, monkeypatch)
        scratch = make_run("scratch", steps=180, optimiser=shorter)
        train(scratch)
        assert weights(branch) == weights(scratch)

    def test_a_branch_without_its_trunk_is_refused(self, make_run: MakeRun, trunk: Path) -> None:
        branch = make_run("branch", steps=140, branch=Branch("trunk", 100))
        with pytest.raises(UsageError, match="train the trunk first"):
            train(branch)

    def test_what_another_trunk_kept_is_refused(self, make_run: MakeRun, trunk: Path) -> None:
        other = make_run("other", steps=300, keep=(100,), seed=1)
        train(other)
        (trunk / branch_file(100)).write_bytes((other / branch_file(100)).read_bytes())
        with pytest.raises(UsageError, match="was written by a run of spec"):
            train(make_run("branch", steps=140, branch=Branch("trunk", 100)))


class TestMeanOfTheWeights:
    def test_it_is_the_weighted_mean_of_all_weights_seen(
        self, make_run: MakeRun, corpus: Corpus, optimiser: OptimiserSpec
    ) -> None:
        """Gathered by hand over thirty steps: shares fall by .9 a step, and sum to one."""
        folder = make_run(steps=30, optimiser=dataclasses.replace(optimiser, ema=0.9, schedule="constant"))
        by_hand = run.Run(read_spec(folder), corpus)
        seen = []
        for _ in range(30):
            by_hand.advance()
            seen.append(by_hand.weights.numpy().astype(np.float64))
        shares = 0.9 ** np.arange(29, -1, -1)
        expected = np.tensordot(shares / shares.sum(), np.array(seen), axes=1)
        train(folder)
        judged = np.concatenate([w.ravel() for w in _by_layout(folder, read_spec(folder).shape)])
        np.testing.assert_allclose(judged, expected, rtol=2e-5, atol=1e-6)

    def test_interrupted_it_ends_in_the_same_bits(
        self, make_run: MakeRun, optimiser: OptimiserSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        facts = {"steps": 60, "optimiser": dataclasses.replace(optimiser, ema=0.95, schedule="cosine", horizon=90)}
        calm, stormy = make_run("calm", **facts), make_run("stormy", **facts)
        train(calm)
        interrupted(stormy, monkeypatch)
        assert weights(calm) == weights(stormy)


def _by_layout(folder: Path, shape: Any) -> list[Any]:
    from isoflop.training.model import layout

    named = safetensors.numpy.load_file(folder / "weights.safetensors")
    return [named[name] for name in layout(shape)]


class TestLimitedText:
    def test_a_capped_text_is_seen_again_each_epoch_in_another_order(self, corpus: Corpus) -> None:
        text = corpus.train()[: 10 * 32 + 1]
        windows = Windows(text, 32, seed=3)
        first, second = ([windows.batch(epoch * 2 + i, 5)[0] for i in range(2)] for epoch in range(2))
        rows = [sorted(map(bytes, np.concatenate(batches).astype(np.uint8))) for batches in (first, second)]
        assert rows[0] == rows[1]
        assert not np.array_equal(np.concatenate(first), np.concatenate(second))

    def test_a_run_of_many_epochs_fits_its_text_and_not_the_rest(self, make_run: MakeRun) -> None:
        capped, free = make_run("capped", unique_tokens=1000), make_run("free")
        few, many = train(capped), train(free)
        assert few["unique_tokens"] == 1000
        assert few["epochs"] == pytest.approx(300 * 128 / 1000)
        assert many["unique_tokens"] is None
        last = [json.loads((f / "metrics.jsonl").read_text().splitlines()[-1])["loss"] for f in (capped, free)]
        assert last[0] < last[1]
        assert few["loss"] > many["loss"]

    @pytest.mark.parametrize(("cap", "said"), [(10**12, "give a smaller cap or more text"), (100, "a step takes 4")])
    def test_a_cap_that_cannot_be_is_refused(self, make_run: MakeRun, cap: int, said: str) -> None:
        with pytest.raises(DataError, match=said):
            train(make_run(unique_tokens=cap))


class TestFurtherJudges:
    def test_it_is_judged_on_another_corpus_too(
        self, make_run: MakeRun, corpus: Corpus, tmp_path: Path, write_text: Callable[[Path, int, int], None]
    ) -> None:
        write_text(tmp_path / "other text", 90, 18_000)
        other = build_corpus(tmp_path / "other", tmp_path / "other text")
        folder = make_run(
            also_judged=(
                Judged("itself", str(corpus.folder), corpus.digest),
                Judged("other", str(other.folder), other.digest),
            )
        )
        result = train(folder)
        assert result["loss_on"]["itself"] == result["loss"]
        assert math.isfinite(result["loss_on"]["other"])
        assert result["loss_on"]["other"] != result["loss"]

    def test_another_text_there_is_refused(self, make_run: MakeRun, corpus: Corpus) -> None:
        folder = make_run(also_judged=(Judged("other", str(corpus.folder), "0" * 64),))
        with pytest.raises(UsageError, match="was designed for the corpus 000000000000"):
            train(folder)

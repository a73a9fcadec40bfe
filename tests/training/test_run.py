"""A run's folder from spec to result: repeated, resumed, killed, superseded, refused, diverged."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoflop.accounting import count_params, flops_per_token
from isoflop.errors import DataError, UsageError
from isoflop.training.attempt import Attempt, Metrics, Stopped
from isoflop.training.data import Corpus, Windows
from isoflop.training.spec import OptimiserSpec, read_spec

torch = pytest.importorskip("torch", reason="torch is not installed")

from isoflop.training import loop  # noqa: E402

MakeRun = Callable[..., Path]

CLOCKS = {"attempt", "seconds", "tokens_per_second", "flops_per_second", "peak_memory_bytes", "finished_at", "run_id"}

OFTEN_SAVED = """
import sys
from isoflop.training import __main__, loop
loop.SECONDS_BETWEEN_CHECKPOINTS = 0.02
sys.exit(__main__.main())
"""


def worker(folder: Path, *options: str, code: str | None = None) -> subprocess.Popen[str]:
    program = ["-c", code] if code else ["-m", "isoflop.training"]
    command = [sys.executable, *program, str(folder), *(options or ("--attempt", "1"))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves behind, clocks apart."""
    result = json.loads((folder / "result.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "result": {key: value for key, value in result.items() if key not in CLOCKS},
        "metrics": [{key: value for key, value in line.items() if key != "seconds"} for line in lines],
        "weights": (folder / "weights.safetensors").read_bytes(),
        "files": sorted(path.name for path in folder.iterdir()),
    }


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_run_learns_and_says_everything_about_itself(make_run: MakeRun, corpus: Corpus) -> None:
    folder = make_run()
    spec = read_spec(folder)
    loop.train(Attempt(folder, 1, None))
    left = outcome(folder)
    result = json.loads((folder / "result.json").read_text())
    assert result["schema"] == "isoflop.result/1"
    assert result["state"] == "done"
    assert result["params"] == count_params(spec.shape).to_dict()
    assert result["tokens"] == 300 * 4 * 32
    assert result["flops"] == flops_per_token(spec.shape).exact_causal * result["tokens"]
    assert result["bits_per_byte"] == pytest.approx(result["loss"] / math.log(2))
    assert result["eval_tokens"] == 128 * 32
    assert result["corpus_digest"] == corpus.digest
    assert result["spec_digest"] == spec.digest()
    assert result["threads"] == 1
    assert unigram_entropy(corpus) * 0.8 > result["loss"] > 0
    assert [line["step"] for line in left["metrics"]] == list(range(1, 301))
    assert left["metrics"][0]["loss"] == pytest.approx(math.log(256), rel=1e-5)
    assert left["files"] == ["attempts", "metrics.jsonl", "result.json", "spec.json", "weights.safetensors"]


def unigram_entropy(corpus: Corpus) -> float:
    """Nats per byte of a reader who knows only how frequent each byte is."""
    counts = torch.bincount(torch.from_numpy(corpus.validation().copy()).long(), minlength=256).double()
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum())


def test_the_loss_is_the_mean_over_the_first_windows(make_run: MakeRun, corpus: Corpus) -> None:
    """Computed again from the weights on disk, window by window."""
    import safetensors.torch

    from isoflop.training import decoder

    folder = make_run(steps=40, eval_windows=50)
    loop.train(Attempt(folder, 1, None))
    weights = safetensors.torch.load_file(folder / "weights.safetensors")
    shape = read_spec(folder).shape
    inputs, targets = Windows(corpus.validation(), context=32, seed=0).first(50)
    losses = [
        float(decoder.loss(weights, shape, torch.from_numpy(inputs[i : i + 1]), torch.from_numpy(targets[i : i + 1])))
        for i in range(50)
    ]
    assert json.loads((folder / "result.json").read_text())["loss"] == pytest.approx(sum(losses) / 50, rel=1e-5)


def test_two_processes_end_in_the_same_bits_and_another_seed_does_not(make_run: MakeRun) -> None:
    folders = [make_run("one"), make_run("two"), make_run("other", seed=1), make_run("order", data_seed=1)]
    assert [finish(process)[0] for process in [worker(folder) for folder in folders]] == [0, 0, 0, 0]
    one, two, other, order = (outcome(folder) for folder in folders)
    assert one == two
    assert len({one["weights"], other["weights"], order["weights"]}) == 3


def test_killed_at_random_moments_it_ends_in_the_same_bits(make_run: MakeRun) -> None:
    calm, stormy = make_run("calm", steps=1500), make_run("stormy", steps=1500)
    assert finish(worker(calm))[0] == 0
    rng, kills, attempt = random.Random(0), 0, 0
    while not (stormy / "result.json").exists():
        attempt += 1
        (stormy / "attempts" / f"{attempt:04d}.json").write_text("{}")
        before = progress(stormy)
        process = worker(stormy, "--attempt", str(attempt), code=OFTEN_SAVED)
        if kills < 5:
            wait_for(lambda process=process, before=before: process.poll() is not None or progress(stormy) > before)
            time.sleep(rng.uniform(0.0, 0.1))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        finish(process)
    assert kills >= 2
    assert outcome(stormy) == outcome(calm)
    assert json.loads((stormy / "result.json").read_text())["attempt"] == attempt


def progress(folder: Path) -> int:
    """The last step that metrics.jsonl tells of."""
    path = folder / "metrics.jsonl"
    whole = (
        [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if path.exists() else []
    )
    return int(json.loads(whole[-1])["step"]) if whole else 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_saves_the_state_and_exits_75(make_run: MakeRun, number: signal.Signals) -> None:
    calm, stopped = make_run("calm", steps=1500), make_run("stopped", steps=1500)
    process = worker(stopped)
    wait_for(lambda: progress(stopped) > 0)
    process.send_signal(number)
    code, errors = finish(process)
    assert code == 75
    assert errors.count("\n") == 1
    assert f"state kept: received {number.name}" in errors
    assert (stopped / "checkpoint.safetensors").exists()
    assert not (stopped / "result.json").exists()
    for folder in (calm, stopped):
        loop.train(Attempt(folder, 1, None))
    assert outcome(stopped) == outcome(calm)


def test_what_a_kill_inside_a_write_leaves_is_cleared(make_run: MakeRun) -> None:
    folder = make_run(steps=20)
    (folder / ".checkpoint.safetensors.abc.tmp").write_bytes(b"half")
    loop.train(Attempt(folder, 1, None))
    assert not list(folder.glob(".*"))


def test_a_finished_run_is_left_alone(make_run: MakeRun) -> None:
    folder = make_run(steps=20)
    loop.train(Attempt(folder, 1, None))
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert finish(worker(folder, "--attempt", "2")) == (0, "")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps


def test_a_superseded_attempt_writes_nothing(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "attempts" / "0002.json").write_text("{}")
    with pytest.raises(Stopped, match="attempt 1 at run is superseded by attempt 2"):
        loop.train(Attempt(folder, 1, None))
    assert sorted(path.name for path in folder.iterdir()) == ["attempts", "spec.json"]


def test_an_attempt_superseded_in_mid_run_stops(make_run: MakeRun) -> None:
    folder = make_run(steps=100_000)
    process = worker(folder)
    wait_for(lambda: progress(folder) > 0)
    (folder / "attempts" / "0002.json").write_text("{}")
    code, errors = finish(process)
    assert (code, errors.count("\n")) == (75, 1)
    assert "superseded" in errors
    assert not (folder / "result.json").exists()


def test_an_orphans_last_line_does_not_reach_its_successors_metrics(make_run: MakeRun) -> None:
    """The orphan has just found itself the newest when its successor takes over: the worst moment."""
    folder = make_run()
    orphan = Attempt(folder, 1, None)
    with Metrics(orphan, 0) as metrics:
        metrics.append({"step": 1})
        orphan.require_newest = lambda: None  # type: ignore[method-assign]
        (folder / "attempts" / "0002.json").write_text("{}")
        with Metrics(Attempt(folder, 2, None), 1) as successor:
            metrics.append({"step": 2, "by": "the orphan"})
            successor.append({"step": 2, "by": "the successor"})
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1}, {"step": 2, "by": "the successor"}]


def test_it_stops_when_its_parent_is_gone(make_run: MakeRun) -> None:
    folder = make_run(steps=100_000)
    someone_else = str(os.getppid())
    code, errors = finish(worker(folder, "--attempt", "1", "--parent", someone_else))
    assert code == 75
    assert f"the parent process {someone_else} is gone" in errors
    assert (folder / "checkpoint.safetensors").exists()


def test_a_living_parent_changes_nothing(make_run: MakeRun) -> None:
    assert finish(worker(make_run(steps=20), "--attempt", "1", "--parent", str(os.getpid()))) == (0, "")


def test_a_loss_that_is_not_finite_is_a_result_too(make_run: MakeRun, optimiser: OptimiserSpec) -> None:
    wild = dataclasses.replace(optimiser, learning_rate=1e38, embedding_learning_rate=1e38)
    folder = make_run(optimiser=wild)
    loop.train(Attempt(folder, 1, None))
    result = json.loads((folder / "result.json").read_text())
    assert (result["state"], result["loss"], result["bits_per_byte"]) == ("diverged", None, None)
    assert result["steps"] < 300
    assert "NaN" not in (folder / "metrics.jsonl").read_text()


def test_another_corpus_is_refused(make_run: MakeRun) -> None:
    with pytest.raises(UsageError, match="was designed for the corpus 000000000000"):
        loop.train(Attempt(make_run(corpus_digest="0" * 64), 1, None))


def test_too_few_validation_windows_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(DataError, match="is to be judged on 100000 windows of 32 tokens"):
        loop.train(Attempt(make_run(eval_windows=100_000), 1, None))


def test_another_specs_checkpoint_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "checkpoint.safetensors").write_bytes(saved_by(make_run("other", seed=7)))
    with pytest.raises(UsageError, match="delete the checkpoint to start anew"):
        loop.train(Attempt(folder, 1, None))


def saved_by(folder: Path) -> bytes:
    code, _ = finish(worker(folder, "--attempt", "1", "--parent", str(os.getppid())))
    assert code == 75
    return (folder / "checkpoint.safetensors").read_bytes()


def test_a_refusal_is_one_sentence_and_a_crash_a_traceback(make_run: MakeRun) -> None:
    code, errors = finish(worker(make_run("refused", corpus_digest="0" * 64)))
    assert (code, errors.count("\n")) == (2, 1)
    assert "Traceback" not in errors
    crashed = make_run("crashed")
    (crashed / "metrics.jsonl").mkdir()
    code, errors = finish(worker(crashed))
    assert code == 1
    assert "IsADirectoryError" in errors

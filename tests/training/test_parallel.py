"""One run on several ranks: the losses of one process, states that pass from any number to any other, and every end."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isoflop.accounting import Shape
from isoflop.accounting.shapes import architecture
from isoflop.errors import UsageError
from isoflop.training.attempt import Attempt, Stopped
from isoflop.training.data import Corpus
from isoflop.training.spec import OptimiserSpec, read_spec

torch = pytest.importorskip("torch", reason="torch is not installed")

import safetensors.torch  # noqa: E402

from isoflop.training import launch, loop  # noqa: E402
from isoflop.training.group import Group  # noqa: E402
from isoflop.training.run import Run  # noqa: E402

MakeRun = Callable[..., Path]

TOLERANCE = 1e-6
"""Of a loss, relative: float32 sums in another order, in runs that do not amplify it.

Those of the other tests do in the long run: at ten times the learning rate ``GENTLE``, one process whose first weights
are changed by one part in 1e7 is 6e-2 away at worst in 1500 steps, and so are two ranks (bench/ranks.py does the like).
"""
GENTLE = {"learning_rate": 6e-4, "embedding_learning_rate": 2.4e-3}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    # Logs of ranks are removed with the test's own files, even those of a launcher that is killed.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def launcher(folder: Path, processes: int, *options: str, attempt: int = 1) -> subprocess.Popen[str]:
        command = ["isoflop.training.launch", str(folder), "--attempt", str(attempt), "--processes", str(processes)]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *options], stderr=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        return process

    yield launcher
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    whole = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in whole if line.endswith(b"\n")]


def past(folder: Path, step: int) -> Callable[[], bool]:
    return lambda: bool(lines(folder)) and lines(folder)[-1]["step"] > step


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int | None = None) -> None:
    """Train in this process, to the end or for so many steps."""
    if steps is None:
        return loop.train(Attempt(folder, 1, None))
    count = iter(range(steps))
    with monkeypatch.context() as patched:
        patched.setattr(Attempt, "reason_to_stop", lambda self: "enough" if next(count) == steps - 1 else None)
        with pytest.raises(Stopped, match="enough"):
            loop.train(Attempt(folder, 1, None))


def assert_same_training(one: Path, other: Path) -> None:
    """Losses along the way and at the end, and the weights, of a run in one process and one that was not."""
    losses = {line["step"]: line["loss"] for line in lines(one)}
    apart = [abs(line["loss"] / losses[line["step"]] - 1.0) for line in lines(other)]
    final = abs(result_of(other)["loss"] / result_of(one)["loss"] - 1.0)
    weights = [safetensors.torch.load_file(folder / "weights.safetensors") for folder in (one, other)]
    furthest = max(float((a - b).abs().max()) for a, b in zip(*(w.values() for w in weights), strict=True))
    print(f"losses apart by {max(apart):.1e}, the last by {final:.1e}, weights by {furthest:.1e}")
    assert max(*apart, final) < TOLERANCE
    assert furthest < 3e-5


def ranks_of(launcher: subprocess.Popen[str]) -> list[int]:
    """The process ids of a launcher's ranks, in the order in which it started them."""
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return sorted(int(pid) for pid, parent, words in rows if int(parent) == launcher.pid and "--attempt" in words)


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")


def test_two_ranks_then_one_then_four_are_one_run(
    make_run: MakeRun, start: Callable[..., Any], optimiser: OptimiserSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    gentle = dataclasses.replace(optimiser, **GENTLE)
    calm, passed = (make_run(name, steps=1500, optimiser=gentle) for name in ("calm", "passed"))
    two = start(passed, 2)
    wait_for(past(passed, 20))
    two.send_signal(signal.SIGTERM)
    code, errors = finish(two)
    assert (code, errors.count("\n")) == (75, 1)
    assert "state kept: received SIGTERM" in errors
    reached = lines(passed)[-1]["step"]
    assert 20 < reached < 1400
    alone(passed, monkeypatch, 1450 - reached)
    assert finish(start(passed, 4)) == (0, "")
    alone(calm, monkeypatch)
    assert_same_training(calm, passed)
    assert [line["step"] for line in lines(passed)] == [line["step"] for line in lines(calm)]
    result = result_of(passed)
    assert (result["ranks"], result["sharded"]) == (4, False)
    assert set(result) - {"ranks", "sharded"} == set(result_of(calm))
    assert sorted(path.name for path in passed.iterdir()) == sorted(path.name for path in calm.iterdir())


def test_a_state_goes_into_shards_and_out_of_them(
    make_run: MakeRun, start: Callable[..., Any], optimiser: OptimiserSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four ranks go on from the state of one process, and one from what they keep. The architecture has rotary
    positions, grouped queries and vectors, and 18 rows, which four ranks do not share evenly."""
    shape = Shape(
        layers=2, d_model=18, heads=2, head_dim=10, kv_heads=1, d_ff=48, vocab=256, context=32,
        architecture=architecture("qwen3"),
    )  # fmt: skip
    facts = {"shape": shape, "steps": 60, "eval_windows": 97, "keep": (40,)}
    facts["optimiser"] = dataclasses.replace(optimiser, ema=0.9, weight_decay=0.1)
    calm, sharded, after = (make_run(name, **facts) for name in ("calm", "sharded", "after"))
    alone(sharded, monkeypatch, 20)
    assert finish(start(sharded, 4, "--shard")) == (0, "")
    alone(calm, monkeypatch)
    assert_same_training(calm, sharded)
    assert (result_of(sharded)["ranks"], result_of(sharded)["sharded"]) == (4, True)

    kept = (sharded / "branch-0000040.safetensors").read_bytes()
    (after / "checkpoint.safetensors").write_bytes(kept)
    alone(after, monkeypatch)
    assert lines(after)[0]["step"] == 41
    assert_same_training(calm, after)
    assert "ranks" not in result_of(after)


def test_ranks_that_lose_their_launcher_end_and_a_superseded_attempt_stops(
    make_run: MakeRun, start: Callable[..., Any]
) -> None:
    folder = make_run(steps=50_000)
    launcher = start(folder, 2)
    wait_for(past(folder, 0))
    ranks = ranks_of(launcher)
    assert len(ranks) == 2
    launcher.kill()
    wait_for(lambda: not any(is_running(pid) for pid in ranks), 20.0)
    assert (folder / "checkpoint.safetensors").exists()

    reached = lines(folder)[-1]["step"]
    (folder / "attempts" / "0002.json").write_text("{}")
    successor = start(folder, 2, attempt=2)
    wait_for(past(folder, reached))
    (folder / "attempts" / "0003.json").write_text("{}")
    code, errors = finish(successor)
    assert (code, errors.count("\n")) == (75, 1)
    assert "attempt 2 at run is superseded by attempt 3" in errors
    assert not (folder / "result.json").exists()


def test_a_rank_that_is_killed_ends_the_run_and_is_named(make_run: MakeRun, start: Callable[..., Any]) -> None:
    folder = make_run(steps=50_000)
    launcher = start(folder, 2)
    wait_for(past(folder, 0))
    ranks = ranks_of(launcher)
    os.kill(ranks[1], signal.SIGKILL)
    assert finish(launcher) == (1, "isoflop: rank 1 of the run was killed by SIGKILL; the others were ended.\n")
    assert not any(is_running(pid) for pid in ranks)


def test_windows_that_ranks_cannot_share_are_refused_once(
    make_run: MakeRun, start: Callable[..., Any], corpus: Corpus
) -> None:
    code, errors = finish(start(make_run(batch_windows=5), 2))
    assert (code, errors.count("\n")) == (2, 1)
    assert "run takes 5 windows a step, which 2 ranks cannot share evenly" in errors
    group = Group()
    group.size = 4
    with pytest.raises(UsageError, match="with a number of ranks that divides 6"):
        Run(read_spec(make_run("six", batch_windows=6)), corpus, group=group)


class TestEndings:
    """What the launcher makes of its ranks' ends; those that no other test can bring about at will."""

    def test_an_end_on_purpose_counts_before_the_crashes_it_causes(self) -> None:
        said = {0: "Traceback ...\nConnectionError", 1: "a warning\nisoflop: no corpus."}
        assert launch._failed({0: 1, 1: 2}, said) == launch.Ending(2, "isoflop: no corpus.")

    def test_a_crash_is_the_traceback_of_who_spoke_first(self) -> None:
        said = {1: "Traceback ...\nOSError", 0: "Traceback ...\nConnectionError"}
        assert launch._failed({0: 1, 1: -signal.SIGABRT}, said) == launch.Ending(1, said[1])

    def test_a_rank_that_ended_with_nothing_said_is_still_a_line(self) -> None:
        assert launch._failed({0: 1}, {0: ""}).words == "isoflop: ranks of the run ended with the exit codes {0: 1}."

    def test_a_signal_before_the_first_step_is_a_stop_and_a_crash_while_saving_is_not(self, tmp_path: Path) -> None:
        log = tmp_path / "logs" / "0" / "stderr.log"
        log.parent.mkdir(parents=True)
        log.write_text("")
        assert launch._asked_to_stop(tmp_path, tmp_path / "logs", "SIGTERM").code == 75
        log.write_text("Traceback ...\nOSError: no space left\n")
        assert launch._asked_to_stop(tmp_path, tmp_path / "logs", "SIGTERM").code == 1
        (tmp_path / "result.json").write_text("{}")
        assert launch._asked_to_stop(tmp_path, tmp_path / "logs", "SIGTERM") == launch.Ending(0, "")


def test_a_process_alone_never_meets_the_process_group(make_run: MakeRun) -> None:
    program = (
        "import sys; from isoflop.training.__main__ import main; code = main(); "
        "print([m for m in ('isoflop.training.ranks', 'torch.distributed.fsdp') if m in sys.modules]); sys.exit(code)"
    )
    command = [sys.executable, "-c", program, str(make_run(steps=5)), "--attempt", "1"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    "options", [("--processes", "0"), ("--processes", "2", "--nodes", "2"), ("--processes", "2", "--node-rank", "1")]
)
def test_nodes_that_cannot_meet_are_refused(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    monkeypatch.setattr(sys, "argv", ["launch", "run", "--attempt", "1", *options])
    with pytest.raises(SystemExit, match="2"):
        launch.main()

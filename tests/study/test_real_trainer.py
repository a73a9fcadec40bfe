"""The study with the real trainer: kill -9 of the whole tree, go on, and the same bits come out."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.study import RunPlan, State, Study, StudyPlan, create_study, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES

pytest.importorskip("torch", reason="the trainer needs torch (pip install isoflop[train])")

CLOCKS = ("seconds", "tokens_per_second", "flops_per_second", "peak_memory_bytes", "finished_at", "attempt")
CELLS = [Cell(2e10, 8), Cell(1e10, 12), Cell(5e9, 16)]
RECIPE = replace(SMALL_BYTES, name="tiny", eval_windows=64)

# Checkpoints every tenth of a second instead of every third second, so that a short test meets one.
TRAINER = """
import isoflop.training.loop, sys
from isoflop.training.__main__ import main
isoflop.training.loop.SECONDS_BETWEEN_CHECKPOINTS = 0.1
sys.exit(main())
"""
SUPERVISOR = """
import sys
from pathlib import Path
from isoflop.executors import LocalExecutor
from isoflop.study import Trainer, open_study, run_study
with LocalExecutor(workers=2) as executor:
    run_study(open_study(Path(sys.argv[1])), executor, trainer=Trainer((sys.executable, "-c", sys.argv[2])))
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two megabytes of words in no order, in 40 files."""
    folder = tmp_path_factory.mktemp("text")
    source = random.Random(0)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(1, 9))) for _ in range(500)]
    for i in range(40):
        (folder / f"{i:02d}.txt").write_text(" ".join(source.choices(words, k=9000)))
    return folder


def make_study(folder: Path, text: Path) -> Study:
    from isoflop.training.data import build_corpus

    corpus = build_corpus(folder / "corpus", text)
    specs = run_specs(RECIPE, CELLS, seed=0, corpus_digest=corpus.digest)
    runs = tuple(RunPlan(width=cell.width, budget=cell.budget) for cell in CELLS)
    plan = StudyPlan("tiny", SMALL_BYTES.name, runs, loss_noise=RECIPE.seed_noise, corpus_digest=corpus.digest)
    return create_study(folder, plan, specs)


def supervisor(study: Study) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(study.folder), TRAINER])


def children(pid: int) -> list[int]:
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    return [int(child) for child, parent in map(str.split, table.splitlines()) if int(parent) == pid]


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the supervisor and its jobs, the supervisor stopped first so that it starts no more of them."""
    process.send_signal(signal.SIGSTOP)
    for pid in [*children(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the supervisor ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def outcome(study: Study) -> dict[str, dict[str, object]]:
    """What each run came to, without the clocks: its result, its weights and its metrics."""
    outcomes = {}
    for state in study.states():
        assert state.state is State.DONE
        folder = study.run_folder(state.run_id)
        result = json.loads((folder / "result.json").read_text())
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        outcomes[state.run_id] = {
            "result": {key: value for key, value in result.items() if key not in CLOCKS},
            "metrics": [{key: value for key, value in line.items() if key != "seconds"} for line in lines],
            "weights": (folder / "weights.safetensors").read_bytes(),
        }
    return outcomes


def test_kill_9_of_the_tree_changes_nothing_but_the_clocks(tmp_path: Path, text: Path) -> None:
    undisturbed = make_study(tmp_path / "undisturbed", text)
    assert supervisor(undisturbed).wait(timeout=120) == 0

    killed = make_study(tmp_path / "killed", text)
    longest = killed.run_folder(killed.specs()[-1].run_id)
    process = supervisor(killed)
    wait_until(lambda: list(killed.runs_folder.glob("*/checkpoint.safetensors")), process)
    kill_tree(process)
    assert not (longest / "result.json").exists()

    process = supervisor(killed)
    wait_until(lambda: list(killed.runs_folder.glob("*/result.json")), process)
    kill_tree(process)
    finished = {path: path.stat().st_mtime_ns for path in killed.runs_folder.glob("*/result.json")}
    attempts = {path.parent: len(list((path.parent / "attempts").iterdir())) for path in finished}
    assert 1 <= len(finished) < len(CELLS)

    assert supervisor(killed).wait(timeout=120) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert {folder: len(list((folder / "attempts").iterdir())) for folder in attempts} == attempts
    assert outcome(killed) == outcome(undisturbed)

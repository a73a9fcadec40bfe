"""Studies of small real runs for engines, and what must come out of them whatever happens on the way."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CLOCKS = {"seconds", "tokens_per_second", "flops_per_second", "peak_memory_bytes", "finished_at", "attempt"}

STUDY = """
schema = "isoflop.study/1"
name = "twelve"
recipe = "small-bytes-v1"
seeds = [0, 1, 2]
[change]
eval_windows = 32
[corpus]
source = "../text"
[grid]
budgets = [2e9, 4e9]
widths = [8, 12]
"""

SPREAD = """
schema = "isoflop.study/1"
name = "spread"
recipe = "small-bytes-v1"
[change]
eval_windows = 32
[corpus]
source = "../text"
[[runs]]
width = 8
budget = 8e9
learning_rate_times = 0.1
"""
"""One run of some hundred steps, with a learning rate at which it does not amplify rounding."""

TRAINER = """
import sys, time
from pathlib import Path
import isoflop.training.loop as loop
from isoflop.training.run import Run
from isoflop.training.__main__ import main
loop.SECONDS_BETWEEN_CHECKPOINTS = 0.2
advance = Run.advance
first = sys.argv[sys.argv.index("--attempt") + 1] == "1"
crawl = [folder / "crawl" for folder in (Path(sys.argv[1]), Path(sys.argv[1]).parent.parent)]
def slowly(run):
    time.sleep(0.5 if first and any(map(Path.exists, crawl)) else {seconds})
    return advance(run)
Run.advance = slowly
sys.exit(main())
"""
"""isoflop's own trainer, slowed down so that there is time to disturb it: the same bits come out. While the run or
the study holds a file ``crawl``, first attempts go slower still."""

CLIENT = """
import sys
from pathlib import Path
from isoflop.cli.main import main
from isoflop.study import Trainer
import isoflop.study, isoflop.cli.sweep
isoflop.study.trainer_of = lambda plan, where: Trainer((sys.executable, "-c", {trainer!r}))
main()
"""
"""``isoflop`` with that trainer."""


def write_text(folder: Path) -> None:
    """Two megabytes of words in no order, in 40 files."""
    folder.mkdir()
    source = random.Random(0)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(1, 9))) for _ in range(500)]
    for i in range(40):
        (folder / f"{i:02d}.txt").write_text(" ".join(source.choices(words, k=9000)))


def client(*words: object, seconds_a_step: float = 0.0) -> subprocess.Popen[str]:
    """``isoflop WORDS`` in a process of its own."""
    code = CLIENT.format(trainer=TRAINER.format(seconds=seconds_a_step))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run_client(*words: object, seconds_a_step: float = 0.0, expected: int = 0) -> str:
    process = client(*words, seconds_a_step=seconds_a_step)
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == expected, f"{words} ended with {process.returncode}: {stdout} {stderr}"
    return stdout


def isoflop(*words: object, expected: int = 0) -> tuple[str, str]:
    """``isoflop WORDS`` as it is; what it said on stdout and stderr."""
    line = [sys.executable, "-m", "isoflop", *map(str, words)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == expected, f"{words} ended with {ended.returncode}: {ended.stdout} {ended.stderr}"
    return ended.stdout, ended.stderr


def outcome(study: Path) -> Mapping[str, tuple[dict[str, object], bytes]]:
    """What each run came to: its result without the clocks, and its weights."""
    found = {}
    for path in sorted(study.glob("runs/*/result.json")):
        result = {key: value for key, value in json.loads(path.read_text()).items() if key not in CLOCKS}
        found[path.parent.name] = result, (path.parent / "weights.safetensors").read_bytes()
    return found


def attempts(study: Path) -> Mapping[str, list[dict[str, object]]]:
    """What was put down of each attempt at each run."""
    return {
        folder.name: [json.loads(path.read_text()) for path in sorted((folder / "attempts").glob("*.json"))]
        for folder in sorted(study.glob("runs/*"))
    }


def put_study(undisturbed: Path, folder: Path, tables: str) -> Path:
    """The same study, made and not run, with an executor."""
    shutil.copytree(undisturbed.parent, folder, ignore=shutil.ignore_patterns("slurm", "ray"))
    study = folder / undisturbed.name
    for run in study.glob("runs/*"):
        for path in run.iterdir():
            if path.name != "spec.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    with (study / "study.toml").open("a") as file:
        file.write(tables)
    return study


def put_spread(undisturbed: Path, folder: Path, tables: str) -> tuple[Path, Path]:
    """A study of one run for one process of this machine, and the same with an executor."""
    shutil.copytree(undisturbed.parent / "text", folder / "text")
    alone, spread = folder / "alone", folder / "spread"
    for study, text in ((alone, SPREAD), (spread, SPREAD + tables)):
        study.mkdir()
        (study / "study.toml").write_text(text)
        isoflop("sweep", "init", study)
    return alone, spread


def assert_same_losses(alone: Path, spread: Path) -> None:
    """Within what tests/training/test_parallel.py allows, along the way and at the end."""
    (calm,), (result,) = (
        [json.loads(path.read_text()) for path in study.glob("runs/*/result.json")] for study in (alone, spread)
    )
    assert result["ranks"] == 2
    one, other = (
        {line["step"]: line["loss"] for line in map(json.loads, path.read_text().splitlines())}
        for study in (alone, spread)
        for path in study.glob("runs/*/metrics.jsonl")
    )
    assert one.keys() == other.keys()
    apart = [abs(other[step] / one[step] - 1.0) for step in one]
    assert max(*apart, abs(result["loss"] / calm["loss"] - 1.0)) < 1e-6


def wait_for(condition: Any, patience_seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + patience_seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)
    return found

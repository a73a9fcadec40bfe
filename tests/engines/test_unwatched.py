"""Studies that are with engines while nobody watches: what status, watch, collect, cancel and retry make of them.

The engines are manifests, launched here: the command of each task, as the file has it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isoflop.cli.main import run
from isoflop.errors import UsageError
from isoflop.executors import EngineExecutor, LocalExecutor
from isoflop.study import State, catch_up, open_study, read_plan, run_study, standing, trainer_of

STUDY = """
schema = "isoflop.study/1"
name = "left"
recipe = "small-bytes-v1"
[trainer]
command = ["sh", "-c", {command}]
[grid]
budgets = [1e10]
widths = [8, 12, 16]
[executor]
kind = "kubernetes"
poll_seconds = 0.1
patience_seconds = 1
price_usd_per_hour = 3600
[kubernetes]
image = "isoflop:1"
claim = "studies"
mount = "{mount}"
python = "{python}"
[skypilot]
volume = "studies"
mount = "{mount}"
python = "{python}"
"""
FIRST = "b1e10-d008"
INSTANT = "echo '{{\"loss\": 3.5}}' > result.json"
ASLEEP = "exec sleep 30"


def make(folder: Path, command: str) -> Path:
    study = folder / "study"
    study.mkdir()
    text = STUDY.format(command=json.dumps(command), mount=folder, python=sys.executable)
    (study / "study.toml").write_text(text)
    assert run(["sweep", "init", str(study)]) == 0
    return study


def detach(study: Path, *words: str) -> Path:
    """Leave runs with an engine; the folder of their batch."""
    before = set(study.glob("*/*/batch.json"))
    assert run(["sweep", "run", str(study), "--detach", *words]) == 0
    (batch,) = set(study.glob("*/*/batch.json")) - before
    return batch.parent


def launched(batch: Path, task: int = 0) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "isoflop.executors.node", str(batch), str(task)]
    return subprocess.Popen(words, env=os.environ)


def launch_all(batch: Path) -> None:
    for task in range(len(json.loads((batch / "batch.json").read_text())["tasks"])):
        assert launched(batch, task).wait(30) == 0


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A study of which one run is at work, and the process that works."""
    study = make(tmp_path, ASLEEP)
    batch = detach(study, "--only", FIRST)
    process = launched(batch)
    while not list(study.glob("runs/*/process.json")):
        time.sleep(0.02)
    yield study, process
    process.terminate()
    process.wait(30)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert run([*map(str, words)]) == 0
    return capsys.readouterr().out


def test_an_engine_whose_jobs_have_ended_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(tmp_path, INSTANT)
    launch_all(detach(study, "--only", FIRST))
    second = detach(study, "--executor", "skypilot")
    shown = said(capsys, "sweep", "status", study)
    assert "3 runs: 2 queued, 1 done" in shown
    assert "2 runs with skypilot" in shown
    assert run(["sweep", "run", str(study), "--executor", "local"]) == 2
    assert f"2 runs of {study} are with skypilot" in capsys.readouterr().err
    assert "are cancelled" in said(capsys, "sweep", "cancel", study)
    assert len(list(second.glob("marks/*.cancel"))) == 2


def test_what_comes_to_another_engine_before_the_study_is_held_is_not_made_twice(tmp_path: Path) -> None:
    """Another client may submit between the making of an executor and the study's lock."""
    study = open_study(make(tmp_path, INSTANT))
    with LocalExecutor(workers=1) as executor:
        detach(study.folder, "--only", FIRST)
        with pytest.raises(UsageError, match=r"1 runs of .* are with kubernetes"):
            run_study(study, executor, trainer=trainer_of(study.plan().trainer, study.plan().executor))
    assert not list(study.folder.glob("runs/*/process.json"))


def test_of_two_engines_with_open_jobs_both_are_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As an isoflop has left them that asked one engine alone."""
    study = make(tmp_path, INSTANT)
    first = detach(study, "--only", FIRST)
    launch_all(first)
    detach(study, "--executor", "skypilot")
    for path in (first / "closed", *first.glob("marks/*.settled")):
        path.unlink()
    assert "2 runs with skypilot" in said(capsys, "sweep", "status", study)
    assert run(["sweep", "run", str(study), "--executor", "local"]) == 2
    assert "2 runs of" in capsys.readouterr().err


def test_what_is_written_after_the_end_of_its_command_is_no_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make(tmp_path, "true")
    batch = detach(study, "--only", FIRST)
    assert launched(batch).wait(30) == 0
    (folder,) = study.glob(f"runs/{FIRST}*")
    (folder / "result.json").write_text('{"loss": 3.5}')
    assert standing(open_study(study)).counts.get(State.DONE, 0) == 0
    catch_up(open_study(study))
    assert "3 runs: 2 pending, 1 failed" in said(capsys, "sweep", "status", study)
    assert not (folder / "published.json").exists()


def test_an_engine_that_was_only_looked_at_is_let_go_before_another_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(make(tmp_path, INSTANT))
    launch_all(detach(study.folder))
    at_once: list[int] = []
    begin, close, opened = EngineExecutor.__init__, EngineExecutor.close, set[int]()

    def begun(engine: EngineExecutor, *words: Any, **more: Any) -> None:
        begin(engine, *words, **more)
        opened.add(id(engine))
        at_once.append(len(opened))

    def closed(engine: EngineExecutor) -> None:
        opened.discard(id(engine))
        close(engine)

    monkeypatch.setattr(EngineExecutor, "__init__", begun)
    monkeypatch.setattr(EngineExecutor, "close", closed)
    catch_up(study)
    assert at_once == [1, 1]
    assert not opened


def test_what_ended_elsewhere_is_put_down_before_another_executor_goes_on(tmp_path: Path) -> None:
    study = make(tmp_path, "test {d_model} != 8 || exit 3; " + INSTANT)
    assert launched(detach(study, "--only", FIRST)).wait(30) == 1
    assert run(["sweep", "run", str(study), "--executor", "local"]) == 4
    counts = {str(state): count for state, count in standing(open_study(study)).counts.items()}
    assert counts == {"done": 2, "failed": 1}  # and not made again, as no run that failed is
    assert list(study.glob("kubernetes/*/closed"))


def test_what_has_ended_unseen_is_not_cancelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(tmp_path, INSTANT)
    launch_all(detach(study, "--only", FIRST))
    assert FIRST not in said(capsys, "sweep", "cancel", study)
    assert not (study / "runs" / FIRST / "cancelled.json").exists()
    assert "1 done, 2 cancelled" in said(capsys, "sweep", "status", study)


def test_results_that_nobody_has_completed_are_collected(tmp_path: Path) -> None:
    study = make(tmp_path, INSTANT)
    launch_all(detach(study))
    assert run(["sweep", "collect", str(study)]) == 0
    table = (study / "runs.csv").read_text()
    assert table.count(",done,") == 3
    (closed,) = study.glob("kubernetes/*/closed")
    for path in (closed, *closed.parent.glob("marks/*.settled")):  # a client that died before it said so
        path.unlink()
    assert run(["sweep", "collect", str(study)]) == 0
    assert (study / "runs.csv").read_text() == table
    assert closed.exists()


def test_results_that_nobody_has_completed_are_watched(tmp_path: Path) -> None:
    study = make(tmp_path, INSTANT)
    launch_all(detach(study))
    words = [sys.executable, "-m", "isoflop", "sweep", "watch", str(study), "--target", "1e12", "--every", "0.2"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 3, ended.stderr  # one budget says nothing of another
    assert "3 of 3 runs: " in ended.stdout


def test_a_watch_says_at_once_that_nothing_has_ended(tmp_path: Path) -> None:
    study = make(tmp_path, INSTANT)
    words = [sys.executable, "-m", "isoflop", "sweep", "watch", str(study), "--target", "1e12", "--every", "0.2"]
    watching = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert watching.stdout.readline() == "0 of 3 runs: no answer yet: no run has ended\n"
    watching.terminate()
    watching.wait(30)
    watching.stdout.close()


def test_what_was_paid_is_counted_whatever_came_of_it(
    at_work: tuple[Path, subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    """At a dollar a second, by a clock beside it: while it works, when it was cancelled, and after that."""
    study, process = at_work
    began = time.monotonic()
    time.sleep(1.5)
    least = time.monotonic() - began
    first = standing(open_study(study))
    assert least - 0.1 <= (first.usd(first.process_hours) or 0.0)
    assert run(["sweep", "cancel", str(study)]) == 0
    process.wait(30)
    most = time.monotonic() - began + 5.0  # the process had begun before
    last = json.loads(said(capsys, "sweep", "status", study, "--json"))
    assert least <= last["cost_usd"] <= most
    time.sleep(0.3)
    assert json.loads(said(capsys, "sweep", "status", study, "--json"))["cost_usd"] == last["cost_usd"]


def test_results_that_nobody_has_completed_are_paid(tmp_path: Path) -> None:
    study = make(tmp_path, "sleep 0.5; " + INSTANT)
    launch_all(detach(study, "--only", FIRST))
    found = standing(open_study(study))
    assert 0.5 <= (found.usd(found.process_hours) or 0.0) <= 10.0
    shutil.copytree(study, tmp_path / "copied" / "study", copy_function=shutil.copyfile)  # with dates of its own
    assert standing(open_study(tmp_path / "copied" / "study")).run_seconds == found.run_seconds


def test_what_an_engine_has_is_not_tried_again(
    at_work: tuple[Path, subprocess.Popen[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    study, process = at_work
    capsys.readouterr()
    assert run(["sweep", "retry", str(study), FIRST]) == 2
    assert f"is with kubernetes; say isoflop sweep cancel {study} {FIRST}" in capsys.readouterr().err
    assert run(["sweep", "cancel", str(study), FIRST]) == 0
    process.wait(30)
    assert "is cleared" in said(capsys, "sweep", "retry", study, FIRST)


def test_workers_are_refused_where_an_engine_has_the_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make(tmp_path, INSTANT)
    for engine, instead in (
        ("kubernetes", "tasks_at_once under [kubernetes]"),
        ("skypilot", "the cluster has its own"),
    ):
        capsys.readouterr()
        assert run(["sweep", "run", str(study), "--executor", engine, "--workers", "1"]) == 2
        assert instead in capsys.readouterr().err
    assert read_plan(study / "study.toml").executor.kind == "kubernetes"
    assert not list(study.glob("kubernetes/*"))

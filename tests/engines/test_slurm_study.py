"""Whole studies through a real Slurm, disturbed: what comes out is what an undisturbed study gives, to the bit."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="the trainer needs torch (pip install isoflop[train])")

SLURM = """
[executor]
kind = "slurm"
poll_seconds = 0.3
patience_seconds = 5
[slurm]
"""


def test_twelve_runs_through_a_killed_client_a_scancel_and_a_crashed_node(
    slurm_cluster: Any, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    study = studies.put_study(undisturbed, tmp_path / "disturbed", SLURM)
    first = studies.client("sweep", "run", study, seconds_a_step=0.02)
    studies.wait_for(lambda: list(study.glob("slurm/*/submitted.json")) and list(study.glob("runs/*/metrics.jsonl")))
    first.kill()
    first.communicate()
    said = studies.run_client("sweep", "status", study)
    assert re.search(r"\d+ runs with slurm\n", said)

    second = studies.client("sweep", "run", study)
    (batch,) = study.glob("slurm/*/submitted.json")
    (study / "crawl").touch()  # so that scancel and crash meet runs that are far from their end
    queue = studies.wait_for(
        lambda: [row for row in running(slurm_cluster) if row[1] == "n1" and begun(study, row[0]) < 0.4]
    )
    slurm_cluster.run("scancel", queue[0][0])
    lost = studies.wait_for(
        lambda: [row for row in running(slurm_cluster) if row[1] == "n2" and begun(study, row[0]) < 0.4]
    )
    for task, _ in lost:  # what goes on there without its node shall still be at it when it is begun again
        (run_of(study, task) / "crawl").touch()
    slurm_cluster.kill_node("n2")
    (study / "crawl").unlink()
    slurm_cluster.revive("n2")
    _, stderr = second.communicate(timeout=240)
    assert second.returncode == 4, stderr
    assert "1 of 12 runs have no result" in stderr
    assert "Slurm: cancelled" in stderr
    assert [batch] == list(study.glob("slurm/*/submitted.json"))  # by the second client, nothing was submitted

    studies.run_client("sweep", "run", study)
    assert studies.outcome(study) == studies.outcome(undisturbed)
    made = studies.attempts(study)
    assert sum(len(rows) > 1 and rows[1].get("restart_of") == 1 for rows in made.values()) >= len(lost)
    assert sum("restart_of" not in row for rows in made.values() for row in rows) == 13  # twelve, and one once more


def run_of(study: Path, task: str) -> Path:
    """The folder of an array task's run."""
    (batch,) = study.glob("slurm/*/batch.json")
    id: str = json.loads(batch.read_text())["jobs"][int(task.partition("_")[2])]["id"]
    return study / "runs" / id


def begun(study: Path, task: str) -> float:
    """The share of its steps that the run of an array task has made, once it has made any."""
    run = run_of(study, task)
    lines = (run / "metrics.jsonl").read_text().splitlines() if (run / "metrics.jsonl").exists() else []
    return json.loads(lines[-1])["step"] / json.loads((run / "spec.json").read_text())["steps"] if lines else 1.0


def running(cluster: Any) -> list[tuple[str, str]]:
    """(array task, node) of what runs."""
    rows = cluster.run("squeue", "-h", "-t", "R", "-o", "%i %N").split("\n")
    return [(task, node) for task, node in map(str.split, filter(None, rows))]


def test_a_time_limit_is_a_checkpoint_and_a_requeue(
    slurm_cluster: Any, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    limits = 'time = "1"\nwarn_seconds = 52\n'
    study = studies.put_study(undisturbed, tmp_path / "limited", SLURM + limits)
    (name,) = (path.name for path in study.glob("runs/b4e09-d008-s0-*"))
    (study / "crawl").touch()  # until the limit; Slurm looks at its limits twice a minute
    process = studies.client("sweep", "run", study, "--only", name)
    stdout, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stdout + stderr
    assert studies.outcome(study)[name] == studies.outcome(undisturbed)[name]
    assert [row.get("restart_of") for row in studies.attempts(study)[name]][:2] == [None, 1]


@pytest.mark.usefixtures("slurm_cluster")
def test_detached_runs_are_shown_where_they_stand_and_kept_from_other_executors(
    studies: ModuleType, tmp_path: Path
) -> None:
    """With a trainer of somebody's own, whose result the next client completes."""
    study = tmp_path / "study"
    study.mkdir()
    command = 'command = ["sh", "-c", "sleep 10; echo \'{{\\"loss\\": 2.5}}\' > result.json"]'
    head = 'schema = "isoflop.study/1"\nname = "own"\nrecipe = "small-bytes-v1"\n'
    rows = "[grid]\nbudgets = [1e9]\nwidths = [8, 12]\n"
    (study / "study.toml").write_text(f"{head}[trainer]\n{command}\n{rows}{SLURM}")
    studies.isoflop("sweep", "init", study)
    assert "own: 2 runs: 2 queued" in studies.isoflop("sweep", "run", study, "--detach")[0]
    assert "2 runs of" in studies.isoflop("sweep", "run", study, "--executor", "local", expected=2)[1]
    client = subprocess.Popen([sys.executable, "-m", "isoflop", "sweep", "run", str(study)], stderr=subprocess.PIPE)
    studies.wait_for((study / "study.lock").exists)
    time.sleep(0.5)
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=60)[1].decode()
    assert client.returncode == 130, said
    assert "2 runs stay with slurm" in said
    shown = studies.wait_for(lambda: (s := studies.isoflop("sweep", "status", study)[0]) and "2 done" in s and s)
    assert "with slurm" not in shown
    studies.isoflop("sweep", "run", study)
    assert len(list(study.glob("slurm/*/batch.json"))) == 1


def test_a_run_over_two_nodes_that_loses_one_ends_with_the_losses_of_one_process(
    slurm_cluster: Any, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    noted = 'environment = { PYTHONPROFILEIMPORTTIME = "1" }\n'  # of which a Python tells on stderr that it sees it
    tables = SLURM.replace("[slurm]", "nodes = 2\n[slurm]") + noted
    alone, spread = studies.put_spread(undisturbed, tmp_path, tables)
    client = subprocess.Popen([sys.executable, "-m", "isoflop", "sweep", "run", str(spread)], stderr=subprocess.PIPE)
    studies.wait_for(lambda: list(spread.glob("runs/*/metrics.jsonl")))
    slurm_cluster.kill_node("n2")
    slurm_cluster.revive("n2")
    studies.isoflop("sweep", "run", alone)
    _, stderr = client.communicate(timeout=240)
    assert client.returncode == 0, stderr
    studies.assert_same_losses(alone, spread)
    (made,) = studies.attempts(spread).values()
    assert [row.get("restart_of") for row in made][:2] == [None, 1]
    for log in ("stderr.log", "stderr-1.log"):
        assert "import time:" in next(spread.glob(f"runs/*/{log}")).read_text()


@pytest.mark.usefixtures("slurm_cluster")
@pytest.mark.parametrize(("trainer", "loss"), [("torchtitan", 3.9518), ("nanochat", 0.871234)])
def test_templates_for_trainers_of_others_come_through_slurm(
    studies: ModuleType, templates: ModuleType, tmp_path: Path, trainer: str, loss: float
) -> None:
    """By a torchrun that stands in for them, on the node: it prints what they print, and knows the last step."""
    study = tmp_path / "study"
    shutil.copytree(templates.TRAINERS / trainer, study)
    torchrun = tmp_path / "bin" / "torchrun"
    torchrun.parent.mkdir()
    (tmp_path / "said").write_text({"torchtitan": templates.TITAN, "nanochat": templates.NANOCHAT}[trainer])
    step = "s/.*--training.steps \\([0-9]*\\).*/\\1/"
    torchrun.write_text(f"#!/bin/sh\nsed \"s/step: 40/step: $(echo $* | sed '{step}')/\" {tmp_path}/said\n")
    torchrun.chmod(0o755)
    text = (study / "study.toml").read_text().replace("/path/to/nanochat", str(tmp_path))
    setup = f"setup = ['export PATH={torchrun.parent}:$PATH']\n"
    (study / "study.toml").write_text(text + SLURM + setup)
    studies.isoflop("sweep", "init", study)
    name = min(path.name for path in study.glob("runs/*"))
    studies.isoflop("sweep", "run", study, "--only", name)
    assert "14 pending, 1 done" in studies.isoflop("sweep", "status", study)[0]
    assert json.loads((study / "runs" / name / "result.json").read_text())["loss"] == loss

"""The Slurm executor against a real Slurm: the contract, chunks of runs, refusals, and Slurm's own words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.errors import UsageError
from isoflop.executors import EngineExecutor, Manners, SlurmSettings, Status, slurm_executor
from isoflop.testing.executors import EngineContract, python_job, wait_until_final

Client = Callable[[Path], EngineExecutor]
OFTEN = Manners(poll_seconds=0.2, patience_seconds=3.0)


@pytest.mark.usefixtures("slurm_cluster")
class TestSlurm(EngineContract):
    @pytest.fixture
    def client(self) -> Client:
        return lambda folder: slurm_executor(folder, SlurmSettings(), OFTEN)


@pytest.mark.usefixtures("slurm_cluster")
def test_short_runs_share_a_task_and_one_that_fails_or_is_cancelled_leaves_the_others(tmp_path: Path) -> None:
    codes = {"a": "pass", "bad": "import sys; sys.exit(4)", "gone": "import time; time.sleep(60)", "b": "pass"}
    jobs = [python_job(tmp_path, name, code) for name, code in codes.items()]
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), Manners(4, 0.2, 3.0)) as executor:
        for job in jobs:
            executor.submit(job)
        executor.status(jobs[0])
        executor.cancel(jobs[2])
        reports = [wait_until_final(executor, job) for job in jobs]
    assert [report.status for report in reports] == [Status.DONE, Status.FAILED, Status.CANCELLED, Status.DONE]
    assert len(list((tmp_path / "slurm").glob("*/task-*.log"))) == 1


@pytest.mark.usefixtures("slurm_cluster")
def test_what_sbatch_refuses_is_one_sentence_and_leaves_nothing_to_wait_for(tmp_path: Path) -> None:
    job = python_job(tmp_path, "a", "pass")
    executor = slurm_executor(tmp_path / "slurm", SlurmSettings(partition="gpu-large"), OFTEN)
    executor.submit(job)
    with pytest.raises(UsageError, match=r"sbatch refused the runs: .*[Ii]nvalid partition"):
        executor.status(job)
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as another:
        assert another.earlier("a") is None


def waiting(number: int) -> set[str]:
    line = ["squeue", "--noheader", "--array", "--format=%K", f"--jobs={number}"]
    return set(subprocess.run(line, capture_output=True, text=True, check=False).stdout.split())


@pytest.mark.usefixtures("slurm_cluster")
def test_what_is_cancelled_is_ended_and_nothing_else_is(tmp_path: Path) -> None:
    """Of an array that waits, and of a foreign one that has its number since a controller lost its memory."""
    jobs = [python_job(tmp_path, name, "pass") for name in "abcd"]
    with slurm_executor(tmp_path / "slurm", SlurmSettings(extra=("--hold",)), OFTEN) as executor:
        for job in jobs:
            executor.submit(job)
        executor.status(jobs[0])
        (submitted,) = (tmp_path / "slurm").glob("*/submitted.json")
        ours = json.loads(submitted.read_text())["job_id"]
        for job in jobs[1:3]:
            executor.cancel(job)
        executor.status(jobs[0])
        assert waiting(ours) == {"0", "3"}
        foreign = ["sbatch", "--parsable", "--hold", "--array=0-3", "--output=/dev/null", "--wrap=true"]
        theirs = int(subprocess.run(foreign, capture_output=True, text=True, check=True).stdout)
        submitted.write_text(json.dumps({"job_id": theirs}))
        executor.cancel(jobs[0])
        executor.status(jobs[3])
        assert waiting(theirs) == {"0", "1", "2", "3"}
    subprocess.run(["scancel", str(ours), str(theirs)], check=True)


def test_no_slurm_here_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no Slurm here: sbatch is not on the PATH"):
        slurm_executor(tmp_path / "slurm", SlurmSettings())

"""A Slurm that is played: its commands answer from a table, as those of 22.05 do, and its controller goes away or
forgets when it is told to. What a real Slurm does is in tests/engines."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from isoflop.cli.main import run
from isoflop.executors import Cause, Job, Manners, SlurmSettings, Status, slurm_executor

ROOT = Path(__file__).parents[2]
PATIENCE = 0.3
OFTEN = Manners(poll_seconds=0.0, patience_seconds=PATIENCE)
# As squeue 22.05.8 prints it, with exit code 0, when no controller is there.
NO_CONTROLLER = {
    "errors": [
        {
            "description": "Failed while looking for jobs",
            "error_number": -1,
            "error": "Unspecified error",
            "source": "slurm_load_jobs",
        }
    ],
    "jobs": [],
}
UNABLE = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"


@dataclass
class PlayedSlurm:
    """``jobs`` has the name and the state of each array task, by number and task."""

    jobs: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    is_away: bool = False
    reason: str = "None"
    when_cancelled: str = "CANCELLED"
    accounts: str = ""

    def __call__(self, words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(words))
        if self.is_away and words[0] != "squeue":
            return subprocess.CompletedProcess(words, 1, "", UNABLE)
        return subprocess.CompletedProcess(words, 0, getattr(self, words[0])(words[1:]), "")

    def put(self, number: int, name: str, count: int, state: str = "RUNNING") -> None:
        self.jobs |= {(number, task): [name, state] for task in range(count)}

    def sbatch(self, words: Sequence[str]) -> str:
        number = 1 + max((number for number, _ in self.jobs), default=0)
        (array,) = [line for line in Path(words[-1]).read_text().splitlines() if line.startswith("#SBATCH --array=")]
        (name,) = [word.partition("=")[2] for word in words if word.startswith("--job-name=")]
        self.put(number, name, int(array.rpartition("-")[2]) + 1)
        return f"{number}\n"

    def squeue(self, words: Sequence[str]) -> str:
        if self.is_away:
            return json.dumps(NO_CONTROLLER)
        return json.dumps({"errors": [], "jobs": [self._row(*key) for key in self.jobs]})

    def _row(self, number: int, task: int) -> dict[str, Any]:
        name, state = self.jobs[number, task]
        row = {"job_id": 50 + task, "array_job_id": number, "array_task_string": ""}
        row["array_task_id"] = None if task < 0 else task
        return {**row, "name": name, "job_state": state, "state_reason": self.reason, "nodes": "n1"}

    def end_waiting(self, number: int, tasks: Sequence[int]) -> None:
        """As 22.05 has it: tasks that never began lose their rows, and the array's own comes last, without a task."""
        for task in tasks:
            name, _ = self.jobs.pop((number, task))
        self.jobs[number, -1] = [name, "CANCELLED"]

    def scancel(self, words: Sequence[str]) -> str:
        for number, _, tasks in (word.partition("_") for word in words):
            for task in tasks.strip("[]").split(","):
                self.jobs[int(number), int(task)][1] = self.when_cancelled
        return ""

    def scontrol(self, words: Sequence[str]) -> str:
        kind = "accounting_storage/slurmdbd" if self.accounts else "accounting_storage/none"
        return f"AccountingStorageType   = {kind}\nMaxArraySize            = 1001\n"

    def sacct(self, words: Sequence[str]) -> str:
        return self.accounts


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> PlayedSlurm:
    played = PlayedSlurm()
    monkeypatch.setattr("isoflop.executors.slurm._ask", played)
    monkeypatch.setattr("isoflop.executors.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    return played


def begun(folder: Path, executor: Any) -> Job:
    """A job that is with Slurm and has begun on its node."""
    job = Job("a", 1, ("true",), folder)
    executor.submit(job)
    executor.status(job)
    (batch,) = (folder / "slurm").glob("*/batch.json")
    (batch.parent / "marks" / "0.1.started").write_text('{"attempt": 1, "host": "n1", "process": 7}\n')
    return job


def test_while_the_controller_is_away_nothing_is_made_of_its_silence(slurm: PlayedSlurm, tmp_path: Path) -> None:
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = begun(tmp_path, executor)
        assert executor.status(job).status is Status.RUNNING
        slurm.is_away = True
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < deadline:
            assert executor.status(job).status is Status.RUNNING
            assert not executor.answers
        slurm.is_away = False
        assert executor.status(job).status is Status.RUNNING
        assert executor.answers


def test_patience_with_a_job_that_is_unknown_does_not_run_while_nobody_can_be_asked(
    slurm: PlayedSlurm, tmp_path: Path
) -> None:
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = begun(tmp_path, executor)
        executor.status(job)
        slurm.jobs.clear()
        assert executor.status(job).status is Status.RUNNING  # unknown, for the first time
        slurm.is_away = True
        executor.status(job)
        time.sleep(1.5 * PATIENCE)
        slurm.is_away = False
        assert executor.status(job).status is Status.RUNNING
        time.sleep(1.5 * PATIENCE)
        report = executor.status(job)
    assert (report.status, report.cause) == (Status.FAILED, Cause.NODE_LOST)


def test_a_number_that_has_become_somebody_elses_is_left_alone(slurm: PlayedSlurm, tmp_path: Path) -> None:
    """A controller that lost its state counts from 1 again."""
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = begun(tmp_path, executor)
        slurm.jobs.clear()
        slurm.put(1, "foreign", 6)
        executor.cancel(job)
        executor.status(job)
        assert {state for _, state in slurm.jobs.values()} == {"RUNNING"}


def test_what_accounting_says_of_somebody_elses_job_is_not_taken_for_ours(slurm: PlayedSlurm, tmp_path: Path) -> None:
    slurm.accounts = "1_0|OUT_OF_MEMORY|n2|theirs\n"
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = begun(tmp_path, executor)
        (name, _), slurm.jobs = slurm.jobs[1, 0], {}
        assert not executor.status(job).status.is_final
        slurm.accounts = f"1_0|OUT_OF_MEMORY|n2|{name}\n"
        assert executor.status(job).cause is Cause.OUT_OF_MEMORY


def test_all_that_is_cancelled_of_a_batch_is_one_word_to_slurm(slurm: PlayedSlurm, tmp_path: Path) -> None:
    jobs = [Job(name, 1, ("true",), tmp_path) for name in "abc"]
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        for job in jobs:
            executor.submit(job)
        executor.status(jobs[0])
        for job in jobs[:2]:
            executor.cancel(job)
    assert [state for _, state in slurm.jobs.values()] == ["CANCELLED", "CANCELLED", "RUNNING"]
    assert sum(words[0] == "scancel" for words in slurm.asked) == 1


def test_what_slurm_was_told_to_end_it_is_told_once(slurm: PlayedSlurm, tmp_path: Path) -> None:
    """A study that sees the word of cancellation says it at each look, as long as the job takes to end."""
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = begun(tmp_path, executor)
        slurm.when_cancelled = "COMPLETING"
        slurm.is_away = True
        for _ in range(3):
            executor.cancel(job)
            executor.status(job)
        slurm.is_away = False
        executor.status(job)
        for _ in range(3):
            executor.cancel(job)
            executor.status(job)
        assert not executor.status(job).status.is_final
    assert sum(words[0] == "scancel" for words in slurm.asked) == 1


def test_all_of_a_batch_that_never_starts_is_one_word_to_slurm(slurm: PlayedSlurm, tmp_path: Path) -> None:
    jobs = [Job(name, 1, ("true",), tmp_path) for name in "abc"]
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        for job in jobs:
            executor.submit(job)
        executor.flush()
        slurm.reason = "DependencyNeverSatisfied"
        slurm.put(1, slurm.jobs[1, 0][0], 3, "PENDING")
        assert {executor.status(job).cause for job in jobs} == {Cause.NEVER_STARTS}
    assert {state for _, state in slurm.jobs.values()} == {"CANCELLED"}
    assert [words for words in slurm.asked if words[0] == "scancel"] == [["scancel", "1_[0,1,2]"]]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study of the example, with Slurm."""
    shutil.copytree(ROOT / "examples" / "trainers" / "own", tmp_path / "study")
    with (tmp_path / "study" / "study.toml").open("a") as file:
        file.write('[executor]\nkind = "slurm"\n')
    monkeypatch.chdir(tmp_path)
    assert run(["sweep", "init", "study"]) == 0
    return tmp_path / "study"


def test_status_and_cancel_do_without_a_controller_and_say_so(
    slurm: PlayedSlurm, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sweep", "run", "study", "--detach"]) == 0
    slurm.is_away = True
    capsys.readouterr()
    assert run(["sweep", "status", "study"]) == 0
    said = capsys.readouterr().out
    assert "own: 6 runs: 6 queued" in said
    assert "6 runs with slurm\nslurm does not answer: what its nodes have put down is all that is known" in said
    assert run(["sweep", "status", "study", "--json"]) == 0
    engine = json.loads(capsys.readouterr().out)["engine"]
    assert engine == {"name": "slurm", "jobs": 6, "answers": False}
    assert run(["sweep", "cancel", "study"]) == 0
    said = capsys.readouterr()
    assert "are cancelled" in said.out
    assert "slurm does not answer and was not told" in said.err


@pytest.mark.parametrize(
    ("exit_code", "state"), [(75, "stopped"), (-15, "killed")], ids=["heeds SIGTERM", "knows nothing of it"]
)
def test_what_becomes_of_a_run_that_somebody_cancels_in_slurm(
    slurm: PlayedSlurm, study: Path, exit_code: int, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row on ``scancel`` in docs/slurm.md."""
    assert run(["sweep", "run", "study", "--detach", "--only", "b1e10-d008"]) == 0
    (batch,) = study.glob("slurm/*/batch.json")
    ended = {"exit_code": exit_code, "stderr_tail": "", "said": "SIGTERM", "cancelled": False, "cause": None}
    (batch.parent / "marks" / "0.1.started").write_text('{"attempt": 1, "host": "n1", "process": 7}\n')
    (batch.parent / "marks" / "0.1.ended").write_text(json.dumps(ended))
    (next(study.glob("runs/b1e10-d008*")) / "process.json").write_text("{}")
    slurm.scancel(["1_0"])
    capsys.readouterr()
    assert run(["sweep", "status", "study"]) == 0
    assert f"own: 6 runs: 5 pending, 1 {state}" in capsys.readouterr().out


def test_the_row_of_an_array_is_not_that_of_its_first_task(slurm: PlayedSlurm, tmp_path: Path) -> None:
    jobs = [Job(name, 1, ("true",), tmp_path) for name in "abc"]
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        for job in jobs:
            executor.submit(job)
        executor.status(jobs[0])
        (batch,) = (tmp_path / "slurm").glob("*/batch.json")
        (batch.parent / "marks" / "0.1.started").write_text('{"attempt": 1, "host": "n1", "process": 7}\n')
        slurm.end_waiting(1, [1, 2])
        time.sleep(2 * PATIENCE)
        assert [executor.status(job).status for job in jobs] == [Status.RUNNING, Status.CANCELLED, Status.CANCELLED]


def test_an_array_that_was_ended_before_any_of_it_began(slurm: PlayedSlurm, tmp_path: Path) -> None:
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = Job("a", 1, ("true",), tmp_path)
        executor.submit(job)
        executor.status(job)
        slurm.end_waiting(1, [0])
        time.sleep(2 * PATIENCE)
        assert (executor.status(job).status, executor.status(job).reason) == (Status.CANCELLED, "Slurm: cancelled")


def test_a_script_that_fails_before_the_run_is_a_failure_that_says_so(slurm: PlayedSlurm, tmp_path: Path) -> None:
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as executor:
        job = Job("a", 1, ("true",), tmp_path)
        executor.submit(job)
        executor.status(job)
        slurm.jobs[1, 0][1] = "FAILED"
        time.sleep(2 * PATIENCE)
        report = executor.status(job)
    assert (report.status, report.cause) == (Status.FAILED, None)
    assert "before the run began" in report.stderr_tail

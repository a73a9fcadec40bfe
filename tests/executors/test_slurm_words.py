"""Slurm's words for what became of a job, in the JSON of 22.05 and in that of 23.11, and what a study makes of them.

Rows as those versions print them; what a real Slurm does is in tests/engines.
"""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.errors import UsageError
from isoflop.executors import Cause, JobReport, Phase, SlurmSettings, Status
from isoflop.executors.slurm import Slurm, _tasks, _word, seconds_of
from isoflop.study import State
from isoflop.study._failure import failure_of

ENDS = {
    "NODE_FAIL": (Cause.NODE_LOST, State.KILLED),
    "BOOT_FAIL": (Cause.NODE_LOST, State.KILLED),
    "PREEMPTED": (Cause.PREEMPTED, State.KILLED),
    "OUT_OF_MEMORY": (Cause.OUT_OF_MEMORY, State.OUT_OF_MEMORY),
    "TIMEOUT": (Cause.TIME_LIMIT, State.TIMED_OUT),
    "DEADLINE": (Cause.TIME_LIMIT, State.TIMED_OUT),
}
PHASES = {
    "PENDING": Phase.WAITING,
    "REQUEUE_HOLD": Phase.WAITING,
    "RUNNING": Phase.RUNNING,
    "COMPLETING": Phase.RUNNING,
    "SUSPENDED": Phase.RUNNING,
    "COMPLETED": Phase.GONE,
    "FAILED": Phase.GONE,
}


def of_2205(state: str, reason: str = "None", task: int | None = 3, waiting: str = "") -> dict[str, Any]:
    row = {"job_id": 9, "array_job_id": 7, "array_task_id": task, "array_task_string": waiting}
    return {**row, "job_state": state, "state_reason": reason, "nodes": "n2"}


def of_2311(state: str, reason: str = "None", task: int | None = 3, waiting: str = "") -> dict[str, Any]:
    def number(value: int | None) -> dict[str, Any]:
        return {"set": value is not None, "infinite": False, "number": value or 0}

    row = {"job_id": 9, "array_job_id": number(7), "array_task_id": number(task), "array_task_string": waiting}
    return {**row, "job_state": [state], "state_reason": reason, "nodes": "n2"}


@pytest.mark.parametrize("row", [of_2205, of_2311])
class TestBothShapes:
    @pytest.mark.parametrize("state", ENDS)
    def test_each_end_is_told_apart_with_its_node(self, row: Any, state: str) -> None:
        word, (cause, study_state) = _word(row(state)), ENDS[state]
        assert (word.phase, word.cause) == (Phase.GONE, cause)
        assert word.reason.endswith("(n2)")
        put_down = failure_of(JobReport(Status.FAILED, cause=word.cause, reason=word.reason), "", None)
        assert put_down == {"state": study_state, "reason": word.reason}

    @pytest.mark.parametrize("state", PHASES)
    def test_phases(self, row: Any, state: str) -> None:
        word = _word(row(state))
        assert (word.phase, word.cause, word.is_cancelled) == (PHASES[state], None, False)

    def test_cancelled_and_never_satisfied(self, row: Any) -> None:
        assert _word(row("CANCELLED")).is_cancelled
        word = _word(row("PENDING", "DependencyNeverSatisfied"))
        assert word.cause is Cause.NEVER_STARTS
        assert (
            failure_of(JobReport(Status.FAILED, cause=word.cause, reason=word.reason), "", None)["state"] == "waiting"
        )

    def test_which_tasks_a_row_stands_for(self, row: Any) -> None:
        assert list(_tasks(row("RUNNING"))) == [3]
        assert list(_tasks(row("PENDING", task=None, waiting="0,4-8:2%5"))) == [0, 4, 6, 8]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("1", 60), ("1:30", 90), ("2:00:00", 7200), ("1-0", 86400), ("1-12:30", 131400), ("1-0:0:5", 86405), ("", None)],
)
def test_a_limit_is_read_as_sbatch_reads_it(time: str, seconds: float | None) -> None:
    """The formats of sbatch(1), --time."""
    assert seconds_of(time) == seconds


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SlurmSettings(time="2"), r"a job of 120 s would be warned 120 s before its end, at once"),
        (SlurmSettings(time="two hours"), r"\[slurm\] time is 'two hours'; write it as sbatch does"),
        (SlurmSettings(extra=("--array=0-100",)), r"its own --array; set runs_per_task and tasks_at_once instead"),
        (SlurmSettings(extra=("-a 0-100",)), r"its own --array"),
        (SlurmSettings(extra=("--arr=0-100",)), r"its own --array"),
        (SlurmSettings(extra=("--job-name=x",)), r"its own --job-name; leave it out"),
        (SlurmSettings(extra=("#SBATCH --time 5",)), r"its own --time; set time instead"),
        (SlurmSettings(extra=("module load cuda",)), r"extra has 'module load cuda', which is no option of sbatch"),
    ],
)
def test_what_sbatch_would_take_otherwise_than_it_is_meant_is_refused(
    settings: SlurmSettings, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoflop.executors.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(UsageError, match=said):
        Slurm(settings)


def test_other_options_of_sbatch_may_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoflop.executors.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    extra = ("--constraint=a100", "--gres=gpu:a100:1", "--nodelist=n1", "--mem-per-cpu=2G", "-x n2", "--exclusive")
    Slurm(SlurmSettings(extra=extra))

"""Slurm's words for what became of a job, in the JSON of 22.05 and in that of 23.11, and what a study makes of them.

Rows as those versions print them; what a real Slurm does is in tests/engines.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from isoflop.errors import UsageError
from isoflop.executors import Cause, Job, JobReport, Phase, SlurmSettings, Status
from isoflop.executors._batch import make_batch
from isoflop.executors.slurm import Slurm, _tasks, _word, script, seconds_of
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
    [("1", 60), ("1:30", 90), ("2:00:00", 7200), ("1-0", 86400), ("1-12:30", 131400), ("1-0:0:5", 86405), ("", None)]
    + [(word, math.inf) for word in ("UNLIMITED", "infinite", "0", "0:00", "0-0")],
)
def test_a_limit_is_read_as_sbatch_reads_it(time: str, seconds: float | None) -> None:
    """The formats of sbatch(1), --time: "a time limit of zero requests that no time limit be imposed"."""
    assert seconds_of(time) == seconds


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SlurmSettings(time="2"), r"a job of 120 s would be warned 120 s before its end, at once"),
        (SlurmSettings(time="two hours"), r"\[slurm\] time is 'two hours'; write it as sbatch does"),
        (
            SlurmSettings(extra=("--array=0-100",)),
            r"extra has '--array=0-100', and --array is set by isoflop; leave it",
        ),
        (SlurmSettings(extra=("--constraint=a100 -a 0-9",)), r"and --array is set by isoflop"),
        (SlurmSettings(extra=("--arr=0-9",)), r"and --array is set by isoflop"),
        (SlurmSettings(extra=("-J mine",)), r"and --job-name is set by isoflop; leave it out"),
        (SlurmSettings(extra=("-t1:00",)), r"and --time is set by isoflop; give time instead"),
        (SlurmSettings(extra=("--no-requeue",)), r"and --no-requeue is set by isoflop; give requeue instead"),
        (SlurmSettings(extra=("--gres=gpu:a100:2",), gpus=2), r"and --gres is set by isoflop; give gpus instead"),
        (SlurmSettings(extra=("--mem=0",), memory_gib=2.0), r"and --mem is set by isoflop; give memory_gib instead"),
    ],
)
def test_settings_that_cannot_do_are_refused(
    settings: SlurmSettings, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoflop.executors.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(UsageError, match=said):
        Slurm(settings)


@pytest.mark.parametrize(
    "settings",
    [
        SlurmSettings(extra=("--constraint=a100", "--exclusive", "--mem=0 --gres=gpu:a100:2", "--mem-bind=local")),
        SlurmSettings(extra=("--mail-user me@here.org", "-C fast&new", "--ntasks-per-core=1", "--export-file=x")),
        SlurmSettings(extra=("--nodelist=n1", "--time-min=5", "--nice"), memory_gib=1.0, gpus=1),
        SlurmSettings(time="UNLIMITED"),
        SlurmSettings(time="0"),
    ],
)
def test_settings_that_can_do_are_not(settings: SlurmSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoflop.executors.slurm.shutil.which", lambda name: f"/usr/bin/{name}")
    Slurm(settings)


def test_the_other_nodes_see_what_the_first_does(tmp_path: Path) -> None:
    """sbatch(1) on --export: after a list, srun passes on no more than that unless it is told "ALL"."""
    batch = make_batch(tmp_path, [Job("a", 1, ("true",), tmp_path, nodes=2)], [[0]])
    (line,) = [line for line in script(batch, SlurmSettings()).splitlines() if line.startswith("srun ")]
    assert "--export=ALL" in line.split()


def test_a_little_memory_is_not_all_of_the_nodes(tmp_path: Path) -> None:
    """sbatch(1): "a memory size specification of zero is treated as a special case and grants the job access to all of
    the memory on each node"."""
    batch = make_batch(tmp_path, [Job("a", 1, ("true",), tmp_path)], [[0]])
    for asked, line in ((0.0001, "1M"), (1.5, "1536M"), (64.0, "65536M")):
        assert f"#SBATCH --mem={line}" in script(batch, SlurmSettings(memory_gib=asked)).splitlines()
    assert "--mem" not in script(batch, SlurmSettings())

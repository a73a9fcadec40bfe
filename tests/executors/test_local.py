"""The local executor: the contract, and what is its own (order, number at a time, environment, sessions)."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.errors import UsageError
from isoflop.executors import Job, LocalExecutor, Status
from isoflop.testing.executors import ExecutorContract, python_job, wait_until_final


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Iterator[LocalExecutor]:
        with LocalExecutor(workers=2) as executor:
            yield executor


def started(job: Job) -> Path:
    """Wait for the file that says the job has begun."""
    deadline = time.monotonic() + 30
    while not (path := job.folder / "started").exists():
        assert time.monotonic() < deadline, f"{job.id} did not start"
        time.sleep(0.005)
    return path


LOGGING = (
    "import pathlib, time\n"
    "log = open('../log', 'a', buffering=1)\n"
    "name = pathlib.Path.cwd().name\n"
    "log.write(f'{name} start\\n'); time.sleep(0.15); log.write(f'{name} end\\n')"
)


@pytest.mark.parametrize("workers", [1, 2])
def test_never_more_than_its_workers_and_one_worker_keeps_the_order(tmp_path: Path, workers: int) -> None:
    jobs = [python_job(tmp_path, f"j{i}", LOGGING) for i in range(3 * workers)]
    with LocalExecutor(workers) as executor:
        for job in jobs:
            executor.submit(job)
        for job in jobs:
            assert wait_until_final(executor, job).status is Status.DONE
    events = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    running = list(itertools.accumulate(1 if event == "start" else -1 for _, event in events))
    assert max(running) == workers
    if workers == 1:
        assert [name for name, event in events if event == "start"] == [job.id for job in jobs]


def test_a_queued_job_that_is_cancelled_never_starts(tmp_path: Path) -> None:
    with LocalExecutor(workers=1) as executor:
        first = python_job(tmp_path, "first", "import time; open('started', 'w'); time.sleep(0.3)")
        second = python_job(tmp_path, "second", "open('started', 'w')")
        executor.submit(first)
        executor.submit(second)
        started(first)
        assert executor.status(second).status is Status.QUEUED
        executor.cancel(second)
        assert executor.status(second).status is Status.CANCELLED
        assert wait_until_final(executor, first).status is Status.DONE
    assert list(second.folder.iterdir()) == []


def test_a_job_has_ended_when_what_its_shell_has_started_has(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), pathlib.Path('tidied').touch(), sys.exit()))\n"
        "pathlib.Path('started').touch(); time.sleep(60)"
    )
    job = python_job(tmp_path, "shell", code)
    job = replace(job, command=("sh", "-c", '"$0" "$@"; exit $?', *job.command))
    with LocalExecutor(workers=1) as executor:
        executor.submit(job)
        started(job)
        executor.cancel(job)
        wait_until_final(executor, job)
        assert (job.folder / "tidied").exists()


def test_a_job_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('started', 'w'); time.sleep(60)"
    job = python_job(tmp_path, "deaf", code)
    with LocalExecutor(workers=1, grace_seconds=0.2) as executor:
        executor.submit(job)
        started(job)
        executor.cancel(job)
        report = wait_until_final(executor, job, patience_seconds=20)
    assert (report.status, report.exit_code) == (Status.CANCELLED, -signal.SIGKILL)


def test_leaving_the_block_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    running = python_job(
        tmp_path, "running", "import os, time; print(os.getpid(), flush=True); open('started', 'w'); time.sleep(60)"
    )
    waiting = python_job(tmp_path, "waiting", "open('started', 'w')")
    with LocalExecutor(workers=1) as executor:
        executor.submit(running)
        executor.submit(waiting)
        started(running)
    assert executor.status(running).status is Status.CANCELLED
    assert not (waiting.folder / "started").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((running.folder / "stdout.log").read_text()), 0)


def test_a_job_sees_one_thread_its_own_session_and_no_stray_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("LEARNING_RATE", "0.5")
    code = "import os; print(os.environ['OMP_NUM_THREADS'], 'LEARNING_RATE' in os.environ, os.getsid(0) == os.getpid())"
    job = python_job(tmp_path, "env", code)
    with LocalExecutor(workers=1) as executor:
        executor.submit(job)
        wait_until_final(executor, job)
    assert (job.folder / "stdout.log").read_text().split() == ["1", "False", "True"]


def test_no_workers_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="0 workers"):
        LocalExecutor(workers=0)


def test_a_crash_of_the_executor_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path, written_before: int) -> str:
        raise OSError("the disk went away")

    monkeypatch.setattr("isoflop.executors.local.tail_of_stderr", crash)
    with LocalExecutor(workers=1) as executor:
        after = python_job(tmp_path, "after", "pass")
        unstartable = Job("null", 1, ("a\0b",), after.folder)
        for job, said in ((after, "OSError: the disk went away"), (unstartable, "embedded null byte")):
            executor.submit(job)
            report = wait_until_final(executor, job)
            assert report.status is Status.FAILED
            assert said in report.stderr_tail

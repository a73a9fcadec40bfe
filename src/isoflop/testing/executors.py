"""What every executor must do: subclass ``ExecutorContract`` and give it your executor.

``EngineContract`` is for those whose jobs outlive the client that submitted them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.executors import ATTEMPT, Cause, EngineExecutor, Executor, Job, JobReport, Status


def python_job(folder: Path, name: str, code: str, attempt: int = 1) -> Job:
    """A job that runs ``code`` in a folder of its own under ``folder``."""
    own = folder / name
    own.mkdir(exist_ok=True)
    return Job(name, attempt, (sys.executable, "-c", code), own)


def wait_until_final(executor: Executor, job: Job, patience_seconds: float = 60.0) -> JobReport:
    """The job's report once it has ended; TimeoutError when that takes too long."""
    return _wait(executor, job, {Status.DONE, Status.FAILED, Status.CANCELLED}, patience_seconds)


def _wait(executor: Executor, job: Job, wanted: set[Status], patience_seconds: float = 60.0) -> JobReport:
    deadline = time.monotonic() + patience_seconds
    while (report := executor.status(job)).status not in wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{job.id} is still {report.status} after {patience_seconds:g} s.")
        time.sleep(0.01)
    return report


class ExecutorContract:
    """A pytest class without the fixture ``executor``, which a subclass provides.

    ::

        class TestMyExecutor(ExecutorContract):
            @pytest.fixture
            def executor(self):
                with MyExecutor() as executor:
                    yield executor
    """

    def test_success_leaves_the_output_in_the_jobs_folder(self, executor: Executor, tmp_path: Path) -> None:
        job = python_job(tmp_path, "ok", "import os; print(os.getcwd())")
        executor.submit(job)
        assert wait_until_final(executor, job).status is Status.DONE
        assert Path((job.folder / "stdout.log").read_text().strip()).samefile(job.folder)

    def test_failure_carries_its_exit_code_and_its_own_stderr(self, executor: Executor, tmp_path: Path) -> None:
        for attempt, word in ((1, "first"), (2, "second")):
            job = python_job(tmp_path, "bad", f"import sys; print('{word}', file=sys.stderr); sys.exit(7)", attempt)
            executor.submit(job)
            report = wait_until_final(executor, job)
            assert (report.status, report.exit_code) == (Status.FAILED, 7)
            assert report.stderr_tail.strip() == word
        assert (job.folder / "stderr.log").read_text().split() == ["first", "second"]

    def test_a_command_that_is_not_there_fails(self, executor: Executor, tmp_path: Path) -> None:
        job = Job("missing", 1, (str(tmp_path / "no-such-program"),), tmp_path)
        executor.submit(job)
        report = wait_until_final(executor, job)
        assert report.status is Status.FAILED
        assert "no-such-program" in report.stderr_tail

    def test_cancel_lets_a_running_job_tidy_up(self, executor: Executor, tmp_path: Path) -> None:
        code = (
            "import signal, sys, time, pathlib\n"
            "def stop(*_): pathlib.Path('checkpoint').touch(); sys.exit(75)\n"
            "signal.signal(signal.SIGTERM, stop); pathlib.Path('ready').touch(); time.sleep(60)"
        )
        job = python_job(tmp_path, "long", code)
        executor.submit(job)
        executor.status(job)
        _wait_for_file(job.folder / "ready")
        executor.cancel(job)
        assert wait_until_final(executor, job).status is Status.CANCELLED
        assert (job.folder / "checkpoint").exists()

    def test_cancel_of_a_finished_job_changes_nothing(self, executor: Executor, tmp_path: Path) -> None:
        job = python_job(tmp_path, "ok", "pass")
        executor.submit(job)
        report = wait_until_final(executor, job)
        executor.cancel(job)
        assert executor.status(job) == report

    def test_submitted_twice_runs_once(self, executor: Executor, tmp_path: Path) -> None:
        job = python_job(tmp_path, "once", "open('count', 'a').write('x')")
        executor.submit(job)
        executor.submit(job)
        wait_until_final(executor, job)
        executor.submit(job)
        assert wait_until_final(executor, job).status is Status.DONE
        assert (job.folder / "count").read_text() == "x"

    def test_a_killed_job_is_a_failed_one(self, executor: Executor, tmp_path: Path) -> None:
        job = python_job(tmp_path, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        executor.submit(job)
        report = wait_until_final(executor, job)
        assert report.status is Status.FAILED
        assert report.exit_code != 0


class EngineContract(ExecutorContract):
    """A pytest class without the fixture ``client``, which a subclass provides: it makes an executor for a folder, and
    looks at its engine often.

    ::

        class TestMyEngine(EngineContract):
            @pytest.fixture
            def client(self):
                return lambda folder: my_executor(folder, Manners(poll_seconds=0.2, patience_seconds=3.0))
    """

    @pytest.fixture
    def executor(self, client: Callable[[Path], EngineExecutor], tmp_path: Path) -> Iterator[EngineExecutor]:
        with client(tmp_path / "batches") as executor:
            yield executor

    def test_a_later_client_finds_the_job_until_its_end_is_settled(
        self, client: Callable[[Path], EngineExecutor], tmp_path: Path
    ) -> None:
        job = python_job(tmp_path, "a", "open('count', 'a').write('x')")
        with client(tmp_path / "batches") as first:
            first.submit(job)
        with client(tmp_path / "batches") as second:
            assert second.earlier("a") == job
            assert second.earlier("b") is None
            second.submit(job)
            assert wait_until_final(second, job).status is Status.DONE
            second.settle(job)
        with client(tmp_path / "batches") as third:
            assert third.earlier("a") is None
        assert (job.folder / "count").read_text() == "x"

    def test_a_job_of_a_client_that_died_while_submitting_is_found(
        self, client: Callable[[Path], EngineExecutor], tmp_path: Path
    ) -> None:
        job = python_job(tmp_path, "a", "open('count', 'a').write('x')")
        with client(tmp_path / "batches") as first:
            first.submit(job)
        (handed_over,) = (tmp_path / "batches").glob("*/submitted.json")
        handed_over.unlink()
        with client(tmp_path / "batches") as second:
            assert second.earlier("a") == job
            assert wait_until_final(second, job).status is Status.DONE
        assert (job.folder / "count").read_text() == "x"

    def test_a_batch_that_never_was_handed_over_is_given_up_for_good(
        self, client: Callable[[Path], EngineExecutor], tmp_path: Path
    ) -> None:
        job = python_job(tmp_path, "a", "open('count', 'a').write('x')")
        with client(tmp_path / "batches") as first:
            first.submit(job)
            wait_until_final(first, job)
        (there,) = (tmp_path / "batches").glob("*/batch.json")
        unsent = tmp_path / "batches" / "unsent"
        (unsent / "marks").mkdir(parents=True)
        shutil.copy(there, unsent)
        with client(tmp_path / "batches") as second:
            assert wait_until_final(second, job).status is Status.DONE
        # Should the engine be told of it yet, by a command that outlived its client, nothing is begun.
        late = subprocess.run(
            [sys.executable, "-m", "isoflop.executors.node", str(unsent), "0"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (late.returncode, "given up" in late.stderr) == (2, True)
        assert (job.folder / "count").read_text() == "x"

    def test_a_job_begins_when_those_it_waits_for_are_done(self, executor: Executor, tmp_path: Path) -> None:
        first = python_job(tmp_path, "first", "import time; time.sleep(1); open('../log', 'a').write('first ')")
        second = replace(python_job(tmp_path, "second", "open('../log', 'a').write('second')"), after=(first.key,))
        executor.submit(second)
        executor.submit(first)
        assert wait_until_final(executor, second).status is Status.DONE
        assert (tmp_path / "log").read_text() == "first second"

    def test_what_waits_for_a_job_that_failed_never_starts(self, executor: Executor, tmp_path: Path) -> None:
        first = python_job(tmp_path, "first", "import sys; sys.exit(1)")
        second = replace(python_job(tmp_path, "second", "open('begun', 'w')"), after=(first.key,))
        executor.submit(first)
        executor.submit(second)
        report = wait_until_final(executor, second)
        assert (report.status, report.cause) == (Status.FAILED, Cause.NEVER_STARTS)
        assert "what it waits for has failed" in report.reason
        assert not (second.folder / "begun").exists()

    def test_a_waiting_job_that_is_cancelled_never_starts(self, executor: Executor, tmp_path: Path) -> None:
        first = python_job(tmp_path, "first", "import time; time.sleep(2)")
        second = replace(python_job(tmp_path, "second", "open('begun', 'w')"), after=(first.key,))
        executor.submit(first)
        executor.submit(second)
        assert executor.status(second).status is Status.QUEUED
        executor.cancel(second)
        assert wait_until_final(executor, second).status is Status.CANCELLED
        assert wait_until_final(executor, first).status is Status.DONE
        time.sleep(1.0)
        assert not (second.folder / "begun").exists()

    def begun(self, executor: Executor, tmp_path: Path) -> Job:
        """A job whose first attempt has begun, and takes a minute; any later one ends at once."""
        code = (
            "import pathlib, sys, time\n"
            "pathlib.Path(f'begun-{sys.argv[1]}').touch()\n"
            "if sys.argv[1] == '1': time.sleep(60)"
        )
        job = python_job(tmp_path, "lost", code)
        job = replace(job, command=(*job.command, ATTEMPT))
        (job.folder / "attempts").mkdir()
        (job.folder / "attempts" / "0001.json").write_text("{}")
        executor.submit(job)
        executor.status(job)
        _wait_for_file(job.folder / "begun-1")
        return job

    def test_a_job_whose_node_was_killed_is_begun_again_or_told(self, executor: Executor, tmp_path: Path) -> None:
        """Begun again, it has another attempt's number; what is left of the first asks for no result."""
        job = self.begun(executor, tmp_path)
        (mark,) = tmp_path.glob("batches/*/marks/0.1.started")
        os.kill(json.loads(mark.read_text())["process"], signal.SIGKILL)
        report = wait_until_final(executor, job, 90)
        assert report.status is Status.DONE or report.cause is Cause.NODE_LOST
        assert (job.folder / "begun-2").exists() == (report.status is Status.DONE)

    def test_a_folder_at_rest_may_be_moved(self, client: Callable[[Path], EngineExecutor], tmp_path: Path) -> None:
        (tmp_path / "old").mkdir()
        job = python_job(tmp_path / "old", "a", "import sys; print('why', file=sys.stderr); sys.exit(3)")
        with client(tmp_path / "old" / "batches") as first:
            first.submit(job)
            wait_until_final(first, job)
        (tmp_path / "old").rename(tmp_path / "new")
        with client(tmp_path / "new" / "batches") as second:
            moved = second.earlier("a")
            assert moved is not None
            assert moved.folder == tmp_path / "new" / "a"
            report = wait_until_final(second, moved)
        assert (report.status, report.exit_code, report.stderr_tail.strip()) == (Status.FAILED, 3, "why")


def _wait_for_file(path: Path, patience_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path.name} did not appear within {patience_seconds:g} s.")
        time.sleep(0.01)

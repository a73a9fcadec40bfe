"""What every executor must do: subclass ``ExecutorContract`` and give it your executor."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from isoflop.executors import Executor, Job, JobReport, Status


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


def _wait_for_file(path: Path, patience_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path.name} did not appear within {patience_seconds:g} s.")
        time.sleep(0.01)

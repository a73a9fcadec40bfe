"""Jobs as processes of this machine, a fixed number at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from isoflop.errors import UsageError
from isoflop.executors._executor import Closing, Job, JobReport, Status
from isoflop.executors._orphan import end_group, end_orphan
from isoflop.executors._process import GRACE_SECONDS, left_in, signal_job, size_of_stderr, start, tail_of_stderr

# A job sees these and nothing else: a variable left over in one shell must not change one run of a study.
_INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "TZ"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"),
)
_THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(eq=False)
class _Entry:
    """A submitted job; ``lock`` guards the rest against the thread that runs the job."""

    job: Job
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | None = None
    cancelled: bool = False
    report: JobReport = field(default_factory=lambda: JobReport(Status.QUEUED))


class LocalExecutor(Closing):
    """Runs at most ``workers`` jobs at a time, each a single-threaded process, in the order of submission.

    A job leads a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone, which
    then decides. Leaving the ``with`` block cancels what is not finished and waits for it. A job that outlived a
    supervisor that was killed is ended before another is started in its folder.

    >>> import sys, tempfile
    >>> from pathlib import Path
    >>> job = Job("hello", 1, (sys.executable, "-c", "print('hello')"), Path(tempfile.mkdtemp()))
    >>> with LocalExecutor(workers=1) as executor:
    ...     executor.submit(job)
    ...     while not executor.status(job).status.is_final: pass
    >>> (job.folder / "stdout.log").read_text()
    'hello\\n'
    """

    def __init__(self, workers: int, *, grace_seconds: float = GRACE_SECONDS) -> None:
        if workers < 1:
            raise UsageError(f"{workers} workers can run nothing; give at least 1.")
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="isoflop-job")
        self._grace_seconds = grace_seconds
        self._entries: dict[tuple[str, int], _Entry] = {}

    name = "local"
    outlives_client = False

    @property
    def parent_pid(self) -> int:
        return os.getpid()

    def earlier(self, id: str) -> None:
        """None: the jobs of an earlier client ended with it, or are ended before others start in their folders."""

    def settle(self, job: Job) -> None:
        """Nothing to note: no later client asks."""

    def submit(self, job: Job) -> None:
        if job.key not in self._entries:
            entry = self._entries[job.key] = _Entry(job)
            self._threads.submit(_run, entry, self._grace_seconds).add_done_callback(partial(_settle, entry))

    def status(self, job: Job) -> JobReport:
        return self._entries[job.key].report

    def cancel(self, job: Job) -> None:
        entry = self._entries[job.key]
        with entry.lock:
            if entry.cancelled or entry.report.status.is_final:
                return
            entry.cancelled = True
            if entry.process is None:
                entry.report = JobReport(Status.CANCELLED)
                return
            signal_job(entry.process, signal.SIGTERM)
        killer = threading.Timer(self._grace_seconds, _kill_unless_ended, (entry,))
        killer.daemon = True
        killer.start()

    def close(self) -> None:
        """Cancel what is not finished, the last submitted first so that nothing new starts, and wait."""
        for entry in reversed(self._entries.values()):
            self.cancel(entry.job)
        self._threads.shutdown()


def _run(entry: _Entry, grace_seconds: float) -> None:
    """Start the job, wait for its end without polling, and put down how it ended. Runs in a pool thread."""
    written_before = size_of_stderr(entry.job.folder)
    try:
        process = _start(entry, grace_seconds)
    except OSError as error:
        entry.report = JobReport(Status.FAILED, stderr_tail=f"cannot start {entry.job.command[0]}: {error}")
        return
    if process is None:
        return
    exit_code = process.wait()
    if entry.cancelled:
        end_group(process.pid, grace_seconds)
    tail = tail_of_stderr(entry.job.folder, written_before)
    left = left_in(entry.job.folder, entry.job.leaves) if entry.job.leaves else None
    with entry.lock:
        failure = Status.CANCELLED if entry.cancelled else Status.FAILED
        entry.report = JobReport(Status.DONE if exit_code == 0 else failure, exit_code, tail, left=left)


def _settle(entry: _Entry, thread: Future[None]) -> None:
    """See that the job has ended when its thread has: a crash there would leave it running for ever."""
    crash = thread.exception()
    if crash is not None:
        with entry.lock:
            entry.report = JobReport(Status.FAILED, stderr_tail=f"{type(crash).__name__}: {crash}")


def _start(entry: _Entry, grace_seconds: float) -> subprocess.Popen[bytes] | None:
    """The job's process, or None when it was cancelled while it waited."""
    end_orphan(entry.job.folder, grace_seconds)
    with entry.lock:
        if entry.cancelled:
            return None
        entry.process = start(entry.job, entry.job.attempt, _environment(), own_session=True)
        entry.report = JobReport(Status.RUNNING)
        return entry.process


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict.fromkeys(_THREAD_COUNTS, "1")


def _kill_unless_ended(entry: _Entry) -> None:
    with entry.lock:
        if entry.process is not None and not entry.report.status.is_final:
            signal_job(entry.process, signal.SIGKILL)

"""The protocol of executors: submit, status, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

STDOUT = "stdout.log"
STDERR = "stderr.log"


@dataclass(frozen=True)
class Job:
    """One command to be run once.

    ``id`` and ``attempt`` name the job; ``command`` is run in ``folder``, which exists, and its output
    is appended there to ``stdout.log`` and ``stderr.log``.
    """

    id: str
    attempt: int
    command: tuple[str, ...]
    folder: Path


class Status(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True)
class JobReport:
    """A job's status; of a failed job also how it exited (minus the signal's number when a signal
    ended it) and the end of what it wrote to stderr."""

    status: Status
    exit_code: int | None = None
    stderr_tail: str = ""


class Executor(Protocol):
    """Runs jobs somewhere. ``isoflop.testing.executors.ExecutorContract`` tests what is promised here."""

    @property
    def parent_pid(self) -> int | None:
        """The process whose children the jobs are, and with which they should end; None where there is none."""

    def submit(self, job: Job) -> None:
        """Take the job and return at once; a job with the same id and attempt as an earlier one is ignored."""

    def status(self, job: Job) -> JobReport:
        """How a submitted job stands; KeyError for one that never was submitted here."""

    def cancel(self, job: Job) -> None:
        """Have the job stopped, SIGTERM first, and return at once; a job that has ended stays as it is."""

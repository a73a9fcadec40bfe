"""The protocol of executors: submit, status, cancel."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

STDOUT = "stdout.log"
STDERR = "stderr.log"

ATTEMPT = "@attempt@"
"""In a command, stands for the number of the attempt that is being started: an engine that requeues a job starts its
command again, under a new number."""

NODE_RANK = "@node_rank@"
"""In a command, stands for which of the run's nodes this is, from 0."""

RENDEZVOUS = "@rendezvous@"
"""In a command, stands for HOST:PORT, where the run's nodes meet: a port of node 0 that was free a moment ago."""

PYTHON = "@python@"
"""In a command, stands for the Python of whoever starts it: that of a container is not the client's."""


@dataclass(frozen=True)
class Job:
    """One command to be run once.

    ``id`` and ``attempt`` name the job; ``command`` is run in ``folder``, which exists, and its output
    is appended there to ``stdout.log`` and ``stderr.log``. ``after`` names jobs, by id and attempt, that must be done
    first; only an executor that outlives its client is given any. ``nodes`` is on how many of them the command is
    started, once on each. ``leaves`` names the file in its folder that says what it came to, which is reported as it
    was when the command ended: an orphan of an earlier attempt may write it again.
    """

    id: str
    attempt: int
    command: tuple[str, ...]
    folder: Path
    after: tuple[tuple[str, int], ...] = ()
    nodes: int = 1
    leaves: str = ""

    @property
    def key(self) -> tuple[str, int]:
        return self.id, self.attempt

    def words(self, attempt: int, node_rank: int = 0, rendezvous: str = "") -> tuple[str, ...]:
        """The command of one attempt, on one of its nodes.

        >>> Job("a", 1, ("train", "--attempt=@attempt@"), Path()).words(2)
        ('train', '--attempt=2')
        """
        values = {ATTEMPT: str(attempt), PYTHON: sys.executable, NODE_RANK: str(node_rank), RENDEZVOUS: rendezvous}
        return tuple(_filled(word, values) for word in self.command)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


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


class Cause(StrEnum):
    """Why a job ended, where the engine knows better than an exit code does."""

    NODE_LOST = "node_lost"
    PREEMPTED = "preempted"
    OUT_OF_MEMORY = "out_of_memory"
    TIME_LIMIT = "time_limit"
    NEVER_STARTS = "never_starts"
    """What it waits for has failed."""


@dataclass(frozen=True)
class Left:
    """What a command has left in a file: the text, "" where it was none in UTF-8, when its process began and when it
    was written, both in seconds by the clock of the file system."""

    text: str
    began: float
    written: float


@dataclass(frozen=True)
class JobReport:
    """A job's status; of a failed job also how it exited (minus the signal's number when a signal
    ended it) and the end of what it wrote to stderr. ``cause`` and ``reason``, a sentence, are the engine's own;
    ``left`` is what it had left when it ended, None where that was nothing or nobody saw it end."""

    status: Status
    exit_code: int | None = None
    stderr_tail: str = ""
    cause: Cause | None = None
    reason: str = ""
    left: Left | None = None


def mebibytes(gibibytes: float) -> int:
    """What is asked for, whole and never nothing: an engine takes 0 for all of a node.

    >>> mebibytes(1.5), mebibytes(0.0001)
    (1536, 1)
    """
    return math.ceil(gibibytes * 1024)


class Closing:
    """Closed at the end of a ``with`` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Executor(Protocol):
    """Runs jobs somewhere. ``isoflop.testing.executors.ExecutorContract`` tests what is promised here."""

    @property
    def name(self) -> str:
        """What people call it: local, slurm, ray, kubernetes."""

    @property
    def parent_pid(self) -> int | None:
        """The process whose children the jobs are, and with which they should end; None where there is none here."""

    @property
    def outlives_client(self) -> bool:
        """Whether jobs go on when the process that submitted them ends, and another finds them again."""

    def submit(self, job: Job) -> None:
        """Take the job and return at once; it is begun at the next ``status`` at the latest. A job with the same id and
        attempt as an earlier one is ignored."""

    def status(self, job: Job) -> JobReport:
        """How a submitted job stands; KeyError for one that never was submitted here."""

    def cancel(self, job: Job) -> None:
        """Have the job stopped, SIGTERM first, and return at once; a job that has ended stays as it is."""

    def earlier(self, id: str) -> Job | None:
        """The last job of that id that an earlier client submitted, unless its end was told: ``settle``."""

    def settle(self, job: Job) -> None:
        """Take note that the end of the job has been put down, and need not be told to a later client."""

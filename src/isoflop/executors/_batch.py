"""Jobs that were handed to an engine together: a folder that says what they are, what has begun and how it ended.

::

    <batch>/batch.json        the jobs, and which of them the engine's tasks are to do, in order
    <batch>/submitted.json    the engine's own number for it
    <batch>/marks/3.1.started     job 3 has begun for the first time; 3.2.started: again, after a requeue
    <batch>/marks/3.1.ended       how that ended
    <batch>/marks/3.1.node1       node 1 of several takes part in that start; once it has ended there, how
    <batch>/marks/3.cancel        it is to be ended
    <batch>/marks/3.settled       its end was told and put down

Everything is made by O_EXCL or an atomic rename, and no two clocks are compared, so that clients and nodes may be
different machines on a network file system. One listing of ``marks`` says where all jobs of a batch stand. A batch that
was given up has another name: a task of it that starts all the same finds nothing and does nothing.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from isoflop.attempts import STOPPED_CODE
from isoflop.errors import UsageError
from isoflop.executors._executor import Cause, Job, Left
from isoflop.files import now_in, read_object, write_atomic

SCHEMA = "isoflop.batch/1"
BATCH = "batch.json"
SUBMITTED = "submitted.json"
MARKS = "marks"
VOID = "void-"
"""Before the name of a batch that was given up."""
CLOSED = "closed"
"""The file of a batch whose jobs have all ended and been settled: no client need look at it again."""
_MARK = re.compile(r"(\d+)(?:\.(\d+))?\.(started|ended|cancel|settled)")


@dataclass(frozen=True)
class Ended:
    """How one start of a job ended. ``exit_code`` is None where the command could not be started, or, with a ``cause``,
    was not because what the job waits for had failed."""

    exit_code: int | None
    stderr_tail: str = ""
    said: str = ""
    """The signal that asked the node to stop, if any did."""
    cancelled: bool = False
    cause: Cause | None = None
    left: Left | None = None
    seconds: float | None = None
    """How long it took by its node's clock; None where an older isoflop put it down, or for a part of several nodes."""

    @property
    def is_final(self) -> bool:
        """False where a signal stopped it after a checkpoint: the engine may start it again."""
        return self.cancelled or self.exit_code != STOPPED_CODE


@dataclass(frozen=True)
class JobMarks:
    """What the marks say of one job: how often it began, whether the newest start has ended."""

    starts: int = 0
    has_ended: bool = False
    is_cancelled: bool = False
    is_settled: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch on disk. Reading it again is always right: it holds nothing but its folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def _table(self) -> dict[str, Any]:
        return read_object(self.folder / BATCH, "remove that folder")

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._job(row) for row in self._table["jobs"])

    @cached_property
    def tasks(self) -> tuple[tuple[int, ...], ...]:
        """The jobs of each of the engine's tasks, by their numbers here, in the order in which they are done."""
        return tuple(map(tuple, self._table["tasks"]))

    @cached_property
    def task_of(self) -> dict[int, int]:
        return {job: task for task, jobs in enumerate(self.tasks) for job in jobs}

    @property
    def nodes(self) -> int:
        """How many each of the engine's tasks is to have."""
        return max(job.nodes for job in self.jobs)

    @property
    def requeue(self) -> tuple[str, ...]:
        """The command that has the engine start the task again; variables of the node's environment in it."""
        return tuple(self._table.get("requeue", ()))

    def _job(self, row: Mapping[str, Any]) -> Job:
        folder = Path(os.path.normpath(self.folder / row["folder"]))
        after = tuple((str(id), int(attempt)) for id, attempt in row.get("after", ()))
        more = row.get("nodes", 1), row.get("leaves", "")
        return Job(row["id"], row["attempt"], tuple(row["command"]), folder, after, *more)

    def marks(self) -> dict[int, JobMarks]:
        """Where each job stands that has any mark, by one listing."""
        starts: dict[int, int] = {}
        ends: dict[int, set[int]] = {}
        told: dict[str, set[int]] = {"cancel": set(), "settled": set()}
        for name in os.listdir(self.folder / MARKS):  # noqa: PTH208 - of thousands, paths would be the dearer
            if (found := _MARK.fullmatch(name)) is None:
                continue
            job, start, kind = int(found[1]), int(found[2] or 0), found[3]
            if kind == "started":
                starts[job] = max(starts.get(job, 0), start)
            elif kind == "ended":
                ends.setdefault(job, set()).add(start)
            else:
                told[kind].add(job)
        return {
            job: JobMarks(
                starts.get(job, 0),
                starts.get(job, 0) in ends.get(job, ()),
                job in told["cancel"],
                job in told["settled"],
            )
            for job in {*starts, *ends, *told["cancel"], *told["settled"]}
        }

    def ended(self, job: int, start: int) -> Ended | None:
        """How that start of the job ended; None where it has not."""
        return self._ending(f"{job}.{start}.ended")

    def _ending(self, mark: str) -> Ended | None:
        try:
            table = read_object(self._mark(mark), "remove it")
        except FileNotFoundError:
            return None
        cause = table.get("cause") and Cause(table["cause"])
        left = Left(**table["left"]) if table.get("left") else None
        code, tail, said, cancelled = (table[name] for name in ("exit_code", "stderr_tail", "said", "cancelled"))
        return Ended(code, tail, said, cancelled, cause, left, table.get("seconds"))

    def started(self, job: int, start: int) -> dict[str, Any]:
        """What was put down when the job began: attempt, host, process, and where its nodes meet if it has several; {}
        where a kill cut it short."""
        try:
            return read_object(self._mark(f"{job}.{start}.started"), "remove it")
        except (FileNotFoundError, UsageError):
            return {}

    def claim_start(self, job: int) -> int:
        """The number of a start of the job that nobody else can have, from 1."""
        number = self.marks().get(job, JobMarks()).starts + 1
        while not self._make(f"{job}.{number}.started"):
            number += 1
        return number

    def note_started(self, job: int, start: int, attempt: int, rendezvous: str = "") -> None:
        facts: dict[str, Any] = {"attempt": attempt, "host": socket.gethostname(), "process": os.getpid()}
        facts |= {"rendezvous": rendezvous} if rendezvous else {}
        self._mark(f"{job}.{start}.started").write_text(json.dumps(facts) + "\n")

    def note_ended(self, job: int, start: int, ended: Ended) -> None:
        self._note(f"{job}.{start}.ended", ended)

    def seconds_at_work(self, at_work: Set[str] = frozenset()) -> dict[str, float]:
        """What the starts of each job have taken, by its id, as their nodes put it down; that of a job that is
        ``at_work`` until now, by the clock that stamps the marks. A start that left no word of its end, and is not at
        work, counts nothing."""
        made, now = self._made(), now_in(self.folder) if at_work else 0.0
        seconds: dict[str, float] = {}
        for (job, start, kind), began in made.items():
            if kind != "started":
                continue
            id = self.jobs[job].id
            if (end := made.get((job, start, "ended"))) is not None:
                ended = self.ended(job, start)
                took = end - began if ended is None or ended.seconds is None else ended.seconds
            else:
                lives = id in at_work and (job, 0, "settled") not in made and (job, start + 1, "started") not in made
                took = now - began if lives else 0.0
            seconds[id] = seconds.get(id, 0.0) + max(0.0, took)
        return seconds

    def _made(self) -> dict[tuple[int, int, str], float]:
        """When each mark was made: by the number of its job and that of its start, 0 where it is of none."""
        with os.scandir(self.folder / MARKS) as entries:
            found = ((_MARK.fullmatch(entry.name), entry.stat().st_mtime) for entry in entries)
            return {(int(name[1]), int(name[2] or 0), name[3]): at for name, at in found if name}

    def claim_part(self, job: int, start: int, node_rank: int) -> bool:
        """Take part in a start of a job as one of its nodes; False where that node did so before."""
        return self._make(f"{job}.{start}.node{node_rank}")

    def has_part(self, job: int, start: int, node_rank: int) -> bool:
        return self._mark(f"{job}.{start}.node{node_rank}").exists()

    def note_part(self, job: int, start: int, node_rank: int, ended: Ended) -> None:
        self._note(f"{job}.{start}.node{node_rank}", ended)

    def part(self, job: int, start: int, node_rank: int) -> Ended | None:
        """How a start of the job ended on one of its nodes; None where it has not, as far as that node has said."""
        try:
            return self._ending(f"{job}.{start}.node{node_rank}")
        except UsageError:  # claimed, and empty as yet
            return None

    def _note(self, mark: str, ended: Ended) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        write_atomic(self._mark(mark), json.dumps({**asdict(ended), "at": at}) + "\n")

    def is_cancelled(self, job: int) -> bool:
        return self._mark(f"{job}.cancel").exists()

    def cancel(self, job: int) -> None:
        self._make(f"{job}.cancel")

    def settle(self, job: int) -> None:
        self._make(f"{job}.settled")

    def submitted(self) -> dict[str, Any] | None:
        """What the engine answered; None before it did."""
        try:
            return read_object(self.folder / SUBMITTED, "remove that folder")
        except FileNotFoundError:
            return None

    def note_submitted(self, facts: Mapping[str, Any]) -> None:
        write_atomic(self.folder / SUBMITTED, json.dumps(dict(facts)) + "\n")

    def give_up(self) -> None:
        """See that no task of it ever starts: what the engine was told to start is not there any more."""
        self.folder.rename(self.folder.with_name(VOID + self.name))

    def close(self) -> None:
        (self.folder / CLOSED).touch()

    def _mark(self, name: str) -> Path:
        return self.folder / MARKS / name

    def _make(self, name: str) -> bool:
        """Make a mark; False where it is there already."""
        try:
            os.close(os.open(self._mark(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            return False
        return True


def make_batch(parent: Path, jobs: Sequence[Job], tasks: Sequence[Sequence[int]], requeue: Sequence[str] = ()) -> Batch:
    """Write a batch down, whole or not at all, in a new folder under ``parent``. Job folders are kept relative."""
    folder = parent / secrets.token_hex(4)
    staged = parent / f".{folder.name}.tmp"
    (staged / MARKS).mkdir(parents=True)
    rows = [
        {"id": job.id, "attempt": job.attempt, "command": job.command, "after": job.after}
        | {"folder": os.path.relpath(job.folder, folder)}
        | ({"nodes": job.nodes} if job.nodes > 1 else {})
        | ({"leaves": job.leaves} if job.leaves else {})
        for job in jobs
    ]
    table = {"schema": SCHEMA, "jobs": rows, "tasks": tasks, "requeue": requeue}
    write_atomic(staged / BATCH, json.dumps(table) + "\n")
    staged.rename(folder)
    return Batch(folder)


def batches(parent: Path) -> tuple[Batch, ...]:
    """All batches under ``parent`` that were not given up."""
    found = (path.parent for path in sorted(parent.glob(f"[!.]*/{BATCH}")))
    return tuple(Batch(path) for path in found if not path.name.startswith(VOID))


def open_batches(parent: Path) -> tuple[Batch, ...]:
    """The batches under ``parent`` that have jobs whose end nobody has put down."""
    return tuple(batch for batch in batches(parent) if not (batch.folder / CLOSED).exists())


def done_with(parent: Path) -> tuple[str, ...]:
    """The names of the batches under ``parent`` that were given up, or whose jobs have all ended and been settled."""
    given_up = tuple(path.name.removeprefix(VOID) for path in parent.glob(f"{VOID}*"))
    return given_up + tuple(batch.name for batch in batches(parent) if (batch.folder / CLOSED).exists())

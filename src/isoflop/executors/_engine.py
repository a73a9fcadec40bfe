"""Jobs on an engine that somebody else runs: what Slurm, Ray and clusters that take manifests have in common here.

The engine queues, places and requeues. What became of a job is read from the marks that its node leaves in the batch
(``_batch``), and the engine is asked only about jobs that have left no word: is it waiting, running, or gone? So
another client, later, on another machine, finds every job where it is.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Protocol

from isoflop.errors import UsageError
from isoflop.executors._batch import Batch, Ended, JobMarks, make_batch, open_batches
from isoflop.executors._executor import Cause, Closing, Job, JobReport, Status


class Phase(Enum):
    """What an engine knows of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    GONE = "gone"
    """It has ended, or was never there."""


@dataclass(frozen=True)
class Word:
    """What an engine says of a task: a phase, and why, where it says so."""

    phase: Phase
    cause: Cause | None = None
    reason: str = ""
    is_cancelled: bool = False


Task = tuple[str, int]
"""A batch's name and the number of a task of it."""


class Engine(Protocol):
    """What there is to know of one kind of engine."""

    @property
    def name(self) -> str: ...

    @property
    def only_writes(self) -> bool:
        """Whether somebody else launches what it writes down: it cannot be asked, nor told that a task waits."""

    @property
    def requeue(self) -> Sequence[str]:
        """The command by which a node has its task started again; variables of its environment in it."""

    @property
    def tasks_at_most(self) -> int:
        """In one batch."""

    def hand_over(self, batch: Batch, after: Sequence[tuple[Batch, int]]) -> None:
        """Have the tasks of the batch started, those of ``after`` first, and note in it what the engine calls it.
        UsageError where the engine refuses."""

    def recover(self, batch: Batch) -> bool:
        """Whether a batch whose client died while it handed it over has come to the engine; notes what it is called."""

    def look(self, batches: Sequence[Batch]) -> Mapping[Task, Word] | None:
        """What the engine knows of the tasks of the batches; one that it does not know is left out. None where the
        engine cannot be reached now."""

    def end(self, batch: Batch, tasks: Collection[int]) -> bool:
        """Have tasks ended, or never begun; False where the engine cannot be told now."""

    def close(self) -> None:
        """Let go of the engine, whose jobs go on."""


@dataclass(frozen=True)
class Manners:
    """How an engine is dealt with: runs that one task does in turn, seconds between looks at the engine, and how long a
    job may be unknown to the engine without having left a word (a network file system shows a new file late)."""

    runs_per_task: int = 1
    poll_seconds: float = 5.0
    patience_seconds: float = 90.0


AS_USUAL = Manners()


class Unreachable:
    """The engine of jobs whose engine cannot be asked: what their nodes have put down is all that is known."""

    only_writes = False
    requeue = ()
    tasks_at_most = 1

    def __init__(self, name: str, why: UsageError) -> None:
        self.name = name
        self._why = why

    def hand_over(self, batch: Batch, after: Sequence[tuple[Batch, int]]) -> None:
        raise self._why

    def recover(self, batch: Batch) -> bool:
        raise self._why

    def look(self, batches: Sequence[Batch]) -> None:
        return None

    def end(self, batch: Batch, tasks: Collection[int]) -> bool:
        """The mark of cancellation is all that can be said."""
        return False

    def close(self) -> None:
        """Nothing to let go of."""


class EngineExecutor(Closing):
    """An executor whose jobs outlive it. ``folder`` is where its batches are kept, on a file system that nodes share.

    Jobs that are submitted one after another become one batch, which is handed over at the next look at any of them.
    One that only ``observes`` leaves to the study's own client what that client may be in the middle of.
    """

    parent_pid = None
    outlives_client = True

    def __init__(self, engine: Engine, folder: Path, manners: Manners = AS_USUAL, *, observes: bool = False) -> None:
        self._engine = engine
        self._folder = folder.absolute()
        self._manners = manners
        self._folder.mkdir(parents=True, exist_ok=True)
        self._gathered: dict[tuple[str, int], Job] = {}
        self._places: dict[tuple[str, int], tuple[Batch, int]] = {}
        self._reports: dict[tuple[str, int], JobReport] = {}
        self._settled: set[tuple[str, int]] = set()
        self._unheard_since: dict[tuple[str, int], float] = {}
        self._cancelled: dict[Task, Batch] = {}  # to be told at the next flush, with tasks that never start
        self._told: set[Task] = set()
        self._looked = -float("inf")
        self.answers = True
        """Whether the engine could be asked and told, when that was tried last."""
        for batch in open_batches(self._folder):
            if batch.submitted() is not None or self._recovered(batch, observes):
                self._take_up(batch)

    @property
    def name(self) -> str:
        return self._engine.name

    def submit(self, job: Job) -> None:
        if job.key not in self._places:
            self._gathered.setdefault(job.key, job)
            self._reports.setdefault(job.key, JobReport(Status.QUEUED))

    def status(self, job: Job) -> JobReport:
        self.flush()
        if time.monotonic() - self._looked >= self._manners.poll_seconds:
            self._look()
        return self._reports[job.key]

    def cancel(self, job: Job) -> None:
        if self._gathered.pop(job.key, None):
            self._reports[job.key] = JobReport(Status.CANCELLED)
        if self._reports[job.key].status.is_final:
            return
        batch, number = self._places[job.key]
        batch.cancel(number)
        self._cancelled[batch.name, batch.task_of[number]] = batch

    def earlier(self, id: str) -> Job | None:
        unsettled = [key for key in self._places if key[0] == id and key not in self._settled]
        if not unsettled:
            return None
        batch, number = self._places[max(unsettled)]
        return batch.jobs[number]

    def unsettled(self) -> tuple[Job, ...]:
        """The jobs whose end nobody has put down yet."""
        return tuple(batch.jobs[number] for key, (batch, number) in self._places.items() if key not in self._settled)

    def settle(self, job: Job) -> None:
        if job.key in self._places:
            batch, number = self._places[job.key]
            batch.settle(number)
            self._settled.add(job.key)

    def flush(self) -> None:
        """Hand over what was gathered: one batch for all jobs that wait for the same others. What was cancelled is
        ended, in one word for all of a batch."""
        self._end_cancelled()
        gathered, self._gathered = self._gathered, {}
        jobs = list(gathered.values())
        awaited = {key for job in jobs for key in job.after}
        groups: dict[tuple[tuple[str, int], ...], list[list[Job]]] = {}
        for chain in _chains(jobs) if self._engine.only_writes else [[job] for job in jobs]:
            own = {job.key for job in chain}
            groups.setdefault(tuple(key for job in chain for key in job.after if key not in own), []).append(chain)
        # Those that wait for nothing first: what the others wait for is then known to the engine.
        for after, chains in sorted(groups.items(), key=lambda group: len(group[0])):
            alone = [chain for chain in chains if chain[0].key in awaited]
            short = [chain[0] for chain in chains if chain[0].key not in awaited]
            tasks = alone + _chunks(short, self._manners.runs_per_task)
            for start in range(0, len(tasks), self._engine.tasks_at_most):
                self._hand_over(tasks[start : start + self._engine.tasks_at_most], after)

    def close(self) -> None:
        """Hand over what was gathered, and let go: jobs that have not ended stay with the engine."""
        self.flush()
        for batch in {batch.name: batch for batch, _ in self._places.values()}.values():
            if all(job.key in self._settled for job in batch.jobs):
                batch.close()
        self._engine.close()

    def _end_cancelled(self) -> None:
        """Tell the engine, once, of tasks that have nothing left to do. One that cannot be told now is told no more
        until that is asked again, as it may take long not to answer: the marks are what every node obeys."""
        tasks: dict[str, list[int]] = {}
        for (name, task), batch in self._cancelled.items():
            others = [batch.jobs[one].key for one in batch.tasks[task] if not batch.is_cancelled(one)]
            if (name, task) not in self._told and all(self._reports[key].status.is_final for key in others):
                tasks.setdefault(name, []).append(task)
        batches = {batch.name: batch for batch in self._cancelled.values()}
        self._cancelled = {}
        for name, numbers in tasks.items():
            if self.answers and self._engine.end(batches[name], numbers):
                self._told |= {(name, task) for task in numbers}
            else:
                self.answers = False

    def _recovered(self, batch: Batch, observes: bool) -> bool:
        """Whether a batch has come to the engine whose client did not live to note it. One that has not is given up, by
        whoever runs the study: seen by another, it may be under way at this moment."""
        if observes:
            return False
        if self._engine.recover(batch):
            return True
        batch.give_up()
        return False

    def _take_up(self, batch: Batch) -> None:
        """Take up what an earlier client has left."""
        marks = batch.marks()
        for number, job in enumerate(batch.jobs):
            self._places[job.key] = batch, number
            self._reports[job.key] = JobReport(Status.QUEUED)
            mark = marks.get(number, JobMarks())
            if mark.is_settled:
                self._settled.add(job.key)
            if mark.is_cancelled and self._engine.only_writes:  # an earlier client has waited for it
                self._unheard_since[job.key] = -float("inf")

    def _hand_over(self, tasks: Sequence[Sequence[Job]], after: Sequence[tuple[str, int]]) -> None:
        jobs = [job for task in tasks for job in task]
        numbers = {job.key: number for number, job in enumerate(jobs)}
        rows = [[numbers[job.key] for job in task] for task in tasks]
        batch = make_batch(self._folder, jobs, rows, self._engine.requeue)
        awaited = {key: self._places[key] for key in after}
        try:
            self._engine.hand_over(batch, [(one, one.task_of[number]) for one, number in awaited.values()])
        except UsageError:
            batch.give_up()
            raise
        for key, number in numbers.items():
            self._places[key] = batch, number
        self._looked = -float("inf")

    def _look(self) -> None:
        """See where every job stands that has not ended."""
        self._looked = time.monotonic()
        open_jobs = [key for key in self._places if not self._reports[key].status.is_final]
        batches = {self._places[key][0].name: self._places[key][0] for key in open_jobs}
        # The engine first: a job that ends between the two looks is then found with its mark.
        words = self._engine.look(tuple(batches.values())) if batches else {}
        self.answers = words is not None or self._engine.only_writes
        marks = {name: batch.marks() for name, batch in batches.items()}
        for key in open_jobs:
            batch, number = self._places[key]
            mark = marks[batch.name].get(number, JobMarks())
            word = None if words is None else words.get((batch.name, batch.task_of[number]), Word(Phase.GONE))
            self._reports[key] = self._report(batch, number, mark, word)

    def _report(self, batch: Batch, number: int, marks: JobMarks, word: Word | None) -> JobReport:
        ended = batch.ended(number, marks.starts) if marks.has_ended else None
        if ended is not None and ended.is_final:
            return _report_of(ended, word)
        key = batch.jobs[number].key
        if marks.is_cancelled and not marks.starts:  # a node that comes to it finds the word, and does nothing
            return JobReport(Status.CANCELLED)
        if word is None and marks.is_cancelled and self._engine.only_writes:
            # Its pod may be lost; should it live, its attempt is not the newest when the run is begun again.
            unheard = time.monotonic() - self._unheard_since.setdefault(key, time.monotonic())
            if ended is not None or unheard >= self._manners.patience_seconds:
                return JobReport(Status.CANCELLED)
        if word is None:
            if not self._engine.only_writes:  # nobody has said that it is unknown
                self._unheard_since.pop(key, None)
            return JobReport(Status.RUNNING) if marks.starts and ended is None else self._reports[key]
        if word.cause is Cause.NEVER_STARTS:
            self._cancelled[batch.name, batch.task_of[number]] = batch
            return JobReport(Status.FAILED, cause=word.cause, reason=word.reason)
        if word.phase is not Phase.GONE:
            self._unheard_since.pop(key, None)
            begun = word.phase is Phase.RUNNING and marks.starts > 0
            return JobReport(Status.RUNNING if begun else Status.QUEUED, reason=word.reason)
        if word.is_cancelled:
            return JobReport(Status.CANCELLED, reason=word.reason)
        # A reason without a cause: what was to begin the task has failed. Later on the marks know better.
        if word.reason and word.cause is None and not _has_begun(batch, batch.task_of[number]):
            return JobReport(Status.FAILED, 1, word.reason)
        # An engine that is about to begin the task again may call it ended for a moment.
        unheard = time.monotonic() - self._unheard_since.setdefault(key, time.monotonic())
        if word.cause is None and unheard < self._manners.patience_seconds:
            return self._reports[key]
        if ended is not None:
            report = _report_of(ended, word)
            return (
                report if word.cause is None and report.cause else replace(report, cause=word.cause, reason=word.reason)
            )
        lost = f"{self.name} knows nothing of it, and it has left no word of how it ended"
        return JobReport(Status.FAILED, cause=word.cause or Cause.NODE_LOST, reason=word.reason or lost)


def _has_begun(batch: Batch, task: int) -> bool:
    """Whether a node has come to any job of the task."""
    marks = batch.marks()
    return any(marks[job].starts for job in batch.tasks[task] if job in marks)


def _report_of(ended: Ended, word: Word | None) -> JobReport:
    """A job's report from its own mark; the engine may know why it was killed."""
    if ended.cancelled:
        return JobReport(Status.CANCELLED, ended.exit_code, ended.stderr_tail)
    if ended.cause is not None:
        return JobReport(Status.FAILED, cause=ended.cause, reason=ended.stderr_tail)
    if ended.exit_code == 0:
        return JobReport(Status.DONE, 0, ended.stderr_tail, left=ended.left)
    cause, reason = None, ""
    if ended.said == "SIGUSR1":
        cause, reason = Cause.TIME_LIMIT, "it did not stop with a checkpoint before the engine's time limit"
    elif word is not None and word.cause is not None and (ended.exit_code or 0) < 0:
        cause, reason = word.cause, word.reason
    return JobReport(Status.FAILED, ended.exit_code, ended.stderr_tail, cause, reason, ended.left)


def _chunks(jobs: Sequence[Job], most: int) -> list[list[Job]]:
    return [list(jobs[start : start + most]) for start in range(0, len(jobs), most)]


def _chains(jobs: Sequence[Job]) -> list[list[Job]]:
    """Each job that waits for none of the others, with those behind it that wait for it."""
    by_key = {job.key: job for job in jobs}

    def awaited(job: Job) -> list[Job]:
        before = next((by_key[key] for key in job.after if key in by_key), None)
        return [] if before is None else [*awaited(before), before]

    chains: dict[tuple[str, int], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: len(awaited(job))):
        chains.setdefault([*awaited(job), job][0].key, []).append(job)
    return list(chains.values())

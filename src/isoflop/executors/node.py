"""``python -m isoflop.executors.node BATCH TASK [NODE_RANK [HOST]]``: what an engine starts on a node, to do one task.

The jobs of the task are done one after another, and how each ended is put down in the batch, so that it is known
without any client and without the engine's memory. A second start, after a requeue, skips what has ended and takes a
new attempt at what has not. SIGTERM, and SIGUSR1 shortly before a time limit, ask the job to stop after a checkpoint;
after SIGUSR1 the engine is asked to start the task again, and so it is when a job of several nodes has lost one.

Such a job has this program on each, with the node's rank, 0 unless given; HOST is how the others reach node 0.

Exit codes: 0 all jobs are done · 75 stopped, to be started again · 1 a job failed · 2 there is no such batch or task.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from isoflop.attempts import ATTEMPTS, STOPPED_CODE, claim_attempt, newest_attempt
from isoflop.executors._batch import BATCH, Batch, Ended, JobMarks
from isoflop.executors._executor import Cause, Job
from isoflop.executors._nodes import Follower, joint_end, meeting_place
from isoflop.executors._orphan import end_orphan
from isoflop.executors._process import (
    GRACE_SECONDS,
    Place,
    left_in,
    see_out,
    signal_job,
    size_of_stderr,
    start,
    tail_of_stderr,
)


class Node:
    """The process that does one task, and leads where a job has several nodes. ``said`` is the last signal that asked
    it to stop, ``has_lost_a_node`` whether the task is to be started again because of that."""

    def __init__(self, batch: Batch, host: str = "") -> None:
        self._batch = batch
        self._host = host
        self._child: subprocess.Popen[bytes] | None = None
        self.said = ""
        self.has_lost_a_node = False

    def stop(self, said: str) -> None:
        """Have the job that runs stop after a checkpoint, and begin no other."""
        self.said = self.said or said
        if self._child is not None:
            signal_job(self._child, signal.SIGTERM)

    def work(self, task: int) -> int:
        """Do the jobs of the task; the exit code."""
        ends: dict[tuple[str, int], Ended] = {}
        for number in self._batch.tasks[task]:
            if self.said or self.has_lost_a_node:
                return STOPPED_CODE
            job = self._batch.jobs[number]
            awaited = [ends[key] for key in job.after if key in ends]
            if all(ended.is_final for ended in awaited):  # else a later start goes on with what it waits for
                ends[job.key] = self._work_on(number, all(ended.exit_code == 0 for ended in awaited))
        codes = [ended.exit_code for ended in ends.values()]
        if (self.said or self.has_lost_a_node) and STOPPED_CODE in codes:
            return STOPPED_CODE
        return 1 if any(code != 0 for code in codes) else 0

    def _work_on(self, number: int, may_begin: bool) -> Ended:
        """See that one job has ended; how. One that may not begin has waited for another that failed."""
        marks = self._batch.marks().get(number, JobMarks())
        if marks.has_ended:
            before = self._batch.ended(number, marks.starts)
            if before is not None and before.is_final:
                return before
        this, began = self._batch.claim_start(number), time.monotonic()
        job, attempt = self._batch.jobs[number], self._attempt(number, this)
        if self._batch.is_cancelled(number):
            ended = Ended(None, cancelled=True)
        elif not may_begin:
            ended = Ended(None, "what it waits for has failed", cause=Cause.NEVER_STARTS)
        elif not attempt:
            newest = newest_attempt(job.folder)
            ended = Ended(STOPPED_CODE, f"attempt {job.attempt} at {job.id} is superseded by attempt {newest}.")
        else:
            place = Place(0, meeting_place(self._host) if job.nodes > 1 else "")
            self._batch.note_started(number, this, attempt, place.rendezvous)
            ended = self._run(number, job, attempt, place)
            if job.nodes > 1:
                self._batch.note_part(number, this, 0, ended)
                ended = joint_end(self._batch, number, this, attempt, ended)
                self.has_lost_a_node = ended.cause is Cause.NODE_LOST and not ended.is_final
        self._batch.note_ended(number, this, replace(ended, seconds=round(time.monotonic() - began, 3)))
        return ended

    def _attempt(self, number: int, this: int) -> int:
        """The attempt that this start is: the job's own, or a new one after a requeue, whose number fences off what may
        be left of the one before. 0 where a later submission owns the folder."""
        job = self._batch.jobs[number]
        ours: int = max([job.attempt, *(self._batch.started(number, k).get("attempt", 0) for k in range(1, this))])
        if newest_attempt(job.folder) > ours:
            return 0
        if this == 1 or not (job.folder / ATTEMPTS).exists():
            return ours
        return claim_attempt(job.folder, {"restart_of": job.attempt})

    def _run(self, number: int, job: Job, attempt: int, place: Place) -> Ended:
        end_orphan(job.folder, GRACE_SECONDS)
        written_before = size_of_stderr(job.folder)
        try:
            self._child = start(job, attempt, os.environ, own_session=False, place=place)
        except (OSError, ValueError) as error:
            return Ended(None, f"cannot start {job.command[0]}: {error}")
        if self.said:  # the signal came before there was anybody to pass it on to
            signal_job(self._child, signal.SIGTERM)
        was_cancelled = partial(self._batch.is_cancelled, number)
        see_out(
            self._child,
            was_asked=lambda: self.said,
            is_to_end=was_cancelled,
            patience_seconds=0.0,
            grace_seconds=GRACE_SECONDS,
        )
        code = self._child.returncode
        tail = tail_of_stderr(job.folder, written_before)
        left = left_in(job.folder, job.leaves) if job.leaves else None
        return Ended(code, tail, self.said if code else "", code != 0 and was_cancelled(), left=left)


def _listen(program: Node | Follower) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        program.stop(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, on_signal)


def main(words: list[str]) -> int:
    """Do the task, or this node's part of it; the exit code."""
    folder, which = Path(words[0]), words[1]
    rank, host = int(words[2]) if len(words) > 2 else 0, words[3] if len(words) > 3 else ""
    batch = Batch(folder.absolute())
    if not (folder / BATCH).exists():
        print(f"isoflop: {folder} was given up or moved; nothing is begun.", file=sys.stderr)
        return 2
    task = int(which) if which.isdecimal() else len(batch.tasks)
    if task >= len(batch.tasks):
        last = len(batch.tasks) - 1
        print(f"isoflop: {folder} has tasks 0 to {last}, and none called {which!r}; nothing is begun.", file=sys.stderr)
        return 2
    if rank:
        follower = Follower(batch, rank)
        _listen(follower)
        return follower.work(task)
    node = Node(batch, host)
    _listen(node)
    code = node.work(task)
    again = node.said == signal.SIGUSR1.name or (node.has_lost_a_node and not node.said)
    if code == STOPPED_CODE and again and batch.requeue:
        subprocess.run([os.path.expandvars(word) for word in batch.requeue], check=False)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

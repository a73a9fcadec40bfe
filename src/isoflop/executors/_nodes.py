"""A job on several nodes: the first leads, and the others follow it by the marks of the batch.

The first node's program (``node``) begins the job as it begins any, and puts down where its nodes meet; a ``Follower``
on each other node finds that, starts the command there as well, and puts down how it ended. So an engine need only
start one program on every node, and a file system that shows a new file late delays the beginning of a run and nothing
else.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from isoflop.attempts import STOPPED_CODE, newest_attempt
from isoflop.executors._batch import Batch, Ended, JobMarks
from isoflop.executors._executor import Cause
from isoflop.executors._process import GRACE_SECONDS, Place, see_out, signal_job, size_of_stderr, start, tail_of_stderr

LOSSES_AT_MOST = 3
"""So often a job is begun again that has lost a node: one whose follower is killed each time must come to an end."""
SECONDS_FOR_A_WORD = 90.0
"""How long the first node waits to hear how a job ended elsewhere; network file systems show new files late."""
_SECONDS_BETWEEN_LOOKS = 1.0


def meeting_place(host: str = "") -> str:
    """HOST:PORT for the nodes of one start of a job, with a port of this machine that is free.

    The system chooses it, and seldom the same one twice in a row, so that jobs which share a node do not collide.
    """
    with socket.socket() as free:
        free.bind(("", 0))
        return f"{host or socket.gethostname()}:{free.getsockname()[1]}"


def joint_end(batch: Batch, number: int, this: int, attempt: int, own: Ended) -> Ended:
    """How a job ended that had several nodes, from how it ended on the first of them.

    One that ended elsewhere takes the first node's part along, and so does a node that is lost; the part that says why
    in a sentence speaks for all. A job that lost a node is to be started again, a few times.
    """
    job = batch.jobs[number]
    stopped = own.exit_code == STOPPED_CODE
    if own.exit_code in (0, None) or own.cancelled or (stopped and own.said) or newest_attempt(job.folder) > attempt:
        return own
    if stopped:  # and nobody here has asked it to
        return _lost(batch, number, this, f"one of the run's {job.nodes} nodes was ended")
    parts = _parts(batch, number, this)
    missing = [rank for rank, part in parts.items() if part is None and batch.has_part(number, this, rank)]
    if missing:
        return _lost(batch, number, this, f"node {missing[0]} of the run's {job.nodes} was lost")
    others = [part for part in parts.values() if part is not None and part.exit_code != STOPPED_CODE]
    speaker = next((part for part in (own, *others) if _says_why(part)), own)
    return replace(speaker, left=own.left)


def _parts(batch: Batch, number: int, this: int) -> Mapping[int, Ended | None]:
    """How the job ended on the other nodes, waited for."""
    ranks = range(1, batch.jobs[number].nodes)
    deadline = time.monotonic() + SECONDS_FOR_A_WORD
    while True:
        parts = {rank: batch.part(number, this, rank) for rank in ranks}
        if all(parts.values()) or time.monotonic() > deadline:
            return parts
        time.sleep(_SECONDS_BETWEEN_LOOKS / 4)


def _lost(batch: Batch, number: int, this: int, sentence: str) -> Ended:
    before = [batch.ended(number, start) for start in range(1, this)]
    losses = 1 + sum(ended is not None and ended.cause is Cause.NODE_LOST for ended in before)
    if losses > LOSSES_AT_MOST:
        return Ended(None, f"{sentence}, as others were before it", cause=Cause.NODE_LOST)
    return Ended(STOPPED_CODE, sentence, cause=Cause.NODE_LOST)


def _says_why(ended: Ended) -> bool:
    """Whether it ended on purpose, or was killed and knows by what: isoflop's programs say so in one last line."""
    return ended.stderr_tail.strip().rpartition("\n")[2].startswith("isoflop: ")


class Follower:
    """The program of a task's nodes beside the first. ``said`` is the signal that asked it to stop."""

    def __init__(self, batch: Batch, node_rank: int) -> None:
        self._batch = batch
        self._rank = node_rank
        self._parent = os.getppid()
        self._child: subprocess.Popen[bytes] | None = None
        self.said = ""

    def stop(self, said: str) -> None:
        """Have the job that runs stop after a checkpoint, here and so everywhere, and take part in no other."""
        if self.said:
            return
        self.said = said
        if self._child is not None:
            signal_job(self._child, signal.SIGTERM)

    def work(self, task: int) -> int:
        """Take part in the jobs of the task until all have ended; the exit code."""
        while not self._has_to_leave():
            marks = self._batch.marks()
            jobs = {number: marks.get(number, JobMarks()) for number in self._batch.tasks[task]}
            if all(self._is_over(number, mark) for number, mark in jobs.items()):
                return 0
            open_starts = [(number, mark.starts) for number, mark in jobs.items() if mark.starts and not mark.has_ended]
            if not any(self._take_part(*one) for one in open_starts):
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        return STOPPED_CODE

    def _is_over(self, number: int, marks: JobMarks) -> bool:
        ended = self._batch.ended(number, marks.starts) if marks.has_ended else None
        return ended is not None and ended.is_final

    def _has_to_leave(self) -> bool:
        if os.getppid() != self._parent:  # the engine's watcher on this node has died, and the node counts as lost
            self.stop("the end of its parent")
        return bool(self.said)

    def _take_part(self, number: int, this: int) -> bool:
        """Do this node's part of a start of a job; False where there is none to do."""
        facts = self._batch.started(number, this)
        if "rendezvous" not in facts or self._batch.part(number, this, self._rank) is not None:
            return False
        if not self._batch.claim_part(number, this, self._rank):  # by one that died here: it is missed elsewhere
            return False
        job, place = self._batch.jobs[number], Place(self._rank, facts["rendezvous"])
        written_before = size_of_stderr(job.folder, place)
        try:
            self._child = start(job, facts["attempt"], os.environ, own_session=False, place=place)
            if self.said:  # the signal came before there was anybody to pass it on to
                signal_job(self._child, signal.SIGTERM)
        except (OSError, ValueError) as error:
            ended = Ended(None, f"cannot start {job.command[0]}: {error}")
        else:
            see_out(
                self._child,
                was_asked=lambda: self.said,
                is_to_end=partial(self._is_to_end, number, this),
                patience_seconds=GRACE_SECONDS,
                grace_seconds=GRACE_SECONDS,
            )
            ended = Ended(self._child.returncode, tail_of_stderr(job.folder, written_before, place), self.said)
        self._batch.note_part(number, this, self._rank, ended)
        return True

    def _is_to_end(self, number: int, this: int) -> bool:
        """Whether the part stands alone: the first node's has ended, or another start has begun."""
        self._has_to_leave()
        marks = self._batch.marks().get(number, JobMarks())
        return marks.starts > this or marks.has_ended or self._batch.part(number, this, 0) is not None

"""One attempt at a job as a process of this machine."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from isoflop.executors._executor import STDERR, STDOUT, Job, Left
from isoflop.executors._orphan import NOTE, has_members, note_process, signal_group

GRACE_SECONDS = 10.0
"""What a job gets between SIGTERM and SIGKILL: time for one checkpoint on a slow disk."""

_TAIL_BYTES = 4096
_SECONDS_BETWEEN_LOOKS = 1.0
"""How often it is looked whether a job that runs is to end."""
_SET_PARENT_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Place:
    """On which of its nodes a job is started, and where these meet. Each node has files of its own for the output."""

    node_rank: int = 0
    rendezvous: str = ""

    def log(self, name: str) -> str:
        """
        >>> Place(1).log("stderr.log"), Place().log("stderr.log")
        ('stderr-1.log', 'stderr.log')
        """
        return name.replace(".", f"-{self.node_rank}.") if self.node_rank else name


FIRST = Place()


def start(
    job: Job, attempt: int, environment: Mapping[str, str], *, own_session: bool, place: Place = FIRST
) -> subprocess.Popen[bytes]:
    """The command's process, noted in its folder, output appended there; it leads a process group, so that a signal
    reaches what it has started too. With ``own_session`` it leads a session, which Ctrl-C in the terminal does not
    reach; without, it stays in the engine's, and ends with the process that started it.
    """
    folder = job.folder
    with (folder / place.log(STDOUT)).open("ab") as stdout, (folder / place.log(STDERR)).open("ab") as stderr:
        process = subprocess.Popen(
            job.words(attempt, place.node_rank, place.rendezvous),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=own_session,
            process_group=None if own_session else 0,
            preexec_fn=None if own_session else _end_with_parent,
        )
        if place.node_rank == 0:  # the note is of the process that writes in the folder
            note_process(folder, process.pid)
    return process


def signal_job(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a job's process and all that it has started, unless it has ended."""
    if process.poll() is None:
        signal_group(process.pid, number)


def see_out(
    child: subprocess.Popen[bytes],
    *,
    was_asked: Callable[[], object],
    is_to_end: Callable[[], bool],
    patience_seconds: float,
    grace_seconds: float,
) -> None:
    """Wait for the end of a job's process and, where it ``was_asked`` to end, of all that it has started: a shell dies
    of SIGTERM at once, and its command writes a checkpoint. From when it ``is_to_end`` it is given the patience to do
    so by itself, then SIGTERM, and SIGKILL after the grace; whoever else has asked sees to that.
    """
    urges, deadline = [signal.SIGTERM, signal.SIGKILL], None
    while True:
        try:
            child.wait(_SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            pass
        else:
            if not ((deadline or was_asked()) and has_members(child.pid)):
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
        if deadline is None and is_to_end():
            deadline = time.monotonic() + patience_seconds
        if deadline is not None and time.monotonic() >= deadline:
            signal_group(child.pid, urges[0])
            urges, deadline = [signal.SIGKILL], deadline + grace_seconds


def left_in(folder: Path, name: str) -> Left | None:
    """What the command that was last started in the folder has left in the file of that name; None where that is not
    there."""
    path, note = folder / name, folder / NOTE
    try:
        written, text = path.stat().st_mtime, path.read_bytes()
    except FileNotFoundError:
        return None
    began = note.stat().st_mtime if note.exists() else written
    try:
        return Left(text.decode(), began, written)
    except UnicodeDecodeError:
        return Left("", began, written)


def size_of_stderr(folder: Path, place: Place = FIRST) -> int:
    path = folder / place.log(STDERR)
    return path.stat().st_size if path.exists() else 0


def tail_of_stderr(folder: Path, written_before: int, place: Place = FIRST) -> str:
    """The end of what an attempt wrote; the file also holds what earlier attempts did."""
    with (folder / place.log(STDERR)).open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(written_before, end - _TAIL_BYTES))
        return file.read().decode(errors="replace")


def _end_with_parent() -> None:
    """SIGTERM when the parent ends, however it ends: an engine may kill a job's first process alone."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)

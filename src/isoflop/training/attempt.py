"""One attempt at a run: who may write in its folder, and when to stop.

A study makes ``attempts/0001.json``, ``0002.json``, ... in the run's folder, one each time it submits
the run. Only the newest may write: a job that a cluster requeued may still have an orphan running
somewhere, and the orphan must find out before it overwrites its successor's work.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from isoflop.attempts import STOPPED_CODE, newest_attempt
from isoflop.errors import IsoflopError
from isoflop.files import write_atomic

SECONDS_BETWEEN_LOOKS = 0.5


class Stopped(IsoflopError):
    """Not finished and not failed: superseded, orphaned or asked to stop. A later attempt goes on."""

    exit_code = STOPPED_CODE


class Attempt:
    """Attempt ``number`` at the run in ``folder``, for the process ``parent`` if there is one."""

    def __init__(self, folder: Path, number: int, parent: int | None) -> None:
        self.folder = folder
        self.number = number
        self._parent = parent
        self._signal: int | None = None

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop at the next step."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While others are waited for, with nothing to save: end at once where ``reason_to_stop`` would end a run.

        Such a wait may be in C++, where Python answers no signal, and may last for half an hour.
        """
        if reason := self.reason_to_stop():
            raise Stopped(f"attempt {self.number} at {self.folder.name} stopped before its first step: {reason}.")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        over = threading.Event()
        threading.Thread(target=self._end_as_orphan, args=(over,), daemon=True).start()
        yield
        over.set()
        self.listen()

    def _end_as_orphan(self, over: threading.Event) -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            if self._parent is not None and os.getppid() != self._parent:
                os._exit(Stopped.exit_code)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def reason_to_stop(self) -> str | None:
        """Why the run should save its state and end, or None."""
        if self._signal is not None:
            return f"received {signal.Signals(self._signal).name}"
        if self._parent is not None and os.getppid() != self._parent:
            return f"the parent process {self._parent} is gone"
        return None

    def require_newest(self) -> None:
        """Raise Stopped when a later attempt has been made: it owns the folder now."""
        newest = newest_attempt(self.folder)
        if newest > self.number:
            raise Stopped(f"attempt {self.number} at {self.folder.name} is superseded by attempt {newest}.")

    def claim(self) -> None:
        """Take over the folder: check that this attempt may write, clear what a kill in mid-write left behind."""
        self.require_newest()
        for stray in self.folder.glob(".*.tmp"):
            stray.unlink(missing_ok=True)

    def publish(self, name: str, content: bytes) -> None:
        """Write a file of the run's folder, whole or not at all, if this attempt is still the newest."""
        self.require_newest()
        write_atomic(self.folder / name, content)


class Metrics:
    """``metrics.jsonl``: one line now and then, for people and progress tables to read while it grows.

    A successor renames a file of its own into this one's place. The file therefore stays open: what an
    attempt appends after that goes to the file that lost its name, not to its successor's.
    """

    def __init__(self, attempt: Attempt, step: int) -> None:
        """Open for a run that goes on from ``step``: later lines, which it will write again, are cut off."""
        self._attempt = attempt
        path = attempt.folder / "metrics.jsonl"
        old = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in old if line.endswith(b"\n")]
        attempt.publish(path.name, b"".join(line for line in whole if json.loads(line)["step"] <= step))
        self._file = path.open("ab", buffering=0)

    def append(self, line: dict[str, Any]) -> None:
        self._attempt.require_newest()
        self._file.write(json.dumps(line).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

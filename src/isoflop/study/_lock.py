"""One supervisor to a study: an advisory lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isoflop.errors import UsageError

LOCK = "study.lock"
_PATIENCE_SECONDS = 0.5


@contextmanager
def supervise(folder: Path) -> Iterator[None]:
    """Hold the study's lock; UsageError when another process does.

    Python opens files close-on-exec, so no job inherits the lock and keeps it after its supervisor.
    """
    try:
        opened = (folder / LOCK).open("a+")
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None
    with opened as file:
        if not _lock_patiently(file.fileno()):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UsageError(
                f"process {holder} is already running the study in {folder}; wait for it, or choose another folder."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def is_supervised(folder: Path) -> bool:
    """Whether some process is running the study now, this one included."""
    try:
        file = (folder / LOCK).open()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{folder / LOCK} cannot be read ({error.strerror}); remove it.") from None
    with file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)


def _lock_patiently(handle: int) -> bool:
    """Try a few times: ``is_supervised`` in some other process holds the lock for a moment."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _lock(handle, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

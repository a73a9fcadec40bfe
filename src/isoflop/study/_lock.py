"""One supervisor to a study, on file systems that keep no locks too: a file made by O_EXCL and kept young.

Who finds the file of a process of the same host asks the system whether that process lives. Of another host's, the age
tells: the holder touches the file every few seconds, and its age is taken by the file server's clock alone, from a file
made at that moment. Should two take over the same dead one's at once, the attempts' numbers still keep their runs
apart.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from isoflop.errors import UsageError
from isoflop.executors import birth
from isoflop.files import now_in

LOCK = "study.lock"
LEASE_SECONDS = 60.0
"""How old the file of another host's process must be before that process is taken for dead."""
_SECONDS_BETWEEN_TOUCHES = 10.0
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True)
class _Holder:
    host: str = ""
    pid: int = 0
    born: str = ""
    token: str = ""

    def __str__(self) -> str:
        return f"{self.pid or 'unknown'}" + ("" if self.host in ("", socket.gethostname()) else f" on {self.host}")


@contextmanager
def supervise(folder: Path) -> Iterator[None]:
    """Hold the study's lock; UsageError when another process does."""
    lock = folder / LOCK
    own = _Holder(socket.gethostname(), os.getpid(), birth(os.getpid()), secrets.token_hex(8))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while not _make(lock, own):
            holder = _read(lock)
            if holder is not None and not _lives(lock, holder):
                _take_away(lock, holder)
            elif time.monotonic() > deadline:
                raise UsageError(
                    f"process {holder or 'unknown'} is already running the study in {folder}; wait for it, or choose "
                    "another folder."
                )
            else:
                time.sleep(0.02)
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None
    ended = threading.Event()
    threading.Thread(target=_keep_young, args=(lock, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        if _read(lock) == own:
            lock.unlink(missing_ok=True)


def is_supervised(folder: Path) -> bool:
    """Whether some process is running the study now, this one included."""
    lock = folder / LOCK
    try:
        holder = _read(lock)
    except OSError as error:
        raise UsageError(f"{lock} cannot be read ({error.strerror}); remove it.") from None
    return holder is not None and _lives(lock, holder)


def _make(lock: Path, own: _Holder) -> bool:
    try:
        with lock.open("x") as file:
            file.write(json.dumps(vars(own)) + "\n")
    except FileExistsError:
        return False
    return True


def _read(lock: Path) -> _Holder | None:
    """Who holds the lock; None for nobody. One that is being written, or was cut short, is nobody's in particular."""
    try:
        return _Holder(**json.loads(lock.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return _Holder()


def _lives(lock: Path, holder: _Holder) -> bool:
    if holder.host == socket.gethostname():
        return bool(holder.born) and birth(holder.pid) == holder.born
    return _age(lock) < LEASE_SECONDS


def _age(lock: Path) -> float:
    """Seconds since the lock was last touched, by the clock that stamps files there."""
    try:
        touched = lock.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    return now_in(lock.parent) - touched


def _take_away(lock: Path, holder: _Holder) -> None:
    """Take a dead process's lock away, and give it back where somebody else had made it his own in the meantime."""
    aside = lock.with_name(f".{lock.name}.{secrets.token_hex(4)}.tmp")
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return
    if _read(aside) != holder:
        with suppress(FileExistsError):
            os.link(aside, lock)
    aside.unlink()


def _keep_young(lock: Path, ended: threading.Event) -> None:
    while not ended.wait(_SECONDS_BETWEEN_TOUCHES):
        with suppress(OSError):
            os.utime(lock)

"""Jobs whose supervisor was killed: known by a note in their folder, and ended before a successor starts there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

NOTE = "process.json"
_POLL_SECONDS = 0.02


def note_process(folder: Path, pid: int) -> None:
    """Write down which process works in the folder; its time of birth tells it from a later one of the same number."""
    (folder / NOTE).write_text(json.dumps({"pid": pid, "born": birth(pid), "host": socket.gethostname()}))


def end_orphan(folder: Path, grace_seconds: float) -> None:
    """End the process that the folder's note names, and what it has started, as far as they still live: SIGTERM, and
    SIGKILL after the grace."""
    pid, born = _noted(folder)
    found = birth(pid) if born else ""
    # A shell dies at once and leaves its command. The number may have been another group's since, so the place counts.
    if not born or (found != born if found else not _has_member_in(folder, pid)):
        return
    deadline = time.monotonic() + grace_seconds
    signal_group(pid, signal.SIGTERM)
    while birth(pid) == born:
        if time.monotonic() > deadline:
            signal_group(pid, signal.SIGKILL)
            deadline += grace_seconds
        time.sleep(_POLL_SECONDS)
    end_group(pid, grace_seconds)


def end_group(leader: int, grace_seconds: float) -> None:
    """See that nothing is left of a group whose leader has ended, and which was asked to end: SIGKILL after the
    grace."""
    deadlines = [time.monotonic() + grace_seconds, time.monotonic() + 2 * grace_seconds]
    while deadlines and has_members(leader):
        if time.monotonic() > deadlines[0]:
            signal_group(leader, signal.SIGKILL)
            del deadlines[0]
        time.sleep(_POLL_SECONDS)


def works_in(folder: Path) -> bool:
    """Whether the process that was last started in the folder still works there."""
    pid, born = _noted(folder)
    return bool(born) and birth(pid) == born


def has_members(group: int) -> bool:
    """Whether anything lives of a group."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False  # macOS says so with the second where all are zombies
    return not Path("/proc/self").exists() or any(_members(group))


def _has_member_in(folder: Path, group: int) -> bool:
    """Whether a process of the group works in the folder; False where the system does not say where they do."""
    for process in _members(group):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if (process / "cwd").samefile(folder):
                return True
    return False


def _members(group: int) -> Iterator[Path]:
    """The folders in /proc of a group's processes, zombies left out: who inherits them may never take note."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of, *_ = stat.read_text().rpartition(")")[2].split()
            if state != "Z" and int(of) == group:
                yield stat.parent


def _noted(folder: Path) -> tuple[int, str]:
    try:
        note = json.loads((folder / NOTE).read_text())
        # One of another host's is out of reach here: its attempt's number is what keeps it from writing.
        return (int(note["pid"]), str(note["born"])) if note["host"] == socket.gethostname() else (0, "")
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0, ""  # none was started here, or a kill cut the note short and kept the job from starting


def birth(pid: int) -> str:
    """When the process was born, in the system's own terms; "" where it lives no more, a zombie counted as dead."""
    try:
        # Behind the name, which may hold anything, in brackets: the state is field 3 of proc(5), the birth field 22.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self").exists():
            return ""
    listed = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, born = listed.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the process and the group that it leads, or has led; it alone where it has put itself in another."""
    try:
        send = os.killpg if not birth(pid) or os.getpgid(pid) == pid else os.kill
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # all ended a moment ago; macOS says so with the second

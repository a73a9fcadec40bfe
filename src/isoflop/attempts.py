"""Numbers of attempts at a run: files that only one process can make, and the newest owns the folder.

``attempts/0001.json``, ``0002.json``, ... in the run's folder, one for each time that somebody begins or submits the
run. A job that a cluster requeued may still have an orphan running somewhere: the orphan finds a newer number and
stops. Making the file anew (O_EXCL) is all that is asked of a file system, network ones included: no lock, no clock.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ATTEMPTS = "attempts"


def newest_attempt(folder: Path) -> int:
    """The number of the attempt that may write in the run's folder; 0 before the first."""
    names = (path.stem for path in (folder / ATTEMPTS).glob("*.json"))
    return max((int(name) for name in names if name.isdecimal()), default=0)  # a copy of one is no attempt


def belongs(folder: Path, submitted: int) -> bool:
    """Whether the newest attempt is the one that was submitted under that number, or a restart of it."""
    newest = newest_attempt(folder)
    if newest == submitted:
        return True
    try:
        facts = json.loads((folder / ATTEMPTS / f"{newest:04d}.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return bool(facts.get("restart_of") == submitted)


def claim_attempt(folder: Path, facts: Mapping[str, Any]) -> int:
    """Make the file of the next attempt, whose number nobody else can then have; ``facts`` are put down in it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> claim_attempt(folder, {}), claim_attempt(folder, {}), newest_attempt(folder)
    (1, 2, 2)
    """
    attempts = folder / ATTEMPTS
    attempts.mkdir(exist_ok=True)
    who = {"host": socket.gethostname(), "process": os.getpid(), "at": datetime.now(UTC).isoformat()}
    while True:
        number = newest_attempt(folder) + 1
        try:
            with (attempts / f"{number:04d}.json").open("x") as file:
                file.write(json.dumps({"schema": "isoflop.attempt/1", "attempt": number, **who, **facts}) + "\n")
        except FileExistsError:  # somebody else was faster
            continue
        return number

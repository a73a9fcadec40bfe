"""Where a command writes: checked before the work, so that an hour is not spent on an answer with no place to go."""

from __future__ import annotations

import os
from pathlib import Path

from isoflop.errors import UsageError


def check_writable(path: Path) -> None:
    """Raise UsageError unless a file could be written at ``path``."""
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it.")
    if not folder.is_dir():
        fault = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"cannot write {path}: {folder} {fault}; name a folder that is there.")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}: {folder} is not writable; choose another place.")

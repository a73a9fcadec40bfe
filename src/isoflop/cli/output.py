"""Where a command writes: files are checked before the work, so that no answer of an hour is left without a place."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from isoflop.errors import UsageError


def check_law_file(path: Path) -> None:
    """Raise UsageError unless a law could be written at ``path``: as TOML, so that no table of runs is overwritten."""
    check_file(path, "the law", "TOML")


def check_file(path: Path, what: str, form: str) -> None:
    """Raise UsageError unless ``path`` is named as a file of that form, and could be written."""
    folder, suffix = path.parent, f".{form.lower()}"
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it.")
    if path.suffix.lower() != suffix:
        raise UsageError(f"cannot write {what} to {path}: it would be {form}; give a name that ends in {suffix}.")
    if not folder.is_dir():
        fault = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"cannot write {path}: {folder} {fault}; name a folder that is there.")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another place.") from None


def say(text: str) -> None:
    """Say something on stderr; who reads it may go away, and the work goes on."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)

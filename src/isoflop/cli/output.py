"""Where a command writes: files are checked before the work, so that no answer of an hour is left without a place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from isoflop.errors import UsageError


def check_law_file(path: Path) -> None:
    """Raise UsageError unless a law could be written at ``path``: as TOML, so that no table of runs is overwritten."""
    check_file(path, "the law", "TOML")


def check_file(path: Path, what: str, *forms: str) -> None:
    """Raise UsageError unless ``path`` is named as a file of one of the forms, and could be written."""
    folder, suffixes = path.parent, [f".{form.lower()}" for form in forms]
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it.")
    if path.suffix.lower() not in suffixes:
        would, ends = (_alternatives(words) for words in ([form.upper() for form in forms], suffixes))
        raise UsageError(f"cannot write {what} to {path}: it would be {would}; give a name that ends in {ends}.")
    if not folder.is_dir():
        fault = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"cannot write {path}: {folder} {fault}; name a folder that is there.")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another place.") from None


def _alternatives(words: Sequence[str]) -> str:
    """Words with "or" before the last."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def say(text: str) -> None:
    """Say something on stderr; who reads it may go away, and the work goes on."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)

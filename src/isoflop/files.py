"""Writing a file so that it is there whole or not at all, and reading one that may not be."""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from isoflop.errors import UsageError


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader, or a kill -9 or power cut, never meets half of it.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the name in
    one rename; text is UTF-8. The folder must exist. Raises OSError as ``open`` does, and leaves no
    temporary file behind then.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "law.toml"
    >>> write_atomic(target, "E = 1.82")
    >>> target.read_text()
    'E = 1.82'
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # gone already where the rename was reached
    _sync_folder(path.parent)


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object in ``path``. UsageError with the remedy where it holds something else, or half of one;
    FileNotFoundError where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError:  # not UTF-8, and so not JSON
        text = ""
    return object_in(text, path, remedy)


def object_in(text: str, source: Path | str, remedy: str) -> dict[str, Any]:
    """The JSON object that a text is; UsageError with its source and the remedy where it is something else."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, nested too deep
        raise UsageError(f"{source} is not whole: it holds no JSON that can be read; {remedy}.") from None
    if not isinstance(table, dict):
        raise UsageError(f"{source} holds no JSON object; {remedy}.")
    return table


def now_in(folder: Path) -> float:
    """The time in seconds by the clock that stamps files in the folder: a file server's is not this machine's."""
    made = folder / f".now.{secrets.token_hex(4)}.tmp"
    try:
        made.touch()
        return made.stat().st_mtime
    except OSError:  # a folder that can only be read: this machine's clock is the best there is
        return time.time()
    finally:
        with suppress(OSError):
            made.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that a kill -9 has cut short.

    Only those older than a minute: a younger one may be another process's write, under way.
    """
    for leftover in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):  # such a write, finished since the folder was listed
            if time.time() - leftover.stat().st_mtime > 60:
                leftover.unlink()


def _sync_folder(folder: Path) -> None:
    """Force the rename itself to the disk: it lives in the folder, not in the file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot force a folder; the file is written all the same.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)

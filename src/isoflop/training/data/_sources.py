"""Where documents come from: the standard library, folders and files of text, JSONL, Parquet, a hub of data sets."""

from __future__ import annotations

import gzip
import json
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from isoflop.errors import UsageError

STANDARD_LIBRARY = "the Python standard library"
HUB = "hf:"
"""A source that begins so is a data set of the Hugging Face hub: hf:NAME, or hf:NAME:CONFIG."""
LONGEST = 200_000
"""Bytes: longer documents are cut into pieces, so that one book can be split between training and validation."""

_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data"}
Dropped = Counter[str]


def name_of(source: Path | str | None) -> str:
    """What a source is called, in corpus.json and in sentences."""
    if source is None:
        return STANDARD_LIBRARY
    if _is_hub(source):
        return f"the data set {str(source).removeprefix(HUB)}"
    return f"the text files under {source}" if Path(source).is_dir() else f"the file {source}"


def documents(source: Path | str | None, column: str, dropped: Dropped) -> Iterator[bytes]:
    """The documents of a source as UTF-8 bytes; ``column`` names the field or column that holds the text."""
    if source is None:
        yield from _library(dropped)
        return
    for document in _hub(str(source), column) if _is_hub(source) else _of_path(Path(source), column, dropped):
        yield from _pieces(document)


def _is_hub(source: Path | str) -> bool:
    return str(source).startswith(HUB)


def _of_path(source: Path, column: str, dropped: Dropped) -> Iterator[bytes]:
    if source.is_dir():
        yield from _text_under(source, dropped)
    elif not source.exists():
        raise UsageError(f"there is no folder or file {source} to read text from.")
    elif source.suffix in (".jsonl", ".ndjson") or source.name.endswith((".jsonl.gz", ".ndjson.gz")):
        yield from _jsonl(source, column)
    elif source.suffix == ".parquet":
        yield from _parquet(source, column)
    else:
        content = source.read_bytes()
        if not _is_text(content):
            raise UsageError(f"{source} is not UTF-8 text; give text, JSONL, Parquet, or tokens with their vocabulary.")
        yield content


def _library(dropped: Dropped) -> Iterator[bytes]:
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path for path in sorted(root.rglob("*.py")) if _NOT_LIBRARY.isdisjoint(path.relative_to(root).parts))
    for content in _contents(paths, dropped):
        if len(content) > LONGEST:  # a table that a program wrote
            dropped["too long"] += 1
        else:
            yield content


def _text_under(source: Path, dropped: Dropped) -> Iterator[bytes]:
    """The text files under a folder."""
    paths = sorted(source.rglob("*"))
    shown = (path for path in paths if not any(part.startswith(".") for part in path.relative_to(source).parts))
    for content in _contents(shown, dropped):
        if _is_text(content):
            yield content
        else:
            dropped["not UTF-8 text"] += 1


def _pieces(content: bytes) -> Iterator[bytes]:
    pieces = max(1, -(-len(content) // LONGEST))
    piece = -(-len(content) // pieces)
    yield from (content[start : start + piece] for start in range(0, max(len(content), 1), max(piece, 1)))


def _contents(paths: Iterable[Path], dropped: Dropped) -> Iterator[bytes]:
    for path in paths:
        try:
            content = path.read_bytes() if path.is_file() else None
        except OSError:
            dropped["unreadable"] += 1
            continue
        if content is not None:
            yield content


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _jsonl(path: Path, column: str) -> Iterator[bytes]:
    """The text of every line's object; UsageError that names the line which has none."""
    remedy = 'name the field that holds the text (column = "...")'
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError:
                    raise UsageError(f"{path}, line {number} is no JSON; one object to a line makes JSONL.") from None
                if not isinstance(row, dict) or not isinstance(row.get(column), str):
                    seen = f"has {', '.join(map(repr, list(row)[:8]))}" if isinstance(row, dict) else "is no object"
                    raise UsageError(f"{path}, line {number} has no text in {column!r} (it {seen}); {remedy}.")
                yield row[column].encode()
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {error}; is it whole, and compressed as its name says?") from None


def _parquet(path: Path, column: str) -> Iterator[bytes]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UsageError(f"{path} needs pyarrow, which is not installed: pip install 'isoflop[parquet]'.") from None
    try:
        file = ParquetFile(path)
        names = file.schema_arrow.names
        if column not in names:
            known = ", ".join(map(repr, names[:8]))
            raise UsageError(f'{path} has no column {column!r}; it has {known}: name one (column = "...").')
        for batch in file.iter_batches(columns=[column], batch_size=1024):
            for value in batch.column(0).to_pylist():
                if not isinstance(value, str):
                    raise UsageError(f"{path}: column {column!r} holds {value!r}, which is no text.")
                yield value.encode()
    except (ArrowException, OSError) as error:
        raise UsageError(f"{path} is no Parquet file that can be read: {str(error).splitlines()[0]}.") from None


def _hub(source: str, column: str) -> Iterator[bytes]:
    """The split ``train`` of a data set, streamed: only what is read is fetched."""
    name, _, config = source.removeprefix(HUB).partition(":")
    try:
        from datasets import load_dataset
    except ImportError:
        raise UsageError(
            f"{source} needs the package datasets, which is not installed: pip install datasets."
        ) from None
    try:
        for row in load_dataset(name, config or None, split="train", streaming=True):
            if not isinstance(row.get(column), str):
                known = ", ".join(map(repr, list(row)[:8]))
                raise UsageError(f'{source} has no text in {column!r}; it has {known}: name one (column = "...").')
            yield row[column].encode()
    except (OSError, ValueError, RuntimeError) as error:  # no network, no such data set, no such configuration
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{source} cannot be read: {said}; is the name right, and the hub reached from here?"
        ) from None

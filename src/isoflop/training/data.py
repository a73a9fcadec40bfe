"""Text as bytes: the corpus on disk, its windows, and the order in which every run of a study sees them.

A corpus is two files of bytes and ``corpus.json``, written last, so that it is there whole or not at
all. Nothing in it depends on where the text lay: documents are ordered and split by the hash of their
content, and the corpus is known by the digest of its bytes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, UsageError
from isoflop.files import read_object, remove_leftovers, write_atomic

SCHEMA = "isoflop.corpus/1"
STANDARD_LIBRARY = "the Python standard library"
FILES = ("train.bin", "val.bin")
REBUILD = "delete that folder, and it is built again"

SHORTEST, LONGEST = 500, 200_000
"""Bytes: shorter files are stubs, longer ones are tables that a program wrote."""
VALIDATION_SHARE = 0.04
LEAST_TRAINING, LEAST_VALIDATION = 1_000_000, 1024 * 128 + 1
"""Bytes: an epoch of the shortest runs, and the 1024 windows of 128 on which every run is judged."""

_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data"}

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk: one token is one byte.

    ``digest`` is the SHA-256 of the training bytes followed by the validation bytes. ``dropped``
    counts the documents left out, by reason.
    """

    folder: Path
    digest: str
    source: str
    unit: str
    train_tokens: int
    val_tokens: int
    files: int
    dropped: dict[str, int]
    python: str

    def train(self) -> Bytes:
        """The training bytes, mapped from the file: processes on one machine share them."""
        return np.memmap(self.folder / "train.bin", dtype=np.uint8, mode="r")

    def validation(self) -> Bytes:
        return np.memmap(self.folder / "val.bin", dtype=np.uint8, mode="r")

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **{k: v for k, v in asdict(self).items() if k != "folder"}}


def read_corpus(folder: Path) -> Corpus:
    """Read the corpus in ``folder``; UsageError if there is none or its bytes are not those it was made with."""
    try:
        table = read_object(folder / "corpus.json", REBUILD)
    except FileNotFoundError:
        raise UsageError(f"there is no corpus in {folder} (no corpus.json); build one with build_corpus.") from None
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{folder}/corpus.json says schema {table.get('schema')!r}; this isoflop reads {SCHEMA!r}.")
    try:
        corpus = Corpus(
            folder=folder, **{fact.name: table[fact.name] for fact in fields(Corpus) if fact.name != "folder"}
        )
        digest = _digest((folder / name).read_bytes() for name in FILES)
    except KeyError as error:
        raise UsageError(f"{folder}/corpus.json lacks {error}; {REBUILD}.") from None
    except OSError as error:
        raise UsageError(
            f"the corpus in {folder} cannot be read ({error.strerror}, {error.filename}); {REBUILD}."
        ) from None
    if digest != corpus.digest:
        raise UsageError(f"the bytes in {folder} are not those that its corpus.json describes; {REBUILD}.")
    return corpus


def build_corpus(folder: Path, source: Path | None = None) -> Corpus:
    """Build a corpus in ``folder``, or reuse the one that is there.

    ``source`` None reads this Python's standard library, ``*.py``; a folder reads every file in it that
    is UTF-8 text, hidden ones and binary ones apart, and cuts files beyond 200 kB into pieces.
    Documents under 500 bytes and exact duplicates are dropped, and library files over 200 kB. In the
    order of their content's hash, the first documents are validation until they hold 4 % of the bytes
    and 1024 windows of 128; the rest is training text. DataError if fewer than 1 MB is left for that;
    UsageError if ``folder`` holds a corpus of another source, or of text that has been edited since. The
    standard library of another Python is not another source: a study outlives an upgrade.
    """
    name = STANDARD_LIBRARY if source is None else f"the text files under {source}"
    there = read_corpus(folder) if (folder / "corpus.json").exists() else None
    if there is not None and source is None:
        _refuse_another(there, name, is_same=there.source == name)
        return there
    dropped: Counter[str] = Counter()
    documents = _documents(source, dropped)
    validation, training = _split(documents, name)
    digest = _digest((*training, *validation))
    if there is not None:
        _refuse_another(there, name, is_same=there.digest == digest)
        return there
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    write_atomic(folder / "train.bin", b"".join(training))
    write_atomic(folder / "val.bin", b"".join(validation))
    corpus = Corpus(
        folder=folder,
        digest=digest,
        source=name,
        unit="byte",
        train_tokens=sum(map(len, training)),
        val_tokens=sum(map(len, validation)),
        files=len(documents),
        dropped=dict(sorted(dropped.items())),
        python=platform.python_version(),
    )
    write_atomic(folder / "corpus.json", json.dumps(corpus.to_dict(), indent=2) + "\n")
    return corpus


def _refuse_another(there: Corpus, name: str, *, is_same: bool) -> None:
    if not is_same:
        raise UsageError(
            f"{there.folder} holds a corpus of {there.source}; {name} is not that text, or it has changed since the "
            "study began: choose another --out, or put the text back."
        )


def _documents(source: Path | None, dropped: Counter[str]) -> list[bytes]:
    """The documents to keep, each once, in the order of their content's hash."""
    kept: dict[bytes, bytes] = {}
    for document in _library(dropped) if source is None else _text_under(source, dropped):
        key = hashlib.sha256(document).digest()
        if len(document) < SHORTEST:
            dropped["too short"] += 1
        elif len(document) > LONGEST:
            dropped["too long"] += 1
        elif key in kept:
            dropped["duplicate"] += 1
        else:
            kept[key] = document
    return [kept[key] for key in sorted(kept)]


def _library(dropped: Counter[str]) -> Iterator[bytes]:
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path for path in sorted(root.rglob("*.py")) if _NOT_LIBRARY.isdisjoint(path.relative_to(root).parts))
    yield from _contents(paths, dropped)


def _text_under(source: Path, dropped: Counter[str]) -> Iterator[bytes]:
    """The text files under a folder, in pieces of at most LONGEST bytes."""
    if not source.is_dir():
        raise UsageError(f"there is no folder {source} to read text from.")
    paths = sorted(source.rglob("*"))
    shown = (path for path in paths if not any(part.startswith(".") for part in path.relative_to(source).parts))
    for content in _contents(shown, dropped):
        if not _is_text(content):
            dropped["not UTF-8 text"] += 1
            continue
        pieces = max(1, -(-len(content) // LONGEST))
        piece = -(-len(content) // pieces)
        yield from (content[start : start + piece] for start in range(0, max(len(content), 1), max(piece, 1)))


def _contents(paths: Iterable[Path], dropped: Counter[str]) -> Iterator[bytes]:
    """What the files among the paths hold; a folder, and a link that leads nowhere, is none."""
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


def _split(documents: list[bytes], name: str) -> tuple[list[bytes], list[bytes]]:
    """Validation and training documents: a prefix of the hash order, and the rest."""
    total = sum(map(len, documents))
    wanted = max(VALIDATION_SHARE * total, LEAST_VALIDATION)
    held, count = 0, 0
    while held < wanted and count < len(documents):
        held += len(documents[count])
        count += 1
    if held < wanted or total - held < LEAST_TRAINING:
        needed = (LEAST_TRAINING + LEAST_VALIDATION + LONGEST) / 1e6
        raise DataError(
            f"there is {total / 1e6:.2f} MB of usable text in {name}, {len(documents)} documents; "
            f"a corpus needs about {needed:.1f} MB: give a folder with more text."
        )
    return documents[:count], documents[count:]


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Windows:
    """A text cut into windows of ``context`` tokens, each with the token that follows it.

    Window i is the tokens [i context, (i+1) context + 1): inputs are all but its last, targets all but
    its first. The order of an epoch is a permutation that depends on (seed, epoch) alone.
    """

    text: Bytes
    context: int
    seed: int

    @property
    def count(self) -> int:
        return (len(self.text) - 1) // self.context

    def batch(self, step: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets of ``step`` (from 0), each (size, context); a pure function of its arguments."""
        per_epoch = self.count // size
        epoch, position = divmod(step, per_epoch)
        return self.take(_permutation(self.count, self.seed, epoch)[position * size : (position + 1) * size])

    def first(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets of the first ``count`` windows in the order of epoch 0."""
        return self.take(_permutation(self.count, self.seed, 0)[:count])

    def take(self, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = which[:, None] * self.context + np.arange(self.context + 1)
        tokens = self.text[rows].astype(np.int64)
        return tokens[:, :-1], tokens[:, 1:]


@lru_cache(maxsize=2)
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A permutation made of PCG64's raw stream, which NumPy promises never to change."""
    return np.argsort(np.random.PCG64([seed, epoch]).random_raw(count), kind="stable")

"""Building a corpus: documents hashed, without copies, split by hash, written as tokens."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, UsageError
from isoflop.files import remove_leftovers, write_atomic
from isoflop.training.data._corpus import (
    BLOCK,
    TOKENIZER,
    TRAIN,
    VALIDATION,
    Corpus,
    digest_of,
    read_corpus,
    sample,
    token_type,
)
from isoflop.training.data._sources import LONGEST, Dropped, documents, name_of
from isoflop.training.data._units import (
    BYTE,
    FILE,
    NUMBERS,
    PAIRS,
    TRAINED_ON,
    Bytes,
    Pairs,
    Unit,
    read_pairs,
    train_pairs,
    vocabulary,
)

MAKING, ABANDONED = ".making", 3600.0
"""How a folder in which a corpus is made ends, and the seconds after which nobody is at it any more."""
SHORTEST = 500
"""Bytes: shorter files are stubs."""
VALIDATION_SHARE = 0.04
LEAST_TRAINING, LEAST_VALIDATION = 1_000_000, 1024 * 128 + 1
"""Bytes: an epoch of the shortest runs, and the 1024 windows of 128 on which every run is judged."""
PAIR_BYTES = 5
"""At most so many bytes to a pair, for reserving validation text."""


def build_corpus(
    folder: Path, source: Path | str | None = None, *, unit: str = BYTE, column: str = "text", base: Path | None = None
) -> Corpus:
    """Build a corpus in ``folder``, or reuse the one that is there.

    ``source`` None reads this Python's standard library, ``*.py``; a folder reads every file in it that is UTF-8 text,
    hidden ones and binary ones apart; a file is text, JSONL (also gzipped), Parquet, or tokens; "hf:NAME" a data set of
    the hub. ``column`` names the field or column of text. ``unit`` says what a token is (``vocabulary``); a tokenizer's
    file is looked for from ``base``. Documents beyond 200 kB are cut into pieces. Documents under 500 bytes and exact
    duplicates are dropped, and library files over 200 kB. In the order of their content's hash, the first documents are
    validation until they hold 4 % of the bytes and 1024 windows of 128; the rest is training text. Memory: some hundred
    bytes a document, and a vocabulary's training text; documents wait in a temporary file.

    DataError if fewer than 1 MB is left for that; UsageError if ``folder`` holds a corpus of another source, or of text
    that has been edited since. The standard library of another Python is not another source: a study outlives an
    upgrade.
    """
    vocabulary(unit)
    name = name_of(source)
    there = read_corpus(folder) if (folder / "corpus.json").exists() else None
    if there is not None and source is None:
        _refuse_another(there, name, unit, is_same=there.source == name)
        return there
    # Made beside its place, or as near as there is a folder: what is refused leaves none behind.
    nearest = next(place for place in folder.absolute().parents if place.is_dir())
    _remove_abandoned(nearest, folder.name)
    making = Path(mkdtemp(prefix=f".{folder.name}-", suffix=MAKING, dir=nearest))
    try:
        built = (
            _of_numbers(making, Path(str(source)), unit, name)
            if unit.startswith(NUMBERS)
            else _of_text(making, source, unit, column, base or Path(), name)
        )
        if there is not None:
            _refuse_another(there, name, unit, is_same=there.digest == built.digest)
            return there
        return _moved(built, folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _remove_abandoned(place: Path, name: str) -> None:
    """Remove what a kill left of corpora in the making; a young one may be another process's."""
    for path in place.glob(f".{name}-*{MAKING}"):
        if time.time() - path.stat().st_mtime > ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _moved(built: Corpus, folder: Path) -> Corpus:
    """Put the files in their place, what says that they are there last."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    for path in built.folder.iterdir():
        path.replace(folder / path.name)
    corpus = replace(built, folder=folder)
    write_atomic(folder / "corpus.json", json.dumps(corpus.to_dict(), indent=2) + "\n")
    return corpus


def _refuse_another(there: Corpus, name: str, unit: str, *, is_same: bool) -> None:
    if there.unit != unit:
        raise UsageError(
            f"{there.folder} holds a corpus in units of {there.unit}, not of {unit}: choose another folder."
        )
    if not is_same:
        raise UsageError(
            f"{there.folder} holds a corpus of {there.source}; {name} is not that text, or it has changed since the "
            "study began: choose another --out, or put the text back."
        )


@dataclass(frozen=True)
class Shelf:
    """Documents in a temporary file, each once: where they lie, (start, length), in the order of their hash."""

    file: IO[bytes]
    places: Sequence[tuple[int, int]]

    def read(self, some: slice) -> Iterator[bytes]:
        for start, length in self.places[some]:
            self.file.seek(start)
            yield self.file.read(length)


def _shelved(file: IO[bytes], source: Path | str | None, column: str, dropped: Dropped) -> Shelf:
    places: dict[bytes, tuple[int, int]] = {}
    for document in documents(source, column, dropped):
        key = hashlib.sha256(document).digest()
        if len(document) < SHORTEST:
            dropped["too short"] += 1
        elif key in places:
            dropped["duplicate"] += 1
        else:
            places[key] = (file.tell(), len(document))
            file.write(document)
    return Shelf(file, [places[key] for key in sorted(places)])


def _of_text(making: Path, source: Path | str | None, unit: str, column: str, base: Path, name: str) -> Corpus:
    dropped: Dropped = Counter()
    with TemporaryFile(dir=making) as file:
        shelf = _shelved(file, source, column, dropped)
        held = _split([length for _, length in shelf.places], name, whole_bytes=unit == BYTE)
        coder = _coder(unit, shelf, held, base)
        if isinstance(coder, Pairs):
            coder.save(making / TOKENIZER)
        train = _write(making / TRAIN, coder, shelf.read(slice(held, None)))
        validation = _write(making / VALIDATION, coder, shelf.read(slice(held)))
        return Corpus(
            folder=making,
            digest=digest_of(making),
            source=name,
            unit=unit,
            train_tokens=train,
            val_tokens=validation,
            files=len(shelf.places),
            dropped=dict(sorted(dropped.items())),
            python=platform.python_version(),
            vocab=coder.vocab,
            bytes_per_token=sum(length for _, length in shelf.places[:held]) / validation,
            sample=sample(making),
        )


def _coder(unit: str, shelf: Shelf, held: int, base: Path) -> Unit:
    if unit == BYTE:
        return Bytes()
    if unit.startswith(FILE):
        return read_pairs(base / unit.removeprefix(FILE))
    lengths = accumulate(length for _, length in shelf.places[held:])
    enough = held + max(1, sum(1 for _ in takewhile(lambda total: total <= TRAINED_ON, lengths)))
    return train_pairs(shelf.read(slice(held, enough)), int(unit.removeprefix(PAIRS)))


def _write(path: Path, coder: Unit, texts: Iterator[bytes]) -> int:
    """Write documents as tokens; how many there are."""
    count = 0
    with path.open("wb") as file:
        for text in texts:
            tokens = coder.encode(text)
            count += tokens.size
            file.write(tokens.tobytes())
    return count


def _split(lengths: Sequence[int], name: str, *, whole_bytes: bool) -> int:
    """How many documents are for validation: a prefix of the hash order."""
    total = sum(lengths)
    wanted = max(VALIDATION_SHARE * total, LEAST_VALIDATION * (1 if whole_bytes else PAIR_BYTES))
    held, count = 0, 0
    while held < wanted and count < len(lengths):
        held += lengths[count]
        count += 1
    if held < wanted or total - held < LEAST_TRAINING:
        needed = (LEAST_TRAINING + wanted + LONGEST) / 1e6
        raise DataError(
            f"there is {total / 1e6:.2f} MB of usable text in {name}, {len(lengths)} documents; "
            f"a corpus needs about {needed:.1f} MB: give a folder with more text."
        )
    return count


def _of_numbers(making: Path, source: Path, unit: str, name: str) -> Corpus:
    """Tokens that are there already: a file of numbers as nanoGPT writes them, or .npy. Its end is for validation."""
    vocab = int(unit.removeprefix(NUMBERS))
    tokens = _mapped(source, vocab)
    held = max(round(VALIDATION_SHARE * tokens.size), LEAST_VALIDATION)
    if tokens.size - held < LEAST_TRAINING:
        raise DataError(f"{source} holds {tokens.size:,} tokens; a corpus needs {LEAST_TRAINING + held:,} or more.")
    parts = {TRAIN: tokens[: tokens.size - held], VALIDATION: tokens[tokens.size - held :]}
    for part, numbers in parts.items():
        with (making / part).open("wb") as file:
            for start in range(0, numbers.size, BLOCK):
                block = np.asarray(numbers[start : start + BLOCK])
                if int(block.max()) >= vocab:
                    raise UsageError(f"{source} holds the token {int(block.max())}, and {unit} has {vocab:,} of them.")
                file.write(block.astype(token_type(vocab)).tobytes())
    return Corpus(
        folder=making,
        digest=digest_of(making),
        source=name,
        unit=unit,
        train_tokens=parts[TRAIN].size,
        val_tokens=held,
        files=1,
        dropped={},
        python=platform.python_version(),
        vocab=vocab,
        bytes_per_token=None,
        sample=sample(making),
    )


def _mapped(source: Path, vocab: int) -> NDArray[np.integer[Any]]:
    tokens: NDArray[np.integer[Any]]
    try:
        if source.suffix == ".npy":
            tokens = np.load(source, mmap_mode="r", allow_pickle=False)
        else:
            tokens = np.memmap(source, dtype=np.uint16 if vocab <= 1 << 16 else np.uint32, mode="r")
    except (OSError, ValueError) as error:
        raise UsageError(f"{source} is no file of tokens that can be read: {error}.") from None
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise UsageError(
            f"{source} holds {tokens.dtype} in {tokens.ndim} dimensions; tokens are a row of whole numbers."
        )
    return tokens

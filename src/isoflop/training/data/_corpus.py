"""A corpus on disk and its windows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, UsageError
from isoflop.files import read_object
from isoflop.training.spec import RunSpec

SCHEMA = "isoflop.corpus/1"
TRAIN, VALIDATION = "train.bin", "val.bin"
TOKENIZER = "tokenizer.json"
REBUILD = "delete that folder, and it is built again"
BLOCK = 1 << 20
CHECKED_WHOLE = 256 * BLOCK
"""Bytes up to which a corpus is read whole each time that it is opened; of a larger one, blocks are sampled."""
SAMPLED = 64

Tokens = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk.

    ``digest`` is the SHA-256 of the training tokens followed by the validation tokens, as they lie in the files;
    ``sample`` that of blocks of a large corpus, by which it is known again. ``unit`` says what a token is, ``vocab``
    how many there are, ``bytes_per_token`` how much validation text one holds on average, None where the text is not
    known. ``dropped`` counts the documents left out, by reason.
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
    vocab: int = 256
    bytes_per_token: float | None = 1.0
    sample: str = ""

    def train(self) -> Tokens:
        """The training tokens, mapped from the file: processes on one machine share them."""
        return np.memmap(self.folder / TRAIN, dtype=token_type(self.vocab), mode="r")

    def validation(self) -> Tokens:
        return np.memmap(self.folder / VALIDATION, dtype=token_type(self.vocab), mode="r")

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **{k: v for k, v in asdict(self).items() if k != "folder"}}


def token_type(vocab: int) -> type[np.unsignedinteger[Any]]:
    """The narrowest type that holds a vocabulary.

    >>> [token_type(vocab).__name__ for vocab in (256, 50257, 128256)]
    ['uint8', 'uint16', 'uint32']
    """
    if vocab <= 1 << 8:
        return np.uint8
    return np.uint16 if vocab <= 1 << 16 else np.uint32


def read_corpus(folder: Path) -> Corpus:
    """Read the corpus in ``folder``; UsageError if there is none or its tokens are not those it was made with."""
    try:
        table = read_object(folder / "corpus.json", REBUILD)
    except FileNotFoundError:
        raise UsageError(f"there is no corpus in {folder} (no corpus.json); isoflop sweep init builds it.") from None
    if table.get("schema") != SCHEMA:
        raise UsageError(f"{folder}/corpus.json says schema {table.get('schema')!r}; this isoflop reads {SCHEMA!r}.")
    facts = {fact.name: table.get(fact.name, fact.default) for fact in fields(Corpus) if fact.name != "folder"}
    lacking = [name for name, fact in facts.items() if fact is MISSING]
    if lacking:
        raise UsageError(f"{folder}/corpus.json lacks '{lacking[0]}'; {REBUILD}.")
    corpus = Corpus(folder=folder, **facts)
    try:
        is_same = sample(folder) == corpus.sample if corpus.sample else digest_of(folder) == corpus.digest
    except OSError as error:
        raise UsageError(
            f"the corpus in {folder} cannot be read ({error.strerror}, {error.filename}); {REBUILD}."
        ) from None
    if not is_same:
        raise UsageError(f"the bytes in {folder} are not those that its corpus.json describes; {REBUILD}.")
    return corpus


def digest_of(folder: Path) -> str:
    """The SHA-256 of the two files of tokens."""
    digest = hashlib.sha256()
    for name in (TRAIN, VALIDATION):
        for block in _blocks(folder / name, every=1):
            digest.update(block)
    return digest.hexdigest()


def sample(folder: Path) -> str:
    """The SHA-256 of the sizes of the two files and of blocks spread over them; "" for a corpus that is read whole."""
    sizes = [(folder / name).stat().st_size for name in (TRAIN, VALIDATION)]
    if sum(sizes) <= CHECKED_WHOLE:
        return ""
    digest = hashlib.sha256(repr(sizes).encode())
    for name, size in zip((TRAIN, VALIDATION), sizes, strict=True):
        for block in _blocks(folder / name, every=max(1, size // BLOCK // SAMPLED)):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path, every: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
            file.seek((every - 1) * BLOCK, 1)


def check_text(spec: RunSpec, corpus: Corpus) -> None:
    """Raise DataError unless the corpus holds what a run asks of it: its vocabulary, windows, the text of its cap."""
    if corpus.vocab > spec.shape.vocab:
        raise DataError(
            f"run {spec.run_id} has a vocabulary of {spec.shape.vocab:,}, and its corpus ({corpus.unit}) one of "
            f"{corpus.vocab:,}: give the recipe that vocabulary ([change] vocab = {corpus.vocab})."
        )
    if spec.unique_tokens is not None and spec.unique_tokens > corpus.train_tokens:
        raise DataError(
            f"run {spec.run_id} caps its text at {spec.unique_tokens:,} tokens, and its corpus has "
            f"{corpus.train_tokens:,} to train on: give a smaller cap or more text."
        )
    text = min(spec.unique_tokens or corpus.train_tokens, corpus.train_tokens)
    windows = (text - 1) // spec.shape.context
    if windows < spec.batch_windows:
        raise DataError(
            f"run {spec.run_id} has {text:,} tokens to train on, {windows} windows of {spec.shape.context}, and a step "
            f"takes {spec.batch_windows}: give more text or a larger cap."
        )
    held = (corpus.val_tokens - 1) // spec.shape.context
    if held < spec.eval_windows:
        raise DataError(
            f"run {spec.run_id} is to be judged on {spec.eval_windows} windows of {spec.shape.context} tokens, and its "
            f"corpus has {held} for validation: ask for fewer or give more text."
        )


@dataclass(frozen=True, eq=False)
class Windows:
    """A text cut into windows of ``context`` tokens, each with the token that follows it.

    Window i is the tokens [i context, (i+1) context + 1): inputs are all but its last, targets all but
    its first. The order of an epoch is a permutation that depends on (seed, epoch) alone.
    """

    text: Tokens
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

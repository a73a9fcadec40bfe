"""What a token is: a byte, a pair of a vocabulary that is trained on the corpus, or a number that is there already."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.training.data._corpus import Tokens, token_type

BYTE, PAIRS, NUMBERS, FILE = "byte", "bpe:", "tokens:", "tokenizer:"
LEAST_PAIRS = 512
END = "<|endoftext|>"
TRAINED_ON = 200_000_000
"""Bytes of training text that a vocabulary is trained on; more changes its last pairs alone."""


class Unit(Protocol):
    """Text to tokens. ``vocab`` is how many tokens there are."""

    vocab: int

    def encode(self, document: bytes) -> Tokens: ...


class Bytes:
    """A token is a byte."""

    vocab = 256

    def encode(self, document: bytes) -> Tokens:
        return np.frombuffer(document, dtype=np.uint8)


class Pairs:
    """Byte pairs (Sennrich et al., arXiv 1508.07909; bytes as in GPT-2), and one token that ends a document."""

    def __init__(self, tokenizer: Any, vocab: int, end: int | None) -> None:
        self._tokenizer = tokenizer
        self.vocab = vocab
        self._end = [] if end is None else [end]

    def encode(self, document: bytes) -> Tokens:
        # A piece of a long document may begin or end inside a character: those bytes become its replacement.
        ids = self._tokenizer.encode(document.decode("utf-8", errors="replace"), add_special_tokens=False).ids
        return np.array(ids + self._end, dtype=token_type(self.vocab))

    def save(self, path: Path) -> None:
        self._tokenizer.save(str(path))


def vocabulary(unit: str) -> int | None:
    """How many tokens a unit has, None for a tokenizer's file, which says it itself; UsageError for no unit.

    >>> vocabulary("byte"), vocabulary("bpe:4096")
    (256, 4096)
    """
    if unit == BYTE:
        return Bytes.vocab
    kind = next((kind for kind in (PAIRS, NUMBERS, FILE) if unit.startswith(kind)), None)
    said = "" if kind is None else unit.removeprefix(kind)
    if kind == FILE and said:
        return None
    if kind is None or not said.isdecimal() or not (LEAST_PAIRS if kind == PAIRS else 2) <= int(said) <= 1 << 20:
        raise UsageError(
            f"a token is a byte (unit = {BYTE!r}), one of N byte pairs from {LEAST_PAIRS} up ('{PAIRS}4096'), of a "
            f"tokenizer's file ('{FILE}tokenizer.json'), or a number below N that is there already ('{NUMBERS}50257'); "
            f"{unit!r} is none of these."
        )
    return int(said)


def train_pairs(texts: Iterable[bytes], vocab: int) -> Pairs:
    """A vocabulary of byte pairs, trained on these texts in their order; DataError where they do not hold so many."""
    tokenizers = _tokenizers()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.decode("utf-8", errors="replace") for text in texts), trainer)
    found = tokenizer.get_vocab_size()
    if found < vocab:
        raise DataError(
            f"the text holds {found:,} byte pairs that occur twice, and {vocab:,} were asked for; ask fewer."
        )
    return Pairs(tokenizer, vocab, tokenizer.token_to_id(END))


def read_pairs(path: Path) -> Pairs:
    """The tokenizer in a file, as the library tokenizers writes it; its end of text is used where it has one."""
    if not path.is_file():
        raise UsageError(f"there is no tokenizer in {path}.")
    try:
        # Whatever is wrong with the file, the library raises a plain Exception; a JSON object is what can be told.
        tokenizer = _tokenizers().Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is no tokenizer that can be read: {error}.") from None
    ends = (tokenizer.token_to_id(name) for name in (END, "</s>", "<|end_of_text|>", "<eos>"))
    return Pairs(tokenizer, tokenizer.get_vocab_size(), next((end for end in ends if end is not None), None))


def _tokenizers() -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the same pairs whatever the number of cores
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise UsageError("byte pairs need the package tokenizers: pip install 'isoflop[train]' adds it.") from None
    return tokenizers

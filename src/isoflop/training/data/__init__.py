"""Text as tokens: the corpus on disk, where it comes from, its windows, and the order in which every run sees them.

A corpus is two files of tokens and ``corpus.json``, written last, so that it is there whole or not at all. Nothing in
it depends on where the text lay: documents are ordered and split by the hash of their content, and the corpus is known
by the digest of its tokens.
"""

from isoflop.training.data._build import build_corpus
from isoflop.training.data._corpus import Corpus, Windows, check_text, read_corpus
from isoflop.training.data._sources import HUB, STANDARD_LIBRARY
from isoflop.training.data._units import vocabulary

__all__ = [
    "HUB",
    "STANDARD_LIBRARY",
    "Corpus",
    "Windows",
    "build_corpus",
    "check_text",
    "read_corpus",
    "vocabulary",
]

"""One network's N as another convention counts it, where only N is known."""

from __future__ import annotations

import numpy as np

from isoflop.accounting import ParamsCount, Shape, count_params, count_parts
from isoflop.conventions import ParamsConvention
from isoflop.laws import OMEGA, Law
from isoflop.planning.search import FloatArray, root

VOCAB = 32_000
"""Of Pearce & Song's networks; omega is proportional to it."""
WITH_HEAD = (ParamsConvention.TOTAL, ParamsConvention.MATRICES_AND_HEAD)
WIDE = np.log(1e6)
"""How far apart the same split may be in C by two conventions: the embedding of a tiny network is most of it."""


def recounted(params: float, of: ParamsConvention, to: ParamsConvention, omega: float = OMEGA) -> float | None:
    """N in another convention by N_T = N_E + omega N_E^(1/3) (Pearce & Song 2024); None for a pair it does not relate.

    Theirs is one matrix of the vocabulary, embedding and head alike, so that N_T is the matrices with the head as well.
    ``omega`` is vocabulary (aspect / 12)^(1/3): 47,491 for 32,000 tokens at their aspect ratio.

    >>> f"{recounted(1e9, ParamsConvention.NON_EMBEDDING, ParamsConvention.TOTAL) / 1e9:.4f}"
    '1.0475'
    """
    if of == to:
        return None
    if of in WITH_HEAD and to in WITH_HEAD:
        return float(params)
    if of == ParamsConvention.NON_EMBEDDING and to in WITH_HEAD:
        return float(params + omega * np.cbrt(params))
    if of in WITH_HEAD and to == ParamsConvention.NON_EMBEDDING:
        low, high = np.log(params) - 60.0, np.log(params)
        blocks = root(lambda at: np.exp(at) + omega * np.exp(at / 3) - params, low, high)
        return float(np.exp(blocks))
    return None


def split_as_counted(law: Law, flops: float, to: ParamsConvention, vocab: int = VOCAB) -> tuple[float, float] | None:
    """Where the law's optima cost 6 N D = C with N in another convention: N so counted, and D.

    A law that leaves out embeddings means less by C as well, so its split at C is none of the same budget. None where
    the conventions are the same or unrelated, or no optimum costs so much.

    >>> from isoflop import laws
    >>> N, D = split_as_counted(laws.law("kaplan2020"), 1e18, ParamsConvention.TOTAL)
    >>> round(6 * N * D / 1e18, 9)
    1.0
    """
    of, omega = law.conventions.params, OMEGA * vocab / VOCAB
    if recounted(1e9, of, to, omega) is None:
        return None

    def split(log_budget: float) -> tuple[float, float]:
        best = law.optimum(np.exp(log_budget))
        return recounted(float(best.params), of, to, omega) or np.nan, float(best.tokens)

    def excess(log_budget: FloatArray) -> FloatArray:
        N, D = split(float(log_budget))
        return np.asarray(np.log(6 * N * D / flops))

    at = float(root(excess, np.log(flops) - WIDE, np.log(flops) + WIDE))
    return split(at) if np.isfinite(at) else None


def counted(count: ParamsCount, convention: ParamsConvention) -> int:
    """A counted network's N as a law counts it; a law that does not say counts all."""
    names = {
        ParamsConvention.NON_EMBEDDING: count.non_embedding,
        ParamsConvention.MATRICES_AND_HEAD: count.matrices_and_head,
    }
    return names.get(convention, count.total)


def active(shape: Shape, convention: ParamsConvention) -> int:
    """The same without the experts that a token does not use."""
    return counted(count_params(shape), convention) - count_parts(shape).inactive

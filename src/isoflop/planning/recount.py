"""One network's N as another convention counts it, where only N is known."""

from __future__ import annotations

import numpy as np

from isoflop.accounting import ParamsCount, Shape, count_params, count_parts
from isoflop.conventions import ParamsConvention
from isoflop.laws import OMEGA
from isoflop.planning.search import root


def recounted(params: float, of: ParamsConvention, to: ParamsConvention, omega: float = OMEGA) -> float | None:
    """N in another convention by N_T = N_E + omega N_E^(1/3) (Pearce & Song 2024); None for a pair it does not relate.

    ``omega`` is vocabulary (aspect / 12)^(1/3): 47,491 for 32,000 tokens at their aspect ratio.

    >>> f"{recounted(1e9, ParamsConvention.NON_EMBEDDING, ParamsConvention.TOTAL) / 1e9:.4f}"
    '1.0475'
    """
    if (of, to) == (ParamsConvention.NON_EMBEDDING, ParamsConvention.TOTAL):
        return float(params + omega * np.cbrt(params))
    if (of, to) == (ParamsConvention.TOTAL, ParamsConvention.NON_EMBEDDING):
        low, high = np.log(params) - 60.0, np.log(params)
        blocks = root(lambda at: np.exp(at) + omega * np.exp(at / 3) - params, low, high)
        return float(np.exp(blocks))
    return None


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

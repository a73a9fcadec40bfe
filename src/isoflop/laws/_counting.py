"""A law on all parameters as one who counts only the blocks sees it, after Pearce & Song 2024 (arXiv 2406.12907).

Embeddings and head take omega N_E^(1/3) parameters beside the N_E of the blocks, because the width of a network of
fixed aspect ratio grows as N_E^(1/3). That share is most of a small network and nothing of a large one, so a power law
in one count is none in the other: the exponent of N* ∝ C^g depends on C, and Kaplan et al.'s .73 is g where they
looked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isoflop.conventions import ParamsConvention, describe
from isoflop.errors import DataError, UsageError
from isoflop.laws._law import FloatArray, Law, Optimum

OMEGA = 47491.0
"""Pearce & Song's: 32,000 tokens of vocabulary at an aspect ratio of 39.2."""
HALVINGS = 80
LEAST, MOST = np.log(1e-6), np.log(1e30)
"""ln N_E between which an optimum is searched."""


def embedding_scale(vocab: int, aspect: float) -> float:
    """omega = V (aspect/12)^(1/3) for a vocabulary of V and a width of ``aspect`` times the layers.

    From N_E = 12 layers width^2 and V width = omega N_E^(1/3).

    >>> round(embedding_scale(32000, 39.2), -1)
    47480.0
    """
    return float(vocab * np.cbrt(aspect / 12.0))


@dataclass(frozen=True)
class Recounted:
    """A law on total parameters, asked and answering in non-embedding ones; C is 6 N_E D.

    >>> from isoflop.laws import convert, law
    >>> kaplans = convert(law("besiroglu2024"), ParamsConvention.NON_EMBEDDING)
    >>> [round(float(kaplans.local_exponent(kaplans.flops_at(N))), 3) for N in (1e3, 1e6, 1e8, 1e12)]
    [0.763, 0.963, 0.613, 0.513]
    """

    law: Law
    omega: float = OMEGA

    def total(self, params: ArrayLike) -> FloatArray:
        """N_T = N_E + omega N_E^(1/3)."""
        N = np.asarray(params, dtype=np.float64)
        return np.asarray(N + self.omega * np.cbrt(N))

    def predict(self, params: ArrayLike, tokens: ArrayLike) -> FloatArray:
        """Loss at N_E non-embedding parameters and D tokens."""
        return self.law.predict(self.total(params), tokens)

    def flops_at(self, params: ArrayLike) -> FloatArray:
        """The budget C = 6 N_E D at which N_E is compute-optimal.

        There alpha A N_T^-(1+alpha) dN_T/dln N_E = beta B D^-beta, which gives D.
        """
        N = np.asarray(params, dtype=np.float64)
        A, B, alpha, beta = self._numbers
        moved = N + self.omega / 3.0 * np.cbrt(N)  # dN_T / d ln N_E
        log_tokens = (np.log(beta * B / (alpha * A)) + (1 + alpha) * np.log(self.total(N)) - np.log(moved)) / beta
        return np.asarray(6.0 * N * np.exp(log_tokens))

    def optimum(self, flops: ArrayLike) -> Optimum:
        """N_E*, D* and the loss there at a budget C = 6 N_E D, or at an array of budgets."""
        C = np.asarray(flops, dtype=np.float64)
        low, high = np.full(C.shape, LEAST), np.full(C.shape, MOST)
        for _ in range(HALVINGS):  # flops_at rises with N_E
            middle = 0.5 * (low + high)
            below = self.flops_at(np.exp(middle)) < C
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        N = np.exp(0.5 * (low + high))
        return Optimum(params=N, tokens=C / (6.0 * N), loss=self.predict(N, C / (6.0 * N)))

    def local_exponent(self, flops: ArrayLike) -> FloatArray:
        """g = d ln N_E* / d ln C at a budget: beta/(alpha/3 + beta) for tiny networks, beta/(alpha + beta) for large.

        Between them it is above both: g is not monotone.
        """
        N, (_, _, alpha, beta) = self.optimum(flops).params, self._numbers
        shares = self.omega * np.cbrt(N) / N
        total = (1 + shares / 3) / (1 + shares)  # d ln N_T / d ln N_E
        moved = (1 + shares / 9) / (1 + shares / 3)
        return np.asarray(1.0 / (1.0 + ((1 + alpha) * total - moved) / beta))

    @property
    def _numbers(self) -> tuple[float, float, float, float]:
        c = self.law.coefficients
        return c["A"], c["B"], c["alpha"], c.get("beta", c["alpha"])


def convert(law: Law, params: ParamsConvention, omega: float = OMEGA) -> Recounted:
    """A law on total parameters, in non-embedding ones; UsageError for another pair of conventions.

    ``omega`` is ``embedding_scale(vocab, aspect)`` of the networks asked about. The law needs Chinchilla's optimum:
    two power laws, whatever stands around their sum.
    """
    if law.conventions.params == params:
        raise UsageError(f"{law.id} counts {describe(params)} already: nothing is to be converted.")
    if law.conventions.params != ParamsConvention.TOTAL or params != ParamsConvention.NON_EMBEDDING:
        raise UsageError(
            f"cannot convert {law.id} from {law.conventions.params} to {params}: Pearce & Song's relation takes a law "
            "on total parameters to non-embedding ones; a plan with several laws recounts their splits both ways."
        )
    if law.family.name not in ("chinchilla", "chinchilla_shared", "skaling"):
        raise DataError(f"cannot convert {law.id}: the family {law.family.name} has not Chinchilla's optimum.")
    if not omega > 0:
        raise UsageError(f"omega is {omega:g}; it is vocabulary times a number near 1, such as {OMEGA:g}.")
    return Recounted(law, omega)


def local_exponent(law: Law, flops: ArrayLike, omega: float = OMEGA) -> FloatArray:
    """d ln N* / d ln C of a law on total parameters, at budgets of non-embedding FLOPs.

    >>> from isoflop.laws import law
    >>> round(float(local_exponent(law("besiroglu2024"), 1e17)), 2)
    0.86
    """
    return convert(law, ParamsConvention.NON_EMBEDDING, omega).local_exponent(flops)

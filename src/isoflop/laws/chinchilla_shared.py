"""Chinchilla with one exponent for parameters and tokens."""

from __future__ import annotations

from collections.abc import Mapping

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray
from isoflop.laws.chinchilla import EXPONENTS, FAMILY, Chinchilla


class ChinchillaShared(Chinchilla):
    """L(N, D) = E + A/N^alpha + B/D^alpha: N and D grow alike, a = b = 1/2, and D/N is constant.

    With M = D/N at C = 6 N D it is Gadre et al.'s L = E + (a M^eta + b M^-eta) C^-eta, eta = alpha/2.
    """

    name = "chinchilla_shared"
    formula = "L = E + A/N^alpha + B/D^alpha"
    reference = "Gadre et al. 2024, arXiv 2403.08540, equation 4; Muennighoff et al. 2023, arXiv 2305.16264"
    coefficients = (
        *FAMILY.coefficients[:3],
        Coefficient("alpha", "exponent of loss in parameters and in tokens", upper=2.0, guesses=EXPONENTS),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        return super().loss(_both(theta), inputs)

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray]:
        return super().optimum(_both(theta), flops)

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray]:
        return super().allocation(_both(theta))


def _both(theta: Coefficients) -> Coefficients:
    return {**theta, "beta": theta["alpha"]}


FAMILIES: tuple[Family, ...] = (ChinchillaShared(),)

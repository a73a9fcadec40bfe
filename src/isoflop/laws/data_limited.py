"""Data-limited training: Chinchilla's surface in effective parameters and effective tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power
from isoflop.laws.chinchilla_shared import ChinchillaShared


class DataLimited(ChinchillaShared):
    """L = E + A/N'^alpha + B/D'^alpha: repeated tokens, and parameters beyond what unique tokens feed, fade.

    D tokens hold U_D = min(D, unique) unique ones and R_D = D/U_D - 1 repeats, worth
    D' = U_D (1 + R_D* (1 - exp(-R_D/R_D*))); likewise N' from U_N, the smaller of N and the parameters that are
    compute-optimal on U_D tokens. D' never exceeds (1 + R_D*) unique tokens. With unlimited unique tokens the optimum
    is Chinchilla's. The form cannot rise: it misses the loss that grows at very many epochs.
    """

    name = "data_limited"
    formula = "L = E + A/N'^alpha + B/D'^alpha, x' = U_x (1 + R_x* (1 - exp(-(x/U_x - 1)/R_x*)))"
    reference = "Muennighoff et al. 2023, arXiv 2305.16264, equations 5, 6, 16 and 17"
    inputs = ("params", "tokens", "unique_tokens")
    assumed: ClassVar = {"unique_tokens": np.inf}
    fitted = False
    linear = ()
    coefficients = (
        *ChinchillaShared.coefficients,
        Coefficient("R_D", "repeats by which a token's worth has decayed by e"),
        Coefficient("R_N", "the same for parameters in excess"),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        unique = np.minimum(D, inputs["unique_tokens"])
        # At the optimum N/D = (A/B)^(1/alpha), whatever the compute.
        fed = np.minimum(N, unique * power(theta["A"] / theta["B"], 1.0 / theta["alpha"]))
        effective = {"params": faded(N, fed, theta["R_N"]), "tokens": faded(D, unique, theta["R_D"])}
        return super().loss(theta, effective)


def faded(x: FloatArray, unique: FloatArray, scale: FloatArray) -> FloatArray:
    """What x is worth when all of it beyond ``unique`` fades with the e-folding number of repeats ``scale``."""
    return np.asarray(unique * (1.0 - scale * np.expm1(-(x / unique - 1.0) / scale)))


FAMILIES: tuple[Family, ...] = (DataLimited(),)

"""Data-limited training: what repeated tokens are worth, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power
from isoflop.laws.chinchilla import FAMILY as CHINCHILLA
from isoflop.laws.chinchilla import Chinchilla
from isoflop.laws.chinchilla_shared import ChinchillaShared

SHARE = 0.2
"""Of the median loss that a search begins with in either term."""


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
    linear = ("E",)
    coefficients = (
        *ChinchillaShared.coefficients[:3],
        Coefficient("alpha", "exponent of both losses", upper=2.0, guesses=(0.15, 0.25, 0.35, 0.5)),
        Coefficient("R_D", "repeats by which a token's worth has decayed by e", guesses=(2.0, 8.0, 30.0)),
        Coefficient("R_N", "the same for parameters in excess", guesses=(1.0, 4.0, 16.0)),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        unique = np.minimum(D, inputs["unique_tokens"])
        # At the optimum N/D = (A/B)^(1/alpha), whatever the compute.
        fed = np.minimum(N, unique * power(theta["A"] / theta["B"], 1.0 / theta["alpha"]))
        effective = {"params": faded(N, fed, theta["R_N"]), "tokens": faded(D, unique, theta["R_D"])}
        return super().loss(theta, effective)

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Either term a fifth of the median loss at the median run: A and B also say what parameters tokens feed."""
        starts = super().starts(inputs, loss)
        left = SHARE * np.median(loss)
        return {
            **starts,
            "A": left * np.median(inputs["params"]) ** starts["alpha"],
            "B": left * np.median(inputs["tokens"]) ** starts["alpha"],
        }


class RepetitionPenalty(Chinchilla):
    """L = E + A/N^alpha + B/D^beta + P_R R^delta (N/U)^kappa: repeats count in full, and overfitting costs.

    D tokens hold U = min(D, unique) unique ones and R = D/U - 1 repeats. The penalty grows with the repeats and with
    the parameters that each unique token has to bear, so that the loss may rise with either, which effective tokens
    cannot say. Without repeats it is Chinchilla's law, and so is its optimum with unlimited unique tokens.
    """

    name = "repetition_penalty"
    formula = "L = E + A/N^alpha + B/D^beta + P_R R^delta (N/U)^kappa, U = min(D, unique), R = D/U - 1"
    reference = "Lovelace et al. 2026, arXiv 2605.01640"
    inputs = ("params", "tokens", "unique_tokens")
    assumed: ClassVar = {"unique_tokens": np.inf}
    linear = ("E", "A", "B", "P_R")
    coefficients = (
        *CHINCHILLA.coefficients[:3],
        Coefficient("alpha", "exponent of loss in parameters", upper=2.0, guesses=(0.15, 0.3, 0.5, 0.8)),
        Coefficient("beta", "exponent of loss in tokens", upper=2.0, guesses=(0.15, 0.3, 0.5, 0.8)),
        Coefficient("P_R", "loss that one repeat costs where N equals the unique tokens"),
        Coefficient("delta", "exponent of the penalty in repeats", upper=4.0, guesses=(0.5, 1.5)),
        Coefficient("kappa", "exponent of the penalty in parameters a unique token", upper=4.0, guesses=(0.4, 1.2)),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        unique = np.minimum(D, inputs["unique_tokens"])
        penalty = theta["P_R"] * (D / unique - 1.0) ** theta["delta"] * (N / unique) ** theta["kappa"]
        return np.asarray(super().loss(theta, inputs) + penalty)


def faded(x: FloatArray, unique: FloatArray, scale: FloatArray) -> FloatArray:
    """What x is worth when all of it beyond ``unique`` fades with the e-folding number of repeats ``scale``."""
    return np.asarray(unique * (1.0 - scale * np.expm1(-(x / unique - 1.0) / scale)))


def unfaded(worth: FloatArray, unique: FloatArray, scale: FloatArray) -> FloatArray:
    """What is worth so much when all beyond ``unique`` fades: the inverse of ``faded``, infinite where nothing is.

    >>> bool(np.isclose(unfaded(faded(8e9, 1e9, 15.0), 1e9, 15.0), 8e9)), float(unfaded(17e9, 1e9, 15.0))
    (True, inf)
    """
    left = 1.0 - (worth / unique - 1.0) / scale
    return np.where(left > 0, unique * (1.0 - scale * np.log(np.maximum(left, 1e-300))), np.inf)


FAMILIES: tuple[Family, ...] = (DataLimited(), RepetitionPenalty())

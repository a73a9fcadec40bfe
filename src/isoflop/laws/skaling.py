"""Skaling: Chinchilla's two terms under an outer exponent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power
from isoflop.laws.chinchilla import FAMILY as CHINCHILLA
from isoflop.laws.chinchilla import Chinchilla

GUESSES = tuple(np.geomspace(0.2, 1.6, 5))


class Skaling(Chinchilla):
    """L(N, D) = (A/N^alpha + B/D^beta)^k + E.

    The outer exponent couples N and D and leaves the optimum where Chinchilla's is: the loss is a rising function of
    the same sum. k = 1 is Chinchilla.
    """

    name = "skaling"
    formula = "L = (A/N^alpha + B/D^beta)^k + E"
    reference = "Skaling, arXiv 2608.07222"
    coefficients = (
        CHINCHILLA.coefficients[0],
        Coefficient("A", "what one parameter leaves, under the outer exponent"),
        Coefficient("B", "what one token leaves, under the outer exponent"),
        Coefficient("alpha", "inner exponent of parameters", upper=5.0, guesses=GUESSES),
        Coefficient("beta", "inner exponent of tokens", upper=5.0, guesses=GUESSES),
        Coefficient("k", "outer exponent; 1 is Chinchilla", lower=0.02, upper=5.0, guesses=(0.35, 0.6, 1.0)),
    )
    linear = ("E",)

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        inner = theta["A"] * power(N, -theta["alpha"]) + theta["B"] * power(D, -theta["beta"])
        return power(inner, theta["k"]) + theta["E"]

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Both inner terms alike at the median run, and together half of its loss."""
        starts = super().starts(inputs, loss)
        N, D, half = np.median(inputs["params"]), np.median(inputs["tokens"]), 0.5 * np.median(loss)
        inner = 0.5 * half ** (1 / starts["k"])
        return {**starts, "A": inner * N ** starts["alpha"], "B": inner * D ** starts["beta"]}


FAMILY: Family = Skaling()

"""Chinchilla: additive power laws in parameters and tokens above an irreducible loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power

EXPONENTS = tuple(np.geomspace(0.1, 1.2, 8))
"""Starts of an exponent: published ones lie between .05 and .6."""


class Chinchilla(Family):
    """L(N, D) = E + A/N^alpha + B/D^beta.

    At the optimum under C = 6 N D both marginal returns are equal, alpha A N^-alpha = beta B D^-beta,
    which gives N* = G (C/6)^(beta/(alpha+beta)) with G = (alpha A / (beta B))^(1/(alpha+beta)).
    """

    name = "chinchilla"
    formula = "L = E + A/N^alpha + B/D^beta"
    reference = "Hoffmann et al. 2022, arXiv 2203.15556, equations 2 and 4; Rosenfeld et al. 2020, arXiv 1909.12673"
    inputs: tuple[str, ...] = ("params", "tokens")
    coefficients: tuple[Coefficient, ...] = (
        Coefficient("E", "irreducible loss: the entropy of the text"),
        Coefficient("A", "loss that one parameter leaves, above E"),
        Coefficient("B", "loss that one token leaves, above E"),
        # Published exponents lie between .05 and .7; steeper than N^-2 is a design that shows no slope.
        Coefficient("alpha", "exponent of loss in parameters", upper=2.0, guesses=EXPONENTS),
        Coefficient("beta", "exponent of loss in tokens", upper=2.0, guesses=EXPONENTS),
    )
    linear: tuple[str, ...] = ("E", "A", "B")

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        return theta["E"] + theta["A"] * power(N, -theta["alpha"]) + theta["B"] * power(D, -theta["beta"])

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray]:
        a, b = self.allocation(theta)
        scale = theta["alpha"] * theta["A"] / (theta["beta"] * theta["B"])
        G = scale ** (1.0 / (theta["alpha"] + theta["beta"]))
        return G * (flops / 6.0) ** a, (flops / 6.0) ** b / G

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray]:
        total = theta["alpha"] + theta["beta"]
        return theta["beta"] / total, theta["alpha"] / total


FAMILY = Chinchilla()

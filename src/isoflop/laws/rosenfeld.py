"""Rosenfeld et al.'s envelope: a power-law surface that saturates at the loss of a random guess."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power
from isoflop.laws.chinchilla import EXPONENTS


class Rosenfeld(Family):
    """L = L_0 |e / (e - i eta)| with eta = L_0 and e = A/N^alpha + B/D^beta + E.

    Far above L_0 the surface flattens there, at the loss of guessing; far below, it is e itself. Rosenfeld's free eta
    only sets the units of A, B and E, so it is none of the coefficients here.
    """

    name = "rosenfeld"
    formula = "L = L_0 e/sqrt(e^2 + L_0^2), e = A/N^alpha + B/D^beta + E"
    reference = "Rosenfeld et al. 2020, arXiv 1909.12673, equation 5 (written from memory of the paper)"
    inputs = ("params", "tokens")
    coefficients = (
        Coefficient("E", "irreducible part of e"),
        Coefficient("A", "what one parameter leaves of e"),
        Coefficient("B", "what one token leaves of e"),
        Coefficient("alpha", "exponent of e in parameters", upper=2.0, guesses=EXPONENTS[::2]),
        Coefficient("beta", "exponent of e in tokens", upper=2.0, guesses=EXPONENTS[::2]),
        Coefficient("L_0", "loss of a random guess"),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        e = theta["E"] + theta["A"] * power(N, -theta["alpha"]) + theta["B"] * power(D, -theta["beta"])
        # eta = L_0 takes the units out of e: far below L_0 the loss is e itself, in nats.
        return theta["L_0"] * e / np.sqrt(e * e + theta["L_0"] * theta["L_0"])

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """A guess at twice the worst loss seen, and E, N and D sharing the median run's e."""
        starts = super().starts(inputs, loss)
        count = starts["alpha"].size
        L, L_0 = np.median(loss), 2.0 * loss.max()
        e = L / np.sqrt(1 - (L / L_0) ** 2)
        return {
            **starts,
            "L_0": np.full(count, L_0),
            "E": np.full(count, 0.5 * e),
            "A": 0.25 * e * np.median(inputs["params"]) ** starts["alpha"],
            "B": 0.25 * e * np.median(inputs["tokens"]) ** starts["beta"],
        }


FAMILY: Family = Rosenfeld()

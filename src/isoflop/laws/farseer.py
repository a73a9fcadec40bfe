"""Farseer: a power law in tokens whose amplitude and exponent depend on the parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray

PER_NEPER = (-0.3, -0.1)


class Farseer(Family):
    """L(N, D) = exp(a_3 N^c_3 + b_3) + exp(a_2 N^c_2 + b_2) D^-exp(a_1 N^c_1 + b_1).

    Nine coefficients, of which a sweep of one machine determines five at best: near c = 0, N^c is 1 + c ln N, so a and
    c trade against one another. Expect flat_optimum unless the runs span decades in both directions.
    """

    name = "farseer"
    formula = "L = e^(a_3 N^c_3 + b_3) + e^(a_2 N^c_2 + b_2) D^(-e^(a_1 N^c_1 + b_1))"
    reference = "Farseer 2025, arXiv 2506.10972 (form from memory of the paper)"
    inputs = ("params", "tokens")
    coefficients = tuple(
        Coefficient(f"{letter}_{k}", f"{role} of ln {of}", lower=lower, upper=upper, guesses=guesses)
        for k, of in ((1, "the exponent of D"), (2, "the amplitude of D's term"), (3, "the loss without D's term"))
        for letter, role, lower, upper, guesses in (
            ("a", "amplitude", -np.inf, np.inf, ()),
            ("c", "exponent in N", -2.0, 2.0, PER_NEPER),
            ("b", "constant", -np.inf, np.inf, ()),
        )
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        exponent, amplitude, floor = (theta[f"a_{k}"] * N ** theta[f"c_{k}"] + theta[f"b_{k}"] for k in (1, 2, 3))
        return np.asarray(np.exp(floor) + np.exp(amplitude - np.exp(exponent) * np.log(D)))

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Chinchilla-like at the median run: N's part falling as N^-.3, D's exponent .3, half of the loss each."""
        given = super().starts(inputs, loss)
        N, D, L = (float(np.median(column)) for column in (inputs["params"], inputs["tokens"], loss))
        starts = dict(given)
        for k, value, fall in ((1, np.log(0.3), 0.01), (2, np.log(0.3 * L * D**0.3), 0.01), (3, np.log(0.7 * L), 0.2)):
            c = given[f"c_{k}"]
            starts[f"a_{k}"] = -fall / (c * N**c)  # d ln/d ln N = a c N^c
            starts[f"b_{k}"] = value - starts[f"a_{k}"] * N**c
        return starts


FAMILY: Family = Farseer()

"""The compute-optimal frontier: what approach 2 measures, and all that it measures."""

from __future__ import annotations

from collections.abc import Mapping

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray


class Frontier(Family):
    """N*(C), D*(C) and L*(C) as power laws around a pivot budget P.

    It says nothing about the loss off the frontier: an isoFLOP minimum is all that it has seen. Power
    laws are written around P, the geometric mean of the budgets, because a prefactor at C = 1 FLOP
    would be an extrapolation by ten decades and perfectly correlated with its exponent.
    """

    name = "frontier"
    formula = "N* = N_P (C/P)^a, D* = D_P (C/P)^b, L* = E + R_P (C/P)^-gamma"
    reference = "Hoffmann et al. 2022, arXiv 2203.15556, section 3.2 (approach 2)"
    inputs = ("flops",)
    coefficients = (
        Coefficient("P", "pivot budget in FLOPs, fixed"),
        Coefficient("N_P", "compute-optimal parameters at the pivot"),
        Coefficient("a", "exponent of N* in C", lower=-2.0, upper=2.0),
        Coefficient("D_P", "compute-optimal tokens at the pivot"),
        Coefficient("b", "exponent of D* in C", lower=-2.0, upper=2.0),
        Coefficient("E", "irreducible loss"),
        Coefficient("R_P", "reducible loss on the frontier at the pivot"),
        Coefficient("gamma", "exponent of the reducible loss in C"),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        return theta["E"] + theta["R_P"] * (inputs["flops"] / theta["P"]) ** -theta["gamma"]

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray]:
        times = flops / theta["P"]
        return theta["N_P"] * times ** theta["a"], theta["D_P"] * times ** theta["b"]

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray]:
        return theta["a"], theta["b"]


FAMILY = Frontier()

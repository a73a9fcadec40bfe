"""Allocation: how a budget is split, from a source that says nothing of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from isoflop.errors import DataError
from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray


class Allocation(Family):
    """N*(C) and D*(C) as power laws around a pivot budget P, and no loss.

    Many papers print only these: Llama 3 gives D*, DeepSeek the FLOPs per token and D*, Kaplan et al. both. Where one
    of the two is printed the other follows from C = 6 N D.
    """

    name = "allocation"
    formula = "N* = N_P (C/P)^a, D* = D_P (C/P)^b"
    reference = "Kaplan et al. 2020, arXiv 2001.08361, appendix B; Llama 3, arXiv 2407.21783, section 3.2.1"
    inputs = ()
    fitted = False
    coefficients = (
        Coefficient("P", "pivot budget in FLOPs, fixed"),
        Coefficient("N_P", "compute-optimal parameters at the pivot"),
        Coefficient("a", "exponent of N* in C", lower=-2.0, upper=2.0),
        Coefficient("D_P", "compute-optimal tokens at the pivot"),
        Coefficient("b", "exponent of D* in C", lower=-2.0, upper=2.0),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> NoReturn:
        raise DataError("an allocation says how to split a budget, and nothing about the loss; ask a loss law.")

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray]:
        times = flops / theta["P"]
        return theta["N_P"] * times ** theta["a"], theta["D_P"] * times ** theta["b"]

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray]:
        return theta["a"], theta["b"]


FAMILY = Allocation()

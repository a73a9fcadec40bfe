"""Power laws in one variable, with and without an irreducible loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray

SLOPES = tuple(np.geomspace(0.02, 1.0, 8))
SYMBOLS = {"params": "N", "tokens": "D", "flops": "C"}


class PowerLaw(Family):
    """L(x) = E + A/x^alpha for x one of N, D and C.

    Kaplan et al. fit it without E, which makes an extrapolation fall for ever; with E it is the marginal of
    Rosenfeld's and Chinchilla's surfaces where the other input is plentiful.
    """

    reference = "Kaplan et al. 2020, arXiv 2001.08361, equations 1.1 to 1.3; Rosenfeld et al. 2020, arXiv 1909.12673"
    linear: tuple[str, ...] = ("E", "A")
    amplitude: ClassVar = Coefficient("A", "loss at one unit of the input, above E")
    slope: ClassVar = Coefficient("alpha", "exponent of loss in the input", upper=2.0, guesses=SLOPES)

    def __init__(self, axis: str) -> None:
        x = SYMBOLS[axis]
        self.name = f"power_law_{axis}"
        self.formula = f"L = E + A/{x}^alpha"
        self.inputs = (axis,)
        self.coefficients = (Coefficient("E", "irreducible loss"), self.amplitude, self.slope)

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        return theta["E"] + theta["A"] * inputs[self.inputs[0]] ** -theta["alpha"]


class PurePowerLaw(PowerLaw):
    """L(x) = A/x^alpha: a straight line in log-log."""

    linear = ("A",)

    def __init__(self, axis: str) -> None:
        super().__init__(axis)
        self.name = f"pure_power_law_{axis}"
        self.formula = f"L = A/{SYMBOLS[axis]}^alpha"
        self.coefficients = (self.amplitude, self.slope)

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        return theta["A"] * inputs[self.inputs[0]] ** -theta["alpha"]


FAMILIES = (*(PowerLaw(axis) for axis in SYMBOLS), *(PurePowerLaw(axis) for axis in SYMBOLS))

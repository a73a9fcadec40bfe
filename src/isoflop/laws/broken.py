"""Broken power laws: straight pieces in log-log, joined smoothly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray

AXES = {"params": "N", "tokens": "D", "flops": "C"}
BREAKS = (1, 2)


class BrokenPowerLaw(Family):
    """L(x) = E + A x^-c_0 prod_i (1 + (x/x_i)^(1/f_i))^(-c_i f_i), with n breaks.

    At x_i the slope in log-log changes by -c_i over a range of f_i: c_i < 0 flattens, a rise (double descent) is a
    slope of the other sign. The breaks' places are fitted by their logarithms.
    """

    reference = "Caballero et al. 2022, arXiv 2210.14891, equation 1"
    linear = ("E", "A")

    def __init__(self, axis: str, breaks: int) -> None:
        self.breaks, x = breaks, AXES[axis]
        self.name = f"broken_{axis}" if breaks == 1 else f"broken_{axis}_{breaks}"
        self.formula = f"L = E + A {x}^-c_0 prod_{{i=1..{breaks}}} (1 + ({x}/x_i)^(1/f_i))^(-c_i f_i)"
        self.inputs = (axis,)
        pieces = [
            (
                Coefficient(f"x_{i}", f"{x} at break {i}"),
                Coefficient(f"c_{i}", f"change of slope at break {i}", -5.0, 5.0, (-0.1, 0.2)),
                Coefficient(f"f_{i}", f"width of break {i} in nepers", guesses=(0.3,)),
            )
            for i in range(1, breaks + 1)
        ]
        self.coefficients = (
            Coefficient("E", "irreducible loss"),
            Coefficient("A", "loss at one unit of the input, above E, before the breaks"),
            Coefficient("c_0", "slope before the first break", upper=5.0, guesses=(0.05, 0.15, 0.4)),
            *(coefficient for piece in pieces for coefficient in piece),
        )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        x = inputs[self.inputs[0]]
        exponent = -theta["c_0"] * np.log(x)
        for i in range(1, self.breaks + 1):
            c, f = theta[f"c_{i}"], theta[f"f_{i}"]
            exponent = exponent - c * f * np.logaddexp(0.0, np.log(x / theta[f"x_{i}"]) / f)
        return theta["E"] + theta["A"] * np.exp(exponent)

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Breaks at even shares of the inputs' range, and a little to either side."""
        given, x = super().starts(inputs, loss), np.log(inputs[self.inputs[0]])
        count = given["c_0"].size
        starts = {name: np.tile(column, 3) for name, column in given.items()}
        for i in range(1, self.breaks + 1):
            middle = i / (self.breaks + 1)
            shares = [middle * factor for factor in (0.6, 1.0, 1.3)]
            starts[f"x_{i}"] = np.repeat(np.exp(x.min() + np.ptp(x) * np.array(shares)), count)
        return starts


FAMILIES = tuple(BrokenPowerLaw(axis, breaks) for axis in AXES for breaks in BREAKS)

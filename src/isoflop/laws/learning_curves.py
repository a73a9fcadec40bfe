"""Learning curves: loss against the amount of data alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray


class Amari(Family):
    """L(D) = E + c/D^p with the exponent that theory gives: one of Amari's four types of learning curve.

    p = 1/2: noisy rule learnt by a deterministic machine; p = 1 with E = 0: a noiseless rule with one solution; p = 2:
    a noiseless rule that many networks solve; p = 1 with E: a stochastic machine. The exponent is not fitted, which is
    the point: a type is tested by whether it fits.
    """

    reference = "Amari, Fujita & Shinomoto 1992, Four types of learning curves, Neural Computation 4(4)"
    inputs = ("tokens",)

    def __init__(self, name: str, power: float, floor: bool) -> None:
        self.name, self.power = name, power
        self.formula = f"L = {'E + ' if floor else ''}c/D^{power:g}"
        above = (Coefficient("E", "loss that no amount of data removes"),) if floor else ()
        self.coefficients = (*above, Coefficient("c", "loss at one token, above E"))
        self.linear = self.names

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        return theta.get("E", np.zeros(())) + theta["c"] * inputs["tokens"] ** -self.power


class Hestness(Family):
    """L(D) = E + (L_0 - E)/(1 + (D/D_0)^beta): Hestness et al.'s three regions in one curve.

    Below D_0 the loss is that of a guess, L_0; above it falls as a power of D; then it flattens at E. Hestness et al.
    name the regions and fit the middle one; the smooth join is ours.
    """

    name = "hestness"
    formula = "L = E + (L_0 - E)/(1 + (D/D_0)^beta)"
    reference = "Hestness et al. 2017, arXiv 1712.00409, figure 6"
    inputs = ("tokens",)
    coefficients = (
        Coefficient("E", "irreducible loss"),
        Coefficient("L_0", "loss of a guess: the plateau of the smallest tables"),
        Coefficient("D_0", "tokens at which learning sets in"),
        Coefficient("beta", "exponent of loss in tokens", upper=2.0, guesses=(0.15, 0.35, 0.8)),
    )
    linear = ("E", "L_0")

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        left = 1 / (1 + (inputs["tokens"] / theta["D_0"]) ** theta["beta"])
        return theta["E"] * (1 - left) + theta["L_0"] * left

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Learning sets in at, below and above the smallest table."""
        given = super().starts(inputs, loss)
        count, least = given["beta"].size, inputs["tokens"].min()
        starts = {name: np.tile(column, 3) for name, column in given.items()}
        return {**starts, "D_0": np.repeat(least * np.array([0.1, 1.0, 10.0]), count)}


FAMILIES = (
    Amari("amari_noisy", 0.5, floor=False),
    Amari("amari_unique", 1.0, floor=False),
    Amari("amari_many", 2.0, floor=False),
    Amari("amari_stochastic", 1.0, floor=True),
    Hestness(),
)

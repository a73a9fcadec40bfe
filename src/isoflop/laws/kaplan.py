"""Kaplan et al.'s joint laws: of parameters and tokens, and of parameters and steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray

SLOPES = tuple(np.geomspace(0.04, 0.4, 5))
IN_PARAMS = Coefficient("alpha_N", "exponent of loss in parameters", upper=2.0, guesses=SLOPES)


class Kaplan(Family):
    """L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D.

    There is no irreducible loss. On C = 6 N D the bracket is least where (alpha_N/alpha_D) (N_c/N)^(alpha_N/alpha_D) =
    D_c/D, so that N* ∝ C^(alpha_D/(alpha_N + alpha_D)): .58 with Kaplan's own constants, which is not the .73 that
    they read off runs of minimal compute.
    """

    name = "kaplan"
    formula = "L = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D"
    reference = "Kaplan et al. 2020, arXiv 2001.08361, equation 1.5"
    inputs = ("params", "tokens")
    coefficients = (
        Coefficient("N_c", "parameters at which a loss of 1 is reached with unlimited tokens"),
        Coefficient("D_c", "tokens at which a loss of 1 is reached with unlimited parameters"),
        IN_PARAMS,
        Coefficient("alpha_D", "exponent of loss in tokens", upper=2.0, guesses=SLOPES),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        bracket = (theta["N_c"] / N) ** (theta["alpha_N"] / theta["alpha_D"]) + theta["D_c"] / D
        return bracket ** theta["alpha_D"]

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray]:
        p = theta["alpha_N"] / theta["alpha_D"]
        N = (p * theta["N_c"] ** p * flops / (6.0 * theta["D_c"])) ** (1.0 / (1.0 + p))
        return N, flops / (6.0 * N)

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray]:
        total = theta["alpha_N"] + theta["alpha_D"]
        return theta["alpha_D"] / total, theta["alpha_N"] / total

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Both terms of the bracket alike at the median run."""
        starts = super().starts(inputs, loss)
        half = 0.5 * np.median(loss) ** (1 / starts["alpha_D"])
        N_c = np.median(inputs["params"]) * half ** (starts["alpha_D"] / starts["alpha_N"])
        return {**starts, "N_c": N_c, "D_c": np.median(inputs["tokens"]) * half}


class KaplanSteps(Family):
    """L(N, S) = (N_c/N)^alpha_N + (S_c/S)^alpha_S, with S the optimiser's steps."""

    name = "kaplan_steps"
    formula = "L = (N_c/N)^alpha_N + (S_c/S)^alpha_S"
    reference = "Kaplan et al. 2020, arXiv 2001.08361, equation 1.6"
    inputs = ("params", "steps")
    coefficients = (
        Coefficient("N_c", "parameters at which a loss of 1 is reached with unlimited steps"),
        Coefficient("S_c", "steps at which their term of the loss is 1"),
        IN_PARAMS,
        Coefficient("alpha_S", "exponent of loss in steps", upper=2.0, guesses=tuple(np.geomspace(0.1, 1.2, 5))),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, S = inputs["params"], inputs["steps"]
        return (theta["N_c"] / N) ** theta["alpha_N"] + (theta["S_c"] / S) ** theta["alpha_S"]

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Parameters leave most of the median run's loss, steps the rest."""
        starts = super().starts(inputs, loss)
        L = np.median(loss)
        N_c = np.median(inputs["params"]) * (0.8 * L) ** (1 / starts["alpha_N"])
        return {**starts, "N_c": N_c, "S_c": np.median(inputs["steps"]) * (0.2 * L) ** (1 / starts["alpha_S"])}


FAMILIES = (Kaplan(), KaplanSteps())

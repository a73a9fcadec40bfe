"""Mixtures of experts: three published surfaces in what makes them sparse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoflop.laws._family import POSITIVE, Coefficient, Coefficients, Family, FloatArray, power

LN_10 = float(np.log(10.0))


class FineGrained(Family):
    """L(N, D, G) = E + (A_G/G^gamma + A)/N^alpha + B/D^beta, with experts G times narrower than a dense layer.

    It has no closed-form optimum here: FLOPs per token depend on the active parameters and on the router.
    """

    name = "fine_grained"
    formula = "L = E + (A_G/G^gamma + A)/N^alpha + B/D^beta"
    reference = "Krajewski et al. 2024, arXiv 2402.07871, equation 9"
    inputs = ("params", "tokens", "granularity")
    assumed: ClassVar = {"granularity": 1.0}
    fitted = False
    coefficients = (
        Coefficient("E", "irreducible loss"),
        Coefficient("A", "loss that one parameter leaves at unlimited granularity, above E"),
        Coefficient("A_G", "what it leaves more at granularity 1"),
        Coefficient("B", "loss that one token leaves, above E"),
        Coefficient("alpha", "exponent of loss in parameters", upper=2.0),
        Coefficient("beta", "exponent of loss in tokens", upper=2.0),
        Coefficient("gamma", "exponent of A_G's part in granularity", upper=5.0),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D, G = (inputs[name] for name in self.inputs)
        left = theta["A"] + theta["A_G"] * power(G, -theta["gamma"])
        return theta["E"] + left * power(N, -theta["alpha"]) + theta["B"] * power(D, -theta["beta"])


class Sparsity(Family):
    """L = E + A/N^alpha + B/D^beta + F x^phi + H/(x^delta N^gamma), x the active fraction 1 - S of the experts.

    N is all parameters. The paper writes F/(1-S)^lambda with lambda = -phi. No closed-form optimum: FLOPs follow the
    active parameters.
    """

    name = "sparsity"
    formula = "L = E + A/N^alpha + B/D^beta + F x^phi + H/(x^delta N^gamma), x = 1 - S"
    reference = "Abnar et al. 2025, arXiv 2501.12370, equation 6"
    inputs = ("params", "tokens", "active_fraction")
    assumed: ClassVar = {"active_fraction": 1.0}
    ranges: ClassVar = {"active_fraction": (POSITIVE[0], 1.0)}
    fitted = False
    coefficients = (
        Coefficient("E", "irreducible loss"),
        Coefficient("A", "loss that one parameter leaves, above E"),
        Coefficient("B", "loss that one token leaves, above E"),
        Coefficient("alpha", "exponent of loss in parameters", upper=2.0),
        Coefficient("beta", "exponent of loss in tokens", upper=2.0),
        Coefficient("F", "loss that grows with the active fraction"),
        Coefficient("phi", "its exponent", upper=5.0),
        Coefficient("H", "loss of one parameter that falls with the active fraction"),
        Coefficient("delta", "its exponent in the active fraction", upper=5.0),
        Coefficient("gamma", "its exponent in parameters", upper=2.0),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D, x = (inputs[name] for name in self.inputs)
        dense = theta["E"] + theta["A"] * power(N, -theta["alpha"]) + theta["B"] * power(D, -theta["beta"])
        shared = theta["H"] * power(x, -theta["delta"]) * power(N, -theta["gamma"])
        return dense + theta["F"] * power(x, theta["phi"]) + shared


class Routed(Family):
    """log10 L = a log10 N + b log10 X + c log10 N log10 X + d, with the experts saturated as X.

    1/X = 1/(experts - 1 + 1/(1/X_start - 1/X_max)) + 1/X_max, so that X runs from X_start at one expert to X_max. N is
    the parameters that one token uses. All runs saw the same number of tokens: there is no D in it.
    """

    name = "routed"
    formula = "log10 L = a log10 N + b log10 X + c log10 N log10 X + d"
    reference = "Clark et al. 2022, arXiv 2202.01169, equation 1"
    inputs = ("params", "experts")
    assumed: ClassVar = {"experts": 1.0}
    ranges: ClassVar = {"experts": (1.0, np.inf)}
    fitted = False
    coefficients = (
        Coefficient("a", "slope in parameters", -2.0, 2.0),
        Coefficient("b", "slope in saturated experts", -2.0, 2.0),
        Coefficient("c", "how either slope changes with the other", -2.0, 2.0),
        Coefficient("d", "log10 of the loss at one parameter and X = 1", -np.inf, np.inf),
        Coefficient("X_start", "saturated experts where there is one"),
        Coefficient("X_max", "saturated experts where there are infinitely many"),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        first = 1.0 / (1.0 / theta["X_start"] - 1.0 / theta["X_max"])
        X = 1.0 / (1.0 / (inputs["experts"] - 1.0 + first) + 1.0 / theta["X_max"])
        n, x = np.log10(inputs["params"]), np.log10(X)
        return np.asarray(np.exp(LN_10 * (theta["a"] * n + theta["b"] * x + theta["c"] * n * x + theta["d"])))


FAMILIES: tuple[Family, ...] = (FineGrained(), Sparsity(), Routed())

"""Precision: fewer bits in training count as fewer parameters; fewer bits afterwards add a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from isoflop.laws._family import Coefficient, Coefficients, Family, FloatArray, power
from isoflop.laws.chinchilla_shared import ChinchillaShared

BITS = ("weight_bits", "activation_bits", "cache_bits")
SCALES = ("gamma_w", "gamma_a", "gamma_kv")


class Precision(ChinchillaShared):
    """L = E + A/N_eff^alpha + B/D^alpha + C_T D^gamma_D / N^gamma_N exp(-post_bits/gamma_post).

    N_eff = N prod (1 - exp(-P_i/gamma_i)) over the bits of weights, activations and KV cache in training. The last term
    is what quantising the weights after training costs: it grows with D, so that more data can make a quantised network
    worse, from D_crit = (alpha B N^gamma_N exp(post_bits/gamma_post) / (gamma_D C_T))^(1/(gamma_D + alpha)) on.
    Bits that are not given are unlimited.
    """

    name = "precision"
    formula = "L = E + A/N_eff^alpha + B/D^alpha + C_T D^gamma_D/N^gamma_N e^(-P_post/gamma_post)"
    reference = "Kumar et al. 2024, arXiv 2411.04330, equations 1 to 6, one exponent for N and D"
    inputs = ("params", "tokens", *BITS, "post_bits")
    assumed: ClassVar = dict.fromkeys((*BITS, "post_bits"), np.inf)
    fitted = False
    linear = ()
    coefficients = (
        *ChinchillaShared.coefficients,
        Coefficient("gamma_w", "bits of the weights by which what they lack has fallen by e"),
        Coefficient("gamma_a", "the same for activations"),
        Coefficient("gamma_kv", "the same for the KV cache"),
        Coefficient("C_T", "scale of the loss from quantising after training"),
        Coefficient("gamma_D", "exponent in tokens of that loss"),
        Coefficient("gamma_N", "exponent in parameters by which it falls"),
        Coefficient("gamma_post", "bits after training by which it falls by e"),
    )

    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        N, D = inputs["params"], inputs["tokens"]
        kept = [-np.expm1(-inputs[bits] / theta[scale]) for bits, scale in zip(BITS, SCALES, strict=True)]
        trained = super().loss(theta, {"params": N * kept[0] * kept[1] * kept[2], "tokens": D})
        fragile = theta["C_T"] * power(D, theta["gamma_D"]) * power(N, -theta["gamma_N"])
        return np.asarray(trained + fragile * np.exp(-inputs["post_bits"] / theta["gamma_post"]))


def critical_tokens(theta: Coefficients, params: FloatArray, post_bits: FloatArray) -> FloatArray:
    """D_crit: the tokens beyond which more of them make a network of N parameters, quantised to P bits, worse."""
    gained = theta["alpha"] * theta["B"] * power(params, theta["gamma_N"]) * np.exp(post_bits / theta["gamma_post"])
    lost = theta["gamma_D"] * theta["C_T"]
    return power(gained / lost, 1.0 / (theta["gamma_D"] + theta["alpha"]))


FAMILIES: tuple[Family, ...] = (Precision(),)

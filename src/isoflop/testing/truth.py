"""Synthetic truth: coefficients for every family, of the size that published laws have, and runs that obey them."""

from __future__ import annotations

import numpy as np

from isoflop.laws import families
from isoflop.runs import Runs

COUNT = 48
# Scattered, not gridded, so that every family sees as many values of its own input as there are runs.
_GOLDEN = (np.arange(COUNT) * (np.sqrt(5) - 1) / 2) % 1
_SILVER = (np.arange(COUNT) * np.sqrt(2)) % 1
N, D = 1e8 * 1e3 ** (np.arange(COUNT) / (COUNT - 1)), 1e9 * 1e3**_GOLDEN
INPUTS = {
    "params": N,
    "tokens": D,
    "flops": 6 * N * D,
    "steps": D / 5e5,
    "unique_tokens": D / 16**_SILVER,
    "weight_bits": np.full(COUNT, 4.0),
    "activation_bits": np.full(COUNT, 6.0),
    "cache_bits": np.full(COUNT, 3.0),
    "post_bits": np.full(COUNT, 8.0),
    "granularity": np.full(COUNT, 4.0),
    "active_fraction": np.full(COUNT, 0.02),
    "experts": np.full(COUNT, 8.0),
}
POWER_LAW = {"E": 1.7, "A": 90.0, "alpha": 0.2}
BROKEN = {"E": 1.5, "A": 60.0, "c_0": 0.2, "c_1": -0.1, "f_1": 0.4}
FARSEER = {"a_1": -2.0, "c_1": -0.05, "b_1": 0.0, "a_2": 5.0, "c_2": -0.03, "b_2": 3.0, "a_3": 30.0, "c_3": -0.2}
BITS = {"gamma_w": 2.7, "gamma_a": 2.2, "gamma_kv": 0.96, "gamma_post": 0.59}
SPARSE = {"F": 0.46, "phi": 0.167, "H": 17.3, "delta": 0.16, "gamma": 0.16}

PLANTED = {
    "chinchilla": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    "chinchilla_shared": {"E": 1.62, "A": 60.0, "B": 130.0, "alpha": 0.26},
    "skaling": {"E": 1.7, "A": 3e4, "B": 1e5, "alpha": 0.7, "beta": 0.6, "k": 0.4},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    "kaplan_steps": {"N_c": 6.5e13, "S_c": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
    "rosenfeld": {"E": 1.7, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "L_0": 9.0},
    "farseer": {**FARSEER, "b_3": 0.2},
    **{f"power_law_{axis}": POWER_LAW for axis in ("params", "tokens", "flops")},
    **{f"pure_power_law_{axis}": {"A": 90.0, "alpha": 0.08} for axis in ("params", "tokens", "flops")},
    **{f"broken_{axis}": {**BROKEN, "x_1": x} for axis, x in (("params", 3e9), ("tokens", 3e10), ("flops", 1e20))},
    **{
        f"broken_{axis}_2": {**BROKEN, "x_1": x, "c_2": 0.2, "f_2": 0.3, "x_2": 20 * x}
        for axis, x in (("params", 1e9), ("tokens", 8e9), ("flops", 1e19))
    },
    "amari_noisy": {"c": 1e5},
    "amari_unique": {"c": 5e9},
    "amari_many": {"c": 1e19},
    "amari_stochastic": {"E": 2.0, "c": 5e9},
    "hestness": {"E": 1.8, "L_0": 9.0, "D_0": 5e9, "beta": 0.5},
    "allocation": {"P": 8.64e19, "N_P": 1.3e9, "a": 0.73, "D_P": 2e10, "b": 0.27},
    "data_limited": {"E": 1.87, "A": 520.0, "B": 1490.0, "alpha": 0.353, "R_D": 15.4, "R_N": 5.3},
    "repetition_penalty": {
        **{"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
        **{"P_R": 1e-4, "delta": 0.8, "kappa": 0.4},
    },
    "precision": {
        "E": 2.76,
        "A": 4.3e3,
        "B": 1.8e4,
        "alpha": 0.5,
        **BITS,
        "C_T": 0.06,
        "gamma_D": 0.5,
        "gamma_N": 0.35,
    },
    "fine_grained": {"E": 0.47, "A": 18.1, "A_G": 2.1, "B": 30.8, "alpha": 0.115, "beta": 0.147, "gamma": 0.58},
    "sparsity": {"E": 0.94, "A": 1.7e4, "B": 5.5e3, "alpha": 0.6, "beta": 0.4, **SPARSE},
    "routed": {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "X_start": 1.85, "X_max": 314.0},
    "frontier": {"P": 5e20, "N_P": 2e9, "a": 0.51, "D_P": 4e10, "b": 0.49, "E": 1.7, "R_P": 0.6, "gamma": 0.17},
}


def planted_runs(name: str, noise: float = 0.0, seed: int = 0) -> Runs:
    """48 runs scattered over three decades of N and of D that obey the family's law, times exp(noise x normal).

    >>> len(planted_runs("kaplan"))
    48
    """
    theta = {key: np.asarray(value) for key, value in PLANTED[name].items()}
    loss = np.broadcast_to(families()[name].loss(theta, INPUTS), N.shape)
    loss = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    return Runs(N, D, loss, columns={name: INPUTS[name] for name in ("steps", "unique_tokens")})

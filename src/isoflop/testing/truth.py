"""Synthetic truth: coefficients for every family, of the size that published laws have, and runs that obey them."""

from __future__ import annotations

import numpy as np

from isoflop.laws import families
from isoflop.runs import Runs

COUNT = 48
# Scattered, not gridded, so that every family sees as many values of its own input as there are runs.
_GOLDEN = (np.arange(COUNT) * (np.sqrt(5) - 1) / 2) % 1
N, D = 1e8 * 1e3 ** (np.arange(COUNT) / (COUNT - 1)), 1e9 * 1e3**_GOLDEN
INPUTS = {"params": N, "tokens": D, "flops": 6 * N * D, "steps": D / 5e5}
POWER_LAW = {"E": 1.7, "A": 90.0, "alpha": 0.2}
BROKEN = {"E": 1.5, "A": 60.0, "c_0": 0.2, "c_1": -0.1, "f_1": 0.4}
FARSEER = {"a_1": -2.0, "c_1": -0.05, "b_1": 0.0, "a_2": 5.0, "c_2": -0.03, "b_2": 3.0, "a_3": 30.0, "c_3": -0.2}

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
    return Runs(N, D, loss, columns={"steps": INPUTS["steps"]})

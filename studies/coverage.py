"""Do 90 % intervals of approach 2 hold the truth nine times out of ten, on the quick start's own design?

    python studies/coverage.py [--studies 1000] [--draws 1000] [--seed 0]

Plants a frontier: vertices on known power laws of compute, an irreducible loss drawn anew for every study, a
parabola in ln N about each vertex. Samples it as the quick start does, at three budgets and 4 or 5 networks a
budget whose grid does not sit on the vertex, adds noise of a seed's size to every loss, fits, and forecasts
one run at three times the largest budget, planted likewise. The noise is either known (column loss_noise) or
left to the residuals about the parabolas.

Prints one row for each design: the share of studies whose intervals held the planted exponent a and the loss
of the planted run, with binomial standard errors, and how many fits were refused (a refused fit has no
interval, and is counted in neither share). What is not tested is the form: here it is true by construction.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np

import isoflop as iso
from isoflop.fitting import Fit, forecast, judge
from isoflop.sweeps.design import QUICKSTART_BUDGETS

BUDGETS = np.array(QUICKSTART_BUDGETS)
PIVOT = float(np.exp(np.log(BUDGETS).mean()))
FORECAST = 3 * float(BUDGETS.max())
NOISE = 0.014
SPREAD = 3.0
"""From the vertex to either end of a profile, as a factor of N."""


@dataclass(frozen=True)
class Truth:
    """A frontier near that of the quick start's runs, and how the loss rises off it."""

    E: float
    N_P: float = 3.2e4
    a: float = 0.55
    R_P: float = 1.3
    gamma: float = 0.16
    curvature: float = 0.14

    def optimum(self, C: np.ndarray | float) -> np.ndarray | float:
        return self.N_P * (C / PIVOT) ** self.a

    def loss(self, N: np.ndarray | float, C: np.ndarray | float) -> np.ndarray | float:
        off = np.log(N / self.optimum(C))
        return self.E + self.R_P * (C / PIVOT) ** -self.gamma + self.curvature * off**2


@dataclass(frozen=True)
class Design:
    networks: int
    noise_known: bool

    def runs(self, truth: Truth, rng: np.random.Generator) -> iso.Runs:
        C = BUDGETS.repeat(self.networks)
        off_centre = np.exp(rng.uniform(-0.2, 0.2, BUDGETS.size)).repeat(self.networks)
        ladder = np.tile(np.geomspace(1 / SPREAD, SPREAD, self.networks), BUDGETS.size)
        N = truth.optimum(C) * off_centre * ladder
        columns = {"budget": C} | ({"loss_noise": np.full(C.size, NOISE)} if self.noise_known else {})
        loss = truth.loss(N, C) + NOISE * rng.standard_normal(C.size)
        return iso.Runs(params=N, tokens=C / (6 * N), loss=loss, flops=C, columns=columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| networks a budget | noise | interval of a held | of the forecast run | refused |")
    print("|---|---|---|---|---|")
    for networks in (5, 4):
        for noise_known in (True, False):
            design = Design(networks, noise_known)
            print(row(design, options.studies, options.draws, options.seed), flush=True)


def row(design: Design, studies: int, draws: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    held = []
    for _ in range(studies):
        truth = Truth(E=rng.uniform(0, 0.8))
        runs = design.runs(truth, rng)
        run_noise, draws_seed = NOISE * rng.standard_normal(), int(rng.integers(1 << 30))
        fit = iso.fit(runs, "frontier", draws=draws, seed=draws_seed)
        if fit.fitted is not None:
            held.append(holds(fit, truth, run_noise))
    noise = "known" if design.noise_known else "from residuals"
    shares = (share(kind) for kind in zip(*held, strict=True))
    return f"| {design.networks} | {noise} | {' | '.join(shares)} | {studies - len(held)} of {studies} |"


def holds(fit: Fit, truth: Truth, run_noise: float) -> tuple[bool, bool]:
    """Whether the interval of a holds the planted exponent, and the forecast's that of one planted run."""
    low, high = fit.interval("a")
    N = float(fit.law.optimum(FORECAST).params)
    outcome = judge(forecast(fit, FORECAST, N), "planted", float(truth.loss(N, FORECAST)) + run_noise)
    return low <= truth.a <= high, outcome.inside


def share(held: tuple[bool, ...]) -> str:
    p = sum(held) / len(held)
    return f"{100 * p:.1f} ± {100 * math.sqrt(p * (1 - p) / len(held)):.1f} %"


if __name__ == "__main__":
    main()

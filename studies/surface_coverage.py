"""Do 90 % intervals of approach 3 hold the truth nine times out of ten?

    python studies/surface_coverage.py [--studies 1000] [--draws 400] [--seed 0] [--setting NAME]...

Plants a Chinchilla surface near the published one, drawn anew for every study, samples it by a design, adds noise to
ln L, fits, and asks whether the 90 % intervals held the planted allocation exponent a, N* at 100 times the largest
run's compute, the loss there, and that loss again by the interval of a plan, which holds the error of the form too.

Prints one row for each setting: coverage with binomial standard errors over the studies that gave a law, the share of
verdicts that were not "ok", and how many fits were refused (a refused fit has no interval, and is in no coverage).
What is not tested is the form: here it is true by construction, so the plan's interval may well hold too often.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from numpy.typing import NDArray

import isoflop as iso
from isoflop.fitting import Fit
from isoflop.laws import Law, family

FloatArray = NDArray[np.float64]
Columns = tuple[FloatArray, FloatArray]
FARTHER = 100.0
LEVEL = 0.9
PIVOT_N, PIVOT_D = 1e9, 2e10
ASKED = ("a", "N* (100x)", "loss (100x)", "plan's loss (100x)")


@dataclass(frozen=True)
class Setting:
    """A design, as a function of the truth, and a noise of ln L, as a function of the number of runs."""

    says: str
    points: Callable[[Law, np.random.Generator], Columns]
    noise: Callable[[int, np.random.Generator], FloatArray]


def planted(rng: np.random.Generator) -> Law:
    """A law near Chinchilla's: at 1e9 parameters and 2e10 tokens either term is .25 to .5 of a loss of about 2.5."""
    alpha, beta = rng.uniform(0.28, 0.42, 2)
    first, second = rng.uniform(0.25, 0.5, 2)
    numbers = {"E": rng.uniform(1.5, 2.0), "alpha": alpha, "beta": beta}
    numbers |= {"A": first * PIVOT_N**alpha, "B": second * PIVOT_D**beta}
    return Law("planted", "a planted truth", family("chinchilla"), numbers)


def isoflop_grid(budgets: int, networks: int) -> Callable[[Law, np.random.Generator], Columns]:
    """Profiles at budgets of 6e18 to 3e21 FLOPs, a factor of 4 to either side of an optimum guessed to 20 %."""

    def points(truth: Law, rng: np.random.Generator) -> Columns:
        C = np.geomspace(6e18, 3e21, budgets).repeat(networks)
        guessed = truth.optimum(C).params * np.exp(rng.uniform(-0.2, 0.2, budgets)).repeat(networks)
        N = guessed * np.tile(np.geomspace(0.25, 4, networks), budgets)
        return N, C / (6 * N)

    return points


def ladder(truth: Law, rng: np.random.Generator) -> Columns:
    """Six sizes from 40M to 4B, each at six values of D/N from 4 to 128."""
    N, ratio = np.meshgrid(np.geomspace(4e7, 4e9, 6), np.geomspace(4, 128, 6))
    return N.ravel(), (N * ratio).ravel()


def scattered(fewest: int, most: int) -> Callable[[Law, np.random.Generator], Columns]:
    """Runs anywhere between 40M and 4B parameters and between 4 and 128 tokens for each."""

    def points(truth: Law, rng: np.random.Generator) -> Columns:
        count = int(rng.integers(fewest, most + 1))
        N = np.exp(rng.uniform(np.log(4e7), np.log(4e9), count))
        return N, N * np.exp(rng.uniform(np.log(4), np.log(128), count))

    return points


def normal(scale: float) -> Callable[[int, np.random.Generator], FloatArray]:
    return lambda count, rng: scale * rng.standard_normal(count)


def heavy_tailed(count: int, rng: np.random.Generator) -> FloatArray:
    return 0.003 * rng.standard_t(2, count)


def with_outliers(count: int, rng: np.random.Generator) -> FloatArray:
    return 0.003 * rng.standard_normal(count) + 0.05 * (rng.uniform(size=count) < 0.05)


GRID = isoflop_grid(8, 9)
SETTINGS = {
    "grid": Setting("isoFLOP grid, 8 x 9, noise .5 %", GRID, normal(0.005)),
    "ladder": Setting("ladder, 6 N x 6 D/N, noise .5 %", ladder, normal(0.005)),
    "few": Setting("12 to 16 scattered runs, noise .3 %", scattered(12, 16), normal(0.003)),
    "heavy": Setting("isoFLOP grid, t with 2 df x .3 %", GRID, heavy_tailed),
    "outliers": Setting("isoFLOP grid, .3 %, 5 % of runs at +5 %", GRID, with_outliers),
    "small": Setting("isoFLOP grid, noise .05 %", GRID, normal(0.0005)),
    "small_grid": Setting("isoFLOP grid, 5 x 5, noise .3 %", isoflop_grid(5, 5), normal(0.003)),
    "scattered": Setting("120 scattered runs, noise .5 %", scattered(120, 120), normal(0.005)),
}


@dataclass(frozen=True)
class Study:
    """What one simulated study came to: the verdict, and, where there is a law, what its intervals held."""

    status: str
    codes: tuple[str, ...]
    held: tuple[bool, ...] | None


def study(setting: Setting, draws: int, rng: np.random.Generator) -> Study:
    truth = planted(rng)
    N, D = setting.points(truth, rng)
    loss = truth.predict(N, D) * np.exp(setting.noise(N.size, rng))
    fit = iso.fit(iso.Runs(params=N, tokens=D, loss=loss), "chinchilla", draws=draws, level=LEVEL)
    codes = tuple(note.code for note in fit.verdict.notes)
    return Study(fit.verdict.status, codes, None if fit.fitted is None else held(fit, truth))


def held(fit: Fit, truth: Law) -> tuple[bool, ...]:
    """Whether the intervals of ASKED hold the truth."""
    C = FARTHER * float((6 * fit.runs.params * fit.runs.tokens).max())
    so, exponents, drawn = truth.optimum(C), truth.allocation(), fit.law.optimum_draws(C)
    planned = iso.plan(fit.law, C, level=LEVEL).rows[0].intervals
    assert exponents is not None
    assert drawn is not None
    assert planned is not None
    spans = [fit.interval("a"), central(drawn.params), central(drawn.loss), planned.loss]
    truths = [exponents[0], float(so.params), float(so.loss), float(so.loss)]
    return tuple(low <= value <= high for (low, high), value in zip(spans, truths, strict=True))


def central(draws: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share(those: list[bool]) -> str:
    if not those:
        return "-"
    p = sum(those) / len(those)
    return f"{100 * p:.1f} ± {100 * math.sqrt(p * (1 - p) / len(those)):.1f}"


def row(setting: Setting, studies: list[Study]) -> str:
    seen = [each.held for each in studies if each.held is not None]
    cells = [share([every[k] for every in seen]) for k in range(len(ASKED))]
    cells.append(share([each.status != "ok" for each in studies]))
    cells.append(str(len(studies) - len(seen)))
    codes = Counter(code for each in studies for code in each.codes)
    cells.append(", ".join(f"{code} {count}" for code, count in codes.most_common(4)))
    return f"| {setting.says} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", action="append", choices=SETTINGS)
    options = parser.parse_args()
    head = ("setting", *(f"{name}, %" for name in ASKED), 'not "ok", %', "refused", "notes (studies)")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in options.setting or SETTINGS:
        setting, rng = SETTINGS[name], np.random.default_rng(options.seed)
        done = [study(setting, options.draws, rng) for _ in range(options.studies)]
        print(row(setting, done), flush=True)


if __name__ == "__main__":
    main()

"""Does the optimal design keep its promise? Against an isoFLOP grid of the same cost and the same number of runs.

    python studies/design.py [--studies 200] [--workers 2] [--budget 1e21] [--runs 35]

For planted laws and three levels of noise, at 1000 times the budget of the whole design: the variance of ln N* that is
predicted for both designs, the one that so many simulated studies come to (truth planted, noise added, `iso.fit` on
each), and the width that was achieved over the one that was predicted. Spreads are those of the middle 90 % of the
studies, over 2 x 1.645, so that a few runaway fits of a flat valley do not decide; refused fits are counted. Then what
the insurance against a wrong form costs. About 8 minutes of one core.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np

import isoflop as iso
from isoflop.sweeps.designs import Design
from isoflop.sweeps.expected import expected
from isoflop.sweeps.kinds import Frame, isoflop_design
from isoflop.sweeps.optimal import Terms, optimal_design

LAWS = ("besiroglu2024", "hoffmann2022", "sardana2023", "gadre2024_c4")
NOISES = (0.001, 0.003, 0.01)
RATIOS = ((5.0, 100.0), (3.0, 300.0))
BEYOND = 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--budget", type=float, default=1e21)
    parser.add_argument("--runs", type=int, default=35)
    asked = parser.parse_args()
    print("| law | D/N | noise | variance, predicted | achieved | width achieved/predicted: grid | optimal | refused |")
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(asked.workers) as pool:
        for name in LAWS:
            for ratio in RATIOS:
                frame = Frame(asked.budget, iso.law(name), asked.runs, ratio)
                designs = isoflop_design(frame), optimal_design(frame, BEYOND * frame.budget)
                assert designs[1].cost <= designs[0].cost * (1 + 1e-9)
                assert len(designs[0]) == len(designs[1])
                for noise in NOISES:
                    print(row(pool, name, ratio, noise, designs, asked.studies), flush=True)
    print_insurance(asked.budget, asked.runs)


def row(
    pool: ProcessPoolExecutor, name: str, ratio: tuple[float, float], noise: float, designs: tuple[Design, ...], n: int
) -> str:
    law = replace(iso.law(name), draws=None)  # the truth is planted at the point, so the prediction is there too
    target = BEYOND * designs[0].cost
    predicted = [expected(design, law, noise=noise, target=target).params for design in designs]
    answers = [simulated(pool, name, design, noise, target, n) for design in designs]
    achieved = [spread(answer) for answer in answers]
    refused = " and ".join(str(int(np.isnan(answer).sum())) for answer in answers)
    ratios = [(one[0] / one[1]) ** 2 for one in (predicted, achieved)]
    held = [a / p for a, p in zip(achieved, predicted, strict=True)]
    low, high = ratio
    return (
        f"| `{name}` | {low:g} to {high:g} | {noise:.1%} | {ratios[0]:.1f}x less | {ratios[1]:.1f}x | "
        f"{held[0]:.2f} | {held[1]:.2f} | {refused} of {n} |"
    )


def simulated(pool: ProcessPoolExecutor, name: str, design: Design, noise: float, target: float, n: int) -> np.ndarray:
    """ln N* at the target in n simulated studies, NaN where the fit was refused."""
    # Every row has noise of its own: rows that share one would all be off together.
    first = 10_000 * LAWS.index(name) + 1_000 * NOISES.index(noise) + (500 if design.kind == "optimal" else 0)
    jobs = [(name, design.params, design.tokens, noise, target, first + seed) for seed in range(n)]
    return np.array(list(pool.map(answer, jobs, chunksize=max(1, n // 20))))


def answer(job: tuple[str, np.ndarray, np.ndarray, float, float, int]) -> float:
    name, N, D, noise, target, seed = job
    law = iso.law(name)
    wobble = np.exp(noise * np.random.default_rng(seed).standard_normal(N.size))
    fit = iso.fit(iso.Runs(N, D, law.predict(N, D) * wobble), law.family.name, draws=0)
    return float("nan") if fit.fitted is None else float(np.log(fit.fitted.optimum(target).params))


def spread(answers: np.ndarray) -> float:
    low, high = np.nanquantile(answers, [0.05, 0.95])
    return float(high - low) / (2 * 1.645)


def print_insurance(budget: float, runs: int) -> None:
    """The variance with each term left out, over that with all of them: what each costs if the form is true."""
    frame = Frame(budget, iso.law("besiroglu2024"), runs)
    usual = Terms()
    smallest = isoflop_design(frame).params.min()
    without = {
        "all terms": usual,
        "any number of sizes": replace(usual, sizes=1),
        "no run need be on the frontier": replace(usual, frontier=0.0),
        "one run may take all": replace(usual, largest_run=1.0),
        "networks four times smaller": replace(usual, smallest=smallest / 4),
        "none of them": Terms(sizes=1, frontier=0.0, largest_run=1.0, smallest=smallest / 4),
        "all, and 1 % of the budget a run as overhead": replace(usual, overhead=0.01 * budget),
        "all, trunks shared": replace(usual, shared_trunks=True),
    }
    target = BEYOND * budget
    print("\n| terms | variance of ln N*, over that with all terms | sizes | largest run |\n|---|---|---|---|")
    said = {}
    for name, terms in without.items():
        design = optimal_design(frame, target, terms=terms)
        said[name] = expected(design, frame.law, noise=0.003, target=target).params ** 2
        sizes = len(np.unique(design.params))
        print(f"| {name} | {said[name] / said['all terms']:.2f} | {sizes} | {design.flops.max() / budget:.0%} |")


if __name__ == "__main__":
    main()

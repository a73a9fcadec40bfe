"""Backtests of today's methods beside ours: what each says of the runs above a split in compute, and how surely.

    python studies/peers.py TABLES.py [--jump 8]

TABLES.py is that of studies/extrapolation.py. The methods are transcribed, and kindly: exact gradients throughout.

one start    L-BFGS-B from Hoffmann's printed constants, the mean of Huber(1e-3) of log residuals, default tolerances
grid         Hoffmann's 4,500 starts (Besiroglu et al.'s script), L-BFGS-B on the sum, default tolerances
squares      least squares of log residuals, exact

Their intervals are the usual ones, 90 % of resampled runs refitted from the point. Ours are of `fitting.extrapolated`,
with the rule learnt without the source that is scored. Error: mean |relative error| of the loss above the split.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from extrapolation import LEVEL, Case, cases, error, learnt, read_tables
from scipy.optimize import minimize
from scipy.special import logsumexp

import isoflop as iso
from isoflop.fitting import extrapolate as ex

DELTA = 1e-3
RESAMPLES = 100
HOFFMANN = np.array([np.log(406.4), np.log(410.7), np.log(1.69), 0.34, 0.28])
GRID = [
    np.array([a, b, e, alpha, beta])
    for alpha, beta, e, a, b in product(
        (0, 0.5, 1, 1.5, 2), (0, 0.5, 1, 1.5, 2), (-1, -0.5, 0, 0.5, 1), range(0, 30, 5), range(0, 30, 5)
    )
]


def terms(theta: np.ndarray, N: np.ndarray, D: np.ndarray) -> np.ndarray:
    a, b, e, alpha, beta = theta
    return np.stack([a - alpha * np.log(N), b - beta * np.log(D), np.full(N.shape, e)])


def objective(theta: np.ndarray, table: ex.Table, weights: np.ndarray) -> tuple[float, np.ndarray]:
    parts = terms(theta, table.params, table.tokens)
    predicted = logsumexp(parts, axis=0)
    residual = predicted - np.log(table.loss)
    size = np.abs(residual)
    value = np.where(size <= DELTA, 0.5 * residual**2, DELTA * (size - 0.5 * DELTA))
    shares = np.exp(parts - predicted) * (weights * np.clip(residual, -DELTA, DELTA))
    sums = shares.sum(axis=1)
    slopes = -shares[0] @ np.log(table.params), -shares[1] @ np.log(table.tokens)
    return float(weights @ value), np.array([*sums, *slopes])


def one_start(table: ex.Table, weights: np.ndarray) -> np.ndarray:
    mean = weights / weights.sum()
    return minimize(objective, HOFFMANN, args=(table, mean), jac=True, method="L-BFGS-B").x


def grid(table: ex.Table, weights: np.ndarray) -> np.ndarray:
    ends = [minimize(objective, start, args=(table, weights), jac=True, method="L-BFGS-B") for start in GRID]
    return min(ends, key=lambda end: end.fun).x


def from_point(point: np.ndarray) -> Callable[[ex.Table, np.ndarray], np.ndarray]:
    return lambda table, weights: minimize(objective, point, args=(table, weights), jac=True, method="BFGS").x


def score(case: Case, below: ex.Table, find: Callable, refit: Callable | None, rng: np.random.Generator) -> tuple:
    """Error above the split, and the share of runs there that the percentile interval holds."""
    ones = np.ones(len(below))
    point = find(below, ones)
    again = refit or from_point(point)
    weights = rng.multinomial(len(below), ones / len(below), size=RESAMPLES).astype(float)
    drawn = [logsumexp(terms(again(below, w), case.above.params, case.above.tokens), axis=0) for w in weights]
    return held(case, logsumexp(terms(point, case.above.params, case.above.tokens), axis=0), np.array(drawn))


def squares(case: Case, below: ex.Table) -> tuple:
    fit = iso.fit(iso.Runs(below.params, below.tokens, below.loss), objective="least_squares", draws=200)
    if fit.fitted is None:
        return error(case.squares, case.truth), np.nan
    return held(case, case.squares, np.log(fit.law.predict_draws(case.above.params, case.above.tokens)))


def held(case: Case, point: np.ndarray, drawn: np.ndarray) -> tuple:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return error(point, case.truth), float(np.mean((low <= case.truth) & (case.truth <= high)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--jump", type=float, default=8)
    asked = parser.parse_args()
    tables = read_tables(asked.tables)
    found = cases(tables, asked.jump)
    names = ("isoflop", "exact Huber", "one start", "grid", "squares")
    print(f"| table | {' | '.join(f'{name}: error, hits' for name in names)} |\n|{'---|' * (len(names) + 1)}")
    rng = np.random.default_rng(0)
    everything = []
    for case in found:
        table = tables[case.table]
        below = table.take(table.flops <= table.flops.max() / asked.jump)
        rule = learnt([[other for other in found if other.source != case.source]])
        span = (
            np.nan if case.span is None else float(np.mean((case.span[0] <= case.truth) & (case.truth <= case.span[1])))
        )
        rows = [
            (error(case.extrapolated(rule).log_loss, case.truth), case.hits(rule)),
            (error(case.plain, case.truth), span),
            score(case, below, one_start, one_start, rng),
            score(case, below, grid, None, rng),
            squares(case, below),
        ]
        everything.append(rows)
        print(f"| {case.table} | " + " | ".join(f"{e:.4f}, {h:.2f}" for e, h in rows) + " |", flush=True)
    errors, hits = np.array(everything).transpose(2, 1, 0)
    means = zip(np.exp(np.log(errors).mean(axis=1)), np.nanmean(hits, axis=1), strict=True)
    print("| geometric mean, mean | " + " | ".join(f"{e:.4f}, {h:.2f}" for e, h in means) + " |")


if __name__ == "__main__":
    main()

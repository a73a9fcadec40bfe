"""Is the global minimum found? Three hundred random laws and designs, ours against everything else we have.

    python studies/recovery.py [--laws 300] [--starts 400] [--seed 0]

Laws have exponents from .1 to .7; designs have 12 to 240 runs, a third of them nearly collinear (D about 20 N); noise
is t with three degrees of freedom. The best value known of each table is the least of ours, of our solver from 400
random starts, and of scipy's BFGS and L-BFGS-B (exact gradient) from the five best of those. A miss is an excess
of more than 1e-6 of it; a flagged miss is one where the fit was refused or not called converged.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from scipy.optimize import minimize

import isoflop as iso
from isoflop.fitting.objective import HUBER_DELTA, LogRuns
from isoflop.fitting.solve import descend

MISSED = 1e-6


def table(rng: np.random.Generator, collinear: bool) -> iso.Runs:
    count = int(np.exp(rng.uniform(np.log(12), np.log(240))))
    N = np.exp(rng.uniform(np.log(1e7), np.log(1e10), count))
    if collinear:
        D = 20 * N * np.exp(rng.uniform(0.12, 0.3) * rng.standard_normal(count))
    else:
        D = np.exp(rng.uniform(np.log(1e9), np.log(1e12), count))
    alpha, beta = rng.uniform(0.1, 0.7, 2)
    A, B = rng.uniform(0.1, 1.0, 2) * (1e9**alpha, 2e10**beta)
    loss = rng.uniform(0.5, 2.5) + A * N**-alpha + B * D**-beta
    return iso.Runs(N, D, loss * np.exp(rng.uniform(0.001, 0.01) * rng.standard_t(3, count)))


def best_known(runs: iso.Runs, starts: int, rng: np.random.Generator) -> float:
    logs = LogRuns.of(runs.params, runs.tokens, runs.loss)
    middle = logs.log_loss.mean()
    theta = np.stack(
        [
            middle + rng.uniform(-4, 0.5, starts),
            middle + rng.uniform(-4, 0.5, starts),
            middle + rng.uniform(-3, 0, starts),
            rng.uniform(0.02, 1.2, starts),
            rng.uniform(0.02, 1.2, starts),
        ],
        axis=1,
    )
    found = descend(theta, logs, HUBER_DELTA)
    ends = [float(np.nanmin(found.objective))]
    for k in np.argsort(found.objective)[:5]:
        for method in ("BFGS", "L-BFGS-B"):
            start = found.theta[k] + 0.01 * rng.standard_normal(5)
            ends.append(minimize(value, start, args=(logs,), jac=True, method=method, options={"gtol": 1e-10}).fun)
    return float(min(ends))


def value(theta: np.ndarray, logs: LogRuns) -> tuple[float, np.ndarray]:
    with np.errstate(all="ignore"):
        here = logs.expand(theta[None], logs.whole, HUBER_DELTA)
    return (float(here.value[0]), here.gradient[0]) if np.isfinite(here.value[0]) else (1e9, np.zeros(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", type=int, default=300)
    parser.add_argument("--starts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    missed = flagged = refused = 0
    for k in range(asked.laws):
        collinear = k % 3 == 0
        runs = table(rng, collinear)
        known = best_known(runs, asked.starts, rng)
        fit = iso.fit(runs, draws=0)
        refused += fit.fitted is None
        if fit.objective is None:
            continue
        excess = fit.objective.value / known - 1
        if excess > MISSED:
            missed += 1
            flagged += not fit.converged
            codes = ", ".join(note.code for note in fit.verdict.notes)
            kind = "collinear" if collinear else "free"
            print(f"  missed: {len(runs)} runs, {kind}, excess {excess:.1e}, {fit.verdict.status}: {codes}")
    print(
        f"{asked.laws} laws: minimum missed by more than {MISSED:g} in {missed} ({missed / asked.laws:.1%}), of which "
        f"flagged {flagged}; refused {refused}"
    )


if __name__ == "__main__":
    main()

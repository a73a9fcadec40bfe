"""Does the certified fit miss the global minimum, and if so, does it say so?

    python studies/recovery.py [--tables 300] [--starts 400] [--seed 0]

Draws random laws and designs: 12 to 240 runs scattered in N and D, on isoFLOP grids, on ladders, or nearly
collinear (D close to 20 N), noise t with 3 degrees of freedom of .05 % to 2 % of the loss. The lowest objective
known of a table is the lowest of three searches: ours; --starts random starts, brought down by our own Newton steps
and the three best of them polished by scipy's BFGS and L-BFGS-B on the same objective written anew; and the planted
law, brought down likewise.

A miss is an objective of iso.fit more than 1e-6 (relative) above the lowest; flagged, where the fit was refused or
not converged. Tables refused before any search (one ray, too few levels) have no objective and are counted apart.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import dataclass

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

import isoflop as iso
from isoflop.fitting import Fit
from isoflop.fitting.objective import LogRuns
from isoflop.fitting.solve import descend

FloatArray = NDArray[np.float64]
DELTA = 1e-3
MISSED = 1e-6
POLISHED = 3
DESIGNS = ("scattered", "isoFLOP grid", "ladder", "nearly collinear")


@dataclass(frozen=True)
class Table:
    """A design with a planted law: ``truth`` are ln A, ln B, ln E at the table's mean ln N and ln D, alpha, beta."""

    design: str
    runs: iso.Runs
    truth: FloatArray


@dataclass(frozen=True)
class Outcome:
    """How far iso.fit's objective is above the lowest known, relative (None without one), and what it said."""

    table: Table
    fit: Fit
    lowest: float
    by: str
    exponents: tuple[float, float]
    """alpha and beta where the lowest is: one that is not positive, or steep as a step, is no law's."""

    @property
    def excess(self) -> float | None:
        return None if self.fit.objective is None else self.fit.objective.value / self.lowest - 1

    @property
    def missed(self) -> bool:
        return self.excess is not None and self.excess > MISSED

    @property
    def flagged(self) -> bool:
        return not self.fit.converged or self.fit.verdict.status == "refused"

    def __str__(self) -> str:
        codes = ", ".join(note.code for note in self.fit.verdict.notes)
        return (
            f"{self.table.design}, {len(self.table.runs)} runs: {self.excess:.1e} above, lowest by {self.by} "
            f"at alpha {self.exponents[0]:.3g}, beta {self.exponents[1]:.3g}; "
            f"{self.fit.verdict.status} ({codes})"
        )


def random_table(rng: np.random.Generator) -> Table:
    design = DESIGNS[int(rng.integers(len(DESIGNS)))]
    N, D = points(design, int(np.exp(rng.uniform(np.log(12), np.log(240)))), rng)
    alpha, beta = rng.uniform(0.15, 0.7, 2)
    E, first, second = rng.uniform(0.5, 2.5), *np.exp(rng.uniform(np.log(0.05), np.log(1.5), 2))
    n, d = np.log(N) - np.log(N).mean(), np.log(D) - np.log(D).mean()
    noise = np.exp(rng.uniform(np.log(5e-4), np.log(2e-2))) * rng.standard_t(3, N.size)
    loss = (E + first * np.exp(-alpha * n) + second * np.exp(-beta * d)) * np.exp(noise)
    truth = np.array([np.log(first), np.log(second), np.log(E), alpha, beta])
    return Table(design, iso.Runs(params=N, tokens=D, loss=loss), truth)


def points(design: str, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    decades = rng.uniform(1, 3)
    if design == "isoFLOP grid":
        budgets = int(np.clip(round(np.sqrt(count)), 3, 12))
        C = np.geomspace(1e18, 1e18 * 10 ** (2 * decades), budgets).repeat(max(count // budgets, 4))
        N = np.sqrt(C / 120) * np.exp(rng.uniform(-np.log(5), np.log(5), C.size))
        return N, C / (6 * N)
    if design == "ladder":
        sizes = int(np.clip(round(np.sqrt(count)), 3, 12))
        N, ratio = np.meshgrid(np.geomspace(1e7, 10 ** (7 + decades), sizes), np.geomspace(5, 160, count // sizes))
        return N.ravel(), (N * ratio).ravel()
    N = 1e7 * 10 ** rng.uniform(0, decades, count)
    spread = rng.uniform(0.1, 0.4) if design == "nearly collinear" else 1.5
    return N, 20 * N * np.exp(spread * rng.standard_normal(count))


def written_anew(theta: FloatArray, n: FloatArray, d: FloatArray, log_loss: FloatArray) -> tuple[float, FloatArray]:
    """The objective and its gradient, for scipy: the sum of Huber functions of log residuals."""
    a, b, e, alpha, beta = theta
    terms = np.stack([a - alpha * n, b - beta * d, np.full_like(n, e)])
    predicted = logsumexp(terms, axis=0)
    r = predicted - log_loss
    value = np.where(np.abs(r) <= DELTA, 0.5 * r * r, DELTA * (np.abs(r) - 0.5 * DELTA)).sum()
    share = np.exp(terms - predicted) * np.clip(r, -DELTA, DELTA)
    return float(value), np.array([*share.sum(axis=1), -share[0] @ n, -share[1] @ d])


def random_starts(count: int, log_loss: FloatArray, rng: np.random.Generator) -> FloatArray:
    amplitudes = np.log(rng.uniform(1e-3, 1.5, (count, 3))) + log_loss.mean()
    return np.concatenate([amplitudes, rng.uniform(0.02, 2.0, (count, 2))], axis=1)


def lowest_known(table: Table, starts: int, rng: np.random.Generator) -> tuple[float, str, tuple[float, float]]:
    """The lowest objective without iso.fit, who found it, and the exponents there."""
    runs = table.runs
    logs = LogRuns.of(runs.params, runs.tokens, runs.loss)
    begun = np.concatenate([table.truth[None], random_starts(starts, logs.log_loss, rng)])
    found = descend(begun, logs, DELTA)
    # Half of scipy's polish starts where the random starts have ended, half where they began.
    order = np.argsort(found.objective)
    from_here = [*found.theta[order[:POLISHED]], *begun[order[:POLISHED]]]
    best = 1 + int(np.argmin(found.objective[1:]))
    lows = [
        (float(found.objective[row]), by, (float(found.theta[row, 3]), float(found.theta[row, 4])))
        for row, by in ((0, "the planted law"), (best, "random starts"))
    ]
    for start in from_here:
        for method, options in (("BFGS", {"gtol": 1e-10}), ("L-BFGS-B", {"gtol": 1e-12, "ftol": 0, "maxiter": 5000})):
            arguments = (logs.n, logs.d, logs.log_loss)
            with np.errstate(all="ignore"):
                end = minimize(written_anew, start, args=arguments, jac=True, method=method, options=options)
            if np.isfinite(end.fun):
                lows.append((float(end.fun), method, (float(end.x[3]), float(end.x[4]))))
    return min(lows)


def recovered(starts: int, rng: np.random.Generator) -> Outcome:
    table = random_table(rng)
    fit = iso.fit(table.runs, "chinchilla", draws=0)
    lowest, by, exponents = lowest_known(table, starts, rng)
    if fit.objective is not None and fit.objective.value <= lowest:
        lowest, by = fit.objective.value, "iso.fit"
    return Outcome(table, fit, lowest, by, exponents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--starts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    outcomes = [recovered(options.starts, rng) for _ in range(options.tables)]
    print(
        "| design | tables | no search | refused after it | missed | missed, not flagged |\n|---|--:|--:|--:|--:|--:|"
    )
    for design in (*DESIGNS, "all"):
        print(row(design, [o for o in outcomes if design in ("all", o.table.design)]))
    missed = [o for o in outcomes if o.missed]
    print(f"\n{len(missed)} missed by more than {MISSED:g}, {sum(not o.flagged for o in missed)} of them not flagged")
    refused = Counter(o.fit.verdict.notes[0].code for o in outcomes if o.fit.verdict.status == "refused")
    print(f"refused: {', '.join(f'{code} {count}' for code, count in refused.most_common()) or 'none'}")
    print(f"lowest known found by: {Counter(o.by for o in outcomes).most_common()} (ties to 1e-12 go to anyone)")
    for outcome in missed:
        print(f"- {outcome}")


def row(design: str, those: list[Outcome]) -> str:
    searched = [o for o in those if o.excess is not None]
    refused = sum(o.fit.verdict.status == "refused" for o in searched)
    missed = [o for o in searched if o.missed]
    silent = sum(not o.flagged for o in missed)
    return f"| {design} | {len(those)} | {len(those) - len(searched)} | {refused} | {len(missed)} | {silent} |"


if __name__ == "__main__":
    main()

"""How wrong are extrapolations on public tables, and does our interval know it?

Reads a folder with the public tables as CSV files (not part of isoflop) through a small module that yields them:

    python studies/extrapolation.py TABLES.py [--jump 8]

TABLES.py defines tables() -> {name: (N, D, L)}. Each table is split by C = 6 N D: fit on runs of at most the largest
over the jump, predict every run above. The pooling rule and its calibration are learnt from the other sources' tables
at jumps below 100, never on the source that is scored.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

import isoflop as iso
from isoflop.fitting import extrapolate as ex

LEVEL = 0.9
DRAWS = 200


def read_tables(path: Path) -> dict[str, ex.Table]:
    spec = importlib.util.spec_from_file_location("tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: ex.Table(N, D, 6 * N * D, L) for name, (N, D, L) in module.tables().items()}


def interval_score(low, high, truth):
    """Gneiting & Raftery 2007, equation 43, on log loss; the mean over runs."""
    alpha = 1 - LEVEL
    return float(np.mean(high - low + 2 / alpha * (np.maximum(low - truth, 0) + np.maximum(truth - high, 0))))


def bootstrap(below: ex.Table, above: ex.Table) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ln L of the plain fit's bootstrap at the runs above; NaN-free only where it has a law."""
    fit = iso.fit(iso.Runs(below.params, below.tokens, below.loss), draws=DRAWS, level=LEVEL)
    if fit.fitted is None or fit.draws_n == 0:
        return None
    draws = np.log(fit.law.predict_draws(above.params, above.tokens))
    return np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


GRID = [
    ex.Rule(plain, line, power, prudence)
    for plain, line, power, prudence in product((3, 6, 10), (0.25, 0.5, 1), (1, 1.5, 2), (0.5, 1, 2))
]
CALIBRATIONS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 1.0)


@dataclass(frozen=True)
class Case:
    """One table at one jump: what the candidates say of the runs above, those runs, and the bootstrap's span."""

    table: str
    fitted: int
    above: ex.Table
    evidence: ex.Evidence
    plain: np.ndarray
    squares: np.ndarray
    span: np.ndarray | None

    @property
    def source(self) -> str:
        """Tables of one paper are left out together."""
        return self.table.split("_")[0]

    @property
    def truth(self) -> np.ndarray:
        return np.log(self.above.loss)

    def extrapolated(self, rule: ex.Rule) -> ex.Extrapolation:
        noise = np.zeros(len(self.above)) if self.span is None else (self.span[1] - self.span[0]) / 2
        return ex.extrapolate(self.evidence, noise, LEVEL, rule)

    def hits(self, rule: ex.Rule) -> float:
        found = self.extrapolated(rule)
        return float(np.mean(np.abs(found.log_loss - self.truth) <= found.half_width))

    def ratio(self, rule: ex.Rule) -> float:
        pool = self.extrapolated(rule).log_loss
        return float(error(pool, self.truth) / error(self.plain, self.truth))


def error(predicted, truth):
    return np.mean(np.abs(np.expm1(predicted - truth)))


def cases(tables: dict[str, ex.Table], jump: float) -> list[Case]:
    found = []
    for name, table in tables.items():
        rows = table.flops <= table.flops.max() / jump
        if rows.sum() < ex.FEWEST_FITTED or (~rows).sum() < ex.FEWEST_JUDGED:
            continue
        below, above = table.take(rows), table.take(~rows)
        evidence = ex.gather(below, above.params, above.tokens, above.flops)
        plain, squares = (ex.surface(below, above.params, above.tokens, delta) for delta in ex.CRITERIA)
        if plain is not None and squares is not None:
            found.append(Case(name, len(below), above, evidence, plain, squares, bootstrap(below, above)))
    return found


def learnt(others: list[list[Case]]) -> ex.Rule:
    """The rule that serves these cases, one list a jump, best: least error with none much worse, then 90 % hits."""

    def cost(rule: ex.Rule) -> float:
        ratios = [np.log([case.ratio(rule) for case in at]) for at in others]
        return float(sum(r.mean() + 2 * max(0.0, r.max() - np.log(1.2)) for r in ratios))

    best = min(GRID, key=cost)
    calibrated = [replace(best, calibration=c) for c in CALIBRATIONS]
    return min(calibrated, key=lambda rule: abs(np.mean([c.hits(rule) for at in others for c in at]) - LEVEL))


def study(at: list[Case], rules: dict[str, ex.Rule]) -> list[dict]:
    """Every case under the rule that was learnt without its source."""
    rows = []
    for case in at:
        found, truth, span = case.extrapolated(rules[case.source]), case.truth, case.span
        low, high = (np.log(side) for side in found.interval)
        rows.append(
            {
                "table": case.table,
                "fitted": case.fitted,
                "above": len(case.above),
                "plain": error(case.plain, truth),
                "least_squares": error(case.squares, truth),
                "pool": error(found.log_loss, truth),
                "hits": np.mean((low <= truth) & (truth <= high)),
                "bootstrap_hits": np.nan if span is None else np.mean((span[0] <= truth) & (truth <= span[1])),
                "half_width": np.mean(found.half_width),
                "score": interval_score(low, high, truth),
                "bootstrap_score": np.nan if span is None else interval_score(*span, truth),
                "learned": found.learned,
            }
        )
    return rows


COLUMNS = ("table", "fitted, above", "plain Huber", "least squares", "pool", "hits", "its half-width", "its score")


def report(rows: list[dict], jump: float) -> str:
    head = (*COLUMNS, "bootstrap's hits", "bootstrap's score")
    lines = [f"### {jump:g}x in compute", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for r in rows:
        errors = " | ".join(f"{r[name]:.4f}" for name in ("plain", "least_squares", "pool"))
        width = f"{r['half_width']:.3f}{'' if r['learned'] else ' (default)'}"
        rest = f"{r['hits']:.2f} | {width} | {r['score']:.3f} | {r['bootstrap_hits']:.2f} | {r['bootstrap_score']:.3f}"
        lines.append(f"| {r['table']} | {r['fitted']}, {r['above']} | {errors} | {rest} |")
    ratios = np.array([r["pool"] / r["plain"] for r in rows])
    hits, theirs = (np.nanmean([r[name] for r in rows]) for name in ("hits", "bootstrap_hits"))
    compared = [r for r in rows if not np.isnan(r["bootstrap_score"])]
    better = sum(r["score"] < r["bootstrap_score"] for r in compared)
    lines += [
        "",
        f"Over {len(rows)} tables: error over plain Huber's, geometric mean {np.exp(np.log(ratios).mean()):.2f}, worst "
        f"{ratios.max():.2f}; hits of the {LEVEL:.0%} interval {hits:.2f} (bootstrap's {theirs:.2f}); interval score "
        f"better than the bootstrap's on {better} of {len(compared)} (elsewhere the plain fit is refused).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--jump", type=float, action="append")
    asked = parser.parse_args()
    tables = read_tables(asked.tables)
    jumps = asked.jump or [3, 8, 30, 100]
    found = {jump: cases(tables, jump) for jump in jumps}
    learning = [found[jump] for jump in jumps if jump < 100]
    sources = sorted({case.source for at in found.values() for case in at})
    rules = {s: learnt([[case for case in at if case.source != s] for at in learning]) for s in sources}
    for source, rule in rules.items():
        print(f"without {source}: {rule}", file=sys.stderr)
    print(f"with all: {learnt(learning)}", file=sys.stderr)
    for jump in jumps:
        print(report(study(found[jump], rules), jump), flush=True)


if __name__ == "__main__":
    main()

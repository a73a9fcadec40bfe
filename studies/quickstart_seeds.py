"""How much of what the quick start says depends on its seed, and does its forecast hold?

    python studies/quickstart_seeds.py FOLDER [--seeds 0 1 2] [--workers 2]

Runs ``isoflop quickstart`` once a seed into FOLDER/seed-0, FOLDER/seed-1, ...; the same command again goes on with
what is there. Prints the table of LOG.md: the exponent a under three counts of N, the forecast and what came out; then
how often the interval held, whether every minimum was interior, and the local slopes of ln L in ln C, between the
smallest and the largest budget (minima) and from there to the forecast run. About 3 minutes a seed on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

COUNTS = ("matrices_and_head", "non_embedding", "total")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    found = {seed: found_with(seed, options.folder / f"seed-{seed}", options.workers) for seed in options.seeds}
    print("| seed | a, with head | a, blocks only | a, total | forecast | measured | error | interval held |")
    print("|---|---|---|---|---|---|---|---|")
    for seed, findings in found.items():
        print(row(seed, findings))
    every = list(found.values())
    held = sum(findings["outcome"]["inside"] for findings in every)
    interior = sum(budget["interior"] for findings in every for budget in findings["frontier"]["budgets"])
    minima = sum(len(findings["frontier"]["budgets"]) for findings in every)
    print(f"\nThe interval held {held} of {len(every)} times; {interior} of {minima} minima interior.")
    within, beyond = (statistics.fmean(slopes) for slopes in zip(*map(local_slopes, every), strict=True))
    print(f"Slope of ln L in ln C, mean of the seeds: {within:.3f} within the grid, {beyond:.3f} beyond it.")


def found_with(seed: int, out: Path, workers: int) -> dict[str, Any]:
    """What ``isoflop quickstart --json`` prints; its progress goes to stderr."""
    command = [str(Path(sys.executable).with_name("isoflop")), "quickstart", "--json"]
    command += ["--out", str(out), "--seed", str(seed), "--workers", str(workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    findings: dict[str, Any] = json.loads(done.stdout)
    if findings["outcome"] is None:
        sys.exit(f"seed {seed} ended without an outcome of its forecast; see {findings['report']}")
    return findings


def row(seed: int, findings: dict[str, Any]) -> str:
    a = {counted["convention"]: counted["a"] for counted in findings["counting"]}
    exponents = (with_interval(a[count]["value"], a[count]["interval"]) for count in COUNTS)
    forecast, outcome = findings["forecast"], findings["outcome"]
    # The interval is that of one run, which is what the outcome is held against.
    expected = with_interval(forecast["loss"], forecast["run_interval"])
    cells = [str(seed), *exponents, expected, f"{outcome['loss']:.3f}", f"{outcome['error']:+.1%}"]
    return f"| {' | '.join(cells)} | {'yes' if outcome['inside'] else 'no'} |"


def with_interval(value: float, interval: list[float]) -> str:
    low, high = interval
    return f"{value:.3f} [{low:.2f}, {high:.2f}]"


def local_slopes(findings: dict[str, Any]) -> tuple[float, float]:
    minima = sorted(findings["frontier"]["budgets"], key=lambda budget: float(budget["flops"]))
    first, last = ((budget["flops"], budget["loss_min"]) for budget in (minima[0], minima[-1]))
    tested = (findings["forecast"]["flops"], findings["outcome"]["loss"])
    return slope(first, last), slope(last, tested)


def slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.log(other[1] / one[1]) / math.log(other[0] / one[0])


if __name__ == "__main__":
    main()

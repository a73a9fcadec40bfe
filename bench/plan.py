"""What planning costs: a cold command, ten thousand budgets, every section at once. CPU seconds of one core.

python bench/plan.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np

from isoflop import laws
from isoflop.planning import Asked, Demand, plan, plans

LAW = laws.law("besiroglu2024")
EVERYTHING = Asked(
    hardware="H100",
    devices=512,
    architecture="llama",
    exact_flops=True,
    demand=Demand(2e12),
    unique_tokens=3e11,
    show=frozenset({"valley", "strategies", "known"}),
)


def of_command(*words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(Path(sys.executable).with_name("isoflop")), *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_call(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    budgets = np.geomspace(1e18, 1e27, 10_000)
    jobs: dict[str, Callable[[], float]] = {
        "isoflop --help": lambda: of_command("--help"),
        "isoflop plan 1e24": lambda: of_command("plan", "1e24"),
        "10,000 budgets, intervals from 4,000 draws": lambda: of_call(lambda: plans(LAW, budgets)),
        "every section of one plan": lambda: of_call(lambda: plan(LAW, 1e24, asked=EVERYTHING)),
    }
    for job in jobs.values():  # compiled and cached once
        job()
    for name, job in jobs.items():
        spent = sorted(job() for _ in range(repeats))
        print(f"{name:<44} {spent[repeats // 2]:.3f} ({spent[0]:.3f} to {spent[-1]:.3f})")


if __name__ == "__main__":
    main()

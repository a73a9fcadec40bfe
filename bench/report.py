"""How long a report of many runs takes, how large it is, and how soon it can be used in Chromium.

    python bench/report.py [--runs 10000] [--chromium /usr/bin/chromium]

CPU seconds of one process for ``isoflop report``, bytes, and in Chromium (by Playwright, from the extra dev) the
milliseconds from navigation until the first figure is drawn and until the last one is.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import isoflop as iso

DRAWN = "document.querySelectorAll('.plot.js-plotly-plot').length"


def planted(count: int) -> iso.Runs:
    """Runs at 25 budgets, of Besiroglu et al.'s surface with a noise of .3 %."""
    rng = np.random.default_rng(0)
    C = np.repeat(np.geomspace(1e17, 1e21, 25), count // 25)
    N = np.sqrt(C / 6 / 20) * np.exp(rng.uniform(-2, 2, C.size))
    D = C / 6 / N
    loss = iso.law("besiroglu2024").predict(N, D) * np.exp(rng.normal(0, 0.003, C.size))
    names = np.array([f"run-{row:05d}" for row in range(C.size)])
    return iso.Runs(N, D, loss, C, columns={"run_id": names, "seed": np.arange(C.size) % 3.0})


def built(table: Path, page: Path) -> tuple[float, float]:
    """CPU and wall seconds of the command."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["OMP_NUM_THREADS"] = "1"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "isoflop", "report", str(table), "-o", str(page)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def drawn(page: Path, chromium: str) -> tuple[float, float, int]:
    """Milliseconds until the first and the last figure stand, and how many there are."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        sheet = browser.new_page()
        sheet.goto(page.as_uri(), wait_until="commit")
        first = _when(sheet, lambda seen, count: seen > 0)
        last = _when(sheet, lambda seen, count: seen == count)
        count = sheet.evaluate("document.querySelectorAll('.plot').length")
        browser.close()
    return first, last, count


def _when(sheet: Any, is_so: Callable[[int, int], bool]) -> float:
    """By the page's own clock, which begins with the navigation."""
    while True:
        seen, count, now = sheet.evaluate(f"[{DRAWN}, document.querySelectorAll('.plot').length, performance.now()]")
        if count and is_so(seen, count):
            return float(now)
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table, page = Path(folder) / "runs.csv", Path(folder) / "report.html"
        planted(asked.runs).write_csv(table)
        cpu, wall = built(table, page)
        print(f"{asked.runs:,} runs: built in {cpu:.1f} CPU s ({wall:.1f} s), {page.stat().st_size / 1e6:.2f} MB")
        if asked.chromium:
            first, last, count = drawn(page, asked.chromium)
            print(f"first figure after {first / 1000:.2f} s, all {count} after {last / 1000:.2f} s")


if __name__ == "__main__":
    main()

"""What a fit costs: CPU seconds against rows and against draws, and a million rows from disk to law.

    python bench/cost.py [--svg FILE] [--rounds 3]

Plants tables of 240 to a million rows, fits each without draws; fits 240 rows with 250 to 40,000 draws; then writes a
million rows to a Parquet file in a temporary folder, reads and fits it in a fresh process, and prints that process's
CPU seconds and peak memory. One core; the median of the rounds. --svg draws both lines (docs/images/fit_cost.svg).
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import isoflop as iso

ROWS = (240, 1_000, 10_000, 100_000, 1_000_000)
DRAWS = (250, 1_000, 4_000, 10_000, 40_000)
MILLION = 1_000_000
FROM_DISK = """
import resource, sys
import isoflop as iso
fit = iso.fit(iso.read_runs(sys.argv[1]), draws=0)
used = resource.getrusage(resource.RUSAGE_SELF)
alpha = fit.law.coefficients["alpha"]
print(len(fit.runs), fit.converged, alpha, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)
"""

WIDTH, HEIGHT, PANEL = 760, 320, 290
LEFT, TOP, BOTTOM = 58, 44, 54
GAP = 92
SECONDS = (0.03, 30.0)
STYLE = """
.cost { --paper: #fffefb; --muted: #5a6270; --ink: #1d2129; --rule: #dfddd6; --law: #2b3a67;
  font: 13px system-ui, sans-serif; background: var(--paper); }
@media (prefers-color-scheme: dark) {
  .cost { --paper: #15181d; --muted: #a0a6b1; --ink: #e6e4de; --rule: #343a44; --law: #aebcf0; } }
.cost text { fill: var(--muted); }
.cost .title { fill: var(--ink); font-weight: 600; }
.cost .value { fill: var(--law); font-weight: 600; text-anchor: middle; }
.cost .grid { stroke: var(--rule); }
"""


@dataclass(frozen=True)
class Line:
    """Median CPU seconds at each of some counts, and what is counted."""

    title: str
    axis: str
    counts: tuple[int, ...]
    seconds: tuple[float, ...]


def planted(count: int) -> iso.Runs:
    rng = np.random.default_rng(0)
    N = np.exp(rng.uniform(np.log(5e7), np.log(1.6e10), count))
    D = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
    noise = np.exp(0.004 * rng.standard_t(3, count))
    return iso.Runs(params=N, tokens=D, loss=(1.8172 + 482 * N**-0.3478 + 2085 * D**-0.3658) * noise)


def seconds(runs: iso.Runs, draws: int, rounds: int) -> float:
    """Median CPU seconds of a fit over the rounds."""
    took = []
    for _ in range(rounds):
        begin = time.process_time()
        iso.fit(runs, draws=draws)
        took.append(time.process_time() - begin)
    return float(np.median(took))


def from_disk() -> str:
    """Write a million rows to Parquet, read and fit them in a process of its own; what it says of itself."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    runs = planted(MILLION)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.parquet"
        pq.write_table(pa.table({"params": runs.params, "tokens": runs.tokens, "loss": runs.loss}), path)
        answer = subprocess.run(
            [sys.executable, "-c", FROM_DISK, str(path)], capture_output=True, text=True, check=True
        ).stdout.split()
    count, converged, alpha, took, peak = answer
    return (
        f"{int(count):,} rows from Parquet, read and fitted: {float(took):.1f} CPU s, peak {float(peak):.2f} GiB; "
        f"converged {converged}, alpha {float(alpha):.5f} (planted .3478)"
    )


def short(count: float) -> str:
    """A count as an axis has it: 240, 1k, 10k, 1M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count:g}"


def panel(line: Line, left: float) -> list[str]:
    """Logarithmic axes both, so that a cost linear in the count has slope one."""
    low, high = line.counts[0] / 1.5, line.counts[-1] * 1.5
    bottom, right = HEIGHT - BOTTOM, left + PANEL

    def x(count: float) -> float:
        return float(left + np.log(count / low) / np.log(high / low) * PANEL)

    def y(took: float) -> float:
        return float(TOP + np.log(SECONDS[1] / took) / np.log(SECONDS[1] / SECONDS[0]) * (bottom - TOP))

    marks = [f'<text class="title" x="{left}" y="24">{line.title}</text>']
    for tick in (0.1, 1.0, 10.0):
        marks.append(f'<path class="grid" d="M{left} {y(tick):.1f}H{right}"/>')
        marks.append(f'<text x="{left - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g} s</text>')
    for count in line.counts:
        marks.append(f'<path class="grid" d="M{x(count):.1f} {TOP}V{bottom}"/>')
        marks.append(f'<text x="{x(count):.1f}" y="{bottom + 18}" text-anchor="middle">{short(count)}</text>')
    spots = [(x(count), y(took)) for count, took in zip(line.counts, line.seconds, strict=True)]
    path = "M" + "L".join(f"{at:.1f} {height:.1f}" for at, height in spots)
    marks.append(f'<path d="{path}" fill="none" stroke="var(--law)" stroke-width="2"/>')
    for (at, height), took in zip(spots, line.seconds, strict=True):
        marks.append(f'<circle cx="{at:.1f}" cy="{height:.1f}" r="4" fill="var(--law)"/>')
        marks.append(f'<text class="value" x="{at:.1f}" y="{height - 11:.1f}">{took:.2g}</text>')
    marks.append(f'<text x="{left + PANEL / 2}" y="{HEIGHT - 12}" text-anchor="middle">{line.axis}</text>')
    return marks


def drawing(lines: tuple[Line, Line]) -> str:
    marks = [*panel(lines[0], LEFT), *panel(lines[1], LEFT + PANEL + GAP)]
    return (
        f'<svg class="cost" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>CPU seconds of a certified fit against rows and against draws</title><style>{STYLE}</style>\n"
        + "\n".join(marks)
        + "\n</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    small = planted(ROWS[0])
    iso.fit(small, draws=50)  # what is imported on first use is not a fit's cost
    rows = tuple(seconds(planted(count), 0, asked.rounds) for count in ROWS)
    draws = tuple(seconds(small, count, asked.rounds) for count in DRAWS)
    lines = (
        Line("Certified fit without draws", "rows", ROWS, rows),
        Line("Fit of 240 rows, form error, draws", "draws", DRAWS, draws),
    )
    for line in lines:
        print(f"| {line.axis} | CPU s |\n|---:|---:|")
        print("\n".join(f"| {count:,} | {took:.2f} |" for count, took in zip(line.counts, line.seconds, strict=True)))
        print(flush=True)
    print(from_disk())
    if asked.svg:
        asked.svg.write_text(drawing(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a fit costs against rows and against draws, and a million rows from a file: CPU seconds of one core.

    python bench/cost.py [--svg docs/images/fit_cost.svg]

Planted tables. The million rows are written as Parquet to a folder for the time of the bench, then read and fitted in a
process of their own, whose CPU seconds and largest memory are those of the whole: interpreter, reading, fit, no draws.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import isoflop as iso

ROWS = (240, 1_000, 10_000, 100_000, 1_000_000)
DRAWS = (250, 1_000, 4_000, 16_000, 40_000)
WHOLE = """
import resource, sys
import isoflop as iso
runs = iso.read_runs(sys.argv[1])
fit = iso.fit(runs, draws=0)
used = resource.getrusage(resource.RUSAGE_SELF)
print(len(runs), fit.converged, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def planted(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(np.log(5e7), np.log(1.6e10), rows)), np.exp(rng.uniform(np.log(1e9), np.log(3e11), rows))
    loss = (1.8172 + 482 * N**-0.3478 + 2085 * D**-0.3658) * np.exp(0.004 * rng.standard_t(3, rows))
    return {"params": N, "tokens": D, "loss": loss}


def seconds(runs: iso.Runs, draws: int) -> float:
    begin = time.process_time()
    iso.fit(runs, draws=draws)
    return time.process_time() - begin


def whole() -> tuple[float, float]:
    """CPU seconds and GiB of reading a million rows of Parquet and fitting them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.parquet"
        pq.write_table(pa.table(planted(ROWS[-1])), path)
        out = subprocess.run([sys.executable, "-c", WHOLE, str(path)], capture_output=True, text=True, check=True)
    rows, converged, used, kibibytes = out.stdout.split()
    assert int(rows) == ROWS[-1]
    assert converged == "True"
    return float(used), float(kibibytes) / 2**20


def panel(x: float, title: str, unit: str, points: list[tuple[int, float]]) -> list[str]:
    """One log-log panel, 260 by 170, its left edge at x."""
    across, up = np.log10([p[0] for p in points]), np.log10([p[1] for p in points])
    low, high = np.floor(up.min()), np.ceil(up.max())
    left, right = across.min(), across.max()
    to_x, to_y = 260 / (right - left), 150 / (high - low)
    place = [(x + to_x * (a - left), 200 - to_y * (u - low)) for a, u in zip(across, up, strict=True)]
    parts = [f'<text x="{x}" y="26" class="title">{title}</text>']
    for decade in np.arange(low, high + 1):
        y = 200 - to_y * (decade - low)
        label = f"{10.0**decade:g}"
        parts.append(f'<line x1="{x}" x2="{x + 260}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append('<polyline class="line" points="' + " ".join(f"{px:.1f},{py:.1f}" for px, py in place) + '"/>')
    for k, ((px, py), (count, cost)) in enumerate(zip(place, points, strict=True)):
        anchor = "middle" if k else "start"  # the first label must keep clear of the axis
        shown = f"{count:,}"
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" class="dot"/>')
        parts.append(
            f'<text x="{px:.1f}" y="{py - 10 if k else py + 18:.1f}" text-anchor="{anchor}">{cost:.2g} s</text>'
        )
        parts.append(f'<text x="{px:.1f}" y="219" text-anchor="middle">{shown}</text>')
    parts.append(f'<text x="{x + 130}" y="238" text-anchor="middle">{unit}</text>')
    return parts


STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#444}.title{font-size:13px;fill:#111;font-weight:600}"
    ".grid{stroke:#ddd}.line{fill:none;stroke:#2563a8;stroke-width:2}.dot{fill:#2563a8}"
)


def draw(rows: list[tuple[int, float]], draws: list[tuple[int, float]]) -> str:
    body = panel(60, "Fit without draws, CPU s", "runs", rows) + panel(400, "Fit of 240 runs, CPU s", "draws", draws)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 250" role="img" '
        'aria-label="CPU seconds of a fit against runs and against draws, both nearly linear">'
        f'<style>{STYLE}</style><rect width="700" height="250" fill="#fff"/>{"".join(body)}</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", type=Path)
    asked = parser.parse_args()
    seconds(iso.Runs(**planted(240)), 250)  # imports and caches
    rows = [(count, seconds(iso.Runs(**planted(count)), 0)) for count in ROWS]
    table = iso.Runs(**planted(240))
    draws = [(count, seconds(table, count)) for count in DRAWS]
    print("runs, no draws: " + ", ".join(f"{count:,} {cost:.3f} s" for count, cost in rows))
    print("draws of 240 runs: " + ", ".join(f"{count:,} {cost:.3f} s" for count, cost in draws))
    used, memory = whole()
    print(f"a million rows of Parquet, read and fitted: {used:.1f} CPU s, {memory:.2f} GiB")
    if asked.svg is not None:
        asked.svg.write_text(draw(rows, draws), encoding="utf-8")


if __name__ == "__main__":
    main()

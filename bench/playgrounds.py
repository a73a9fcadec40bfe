"""What an answer of each playground takes at settings drawn evenly from its controls.

    python bench/playgrounds.py [--settings 60]

CPU milliseconds of one core, median and 95th percentile, and the kilobytes of JSON. No setting is asked twice, so that
the simulator's kept fits count only where its controls have few values.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import json
import time

import numpy as np

from isoflop.web.playgrounds import PLAYGROUNDS, Control


def drawn(control: Control, chosen: np.random.Generator) -> float | str:
    if control.choices:
        return str(chosen.choice(control.choices))
    if control.log:
        return float(np.exp(chosen.uniform(np.log(control.low), np.log(control.high))))
    if control.step:
        return control.low + control.step * int(chosen.integers(round((control.high - control.low) / control.step) + 1))
    return float(chosen.uniform(control.low, control.high))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--settings", type=int, default=60)
    count = parser.parse_args().settings
    chosen = np.random.default_rng(0)
    print("| playground | median, CPU ms | 95th percentile | JSON, kB |")
    print("|---|---|---|---|")
    for playground in PLAYGROUNDS.values():
        playground.ask({})  # laws are read once
        times, sizes = [], []
        for _ in range(count):
            values = {control.name: drawn(control, chosen) for control in playground.controls}
            began = time.process_time()
            text = json.dumps(playground.ask(values).to_dict(), allow_nan=False)
            times.append(1000 * (time.process_time() - began))
            sizes.append(len(text) / 1000)
        low, high = np.quantile(times, [0.5, 0.95])
        print(f"| `{playground.id}` | {low:.1f} | {high:.1f} | {np.median(sizes):.0f} |")


if __name__ == "__main__":
    main()

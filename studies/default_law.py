"""The joint draws of the default law, besiroglu2024: a bootstrap of the digitised Chinchilla runs.

    python studies/default_law.py RUNS [--draws 4000] [--seed 0] [--out FOLDER]

RUNS is the table that Epoch AI digitised from Hoffmann et al.'s figure 4, with a column epoch_outlier_excluded. The 240
rows where it is false are fitted with isoflop.fit (sum of Huber(1e-3) on log residuals); the draws go, as float64, to
src/isoflop/laws/catalogue/besiroglu2024.npz, where isoflop.law finds them. Prints the optimum, the standard errors of
the draws, and how far the published point values lie from the optimum in those standard errors.

The point values of the law stay Besiroglu et al.'s: they are the least absolute deviations, ours is the least Huber.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import isoflop as iso

FOLDER = Path(__file__).parents[1] / "src" / "isoflop" / "laws" / "catalogue"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()

    runs = iso.read_runs(args.runs, where="epoch_outlier_excluded == False")
    fit = iso.fit(runs, "chinchilla", draws=args.draws, seed=args.seed)
    print(f"{len(runs)} runs; {fit.verdict.describe()}; objective {fit.objective.value if fit.objective else 0:.10g}")
    draws = dict(fit.law.draws or {})
    draws_a = draws["beta"] / (draws["alpha"] + draws["beta"])
    published = iso.law("besiroglu2024").coefficients
    for name in fit.law.family.names:
        error = float(np.std(draws[name]))
        off = (published[name] - fit.law.coefficients[name]) / error
        print(f"{name:<6} {fit.law.coefficients[name]:.6g} ± {error:.3g}; {published[name]:g} is {off:+.2f} errors off")
    print(f"a      {fit.allocation[0] if fit.allocation else float('nan'):.4f} ± {float(np.std(draws_a)):.3g}")
    print(f"form error: {fit.law.form_error}")
    np.savez_compressed(args.out / "besiroglu2024.npz", **draws)


if __name__ == "__main__":
    main()

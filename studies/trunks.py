"""One trunk with branches against a run from scratch for each length: compute saved, and bias.

    python studies/trunks.py FOLDER [--workers 2] [--scratch examples/mini_study/runs.csv]

Takes the networks and lengths of a table of runs made from scratch (seed 0, widths with three lengths or more), makes
for each network one run of the longest and branches that leave its plateau to decay at the others, and prints the
loss of each beside the one from scratch, the compute that was saved, and the exponents by the three approaches.
About 20 minutes of one core.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from sweeping import exponent, swept

import isoflop as iso

SCRATCH = Path(__file__).parents[1] / "examples" / "mini_study" / "runs.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=SCRATCH)
    asked = parser.parse_args()
    scratch = iso.read_runs(asked.scratch, where="purpose == 'sweep' and seed == 0")
    width = scratch.column("d_model")
    lengths = {int(d): sorted(scratch.tokens[width == d]) for d in np.unique(width)}
    lengths = {d: D for d, D in lengths.items() if len(D) >= 3}
    scratch = scratch.take(np.isin(width, list(lengths)))
    trunks = swept(asked.folder, plan(lengths), asked.workers)
    compare(scratch, trunks)
    for approach, name in ((1, "frontier"), (2, "frontier"), (3, "chinchilla")):
        both = (scratch, at_budgets_of(scratch, trunks))
        said = [exponent(iso.fit(runs, name, approach=approach)) for runs in both]
        print(f"| approach {approach} | {said[0]} | {said[1]} |")


def plan(lengths: dict[int, list[float]]) -> str:
    head = 'schema = "isoflop.study/1"\nname = "trunks"\nrecipe = "small-bytes-v1"\nloss_noise = 0.015\n'
    rows = [f"\n[[runs]]\nwidth = {d}\nhorizons = {[round(D) for D in several]}\n" for d, several in lengths.items()]
    return head + "".join(rows)


def compare(scratch: iso.Runs, trunks: iso.Runs) -> None:
    print("| width | tokens | from scratch | from the trunk | difference |\n|---|---|---|---|---|")
    differences, longest, own = [], [], 0.0
    branch = trunks.column("branch_of") != ""
    for d, D, loss, branched, flops in zip(
        trunks.column("d_model"), trunks.tokens, trunks.loss, branch, trunks.flops, strict=True
    ):
        same = (scratch.column("d_model") == d) & (np.abs(scratch.tokens / D - 1) < 1e-3)
        difference = loss - scratch.loss[same][0]
        (differences if branched else longest).append(difference)
        own += flops * (0.2 if branched else 1.0)
        print(f"| {d:.0f} | {D:,.0f} | {scratch.loss[same][0]:.4f} | {loss:.4f} | {difference:+.4f} |")
    # A branch whose own warmup is as long as its trunk's is the run from scratch, to the bit.
    others = [difference for difference in differences if difference]
    error = np.std(others, ddof=1) / np.sqrt(len(others))
    print(f"\nBranches that equal the run from scratch: {len(differences) - len(others)} of {len(differences)}.")
    print(f"The others, whose trunk warmed up longer: {np.mean(others):+.4f} ± {error:.4f} nats.")
    print(f"Trunks themselves: {np.mean(longest):+.4f} ({len(longest)}).")
    print(
        f"Compute: {own:.3g} FLOPs with trunks, {trunks.flops.sum():.3g} without: "
        f"{1 - own / trunks.flops.sum():.1%} less."
    )


def at_budgets_of(scratch: iso.Runs, trunks: iso.Runs) -> iso.Runs:
    """The runs of trunks with the budgets of the same runs from scratch, which whole steps come near to."""
    same = [
        int(np.flatnonzero((scratch.column("d_model") == d) & (np.abs(scratch.tokens / D - 1) < 1e-3))[0])
        for d, D in zip(trunks.column("d_model"), trunks.tokens, strict=True)
    ]
    return replace(trunks, columns={**trunks.columns, "budget": scratch.column("budget")[same]})


if __name__ == "__main__":
    main()

"""Kaplan's exponent and Chinchilla's from one text: what the protocol does, and what the counting.

    python studies/protocols.py FOLDER [--workers 2]

The same networks at the same budgets twice, two seeds each, about 25 minutes of one core. Once by Kaplan et al.'s
choices: one cosine schedule for all runs, as long as the longest, read off early, and a warmup of one length for all.
Once with a schedule and a warmup that follow the run. Prints the exponent a of N* ~ C^a with N counted as Kaplan did
(without embeddings and head) and with the head, for both.
"""

from __future__ import annotations

from sweeping import options, swept

import isoflop as iso

NETWORKS = {1.5e11: (12, 16, 24, 32, 48, 64), 5e11: (16, 24, 32, 48, 64, 96), 1.5e12: (24, 32, 48, 64, 96, 128)}
LONG, WARMUP = 20_000, 1_000
"""Steps: the longest run makes 18,700, the shortest 370, which never ends its warmup."""
KAPLAN = f"""
[change]
schedule = "cosine"
horizon = {LONG}
shortest_warmup = {WARMUP}
longest_warmup = {WARMUP}
"""


def plan(name: str, change: str) -> str:
    head = (
        f'schema = "isoflop.study/1"\nname = "{name}"\nrecipe = "small-bytes-v1"\nseeds = [0, 1]\nloss_noise = 0.015\n'
    )
    rows = [f"\n[[runs]]\nwidth = {d}\nbudget = {C}\n" for C, widths in NETWORKS.items() for d in widths]
    return head + change + "".join(rows)


def main() -> None:
    asked = options(__doc__ or "")
    protocols = {"Kaplan's": KAPLAN, "matched to the run": ""}
    print("| schedule and warmup | N counted | a | verdict |\n|---|---|---|---|")
    for said, change in protocols.items():
        name = "kaplan" if change else "matched"
        runs = swept(asked.folder / name, plan(name, change), asked.workers)
        for convention in ("non_embedding", "matrices_and_head", "total"):
            fit = iso.fit(iso.with_convention(runs, convention), "frontier")
            print(f"| {said} | {convention} | {exponent(fit)} | {fit.verdict.status} |", flush=True)
            for minimum in fit.minima:
                place = "" if minimum.interior else " (at the edge)"
                print(
                    f"    {minimum.flops:.3g} FLOPs: N* {minimum.params_opt:,.0f}, loss {minimum.loss_min:.3f}{place}"
                )


def exponent(fit: iso.Fit) -> str:
    if fit.fitted is None:
        return f"refused: {fit.verdict.notes[0].message}"
    low, high = fit.interval("a")
    assert fit.allocation is not None
    return f"{fit.allocation[0]:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()

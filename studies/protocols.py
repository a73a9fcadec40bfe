"""Kaplan's exponent and Chinchilla's from one text: what the protocol does, and what the counting.

    python studies/protocols.py FOLDER [--workers 2]

The same networks at the same budgets three times, two seeds each, about 40 minutes of one core. Twice by Kaplan et
al.'s choices: one cosine schedule for all runs, which are judged before its end, and a warmup of one length for all.
Once with a schedule and a warmup that follow the run. Prints the exponent a of N* ~ C^a with N counted as Kaplan did
(without embeddings and head), with the head, and in total.
"""

from __future__ import annotations

from sweeping import exponent, options, swept

import isoflop as iso

NETWORKS = {1.5e11: (12, 16, 24, 32, 48, 64), 5e11: (16, 24, 32, 48, 64, 96), 1.5e12: (24, 32, 48, 64, 96, 128)}
WARMUP = 1_000
"""Steps: the shortest run makes 370, and never ends its warmup."""


def kaplan(horizon: int) -> str:
    """Kaplan et al.'s choices as changes of the recipe: one cosine and one warmup for all runs."""
    return f"""
[change]
schedule = "cosine"
horizon = {horizon}
shortest_warmup = {WARMUP}
longest_warmup = {WARMUP}
"""


PROTOCOLS = {
    "kaplan": ("one cosine, as long as the longest run", kaplan(20_000)),
    "kaplan-long": ("one cosine, five times as long", kaplan(100_000)),
    "matched": ("matched to the run", ""),
}
"""The longest run makes 18,700 steps: by the first it decays nearly whole, by the second no run decays to speak of."""


def plan(name: str, change: str) -> str:
    head = (
        f'schema = "isoflop.study/1"\nname = "{name}"\nrecipe = "small-bytes-v1"\nseeds = [0, 1]\nloss_noise = 0.015\n'
    )
    rows = [f"\n[[runs]]\nwidth = {d}\nbudget = {C}\n" for C, widths in NETWORKS.items() for d in widths]
    return head + change + "".join(rows)


def main() -> None:
    asked = options(__doc__ or "")
    print("| schedule and warmup | N counted | a | verdict |\n|---|---|---|---|")
    for name, (said, change) in PROTOCOLS.items():
        runs = swept(asked.folder / name, plan(name, change), asked.workers)
        for convention in ("non_embedding", "matrices_and_head", "total"):
            fit = iso.fit(iso.with_convention(runs, convention), "frontier")
            print(f"| {said} | {convention} | {exponent(fit)} | {fit.verdict.status} |", flush=True)
            for minimum in fit.minima:
                place = "" if minimum.interior else " (at the edge)"
                print(
                    f"    {minimum.flops:.3g} FLOPs: N* {minimum.params_opt:,.0f}, loss {minimum.loss_min:.3f}{place}"
                )


if __name__ == "__main__":
    main()

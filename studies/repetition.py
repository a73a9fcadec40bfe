"""What is a repeated token worth? Two laws of repeated data, fitted to runs of up to sixteen epochs.

    python studies/repetition.py FOLDER [--workers 2]

Trains the small recipe on texts capped to three sizes, each seen two to sixteen times, beside runs that see no token
twice; about 20 minutes of one core. Fits Chinchilla's law (which knows no repeats), Muennighoff et al.'s effective
tokens and Lovelace et al.'s penalty to all of them; then again to runs of up to four epochs, to be judged on the rest.
"""

from __future__ import annotations

import numpy as np
from sweeping import options, swept

import isoflop as iso

CAPS = {250_000: (2, 4, 8, 16), 500_000: (2, 4, 8, 16), 1_000_000: (2, 4, 8)}
WIDTHS = (16, 32, 64)
FRESH = (150_000, 300_000, 600_000, 1_200_000, 2_400_000, 4_800_000, 9_600_000)
FEW_EPOCHS = 4.5
FAMILIES = ("chinchilla_shared", "data_limited", "chinchilla", "repetition_penalty")


def plan() -> str:
    head = 'schema = "isoflop.study/1"\nname = "repetition"\nrecipe = "small-bytes-v1"\nloss_noise = 0.015\n'
    rows = [
        f"\n[[runs]]\nwidth = {width}\ntokens = {cap * epochs}\nunique_tokens = {cap}\n"
        for width in WIDTHS
        for cap, several in CAPS.items()
        for epochs in several
    ]
    rows += [f"\n[[runs]]\nwidth = {width}\ntokens = {tokens}\n" for width in WIDTHS for tokens in FRESH]
    return head + "".join(rows)


def main() -> None:
    asked = options(__doc__ or "")
    runs = swept(asked.folder, plan(), asked.workers)
    print_losses(runs)
    runs = runs.where("tokens > 200000")
    few = runs.take(np.nan_to_num(runs.column("epochs"), nan=0.0) < FEW_EPOCHS)
    many = runs.take(np.nan_to_num(runs.column("epochs"), nan=0.0) > FEW_EPOCHS)
    print(
        "\n| family | misses all runs by | fitted to up to 4 epochs: those | more epochs | of repeats |\n"
        "|---|---|---|---|---|"
    )
    for name in FAMILIES:
        everything, some = fitted(name, runs, draws=1000), fitted(name, few)
        cells = [misses(everything, runs), misses(some, few), misses(some, many), repeats(everything)]
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


def fitted(name: str, runs: iso.Runs, draws: int = 0) -> iso.Fit:
    """A fit; Muennighoff's on the pinned law of the runs that saw no token twice. Chinchilla's draws are not needed."""
    if name != "data_limited":
        return iso.fit(runs, name, draws=draws if name == "repetition_penalty" else 0)
    fresh = iso.fit(runs.take(np.isnan(runs.column("unique_tokens"))), "chinchilla_shared", draws=0)
    return iso.fit(runs, name, draws=draws, pin=dict(fresh.law.coefficients))


def print_losses(runs: iso.Runs) -> None:
    """The loss by width and cap, an epoch count a column."""
    print("| width | unique tokens | 2 epochs | 4 | 8 | 16 |\n|---|---|---|---|---|---|")
    width, unique, epochs = (runs.column(name) for name in ("d_model", "unique_tokens", "epochs"))
    for d in WIDTHS:
        for cap, several in CAPS.items():
            here = (width == d) & (unique == cap)
            losses = [runs.loss[here & (np.abs(epochs / e - 1) < 0.05)] for e in several]
            cells = [f"{loss[0]:.3f}" for loss in losses] + ["-"] * (4 - len(losses))
            print(f"| {d} | {cap:,} | {' | '.join(cells)} |")


def misses(fit: iso.Fit, runs: iso.Runs) -> str:
    """The median size of the law's error on runs; the sign of the mean one says on which side it lies."""
    if fit.fitted is None:
        return f"refused ({fit.verdict.notes[0].code})"
    unique = np.nan_to_num(runs.column("unique_tokens"), nan=np.inf)
    known = {"unique_tokens": unique} if "unique_tokens" in fit.fitted.family.inputs else {}
    error = fit.fitted.predict(runs.params, runs.tokens, **known) / runs.loss - 1
    return f"{np.median(np.abs(error)):.1%} (mean {error.mean():+.1%})"


def repeats(fit: iso.Fit) -> str:
    if fit.fitted is None:
        return ""
    said = []
    for name in ("R_D", "R_N", "P_R", "delta", "kappa"):
        if name in fit.fitted.coefficients:
            low, high = fit.interval(name)
            said.append(f"{name} {fit.fitted.coefficients[name]:.3g} [{low:.3g}, {high:.3g}]")
    return ", ".join(said)


if __name__ == "__main__":
    main()

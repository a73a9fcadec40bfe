"""Whether a table's numbers can be what their columns say: slips of units that fit as well as the truth would."""

from __future__ import annotations

import numpy as np

from isoflop.fitting.result import Note
from isoflop.quantities import format_flops
from isoflop.runs import Runs

FEWEST_PARAMS, FEWEST_TOKENS = 2e4, 2e5
"""The largest network of a study, and its longest run: below these nobody trains, and the unit is in doubt."""
LARGEST_LOSS, SMALLEST_LOSS = 20.0, 0.01
"""In nats, bits or bytes: a guess among 256,000 tokens costs 12.5 nats."""
LOW, HIGH = 0.5, 5.0
"""C over 6 N D: 1/3 is a forward pass alone, 1 the rule; attention and a head left out of N raise it."""
SPREAD = 30.0


def implausible(runs: Runs) -> list[Note]:
    """A note on units where N, D, L or C are of a size that no training run has."""
    return [note for note in (_units(runs), _flops(runs)) if note is not None]


def _units(runs: Runs) -> Note | None:
    largest = {"params": (float(runs.params.max()), FEWEST_PARAMS), "tokens": (float(runs.tokens.max()), FEWEST_TOKENS)}
    for column, (value, fewest) in largest.items():
        if value < fewest:
            return Note(
                "units",
                f"no run has more than {value:.3g} {column}: millions or billions, it seems; coefficients and N* come "
                f"in the table's units, compute does not; write {column} as plain counts.",
            )
    typical = float(np.median(runs.loss))
    if SMALLEST_LOSS <= typical <= LARGEST_LOSS:
        return None
    return Note(
        "units",
        f"the median loss is {typical:.3g}, and a cross-entropy lies between {SMALLEST_LOSS:g} and {LARGEST_LOSS:g}: "
        "check what the column holds (a perplexity wants its logarithm).",
    )


def _flops(runs: Runs) -> Note | None:
    """C against 6 N D, run by run."""
    ratio = np.sort(runs.flops / (6 * runs.params * runs.tokens))
    middle, spread = float(np.median(ratio)), float(ratio[-1] / ratio[0])
    if spread < SPREAD and LOW <= middle <= HIGH:
        return None
    seen = f"{middle:.2g} times 6 N D" if spread < SPREAD else f"{ratio[0]:.2g} to {ratio[-1]:.2g} times 6 N D"
    return Note(
        "flops_off",
        f"the column flops is {seen} (median run {format_flops(float(np.median(runs.flops)))}): budgets and spans use "
        "it, the law's optimum is at 6 N D; check the column, or leave it out.",
    )


def rising_loss(runs: Runs) -> Note | None:
    """A loss that rises with N and with D, on average, has no law; one column is not what it seems."""
    design = np.stack([np.log(runs.params), np.log(runs.tokens), np.ones(len(runs))], axis=1)
    slopes, *_ = np.linalg.lstsq(design, np.log(runs.loss), rcond=None)
    if min(slopes[:2]) <= 0:
        return None
    return Note("rising_loss", "the loss rises with N and with D: no scaling law does; check the loss column.")

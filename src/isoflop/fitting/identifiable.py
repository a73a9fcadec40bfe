"""Whether a design can tell what N does from what D does, asked before any search."""

from __future__ import annotations

import numpy as np

from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Note
from isoflop.runs import Runs

RAY = 0.1
"""Runs within 10 % of one line in (ln N, ln D) are one ray: N's effect cannot be told from D's."""
NARROW = 2.5
"""Below this factor between the ends of an axis, its values are too close to show anything."""
SAME_LEVEL = 0.01
"""Values of N or D within 1 % are one."""


def too_few_runs(count: int, coefficients: int, needed: int) -> Note:
    return Note(
        "too_few_runs",
        f"{count} runs cannot carry the {coefficients} coefficients of this family: give at least {needed} runs.",
    )


def one_ray(runs: Runs) -> Note | None:
    """Refuse a design in which N and D move together: one budget, or one ratio D/N (arXiv 2605.08541)."""
    points = np.stack([np.log(runs.params), np.log(runs.tokens)], axis=1)
    points -= points.mean(axis=0)
    spread = np.linalg.svd(points, compute_uv=False) / np.sqrt(len(runs))
    if spread[-1] > RAY:
        return None
    return Note(
        "one_ray",
        "all runs lie on one line in (ln N, ln D): what N does cannot be told from what D does; "
        "add runs at a second budget or another D/N.",
    )


def narrow(runs: Runs) -> Note | None:
    """Refuse an axis whose values lie so close that noise and exponent cannot be told apart."""
    for name, axis in (("N", runs.params), ("D", runs.tokens)):
        if (fold := float(axis.max() / axis.min())) < NARROW:
            return Note(
                "too_few_levels",
                f"{name} varies by a factor of {fold:.3g} only: what it does to the loss cannot be "
                f"seen; add runs at other values of {name}.",
            )
    return None


def too_few_levels(runs: Runs) -> Note | None:
    """A power law above an asymptote has three unknowns along N and three along D."""
    for name, axis in (("N", runs.params), ("D", runs.tokens)):
        levels = _levels(np.sort(np.log(axis)), 3)
        if levels < 3:
            return Note(
                "too_few_levels",
                f"the runs have {levels} value{'s' if levels > 1 else ''} of {name}: a power law above an asymptote "
                f"needs three; add runs at another {name}.",
            )
    return None


def too_few_values(name: str, column: FloatArray) -> Note | None:
    """The same for a family of one input, or of inputs that are not N and D."""
    levels = _levels(np.sort(np.log(column)), 3)
    if levels >= 3:
        return None
    return Note(
        "too_few_levels",
        f"the runs have {levels} value{'s' if levels > 1 else ''} of {name}: a power law needs three; add runs at "
        f"another {name}.",
    )


def _levels(ordered: FloatArray, enough: int) -> int:
    """How many values there are, each more than SAME_LEVEL above the one before; counts up to ``enough``.

    Counted from the lowest member of a level, so that a dense table is not one long chain of neighbours.
    """
    levels, at = 0, 0
    while at < ordered.size and levels < enough:
        at = int(np.searchsorted(ordered, ordered[at] + SAME_LEVEL, side="right"))
        levels += 1
    return levels

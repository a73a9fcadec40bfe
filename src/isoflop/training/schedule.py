"""The learning rate at a step: pure functions, so that resuming needs no state."""

from __future__ import annotations

import math
from typing import get_args

from isoflop.errors import UnknownName
from isoflop.training.spec import OptimiserSpec, Schedule


def factor(step: int, optimiser: OptimiserSpec, steps: int) -> float:
    """The factor on the peak learning rate at ``step`` (from 0) of a run of ``steps``, by the spec's schedule.

    Every schedule rises over ``warmup_steps``, its first step having 1/warmup_steps; then it stays (constant), stays
    and falls linearly over the last ``decay_steps`` (wsd), or falls at once along a line (linear) or half a cosine. The
    step after the last would have ``floor``; the last is the run's, or the ``horizon``'s where the schedule is longer.
    WSD is that of Hu et al. (MiniCPM, arXiv 2404.06395), its linear decay from Hägele et al. (arXiv 2405.18392).

    >>> from dataclasses import replace
    >>> wsd = OptimiserSpec(1.0, 1.0, 2, 4, 0.9, 0.95, 1e-10, 0.0, 1.0)
    >>> [factor(step, wsd, 10) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    >>> [round(factor(step, replace(wsd, schedule="cosine", floor=0.1), 10), 3) for step in (1, 5, 9)]
    [1.0, 0.628, 0.127]
    """
    rising = (step + 1) / max(optimiser.warmup_steps, 1)
    return min(rising, _falling(step, optimiser, optimiser.horizon or steps))


def _falling(step: int, optimiser: OptimiserSpec, last: int) -> float:
    """What is left of the peak, warmup apart."""
    if optimiser.schedule == "constant":
        return 1.0
    done = (step + 1 - optimiser.warmup_steps) / max(last + 1 - optimiser.warmup_steps, 1)
    done = min(max(done, 0.0), 1.0)
    if optimiser.schedule == "wsd":
        above = min(1.0, (last - step) / max(optimiser.decay_steps, 1))
    elif optimiser.schedule == "linear":
        above = 1.0 - done
    elif optimiser.schedule == "cosine":
        above = 0.5 * (1.0 + math.cos(math.pi * done))
    else:
        raise UnknownName.among("schedule", optimiser.schedule, get_args(Schedule))
    return optimiser.floor + (1.0 - optimiser.floor) * above

"""The learning rate at a step: a pure function, so that resuming needs no state."""

from __future__ import annotations


def wsd(step: int, *, steps: int, warmup_steps: int, decay_steps: int) -> float:
    """The factor on the peak learning rate at ``step`` (from 0): warmup, stable, linear decay to zero.

    The first step has 1/warmup_steps, the last 1/decay_steps; the step after the last would have 0
    (Hu et al., MiniCPM, arXiv 2404.06395; linear decay from Hägele et al., arXiv 2405.18392).

    >>> [wsd(step, steps=10, warmup_steps=2, decay_steps=4) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rising = (step + 1) / max(warmup_steps, 1)
    falling = (steps - step) / max(decay_steps, 1)
    return min(1.0, rising, falling)

"""The next best run: given those that there are, which one more tightens the answer at a target most for its FLOPs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN as SIX
from isoflop.sweeps.designs import FloatArray
from isoflop.sweeps.expected import answer_of, check_noise, huber_price, ridged
from isoflop.sweeps.sensitivity import plausible, run_sensitivities

SIZES, RATIOS = 31, 13
BEYOND = 2.0
"""New networks may be so much smaller or larger than those that there are."""


@dataclass(frozen=True)
class NextRun:
    """One more run, and the standard deviation of ln N* at the target (or of ln L) before and after it.

    ``gain`` is the share of the variance that it takes away; ``gain_per_flop`` what it is ranked by. A ``is_repeat``
    is a run that is there already, with another seed.
    """

    params: float
    tokens: float
    flops: float
    is_repeat: bool
    before: float
    after: float

    @property
    def gain(self) -> float:
        return 1.0 - (self.after / self.before) ** 2

    @property
    def gain_per_flop(self) -> float:
        return -2.0 * float(np.log(self.after / self.before)) / self.flops


def next_runs(
    params: FloatArray,
    tokens: FloatArray,
    law: Law,
    *,
    noise: float,
    target: float,
    goal: str = "params",
    ratio: tuple[float, float] = (5.0, 100.0),
    flops: tuple[float, float] | None = None,
    count: int = 5,
) -> tuple[NextRun, ...]:
    """The best next runs after those at ``params`` and ``tokens``, the best for its FLOPs first.

    ``law`` is what is known so far, a prior or a fit of these runs, with its draws; ``noise`` the standard deviation of
    ln L. Candidates are repeats of the runs, and new ones at D/N in ``ratio``, of N up to twice beyond those that there
    are, and of ``flops`` in a range: from the smallest run to the largest without it. Nearly equal ones are shown once.
    UsageError where there is no candidate, DataError for fewer runs than coefficients.

    >>> import isoflop as iso
    >>> law = iso.law("besiroglu2024")
    >>> N, D = np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(4e9, 2e10, 4))
    >>> best = next_runs(N.ravel(), D.ravel(), law, noise=0.003, target=1e24)[0]
    >>> best.after < best.before
    True
    """
    check_noise(noise)
    there_N, there_D = np.asarray(params, float), np.asarray(tokens, float)
    laws = plausible(law)
    if there_N.size < len(laws.free):
        raise DataError(f"{there_N.size} runs cannot show the {len(laws.free)} coefficients of {law.family.name}.")
    spent = SIX * there_N * there_D
    low, high = flops or (float(spent.min()), float(spent.max()))
    N, D, repeats = _candidates(there_N, there_D, ratio, low, high)
    if not N.size:
        raise UsageError(
            f"there is no run of {low:.3g} to {high:.3g} FLOPs at {ratio[0]:g} to {ratio[1]:g} tokens per N."
        )
    J = run_sensitivities(laws, there_N, there_D)
    inverse = np.linalg.inv(ridged(np.einsum("krp,krq->kpq", J, J)))
    answer, weight = answer_of(laws, goal, target)
    rows = run_sensitivities(laws, N, D)
    seen = rows @ inverse
    alone = np.einsum("kp,kpq,kq->k", answer, inverse, answer)
    with_one = alone[:, None] - ((seen @ answer[:, :, None])[..., 0]) ** 2 / (1 + (seen * rows).sum(axis=-1))
    scale = noise * np.sqrt(huber_price(noise))
    before = float(scale * np.sqrt(np.median(alone * weight)))
    after = scale * np.sqrt(np.median(with_one * weight[:, None], axis=0))
    found = [
        NextRun(float(n), float(d), float(SIX * n * d), bool(again), before, float(then))
        for n, d, again, then in zip(N, D, repeats, after, strict=True)
    ]
    return _distinct(sorted(found, key=lambda one: -one.gain_per_flop), count)


def _candidates(
    N: FloatArray, D: FloatArray, ratio: tuple[float, float], low: float, high: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Repeats of what is there, and a grid; within the range of compute."""
    sizes = np.geomspace(N.min() / BEYOND, N.max() * BEYOND, SIZES)
    new_N, new_ratio = (axis.ravel() for axis in np.meshgrid(sizes, np.geomspace(*ratio, RATIOS), indexing="ij"))
    all_N, all_D = np.concatenate([N, new_N]), np.concatenate([D, new_N * new_ratio])
    repeats = np.concatenate([np.ones(N.size), np.zeros(new_N.size)])
    C = SIX * all_N * all_D
    within = (low * (1 - 1e-9) <= C) & (high * (1 + 1e-9) >= C)
    return all_N[within], all_D[within], repeats[within]


def _distinct(ranked: list[NextRun], count: int) -> tuple[NextRun, ...]:
    """The first so many of which no two lie within a third of each other in N and D."""
    chosen: list[NextRun] = []
    for one in ranked:
        apart = (max(abs(np.log(one.params / c.params)), abs(np.log(one.tokens / c.tokens))) for c in chosen)
        if len(chosen) < count and all(distance > np.log(4 / 3) for distance in apart):
            chosen.append(one)
    return tuple(chosen)

"""The design that tells most of a target: which runs, under a budget, make the answer there tightest.

A c-optimal design: the variance of one answer (ln N* at the target, the loss there, or the compute that a wrong N*
would waste) by the delta method, its logarithm averaged over laws that the prior holds possible, so that the design is
not tuned to one of them. Runs are exchanged one at a time against a grid of candidates in N and D/N (Fedorov 1972),
with a price on the logarithm of the whole cost that is raised until the budget holds.

Left to itself such a design trusts the form blindly: hundreds of tiny runs at the ends of the range. What keeps it
honest are its terms, and they are an insurance: they cost variance if the form is true, and show it if it is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, UnknownName
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN as SIX
from isoflop.sweeps.designs import Design, FloatArray, of_runs
from isoflop.sweeps.expected import answer_of, ridged
from isoflop.sweeps.kinds import DECAY_SHARE, Frame, isoflop_design
from isoflop.sweeps.sensitivity import plausible, run_sensitivities

GOALS = ("params", "loss", "waste")
SIZES, RATIOS = 21, 9
"""Candidates: networks and lengths evenly in ln N and ln D/N, neighbours about a quarter apart, so that distinct sizes
are worth the name."""
NEAR, LARGE = np.log(2.0), 0.5
"""A run is on the frontier where its D/N is within twice or half the prior's, and its cost half the mean at least."""
MISSING = 100.0
"""What a run that the terms miss costs a score: more than any exchange gains."""
PASSES = 12
BISECTIONS = 14
PRICES = (1e-3, 30.0)

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Terms:
    """What a design keeps to beside its budget, so that a wrong form would show.

    ``sizes`` distinct networks at least, none below ``smallest`` parameters (without it, the smallest of an isoFLOP
    grid of the same budget); a ``frontier`` share of the runs on the prior's frontier, where the answer lies; at most
    ``largest_run`` of the budget in one run; ``overhead`` FLOPs that every run costs beside its training, in time to
    start and to look at.
    """

    sizes: int = 8
    smallest: float | None = None
    frontier: float = 0.2
    largest_run: float = 0.25
    overhead: float = 0.0
    shared_trunks: bool = False


AS_USUAL = Terms()


def optimal_design(frame: Frame, target: float, *, goal: str = "params", terms: Terms = AS_USUAL) -> Design:
    """The runs within the frame's budget that make the answer at ``target`` FLOPs tightest.

    ``goal`` says which answer: "params" (N*), "loss", or "waste" (the compute that the error of N* would waste).
    All runs have the same noise, so how large it is moves none. UnknownName for another goal, DataError where no design
    keeps to the terms.

    >>> import isoflop as iso
    >>> from isoflop.sweeps.expected import expected
    >>> frame = Frame(1e21, iso.law("besiroglu2024"))
    >>> said = [expected(design, frame.law, noise=0.003, target=1e24).params
    ...         for design in (isoflop_design(frame), optimal_design(frame, 1e24))]
    >>> bool(said[1] < 0.75 * said[0])
    True
    """
    if goal not in GOALS:
        raise UnknownName.among("goal", goal, GOALS)
    pool = _pool(frame, target, goal, terms)
    best: tuple[float, IntArray] | None = None
    for start in _starts(frame, pool):
        found = _within_budget(pool, start)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    if best is None:
        raise DataError(
            f"no {frame.runs} runs within {frame.budget:.3g} FLOPs keep to the terms; ask for fewer runs, a wider "
            "range of tokens per parameter, or a larger share for one run."
        )
    return _design(pool, best[1])


@dataclass(frozen=True)
class Pool:
    """Candidate runs and what is known of each: (c,) arrays; ``rows`` (K, c, P) are what they say of each law, and
    ``answer`` (K, P) with ``weight`` (K,) is what is asked."""

    frame: Frame
    terms: Terms
    params: FloatArray
    tokens: FloatArray
    size: IntArray
    near: NDArray[np.bool_]
    rows: FloatArray
    answer: FloatArray
    weight: FloatArray

    @property
    def cost(self) -> FloatArray:
        return SIX * self.params * self.tokens

    def costs(self, chosen: IntArray) -> float:
        """What a design costs, overhead included; of a shared trunk's branches, their decay alone."""
        overhead, own = self.terms.overhead * len(chosen), self.cost[chosen]
        if not self.terms.shared_trunks:
            return float(own.sum()) + overhead
        return float(DECAY_SHARE * own.sum() + (1 - DECAY_SHARE) * self._longest(chosen).sum()) + overhead

    def costs_with(self, others: IntArray) -> FloatArray:
        """What a design and one more run cost, for every candidate."""
        so_far = self.costs(others) + self.terms.overhead
        if not self.terms.shared_trunks:
            return so_far + self.cost
        longer = np.maximum(self.cost - self._longest(others)[self.size], 0.0)
        return so_far + DECAY_SHARE * self.cost + (1 - DECAY_SHARE) * longer

    def _longest(self, chosen: IntArray) -> FloatArray:
        """The cost of each size's longest run."""
        longest = np.zeros(SIZES)
        np.maximum.at(longest, self.size[chosen], self.cost[chosen])
        return longest

    def score(self, chosen: IntArray) -> float:
        """The mean over laws of the ln variance of the answer."""
        J = self.rows[:, chosen]
        inverse = np.linalg.inv(ridged(np.einsum("kcp,kcq->kpq", J, J)))
        return float(self._mean(np.einsum("kp,kpq,kq->k", self.answer, inverse, self.answer)[:, None])[0])

    def _mean(self, variance: FloatArray) -> FloatArray:
        return np.asarray(np.mean(np.log(np.maximum(variance, 1e-300) * self.weight[:, None]), axis=0))

    def score_with(self, others: IntArray) -> FloatArray:
        """The score of a design and one more run, for every candidate: by the inverse's update of rank one."""
        J = self.rows[:, others]
        inverse = np.linalg.inv(ridged(np.einsum("kcp,kcq->kpq", J, J)))
        seen = self.rows @ inverse
        gain = (seen @ self.answer[:, :, None])[..., 0]
        alone = np.einsum("kp,kpq,kq->k", self.answer, inverse, self.answer)
        return self._mean(alone[:, None] - gain**2 / (1 + (seen * self.rows).sum(axis=-1)))

    def missing(self, others: IntArray) -> FloatArray:
        """How many sizes and runs on the frontier the terms still miss with one more run, for every candidate."""
        wanted = len(others) + 1
        sizes = np.unique(self.size[others])
        lack = min(self.terms.sizes, wanted) - len(sizes) - ~np.isin(self.size, sizes)
        off = int(self.terms.frontier * wanted) - self.near[others].sum() - self.near
        return np.asarray(np.maximum(lack, 0.0) + np.maximum(off, 0.0))

    def allowed(self, others: IntArray) -> NDArray[np.bool_]:
        """Which candidates may join ``others`` at all."""
        affordable = self.cost <= self.terms.largest_run * self.frame.budget
        if self.terms.shared_trunks:  # the same length on the same trunk is the same run
            affordable[others] = False
        return affordable


def _pool(frame: Frame, target: float, goal: str, terms: Terms) -> Pool:
    laws = plausible(frame.law)
    low, high = frame.ratio
    # The largest candidate is a run that takes all that one run may.
    largest = np.sqrt(terms.largest_run * frame.budget / (SIX * low))
    smallest = _usual(frame).params.min() if terms.smallest is None else terms.smallest
    if smallest >= largest:
        raise DataError(
            f"networks from {smallest:.3g} parameters up are larger than the {largest:.3g} that one run of "
            f"{frame.budget:.3g} FLOPs may have; ask for smaller ones."
        )
    N, ratio = (
        axis.ravel()
        for axis in np.meshgrid(np.geomspace(smallest, largest, SIZES), np.geomspace(low, high, RATIOS), indexing="ij")
    )
    C = SIX * N * N * ratio
    best = frame.law.optimum(C)
    usual = np.clip(best.tokens / best.params, low, high)
    answer, weight = answer_of(laws, goal, target)
    return Pool(
        frame=frame,
        terms=terms,
        params=N,
        tokens=ratio * N,
        size=np.repeat(np.arange(SIZES), RATIOS),
        near=(np.abs(np.log(ratio / usual)) <= NEAR) & (LARGE * frame.budget / frame.runs <= C),
        rows=run_sensitivities(laws, N, ratio * N),
        answer=answer,
        weight=np.maximum(weight, 1e-300),
    )


def _usual(frame: Frame) -> Design:
    return isoflop_design(frame, budgets=max(2, min(5, frame.runs // 3)))


def _starts(frame: Frame, pool: Pool) -> list[IntArray]:
    """An isoFLOP grid and a random choice, as the nearest candidates."""
    grid = _usual(frame)
    x, y = np.log(pool.params), np.log(pool.tokens)
    near = (np.log(grid.params)[:, None] - x) ** 2 + (np.log(grid.tokens)[:, None] - y) ** 2
    usual = np.flatnonzero(pool.near & (pool.cost <= frame.budget / frame.runs))
    drawn = np.random.default_rng(frame.seed).choice(usual, frame.runs) if usual.size else near.argmin(axis=1)
    return [near.argmin(axis=1), drawn]


def _within_budget(pool: Pool, start: IntArray) -> tuple[float, IntArray] | None:
    """The best design found that the budget buys, and its score: the price on cost is bisected."""
    low, high = np.log(PRICES)
    chosen, best = start, None
    for _ in range(BISECTIONS):
        price = np.exp(0.5 * (low + high))
        chosen = _exchanged(pool, chosen, price)
        if pool.costs(chosen) <= pool.frame.budget and not pool.missing(chosen[1:])[chosen[0]]:
            score = pool.score(chosen)
            if best is None or score < best[0]:
                best = score, chosen
            high = np.log(price)
        else:
            low = np.log(price)
    if best is None:
        return None
    polished = _exchanged(pool, best[1], 0.0, ceiling=pool.frame.budget)
    return pool.score(polished), polished


def _exchanged(pool: Pool, start: IntArray, price: float, ceiling: float = np.inf) -> IntArray:
    """Exchange runs one after another for the candidate that is best in their place, until none is better."""
    chosen = start.copy()
    for _ in range(PASSES):
        moved = False
        for j in range(len(chosen)):
            others = np.delete(chosen, j)
            costs = pool.costs_with(others)
            value = pool.score_with(others) + price * np.log(costs) + MISSING * pool.missing(others)
            value[~pool.allowed(others) | (costs > ceiling)] = np.inf
            i = int(np.argmin(value))
            if value[i] < value[chosen[j]] - 1e-9:
                chosen[j], moved = i, True
        if not moved:
            break
    return chosen


def _design(pool: Pool, chosen: IntArray) -> Design:
    chosen = np.sort(chosen)
    design = of_runs("optimal", pool.params[chosen], pool.tokens[chosen])
    if not pool.terms.shared_trunks:
        return design
    size, own = pool.size[chosen], pool.cost[chosen]
    longest = np.array([own[i] == own[size == size[i]].max() for i in range(len(chosen))])
    share = np.where(longest, 1.0, DECAY_SHARE)
    return replace(design, flops=design.flops * share, trunks=np.unique(size, return_inverse=True)[1])

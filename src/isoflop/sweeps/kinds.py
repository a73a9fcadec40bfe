"""Classical designs under one budget: isoFLOP grids, ladders, random and space-filling ones, an L.

Each keeps to a stated range of tokens per parameter, spends the whole budget and no more, and spreads the compute of
its runs over a stated span: a law is seen by the range of C and of D/N that its runs cover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import UsageError
from isoflop.laws import Law
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN as SIX
from isoflop.sweeps.designs import Design, FloatArray, of_runs

DECAY_SHARE = 0.2
"""Of a run, that a branch trains by itself: its decay (Hägele et al., arXiv 2405.18392)."""
_PLASTIC = np.array([0.7548776662466927, 0.5698402909980532])
"""Inverse powers of the plastic number: the two-dimensional golden ratio (Roberts' R2 sequence)."""


@dataclass(frozen=True)
class Frame:
    """What every design needs: the ``budget`` of all runs in FLOPs, the ``law`` that says where minima are expected,
    how many runs, and the room: tokens per parameter, and the span of compute from the smallest run to the largest.

    UsageError for a budget, a number of runs or a room that holds nothing.
    """

    budget: float
    law: Law
    runs: int = 35
    ratio: tuple[float, float] = (5.0, 100.0)
    span: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self.ratio
        if not (0 < self.budget < np.inf):
            raise UsageError(f"a budget of {self.budget:g} FLOPs buys no runs; give a positive number such as 1e20.")
        if self.runs < 3:
            raise UsageError(f"{self.runs} runs show no law; ask for 3 or more.")
        if not 0 < low < high < np.inf:
            raise UsageError(
                f"tokens per parameter from {low:g} to {high:g} hold nothing; give a range such as 5 to 100."
            )
        if not 1 < self.span < np.inf:
            raise UsageError(
                f"a span of {self.span:g} from the smallest run to the largest is none; give one such as 100."
            )

    def scaled(self, kind: str, compute: FloatArray, ratio: FloatArray) -> Design:
        """The design of runs at relative ``compute`` and D/N ``ratio``, scaled to cost the whole budget."""
        share = self.budget / compute.sum()
        C = compute * share
        N = np.sqrt(C / (SIX * ratio))
        return of_runs(kind, N, ratio * N)


def isoflop_design(frame: Frame, *, budgets: int = 5, half_width: float = 4.0) -> Design:
    """An isoFLOP grid: at each of a few budgets, networks from N*/``half_width`` to N* times it, evenly in ln N.

    Hoffmann et al.'s approach 2 (arXiv 2203.15556). Where the range of tokens per parameter is narrower than the
    grid, it cuts the grid. The last budgets take the runs that do not divide evenly.

    >>> import isoflop as iso
    >>> design = isoflop_design(Frame(1e20, iso.law("besiroglu2024")))
    >>> len(design), round(design.cost / 1e20, 12)
    (35, 1.0)
    """
    if not 2 <= budgets <= frame.runs // 3:
        raise UsageError(f"{budgets} budgets leave less than 3 of {frame.runs} runs to each; ask for fewer, or 2.")
    counts = np.full(budgets, frame.runs // budgets)
    counts[budgets - frame.runs % budgets :] += 1
    levels = np.geomspace(1 / frame.span, 1.0, budgets)
    scale = frame.budget / (levels * counts).sum()
    rows = [_profile(frame, C, int(count), half_width) for C, count in zip(levels * scale, counts, strict=True)]
    N, D, C = (np.concatenate(column) for column in zip(*rows, strict=True))
    return of_runs("isoflop", N, D, C)


def _profile(frame: Frame, C: float, count: int, half_width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    optimum = float(frame.law.optimum(C).params)
    fewest, most = (float(np.sqrt(C / (SIX * ratio))) for ratio in frame.ratio[::-1])
    optimum = min(max(optimum, fewest), most)
    N = np.geomspace(max(optimum / half_width, fewest), min(optimum * half_width, most), count)
    return N, C / (SIX * N), np.full(count, C)


def ladder_design(frame: Frame, *, horizons: int = 4, shared_trunks: bool = False) -> Design:
    """A ladder of networks, each trained for several lengths: approach 1, and surfaces.

    Lengths are evenly spaced in ln D over the range of tokens per parameter. With ``shared_trunks`` each network is
    trained once, as long as its longest, and the other lengths branch off to decay: a ladder then costs
    (D_max + .2 sum of the others) 6 N (Hägele et al., arXiv 2405.18392), and the same budget buys larger networks.

    >>> import isoflop as iso
    >>> plain, shared = (ladder_design(Frame(1e20, iso.law("besiroglu2024")), shared_trunks=s) for s in (False, True))
    >>> round(float(shared.params.max() / plain.params.max()), 2)
    1.18
    """
    sizes = max(2, frame.runs // horizons)
    ratios = np.geomspace(*frame.ratio, horizons)
    # Compute goes as N^2 D/N: at one D/N, the smallest and the largest network span what the frame asks for.
    N = np.repeat(np.geomspace(1 / np.sqrt(frame.span), 1.0, sizes), horizons)
    D = N * np.tile(ratios, sizes)
    longest = np.tile(ratios == ratios[-1], sizes)
    share = np.where(longest, 1.0, DECAY_SHARE) if shared_trunks else np.ones(N.size)
    scale = np.sqrt(frame.budget / (SIX * N * D * share).sum())
    design = of_runs("ladder", N * scale, D * scale)
    if not shared_trunks:
        return design
    trunks = np.repeat(np.arange(sizes), horizons)
    return replace(design, kind="ladder of trunks", flops=design.flops * share, trunks=trunks)


def random_design(frame: Frame) -> Design:
    """Runs drawn at random: ln C and ln D/N uniform over span and range."""
    return _scattered(frame, "random", np.random.default_rng(frame.seed).random((frame.runs, 2)))


def space_filling_design(frame: Frame) -> Design:
    """Runs spread evenly over span and range, by Roberts' R2 sequence: no gap, and no two alike.

    >>> import isoflop as iso
    >>> len(np.unique(space_filling_design(Frame(1e20, iso.law("besiroglu2024"))).params))
    35
    """
    start = np.random.default_rng(frame.seed).random(2)
    return _scattered(frame, "space-filling", (start + np.outer(np.arange(frame.runs), _PLASTIC)) % 1.0)


def _scattered(frame: Frame, kind: str, unit: FloatArray) -> Design:
    low, high = frame.ratio
    return frame.scaled(kind, frame.span ** (unit[:, 0] - 1.0), low * (high / low) ** unit[:, 1])


def l_shaped_design(frame: Frame) -> Design:
    """Two arms from the smallest run: all lengths at the fewest parameters, all sizes at the fewest tokens.

    A tenth of the grid's cost, and enough for a form whose two terms do not mix (Skaling, arXiv 2608.07222). The
    corner has the middle of the range of tokens per parameter; either arm ends at an end of it.
    """
    low, high = frame.ratio
    corner = np.sqrt(low * high)
    along_tokens = frame.runs // 2
    arm = np.geomspace(1.0, high / corner, frame.runs - along_tokens + 1)
    N = np.concatenate([np.ones(along_tokens), arm[1:]])
    D = corner * np.concatenate([np.geomspace(1.0, high / corner, along_tokens), np.ones(arm.size - 1)])
    return frame.scaled("l-shaped", N * D, D / N)


KINDS: Mapping[str, Callable[[Frame], Design]] = {
    "isoflop": isoflop_design,
    "ladder": ladder_design,
    "random": random_design,
    "space-filling": space_filling_design,
    "l-shaped": l_shaped_design,
}
"""Designs by name; each takes a Frame and spends its budget."""

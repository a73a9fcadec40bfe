"""The flat valley: what a network smaller or larger than the optimum costs, at the same loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.laws import Law
from isoflop.planning.optimum import optimum
from isoflop.planning.questions import optimum_of_loss, tokens_on_surface
from isoflop.planning.surface import Estimate, View, ask, facts, of_form

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Valley:
    """Networks of k N*: the tokens that give them the loss of the optimum, and what that costs.

    ``overhead`` is the share of compute to add, C'/C - 1, infinite for a network too small for the loss. ``wasted``
    is the other question: at the same C, the network of k N* reaches a loss that 1 - wasted of C would reach.
    """

    times_optimum: FloatArray
    params: FloatArray
    tokens: Estimate
    overhead: Estimate
    wasted: Estimate
    loss_at_budget: Estimate

    def to_dict(self, level: float) -> dict[str, Any]:
        return facts(self, level)


def valley(law: Law, flops: float, times_optimum: ArrayLike = (0.25, 0.5, 1.0, 2.0, 4.0)) -> Valley:
    """What networks k times the point's N* cost at a budget C = 6 N D. Draws answer for the same networks.

    >>> from isoflop import laws
    >>> found = valley(laws.law("besiroglu2024"), 1e24, [0.5, 2.0])
    >>> [f"{share:.2%}" for share in found.wasted.value], [f"{share:.1%}" for share in found.overhead.value]
    (['15.55%', '15.67%'], ['25.9%', '14.8%'])
    """
    k = np.atleast_1d(np.asarray(times_optimum, float))
    C = np.asarray(flops, float)
    N = k * optimum(law, C).params

    def tokens(seen: View) -> FloatArray:
        return np.asarray(tokens_on_surface(seen, N, seen.best(C).loss))

    def loss(seen: View) -> FloatArray:
        return np.asarray(seen.loss(N, C / (6.0 * N)))

    def wasted(seen: View) -> FloatArray:
        return np.asarray(1 - optimum_of_loss(seen, loss(seen))[0] / C)

    needed = ask(law, tokens, 1)
    overhead = Estimate(6 * N * needed.value / C - 1, None if needed.draws is None else 6 * N * needed.draws / C - 1)
    return Valley(k, N, needed, overhead, ask(law, wasted, 1), replace(ask(law, loss, 1), form=of_form(law, C)))

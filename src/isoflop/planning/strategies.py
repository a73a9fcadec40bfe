"""Ways of splitting a budget that people follow, compared at one loss and under several demands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop import laws
from isoflop.laws import Law
from isoflop.planning.search import FloatArray, root
from isoflop.planning.surface import View, plain, view
from isoflop.planning.text import Sheet
from isoflop.quantities import format_flops, format_si

Rule = Callable[[FloatArray], FloatArray]
"""N at a training budget of C FLOPs."""
DEMANDS = (0.0, 1e11, 1e12, 1e13, 1e14)
"""Tokens served over a network's life."""
FIXED_TOKENS = 300e9
OVERTRAINED, FAR_OVERTRAINED = 200.0, 1875.0
"""Tokens a parameter: near LLaMA 7B, whose 1.0T are 148; Llama 3 8B's 15T is 1,868."""
LOG_LEAST, LOG_MOST = 20.0, 120.0


@dataclass(frozen=True)
class Strategy:
    """One way of splitting: what it makes of the budget, and what it costs to reach the optimum's loss.

    ``needed`` is the training compute at which it has that loss, infinite where it never does; ``costs`` adds 2 N FLOPs
    for every token served, demand by demand.
    """

    name: str
    params: float
    tokens: float
    loss: float
    needed: float
    needed_params: float
    costs: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        return {name: plain(list(value) if isinstance(value, tuple) else value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class StrategiesSection:
    """Strategies under one law, the least cost of each demand marked by ``best``."""

    law: str
    flops: float
    loss: float
    demands: tuple[float, ...]
    strategies: tuple[Strategy, ...]

    name = "strategies"

    @property
    def best(self) -> tuple[str, ...]:
        """The name of the cheapest, demand by demand."""
        return tuple(min(self.strategies, key=lambda one: one.costs[i]).name for i in range(len(self.demands)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "loss": self.loss,
            "demands": list(self.demands),
            "strategies": [one.to_dict() for one in self.strategies],
            "best": list(self.best),
        }

    def sheet(self) -> Sheet:
        header = ("strategy", "parameters", "tokens", "loss", *(f"at {_served(demand)}" for demand in self.demands))
        best = self.best
        lines = tuple(
            (
                one.name,
                format_si(one.params),
                format_si(one.tokens),
                f"{one.loss:.3f}",
                *(_cost(cost) + ("*" if best[i] == one.name else "") for i, cost in enumerate(one.costs)),
            )
            for one in self.strategies
        )
        notes = (
            f"Left: the whole budget in training. Right: FLOPs of training to a loss of {self.loss:.3f} and of "
            "serving so many tokens, * the least; - never reaches it.",
        )
        return Sheet(f"Strategies under {self.law}", header, lines, notes)


def _served(demand: float) -> str:
    return format_si(demand) if demand else "0"


def _cost(cost: float) -> str:
    return format_flops(cost) if np.isfinite(cost) else "-"


def rules(law: Law) -> dict[str, Rule]:
    """The strategies as N at a budget: the law's own optimum, Kaplan's, fixed ratios, fixed tokens."""
    kaplan = laws.law("kaplan2020_allocation")

    def at_ratio(ratio: float) -> Rule:
        return lambda flops: np.sqrt(flops / (6 * ratio))

    return {
        f"optimum of {law.id}": lambda flops: view(law).best(flops).params,
        "20 tokens a parameter": at_ratio(20.0),
        "Kaplan et al. 2020": lambda flops: kaplan.optimum(flops).params,
        f"{OVERTRAINED:g} tokens a parameter": at_ratio(OVERTRAINED),
        f"{FAR_OVERTRAINED:g} tokens a parameter": at_ratio(FAR_OVERTRAINED),
        "300B tokens": lambda flops: np.asarray(flops / (6 * FIXED_TOKENS)),
    }


def strategies(law: Law, flops: float, demands: Sequence[float] = DEMANDS) -> StrategiesSection:
    """What each strategy makes of C FLOPs, and what it costs to reach the loss of the law's optimum there.

    >>> found = strategies(laws.law("besiroglu2024"), 1e23)
    >>> found.best[0], found.best[-1]
    ('optimum of besiroglu2024', '1875 tokens a parameter')
    """
    seen = view(law)
    target = float(seen.best(np.asarray(flops)).loss)
    found = tuple(_compared(name, rule, seen, flops, target, demands) for name, rule in rules(law).items())
    return StrategiesSection(law.id, flops, target, tuple(demands), found)


def _compared(name: str, rule: Rule, seen: View, flops: float, target: float, demands: Sequence[float]) -> Strategy:
    def loss(budget: FloatArray) -> FloatArray:
        N = rule(budget)
        return seen.loss(N, budget / (6 * N))

    here = np.asarray(flops, float)
    N = float(rule(here))

    # The optimum touches the target at C itself, which a search for a change of sign may miss by rounding.
    # Where there is no optimum, as on a plateau at tiny budgets, the loss counts as too high.
    def above(at: FloatArray) -> FloatArray:
        return np.nan_to_num(loss(np.exp(at)), nan=np.inf) - target * (1 + 1e-15)

    needed = float(np.exp(root(above, np.asarray(LOG_LEAST), LOG_MOST)))
    params = float(rule(np.asarray(needed))) if np.isfinite(needed) else np.inf
    costs = tuple(needed + 2 * params * demand if np.isfinite(needed) else np.inf for demand in demands)
    needed = needed if np.isfinite(needed) else np.inf
    return Strategy(name, N, flops / (6 * N), float(loss(here)), needed, params, costs)

"""The compute-optimal split of any surface under any cost of a token, by search where there is no closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law, Optimum
from isoflop.planning.surface import FlopsPerToken, best_split, drawn_view, is_surface, six_n, view

LARGEST = 1e18
"""Parameters, and tokens, beyond which nothing could be built or read."""


def optimum(law: Law, flops: ArrayLike, flops_per_token: FlopsPerToken | None = None) -> Optimum:
    """N*, D* and the loss at a budget of C FLOPs, or at an array of them, for any law.

    In closed form where the family has one and a token costs 6 N; else by search. ``flops_per_token`` is the exact
    count for networks of N parameters, array to array. DataError where the loss has no minimum at the budget.

    >>> from isoflop import laws
    >>> best = optimum(laws.law("besiroglu2024"), 5.76e23, lambda N: 6.9 * N)
    >>> f"{best.params:.4g} parameters on {best.tokens:.4g} tokens"
    '6.725e+10 parameters on 1.241e+12 tokens'
    """
    if not (is_surface(law) or (law.has_optimum and flops_per_token is None)):
        read = " and ".join(law.family.inputs)
        raise DataError(
            f"the law {law.id} reads {read or 'a budget'} alone and has no best split of it; plan with a law in both N "
            "and D (isoflop fit --family chinchilla)."
        )
    return _found(law, view(law, flops_per_token).best(np.asarray(flops, float)))


def optimum_draws(law: Law, flops: ArrayLike, flops_per_token: FlopsPerToken | None = None) -> Optimum | None:
    """The same under every draw, shape (draws, ...budgets); None without draws, NaN in a draw without a minimum."""
    C = np.asarray(flops, float)
    drawn = drawn_view(law, C.ndim, flops_per_token)
    return None if drawn is None else drawn.best(C)


def numeric_optimum(law: Law, flops: ArrayLike, flops_per_token: FlopsPerToken = six_n) -> Optimum:
    """The optimum by search, also where there is a closed form: a second method for it."""
    return _found(law, best_split(view(law).loss, flops, flops_per_token))


def refuse_unbuildable(law: Law, flops: float, params: float, tokens: float, *, held: bool = False) -> None:
    """UsageError for N or D that nobody could count: less than one, or more than LARGEST; ``held`` not by the law."""
    if 1 <= params <= LARGEST and 1 <= tokens <= LARGEST:
        return
    other = "hold another split" if held else f"take a {'smaller' if params * tokens > 1e12 else 'larger'} budget"
    raise UsageError(
        f"{flops:.3g} FLOPs are {params:.3g} parameters on {tokens:.3g} tokens "
        f"{'as held' if held else f'under the law {law.id}'}, a run that nobody could make; {other}."
    )


def _found(law: Law, best: Optimum) -> Optimum:
    if not np.all(np.isfinite(best.params)):
        raise DataError(
            f"the law {law.id} has no least loss at such a budget: it falls up to the largest or the smallest network; "
            "plan with a law in both N and D (isoflop fit --family chinchilla)."
        )
    return best

"""Backward questions: what reaches a loss, what a given network or given tokens can do, what a gain is worth.

Every function takes arrays and broadcasts. An answer is an Estimate: the point's, and each draw's where the law has
draws. A loss below what the law can reach is a DataError; in a single draw it is an infinite answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.laws import Law, Optimum
from isoflop.planning.search import root
from isoflop.planning.surface import Estimate, FlopsPerToken, View, ask, drawn_view, of_form, plain, view

FloatArray = NDArray[np.float64]

LOG_LEAST, LOG_MOST = 3.0, 230.0
"""ln of the least compute, and of the most of anything (1e100), that a search looks at."""
REACHED = 1e-9


@dataclass(frozen=True)
class Shifted:
    """The loss of a larger network from a measured smaller one: two ways to carry the residual, side by side.

    ``added`` assumes that what the law missed is in the irreducible loss (other text, other tokenizer) and stays;
    ``scaled`` that the whole loss is off by one factor. ``residual`` is measured minus predicted, in the law's unit.
    """

    predicted: FloatArray
    residual: FloatArray
    added: FloatArray
    scaled: FloatArray

    def to_dict(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Gain:
    """A compute multiplier m: C FLOPs do what m C did before. ``worth_flops`` is (m - 1) C."""

    flops: FloatArray
    equivalent_flops: FloatArray
    worth_flops: FloatArray
    loss_before: Estimate
    loss: Estimate


def refuse_unreachable(law: Law, loss: ArrayLike) -> None:
    """DataError, with E and its interval, for a loss that no network reaches under the law's point estimate."""
    asked, floor = float(np.min(np.asarray(loss, float))), float(view(law).irreducible)
    if asked > floor:
        return
    drawn, between = drawn_view(law, 0), ""
    if drawn is not None:
        low, high = np.quantile(drawn.irreducible, [0.05, 0.95])
        between = f" (90 % interval {low:.3f} to {high:.3f})"
    raise DataError(
        f"a loss of {asked:.4g} is not above the irreducible loss of the law {law.id}, E = {floor:.4g}{between}: "
        "no amount of compute reaches it; ask for a higher one."
    )


def optimum_of_loss(seen: View, loss: FloatArray) -> tuple[FloatArray, Optimum]:
    """The least compute of a loss, and the split there; NaN where it is not reached.

    Where the law has no best split, as on a plateau at tiny budgets, the loss counts as too high.
    """

    def above(log_C: FloatArray) -> FloatArray:
        return np.nan_to_num(seen.best(np.exp(log_C)).loss, nan=np.inf) - loss

    C = np.exp(root(above, np.full(loss.shape, LOG_LEAST), LOG_MOST))
    best = seen.best(C)
    reached = np.abs(best.loss - loss) <= REACHED * np.abs(loss)  # and is not the edge of a plateau
    return np.where(reached, C, np.nan), best


def flops_for_loss(law: Law, loss: ArrayLike, flops_per_token: FlopsPerToken | None = None) -> Estimate:
    """The least training compute in FLOPs at which the law's optimum has a loss.

    >>> from isoflop import laws
    >>> f"{flops_for_loss(laws.law('besiroglu2024'), 2.0).value:.3g}"
    '2.47e+23'
    """
    asked = np.asarray(loss, float)
    if not law.has_loss:
        raise DataError(f"the law {law.id} says how to split a budget, and nothing about the loss; ask another.")
    if "params" in law.family.inputs:
        refuse_unreachable(law, asked)
    drawn = drawn_view(law, asked.ndim, flops_per_token)
    with np.errstate(all="ignore"):
        least = optimum_of_loss(view(law, flops_per_token), asked)[0]
        draws = None if drawn is None else np.nan_to_num(optimum_of_loss(drawn, asked)[0], nan=np.inf)
    if not np.all(np.isfinite(least)):
        raise DataError(
            f"the law {law.id} has a loss of {np.min(asked):.4g} at no budget; ask for one nearer its runs."
        )
    return Estimate(least, draws)


def tokens_on_surface(seen: View, params: FloatArray, loss: FloatArray) -> FloatArray:
    """D at which networks of N parameters have a loss; infinite where more tokens do not get them there."""
    if seen.tokens is not None:
        return seen.tokens(params, loss)
    log_D = root(lambda log_D: seen.loss(params, np.exp(log_D)) - loss, np.zeros(()), LOG_MOST)
    return np.nan_to_num(np.exp(log_D), nan=np.inf)


def tokens_for_loss(law: Law, params: ArrayLike, loss: ArrayLike) -> Estimate:
    """The tokens at which networks of N parameters have a loss.

    >>> from isoflop import laws
    >>> law = laws.law("besiroglu2024")
    >>> f"{tokens_for_loss(law, 70e9, law.predict(70e9, 1.4e12)).value:.4g}"
    '1.4e+12'
    """
    N, L = np.broadcast_arrays(np.asarray(params, float), np.asarray(loss, float))
    found = ask(law, lambda seen: tokens_on_surface(seen, N, L), N.ndim)
    if not np.all(np.isfinite(found.value)):
        best = np.asarray(law.predict(N, np.full(N.shape, 1e100)))
        first = np.argmax(~np.isfinite(found.value))
        raise DataError(
            f"{N.flat[first]:.4g} parameters end at a loss of {best.flat[first]:.4g} under the law {law.id}, however "
            f"many tokens they see, above the {L.flat[first]:.4g} asked for; take a larger network."
        )
    return found


def flops_at_ratio(law: Law, ratio: float, loss: float) -> Estimate:
    """The compute at which networks with so many tokens a parameter have a loss.

    >>> from isoflop import laws
    >>> law = laws.law("besiroglu2024")
    >>> f"{flops_at_ratio(law, 20.0, law.predict(70e9, 1.4e12)).value:.4g}"
    '5.88e+23'
    """

    def question(seen: View) -> FloatArray:
        log_N = root(lambda at: seen.loss(np.exp(at), ratio * np.exp(at)) - loss, np.zeros(()), LOG_MOST / 2)
        return 6 * ratio * np.exp(2 * log_N)

    refuse_unreachable(law, loss)
    found = ask(law, question, 0)
    if not np.isfinite(found.value):
        raise DataError(f"the law {law.id} has a loss of {loss:.4g} at no size with {ratio:g} tokens a parameter.")
    return found


def params_for_loss(law: Law, tokens: ArrayLike, loss: ArrayLike) -> Estimate:
    """The parameters at which networks trained on D tokens have a loss.

    >>> from isoflop import laws
    >>> law = laws.law("besiroglu2024")
    >>> f"{params_for_loss(law, 1.4e12, law.predict(70e9, 1.4e12)).value:.4g}"
    '7e+10'
    """
    D, L = np.broadcast_arrays(np.asarray(tokens, float), np.asarray(loss, float))

    def question(seen: View) -> FloatArray:
        return np.exp(root(lambda log_N: seen.loss(np.exp(log_N), D) - L, np.zeros(()), LOG_MOST))

    found = ask(law, question, D.ndim)
    if not np.all(np.isfinite(found.value)):
        best = np.asarray(law.predict(np.full(D.shape, 1e100), D))
        first = np.argmax(~np.isfinite(found.value))
        raise DataError(
            f"{D.flat[first]:.4g} tokens end at a loss of {best.flat[first]:.4g} under the law {law.id}, however large "
            f"the network, above the {L.flat[first]:.4g} asked for; take more tokens."
        )
    return found


def shift_from_measured(
    law: Law, measured: tuple[ArrayLike, ArrayLike, ArrayLike], params: ArrayLike, tokens: ArrayLike
) -> Shifted:
    """The loss at N and D, moved by what the law missed at a measured (params, tokens, loss).

    >>> from isoflop import laws
    >>> moved = shift_from_measured(laws.law("besiroglu2024"), (1e9, 20e9, 2.62), 70e9, 1.4e12)
    >>> round(float(moved.predicted), 3), round(float(moved.added), 3), round(float(moved.scaled), 3)
    (1.974, 2.064, 2.044)
    """
    small_params, small_tokens, seen = measured
    expected, predicted = law.predict(small_params, small_tokens), law.predict(params, tokens)
    residual = np.asarray(seen, float) - expected
    return Shifted(predicted, residual, predicted + residual, predicted * (1 + residual / expected))


def compute_gain(law: Law, flops: ArrayLike, multiplier: ArrayLike) -> Gain:
    """What an algorithmic gain of m (better data, architecture, optimiser) is worth at a budget.

    The assumption is that the gain acts as more compute would, at every split: Ho et al. 2024 (arXiv 2403.05812,
    section 2) define effective compute so.

    >>> from isoflop import laws
    >>> gain = compute_gain(laws.law("besiroglu2024"), 1e22, 2.0)
    >>> f"{gain.equivalent_flops:.1e}", f"{gain.loss.value - gain.loss_before.value:.3f}"
    ('2.0e+22', '-0.038')
    """
    C, m = np.broadcast_arrays(np.asarray(flops, float), np.asarray(multiplier, float))

    def loss_at(budget: FloatArray) -> Estimate:
        return replace(ask(law, lambda seen: seen.best(budget).loss, C.ndim), form=of_form(law, budget))

    return Gain(C, m * C, (m - 1) * C, loss_at(C), loss_at(m * C))


def gain_of_loss(law: Law, flops: ArrayLike, loss: ArrayLike) -> Estimate:
    """The compute multiplier that a measured loss at C FLOPs implies: the law's least compute of the loss, over C."""
    needed, C = flops_for_loss(law, loss), np.asarray(flops, float)
    return Estimate(needed.value / C, None if needed.draws is None else needed.draws / C)

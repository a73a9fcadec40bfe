"""Limited unique tokens: epochs, what repeated tokens are worth, and what more unique ones would be.

Repeats fade: D tokens of which U are unique are worth D' = U (1 + R* (1 - exp(-R/R*))), R = D/U - 1, and parameters
beyond what U feeds fade likewise (Muennighoff et al., arXiv 2305.16264, equations 5 and 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law, Optimum
from isoflop.laws.data_limited import faded, unfaded
from isoflop.planning.optimum import optimum
from isoflop.planning.questions import LOG_MOST, tokens_on_surface
from isoflop.planning.search import ROUNDING, FloatArray, least, root
from isoflop.planning.surface import (
    Estimate,
    Loss,
    View,
    ask_all,
    best_split,
    cheapest_at_loss,
    is_surface,
    of_form,
    view,
)
from isoflop.planning.text import Sheet
from isoflop.quantities import format_interval, format_level, format_si

TOKEN_DECAY, PARAM_DECAY = 15.387756, 5.309743
"""R_D* and R_N* of Muennighoff et al., appendix A: fitted on C4 with a base law of one exponent."""
BORROWED = "Decay of repeats from Muennighoff et al. 2023 (C4, GPT-2 blocks)"
SAME, NOTHING = 1e-9, 1e-3
"""Text is exhausted where such a share of the tokens, the second, takes no more than the first off the loss: beyond,
the best split is not to be told from rounding."""
FAR = 40.0
"""Epochs beyond which their runs got worse, which the form cannot say."""


@dataclass(frozen=True)
class Decay:
    """How fast repeats of tokens, and parameters in excess, lose their worth: e-folding numbers of repeats."""

    tokens: float = TOKEN_DECAY
    params: float = PARAM_DECAY

    def __post_init__(self) -> None:
        if not (self.tokens > 0 and self.params > 0):
            raise UsageError(f"decays of {self.tokens:g} and {self.params:g} repeats: both are positive.")


def effective_tokens(tokens: ArrayLike, unique_tokens: ArrayLike, decay: Decay = Decay()) -> FloatArray:
    """What D tokens, U of them unique, are worth in unique tokens.

    >>> [round(float(effective_tokens(epochs, 1.0)) / epochs, 3) for epochs in (2, 4, 8, 16, 40)]
    [0.984, 0.931, 0.828, 0.661, 0.379]
    """
    D, U = np.asarray(tokens, float), np.asarray(unique_tokens, float)
    return faded(D, np.minimum(D, U), np.asarray(decay.tokens))


def marginal_worth(epochs: ArrayLike, decay: Decay = Decay()) -> FloatArray:
    """What one more repeated token is worth after so many epochs, in unique tokens: exp(-(epochs - 1)/R_D*)."""
    return np.asarray(np.exp(-np.maximum(np.asarray(epochs, float) - 1, 0) / decay.tokens))


def reads_unique_tokens(law: Law) -> bool:
    """Whether the law itself says what repeats do."""
    return "unique_tokens" in law.family.inputs


def limited(law: Law, seen: View, unique_tokens: float, flops: float, decay: Decay | None = None) -> View:
    """A law's surface when only U tokens are unique: by its own word, else with the decay of repeats.

    ``flops`` is a budget of the size asked about: parameters that U tokens feed are a power of U from there.
    """
    U = np.asarray(unique_tokens, float)
    if decay is None and reads_unique_tokens(law):

        def loss(params: FloatArray, tokens: FloatArray) -> FloatArray:
            return seen.loss(params, tokens, unique_tokens=U)

        tokens: Loss = partial(_tokens_before_the_turn, loss)
    else:
        repeats = _Repeats(seen, U, _fed(seen, flops), decay or Decay())
        loss, tokens = repeats.loss, repeats.tokens

    def best(budget: FloatArray) -> Optimum:
        """The split without repeats apart: a penalty may be so steep there that a search steps over it. Where text is
        exhausted and the rest of the budget buys nothing, it is left: the least that is as good is told."""
        found, once = best_split(loss, budget), np.asarray(budget / (6 * U))
        whole = loss(once, U)
        better = whole < found.loss
        columns = ((found.params, once), (found.tokens, U), (found.loss, whole))
        N, D, L = (np.where(better, there, here) for here, there in columns)
        as_good = L * (1 + SAME)
        if np.any(spare := tokens(N, as_good) < (1 - NOTHING) * D):
            smaller = cheapest_at_loss(tokens, N, as_good)
            spare &= np.isfinite(smaller)
            N, L = np.where(spare, smaller, N), np.where(spare, as_good, L)
            D = np.where(spare, tokens(N, L), D)
        return Optimum(N, D, L)

    return View(loss, best, tokens)


@dataclass(frozen=True)
class _Repeats:
    """A surface of unlimited data on which repeats, and parameters in excess of what unique tokens feed, fade."""

    seen: View
    unique: FloatArray
    fed: Callable[[FloatArray], FloatArray]
    decay: Decay

    def loss(self, params: FloatArray, tokens: FloatArray) -> FloatArray:
        unique = np.minimum(tokens, self.unique)
        return self.seen.loss(self._worth(params, unique), faded(tokens, unique, np.asarray(self.decay.tokens)))

    def tokens(self, params: FloatArray, target: FloatArray) -> FloatArray:
        """By the surface's own word, where what parameters are worth is known before the tokens are.

        Many repeats on, the loss is the same to rounding, on however many more: the fewest tokens are told.
        """
        target = target * (1 + ROUNDING)
        tokens_for = partial(tokens_on_surface, self.seen)
        worth = tokens_for(self._worth(params, self.unique), target)
        repeated = unfaded(worth, self.unique, np.asarray(self.decay.tokens))
        once = tokens_for(params, target)
        scant = (worth < self.unique) & (params > self.fed(once))
        if np.any(scant):  # too few tokens for the parameters, and all of them new
            high = np.log(self.unique)
            log_D = root(lambda at: self.loss(params, np.exp(at)) - target, np.zeros(()), high)
            once = np.where(scant, np.nan_to_num(np.exp(log_D), nan=np.inf), once)
        return np.where(worth < self.unique, once, repeated)

    def _worth(self, params: FloatArray, unique: FloatArray) -> FloatArray:
        return faded(params, np.minimum(params, self.fed(unique)), np.asarray(self.decay.params))


def _tokens_before_the_turn(loss: Loss, params: FloatArray, target: FloatArray) -> FloatArray:
    """D at which networks of N parameters have a loss, by search; where a penalty makes the loss rise with repeats,
    before it does. Infinite where none is."""
    high: FloatArray | float = LOG_MOST
    if np.any(loss(params, np.exp(LOG_MOST)) > loss(params, np.exp(LOG_MOST - 1.0))):
        turn = least(lambda log_D: loss(params, np.exp(log_D)), 0.0, LOG_MOST)
        high = np.where(np.isfinite(turn), turn, LOG_MOST)
    reached = target * (1 + ROUNDING)
    log_D = root(lambda log_D: loss(params, np.exp(log_D)) - reached, np.zeros(()), high)
    return np.nan_to_num(np.exp(log_D), nan=np.inf)


def _fed(seen: View, flops: float) -> Callable[[FloatArray], FloatArray]:
    """The parameters for which U tokens are compute-optimal, where N* and D* are powers of C."""
    lower, upper = seen.best(np.asarray(flops / 100)), seen.best(np.asarray(flops * 100))
    power = np.log(upper.params / lower.params) / np.log(upper.tokens / lower.tokens)
    return lambda unique: np.asarray(lower.params * (unique / lower.tokens) ** power)


@dataclass(frozen=True)
class DataLimited:
    """The best split of C with U unique tokens, beside that with all the data one could wish.

    ``decay`` is None, and so is what follows from it, where the law has another form for repeats. ``own`` says that the
    law itself knows them. ``epochs`` is D/U, ``effective`` D', ``marginal`` what one more token is worth. ``excess`` is
    the loss above that of unlimited data; ``doubled`` what twice the unique tokens would take off the loss.
    """

    law: str
    unique_tokens: float
    params: Estimate
    tokens: Estimate
    loss: Estimate
    unlimited: Optimum
    doubled: float
    decay: Decay | None
    own: bool
    level: float

    name = "data_limited"

    @property
    def epochs(self) -> float:
        return float(self.tokens.value) / self.unique_tokens

    @property
    def effective(self) -> float | None:
        return (
            None if self.decay is None else float(effective_tokens(self.tokens.value, self.unique_tokens, self.decay))
        )

    @property
    def marginal(self) -> float | None:
        return None if self.decay is None else float(marginal_worth(self.epochs, self.decay))

    @property
    def most_effective(self) -> float | None:
        """What no repetition is worth more than."""
        return None if self.decay is None else self.unique_tokens * (1 + self.decay.tokens)

    @property
    def spare(self) -> float:
        """The share of the budget that would take no more than SAME off the loss, and is left."""
        return max(
            0.0, 1 - float(self.params.value * self.tokens.value / self.unlimited.params / self.unlimited.tokens)
        )

    @property
    def excess(self) -> float:
        return float(self.loss.value - self.unlimited.loss)

    def to_dict(self) -> dict[str, Any]:
        return {
            "unique_tokens": self.unique_tokens,
            "params": self.params.to_dict(self.level),
            "tokens": self.tokens.to_dict(self.level),
            "loss": self.loss.to_dict(self.level),
            "epochs": self.epochs,
            "effective_tokens": self.effective,
            "marginal_worth": self.marginal,
            "most_effective_tokens": self.most_effective,
            "excess_loss": self.excess,
            "spare_budget": self.spare if self.spare > NOTHING else 0.0,
            "loss_saved_by_twice_the_unique_tokens": self.doubled,
            "unlimited": {name: float(value) for name, value in vars(self.unlimited).items()},
        }

    def sheet(self) -> Sheet:
        N, D, L = (float(one.value) for one in (self.params, self.tokens, self.loss))
        without = self.unlimited
        best = (format_si(float(without.params)), format_si(float(without.tokens)), "1.0", f"{float(without.loss):.3f}")
        lines: list[tuple[str, ...]] = [
            ("unlimited", *best),
            ("limited", format_si(N), format_si(D), f"{max(self.epochs, 1):.1f}", f"{L:.3f}"),
        ]
        if spans := [span for one in (self.params, self.tokens, self.loss) if (span := one.interval(self.level))]:
            counts = [f"[{format_si(float(lo))}, {format_si(float(hi))}]" for lo, hi in spans[:2]]
            loss = format_interval(*map(float, spans[2]))
            lines.append((f"  {format_level(self.level)} interval", *counts, "", loss))
        title = f"Limited data: {format_si(self.unique_tokens)} unique tokens, under {self.law}"
        return Sheet(title, ("", "parameters", "tokens", "epochs", "loss"), tuple(lines), tuple(self._notes()))

    def _notes(self) -> list[str]:
        if self.epochs <= 1 + 1e-6:
            return [f"{format_si(self.unique_tokens)} unique tokens are enough, or repeats not worth it: none here."]
        more = f"Twice the unique tokens would lower the loss by {self.doubled:.4f}."
        whose = "What repeats do is the law's own word; other text fades otherwise."
        if self.decay is None:
            return [more, whose]
        worth = f"{format_si(float(self.tokens.value))} tokens are worth {format_si(self.effective or 0.0)} unique ones"
        notes = [
            f"{worth}, the next one {self.marginal:.2f}; no repetition is worth more than "
            f"{format_si(self.most_effective or 0.0)}. {more}",
            whose if self.own else f"{BORROWED}; other text fades otherwise.",
        ]
        if self.spare > NOTHING:
            notes.append(f"Text is exhausted: {self.spare:.2%} of the budget would not lower the loss, and is left.")
        if self.epochs > FAR:
            notes.append(f"{self.epochs:.0f} epochs: beyond {FAR:g} measured losses rise, which this form cannot.")
        return notes


def data_limited(
    law: Law, flops: float, unique_tokens: float, *, decay: Decay | None = None, level: float = 0.9
) -> DataLimited:
    """The best N and D at C = 6 N D FLOPs when only U tokens are unique.

    A law that reads unique tokens is asked itself; any other is taken as that of unlimited data, and repeats fade.

    >>> from isoflop import laws
    >>> found = data_limited(laws.law("muennighoff2023"), 9.3e21, 25e9)
    >>> f"{float(found.params.value) / 1e9:.1f}B, {found.epochs:.1f} epochs, loss {float(found.loss.value):.4f}"
    '6.8B, 9.1 epochs, loss 2.2251'
    """
    check_unique(law, unique_tokens)
    C = np.asarray(flops, float)

    def split(seen: View, unique: float = unique_tokens) -> tuple[FloatArray, FloatArray, FloatArray]:
        best = limited(law, seen, unique, flops, decay).best(C)
        return best.params, best.tokens, best.loss

    N, D, L = ask_all(law, split, 0)
    if not np.isfinite(N.value):
        raise DataError(
            f"the law {law.id} has no best split of {flops:.3g} FLOPs on {unique_tokens:.3g} unique tokens."
        )
    own = law.coefficients
    if decay is None and {"R_D", "R_N"} <= set(own):
        decay = Decay(own["R_D"], own["R_N"])
    elif not reads_unique_tokens(law):
        decay = decay or Decay()
    return DataLimited(
        law=law.id,
        unique_tokens=unique_tokens,
        params=N,
        tokens=D,
        loss=replace(L, form=of_form(law, flops)),
        unlimited=optimum(law, flops),
        doubled=float(L.value) - float(split(view(law), 2 * unique_tokens)[2]),
        decay=decay,
        own=reads_unique_tokens(law),
        level=level,
    )


def check_unique(law: Law, unique_tokens: float) -> None:
    """UsageError for a number that is none of tokens, DataError for a law that no limit can be put on."""
    if unique_tokens <= 0 or not np.isfinite(unique_tokens):
        raise UsageError(f"{unique_tokens:g} unique tokens: give a positive number, as in 300B.")
    if not is_surface(law):
        raise DataError(f"the law {law.id} has no loss at any N and D; limited data needs a surface (isoflop laws).")

"""Limited unique tokens: epochs, what repeated tokens are worth, and what more unique ones would be.

Repeats fade: D tokens of which U are unique are worth D' = U (1 + R* (1 - exp(-R/R*))), R = D/U - 1, and parameters
beyond what U feeds fade likewise (Muennighoff et al., arXiv 2305.16264, equations 5 and 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law, Optimum
from isoflop.laws.data_limited import faded
from isoflop.planning.search import FloatArray, least
from isoflop.planning.surface import Estimate, View, ask, plain, view
from isoflop.planning.text import Sheet
from isoflop.quantities import format_si

TOKEN_DECAY, PARAM_DECAY = 15.387756, 5.309743
"""R_D* and R_N* of Muennighoff et al., appendix A: fitted on C4 with a base law of one exponent."""
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


def params_fed(seen: View, unique_tokens: FloatArray) -> FloatArray:
    """The parameters for which U tokens are compute-optimal, where N* and D* are powers of C."""
    lower, upper = seen.best(np.asarray(1e20)), seen.best(np.asarray(1e24))
    power = np.log(upper.params / lower.params) / np.log(upper.tokens / lower.tokens)
    return np.asarray(lower.params * (unique_tokens / lower.tokens) ** power)


def limited_loss(
    seen: View, params: FloatArray, tokens: FloatArray, unique_tokens: FloatArray, decay: Decay
) -> FloatArray:
    """The loss of N parameters on D tokens of which U are unique."""
    unique = np.minimum(tokens, unique_tokens)
    fed = np.minimum(params, params_fed(seen, unique))
    worth = faded(tokens, unique, np.asarray(decay.tokens))
    return seen.loss(faded(params, fed, np.asarray(decay.params)), worth)


@dataclass(frozen=True)
class DataLimited:
    """The best split of C with U unique tokens, beside that with all the data one could wish.

    ``epochs`` is D/U, ``effective`` D', ``marginal`` what one more token is worth. ``excess`` is the loss above that of
    unlimited data; ``doubled`` what twice the unique tokens would take off the loss, and ``doubled_worth`` the compute
    multiplier that unlimited data would need for as much.
    """

    unique_tokens: float
    params: Estimate
    tokens: Estimate
    loss: Estimate
    unlimited: Optimum
    doubled: float
    decay: Decay
    level: float = 0.9

    name = "data_limited"

    @property
    def epochs(self) -> float:
        return float(self.tokens.value) / self.unique_tokens

    @property
    def effective(self) -> float:
        return float(effective_tokens(self.tokens.value, self.unique_tokens, self.decay))

    @property
    def marginal(self) -> float:
        return float(marginal_worth(self.epochs, self.decay))

    @property
    def excess(self) -> float:
        return float(self.loss.value - self.unlimited.loss)

    def to_dict(self) -> dict[str, Any]:
        return {
            "unique_tokens": self.unique_tokens,
            "params": plain(self.params),
            "tokens": plain(self.tokens),
            "loss": plain(self.loss),
            "epochs": self.epochs,
            "effective_tokens": self.effective,
            "marginal_worth": self.marginal,
            "most_effective_tokens": self.unique_tokens * (1 + self.decay.tokens),
            "excess_loss": self.excess,
            "loss_saved_by_twice_the_unique_tokens": self.doubled,
            "unlimited": {name: float(value) for name, value in vars(self.unlimited).items()},
        }

    def sheet(self) -> Sheet:
        N, D, L = (float(one.value) for one in (self.params, self.tokens, self.loss))
        without = self.unlimited
        lines = (
            (
                "unlimited",
                format_si(float(without.params)),
                format_si(float(without.tokens)),
                "1.0",
                f"{float(without.loss):.3f}",
            ),
            ("limited", format_si(N), format_si(D), f"{max(self.epochs, 1):.1f}", f"{L:.3f}"),
        )
        if self.epochs <= 1:
            notes = [f"{format_si(self.unique_tokens)} unique tokens are enough: nothing is repeated."]
        else:
            notes = [
                f"{format_si(D)} tokens are worth {format_si(self.effective)} unique ones, the next one "
                f"{self.marginal:.2f}; "
                f"no repetition is worth more than {format_si(self.unique_tokens * (1 + self.decay.tokens))}. Twice "
                "the unique "
                f"tokens would lower the loss by {self.doubled:.4f}.",
                "Decay of repeats from Muennighoff et al. 2023 (C4, GPT-2 blocks); other text fades otherwise.",
            ]
        if self.epochs > FAR:
            notes.append(f"{self.epochs:.0f} epochs: beyond {FAR:g} measured losses rise, which this form cannot.")
        title = f"Limited data: {format_si(self.unique_tokens)} unique tokens"
        return Sheet(title, ("", "parameters", "tokens", "epochs", "loss"), lines, tuple(notes))


def data_limited(
    law: Law, flops: float, unique_tokens: float, *, decay: Decay | None = None, level: float = 0.9
) -> DataLimited:
    """The best N and D at C = 6 N D FLOPs when only U tokens are unique.

    The law is taken as that of unlimited data; a law of the family data_limited brings its own decay.

    >>> from isoflop import laws
    >>> found = data_limited(laws.law("muennighoff2023"), 9.3e21, 25e9)
    >>> f"{float(found.params.value) / 1e9:.1f}B, {found.epochs:.1f} epochs, loss {float(found.loss.value):.4f}"
    '6.8B, 9.1 epochs, loss 2.2251'
    """
    if unique_tokens <= 0 or not np.isfinite(unique_tokens):
        raise UsageError(f"{unique_tokens:g} unique tokens: give a positive number, as in 300B.")
    if not {"params", "tokens"} <= set(law.family.inputs):
        raise DataError(f"the law {law.id} has no loss at any N and D; limited data needs a surface (isoflop laws).")
    if decay is None:
        own = law.coefficients
        decay = Decay(own["R_D"], own["R_N"]) if {"R_D", "R_N"} <= set(own) else Decay()
    chosen = decay

    def split(seen: View, unique: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        plainly, U = seen.best(np.asarray(flops)), np.asarray(unique)

        def along(shift: FloatArray) -> FloatArray:
            N = plainly.params * np.exp(shift)
            return limited_loss(seen, N, flops / (6 * N), U, chosen)

        shift = least(along, np.full(np.shape(plainly.params), -12.0), np.full(np.shape(plainly.params), 12.0))
        N = np.asarray(plainly.params * np.exp(shift))
        return N, flops / (6 * N), np.asarray(along(shift))

    N, D, L = (ask(law, lambda seen, part=part: split(seen, unique_tokens)[part], 0) for part in range(3))  # type: ignore[misc]
    if not np.isfinite(N.value):
        raise DataError(
            f"the law {law.id} has no best split of {flops:.3g} FLOPs on {unique_tokens:.3g} unique tokens."
        )
    twice = float(split(view(law), 2 * unique_tokens)[2])
    return DataLimited(unique_tokens, N, D, L, view(law).best(np.asarray(flops)), float(L.value) - twice, chosen, level)

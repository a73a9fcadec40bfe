"""A law as one question sees it: its surface and its optimum, under the point estimate or under all draws at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.laws import Coefficients, Law, Optimum
from isoflop.planning.search import least

FloatArray = NDArray[np.float64]
Loss = Callable[..., FloatArray]
"""Loss at N and D, and by name at further inputs of the family; the arrays broadcast. Of draws: arrays of shape
(draws, ...questions)."""
FlopsPerToken = Callable[[FloatArray], FloatArray]
"""Training FLOPs a token of networks of N parameters."""

LIMITLESS = 1e200
"""Parameters and tokens where only the irreducible loss is left."""
ROOM = 30.0
"""Nepers below one parameter and below one token that a search looks at."""
SMALLEST, LARGEST = -12.0, 2.0
"""ln of N over a network that reaches a loss, between which the cheapest is searched."""
NEAREST = -20.0
"""ln of how far above the smallest network, in nepers, the search for the cheapest begins."""
SEARCHED_DRAWS = 500
"""Of a family without a closed form: each draw takes some hundred evaluations, and an interval no more draws."""


@dataclass(frozen=True)
class View:
    """The loss at N and D, and the compute-optimal split of C: of the point, or of every draw on a leading axis."""

    loss: Loss
    best: Callable[[FloatArray], Optimum]
    tokens: Loss | None = None
    """D at which networks of N parameters have a loss (infinite where none is), where that has a closed form."""

    @property
    def irreducible(self) -> FloatArray:
        """The loss that no network on no amount of tokens falls below."""
        with np.errstate(all="ignore"):
            return np.asarray(self.loss(np.asarray(LIMITLESS), np.asarray(LIMITLESS)))


@dataclass(frozen=True)
class Estimate:
    """A number, or an array of them, under the point estimate and under each draw (None without draws).

    What a draw cannot reach is infinite there, so that an interval says so instead of leaving the draw out.
    """

    value: FloatArray
    draws: FloatArray | None = None
    form: Callable[[float], FloatArray] | None = None
    """Of a loss: half the width, at a level, that the error of the law's form gives its logarithm."""

    def interval(self, level: float = 0.9) -> tuple[FloatArray, FloatArray] | None:
        """Quantiles over the draws, each the value of some draw: no mean of a number with an infinity.

        Where the error of the form reaches further, its edges: the two are not added.
        """
        if self.draws is None:
            return None
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
        if self.form is None:
            return low, high
        width = np.exp(self.form(level))
        return np.minimum(low, self.value / width), np.maximum(high, self.value * width)

    def to_dict(self, level: float) -> dict[str, Any]:
        edges = self.interval(level)
        return {"value": plain(self.value), "interval": None if edges is None else [plain(edge) for edge in edges]}


def plain(values: Any) -> Any:
    """Numbers as JSON has them: floats and lists, null for what is not finite; anything else as it is.

    >>> plain(np.array([1.0, np.inf])), plain("text")
    ([1.0, None], 'text')
    """
    if isinstance(values, tuple | list):
        return [plain(value) for value in values]
    if not isinstance(values, np.ndarray | float):
        return values
    if np.ndim(values):
        return [plain(number) for number in np.asarray(values)]
    return float(values) if np.isfinite(values) else None


def facts(record: object, level: float) -> dict[str, Any]:
    """The fields of a record as JSON has them, every Estimate with its interval at a level."""
    fields = vars(record).items()
    return {name: one.to_dict(level) if isinstance(one, Estimate) else plain(one) for name, one in fields}


def six_n(params: FloatArray) -> FloatArray:
    """Kaplan's estimate of the training FLOPs a token: 6 N (arXiv 2001.08361, section 2.1).

    >>> float(six_n(np.array(7e9)))
    42000000000.0
    """
    return 6.0 * params


def best_split(loss: Loss, flops: ArrayLike, flops_per_token: FlopsPerToken = six_n) -> Optimum:
    """The least loss on the line flops_per_token(N) D = C, searched over ln N; NaN where the loss has no minimum."""
    C = np.asarray(flops, float)

    def along(log_params: FloatArray) -> FloatArray:
        N = np.exp(log_params)
        return loss(N, C / flops_per_token(N))

    N = np.exp(least(along, np.full(C.shape, -ROOM), np.log(C / 6.0) + ROOM))
    D = C / flops_per_token(N)
    return Optimum(params=N, tokens=D, loss=np.asarray(loss(N, D)))


def cheapest_at_loss(tokens: Loss, params: FloatArray, loss: FloatArray, served: float = 0.0) -> FloatArray:
    """N of the networks that reach a loss at the least cost 6 N D + 2 N x ``served``, searched around ``params``.

    ``tokens`` are those that networks need for a loss. They grow without bound towards the smallest network that
    reaches it, and the cheapest may be one just above that, so that the search counts in its distance from there.
    """
    low = np.broadcast_to(_smallest(tokens, params, loss), np.shape(params))

    def log_cost(log_distance: FloatArray) -> FloatArray:
        N = params * np.exp(low + np.exp(log_distance))
        return np.asarray(np.log(N) + np.log(6 * tokens(N, loss) + 2 * served))

    log_distance = least(log_cost, np.full(low.shape, NEAREST), np.log(LARGEST - low))
    return np.asarray(params * np.exp(low + np.exp(log_distance)))


def _smallest(tokens: Loss, params: FloatArray, loss: FloatArray) -> FloatArray:
    """ln of the smallest network, over ``params``, that reaches the loss on any tokens; just above it, where these are
    finite."""
    low, high = np.full(np.shape(params), SMALLEST), np.zeros(np.shape(params))
    for _ in range(40):
        middle = 0.5 * (low + high)
        reaches = np.isfinite(tokens(params * np.exp(middle), loss))
        low, high = np.where(reaches, low, middle), np.where(reaches, middle, high)
    return np.asarray(high)


def is_surface(law: Law) -> bool:
    """Whether it has a loss at any N and D."""
    return {"params", "tokens"} <= set(law.family.inputs)


def view(law: Law, flops_per_token: FlopsPerToken | None = None) -> View:
    """The law under its point estimate."""
    return _view(law, {name: np.asarray(law.coefficients[name], float) for name in law.family.names}, flops_per_token)


def drawn_view(
    law: Law, questions_ndim: int, flops_per_token: FlopsPerToken | None = None, *, searched: bool = False
) -> View | None:
    """The law under every draw, for arrays of shape (draws, ...questions) with that many axes of questions."""
    if law.draws is None:
        return None
    tail, size = (1,) * questions_ndim, len(law.draws[law.family.names[0]])
    every = 1 if law.has_optimum and not searched else -(-size // SEARCHED_DRAWS)
    return _view(law, {name: law.draws[name][::every].reshape(-1, *tail) for name in law.family.names}, flops_per_token)


def ask(law: Law, question: Callable[[View], FloatArray], questions_ndim: int) -> Estimate:
    """The answer of the point estimate and of each draw; what a draw cannot answer (NaN) is infinite."""
    return ask_all(law, lambda seen: (question(seen),), questions_ndim)[0]


def ask_all(
    law: Law, question: Callable[[View], tuple[FloatArray, ...]], questions_ndim: int, *, searched: bool = False
) -> tuple[Estimate, ...]:
    """The same where one search answers several questions; ``searched`` asks the draws that a search carries."""
    drawn = drawn_view(law, questions_ndim, searched=searched)
    with np.errstate(all="ignore"):
        values = question(view(law))
        if drawn is None:
            return tuple(Estimate(np.asarray(value)) for value in values)
        draws = (np.nan_to_num(one, nan=np.inf, posinf=np.inf) for one in question(drawn))
        return tuple(Estimate(np.asarray(value), one) for value, one in zip(values, draws, strict=True))


def of_form(law: Law, flops: ArrayLike) -> Callable[[float], FloatArray] | None:
    """What an Estimate of a loss at C FLOPs holds beside noise, where the law knows the error of its form."""
    error = law.form_error
    return None if error is None else lambda level: error.half_width(flops, level)


def spread(draws: FloatArray, level: float) -> tuple[float, float]:
    """Quantiles over draws; one without an answer (NaN) may lie beyond either end."""
    low = np.quantile(np.nan_to_num(draws, nan=-np.inf), (1 - level) / 2, axis=0)
    return float(low), float(np.quantile(np.nan_to_num(draws, nan=np.inf), (1 + level) / 2, axis=0))


def with_form_error(
    law: Law, flops: float, loss: float, noise: tuple[float, float], level: float
) -> tuple[float, float]:
    """The interval of a loss at a budget: that of the draws, ``noise``, or of the form's error where that is wider."""
    if law.form_error is None:
        return noise
    times = float(np.exp(law.form_error.half_width(flops, level)))
    return min(noise[0], loss / times), max(noise[1], loss * times)


def _view(law: Law, theta: Coefficients, flops_per_token: FlopsPerToken | None) -> View:
    family = law.family
    assumed = {name: np.asarray(value) for name, value in family.assumed.items()}

    def loss(params: FloatArray, tokens: FloatArray, **others: FloatArray) -> FloatArray:
        if not family.inputs or not set(family.inputs) <= {"params", "tokens", *assumed}:
            law.predict(params, tokens)  # says what the law lacks
        given = {"params": params, "tokens": tokens, **assumed, **others}
        return family.loss(theta, {name: given[name] for name in family.inputs})

    def best(flops: FloatArray) -> Optimum:
        split = None if flops_per_token else family.optimum(theta, flops)
        if split is None:
            return best_split(loss, flops, flops_per_token or six_n)
        if not family.inputs:
            return Optimum(*split, loss=np.full(np.shape(split[0]), np.nan))
        inputs = {"params": split[0], "tokens": split[1], "flops": flops, **assumed}
        return Optimum(*split, loss=family.loss(theta, {name: inputs[name] for name in family.inputs}))

    return View(loss, best, _chinchillas_tokens(theta) if family.name == "chinchilla" else None)


def _chinchillas_tokens(theta: Coefficients) -> Loss:
    """D = (B / (L - E - A/N^alpha))^(1/beta)."""

    def tokens(params: FloatArray, loss: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            left = loss - theta["E"] - theta["A"] * params ** -theta["alpha"]
            return np.where(left > 0, (theta["B"] / left) ** (1 / theta["beta"]), np.inf)

    return tokens

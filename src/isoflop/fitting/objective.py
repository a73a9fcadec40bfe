"""The fit criterion: a sum of Huber losses of log residuals, and its exact first and second derivatives.

The family is Chinchilla's in its log-sum-exp form: with n = ln N and d = ln D (both centred),

    f = ln( e^(lnA - alpha n) + e^(lnB - beta d) + e^lnE ),      r = f - ln L.

A sum, not a mean: the mean over 240 runs is of the order 1e-6, below the default tolerance of every
common optimiser, and Hoffmann et al.'s own fit stopped early on it (Besiroglu et al. 2024). Everything
here is batched: theta has shape (S, 5) for S starts or S bootstrap draws, weights (S, R) or (1, R) for
R runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

HUBER_DELTA = 1e-3
"""Hoffmann et al.'s delta: residuals beyond 0.1 % of the loss count linearly."""

DEAD_SHARE = 1e-4
"""A term that makes up less of every run's loss than this is not seen by the data."""


OVER = 10.0
"""How many times an overestimate counts in the asymmetric criterion (Takano's default, "chinchilla" 0.2)."""


@dataclass(frozen=True)
class Penalty:
    """What a residual costs besides Huber's delta.

    ``over`` multiplies the cost of predictions above the run. ``raw`` takes residuals of the loss, not of its
    logarithm. ``weights`` (R,) multiply each run's cost: known noise, as one over its square.
    """

    over: float = 1.0
    raw: bool = False
    weights: FloatArray | None = None

    def take(self, kept: BoolArray | IntArray) -> Penalty:
        return self if self.weights is None else replace(self, weights=self.weights[kept])

    def costs(self, log_predicted: FloatArray, log_loss: FloatArray, weights: FloatArray, delta: float) -> Costs:
        """The cost of log predictions (S, R) and its derivatives in them; ``weights`` (S, R) count the runs."""
        residual = np.exp(log_predicted) - np.exp(log_loss) if self.raw else log_predicted - log_loss
        if self.weights is not None:
            weights = weights * self.weights
        if self.over != 1.0:
            weights = weights * np.where(residual > 0, self.over, 1.0)
        size = np.abs(residual)
        clipped = np.minimum(size, delta)
        psi = weights * np.copysign(clipped, residual)
        curvature = weights * (size <= delta)
        majoriser = weights * np.minimum(1.0, delta / np.maximum(size, 1e-300))
        if self.raw:  # the chain rule through exp, whose two derivatives are the prediction itself
            slope = np.exp(log_predicted)
            psi, majoriser = psi * slope, majoriser * slope**2
            curvature = curvature * slope**2 + psi
        # r^2/2 within delta and delta (|r| - delta/2) beyond are clipped (|r| - clipped/2) alike.
        value = np.einsum("sr,sr->s", np.broadcast_to(weights, size.shape), clipped * (size - 0.5 * clipped))
        return Costs(value, psi, curvature, majoriser)


@dataclass(frozen=True)
class Costs:
    """An objective (S,), and in ln of each prediction (S, R): its slope, its curvature, and that of its majoriser.

    The majoriser is the quadratic that lies above Huber's loss and touches it (iterated reweighting).
    """

    value: FloatArray
    psi: FloatArray
    curvature: FloatArray
    majoriser: FloatArray


PLAIN = Penalty()


@dataclass(frozen=True)
class LogRuns:
    """Runs as the objective sees them: centred ln N and ln D, and ln L; each of shape (R,)."""

    n: FloatArray
    d: FloatArray
    log_loss: FloatArray
    centre_n: float
    centre_d: float
    metric: FloatArray | None = None
    penalty: Penalty = PLAIN

    @classmethod
    def of(cls, params: FloatArray, tokens: FloatArray, loss: FloatArray, penalty: Penalty = PLAIN) -> LogRuns:
        n, d = np.log(params), np.log(tokens)
        return cls(n - n.mean(), d - d.mean(), np.log(loss), float(n.mean()), float(d.mean()), penalty=penalty)

    @cached_property
    def powers(self) -> FloatArray:
        """What sums over runs are taken against, (R, 6): 1, -n, -d, n^2, d^2, n d."""
        n, d = self.n, self.d
        return np.stack([np.ones_like(n), -n, -d, n * n, d * d, n * d], axis=1)

    @property
    def count(self) -> int:
        return int(self.n.size)

    @property
    def whole(self) -> FloatArray:
        """The weights of the table itself, (1, R): every run once."""
        return np.ones((1, self.count))

    def with_penalty(self, penalty: Penalty) -> LogRuns:
        return replace(self, penalty=penalty)

    def take(self, kept: BoolArray | IntArray) -> LogRuns:
        """Some of the runs (a mask or indices), in the same coordinates."""
        return replace(
            self, n=self.n[kept], d=self.d[kept], log_loss=self.log_loss[kept], penalty=self.penalty.take(kept)
        )

    @property
    def free(self) -> tuple[str, ...]:
        return "A", "B", "E", "alpha", "beta"

    def expand(self, theta: FloatArray, weights: FloatArray, delta: float) -> Expansion:
        return expand(theta, self, weights, delta)

    def log_predicted(self, theta: FloatArray) -> FloatArray:
        return shares(theta, self)[0]

    def with_curvature(self, theta: FloatArray) -> LogRuns:
        """With the metric that damps Newton's steps held at theta (5,): resamples of one table differ little in it."""
        here = expand(theta[None], self, self.whole, HUBER_DELTA)
        return replace(self, metric=here.metric[0])

    def plain(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """A, B and E by their logarithms, and the exponents: (S, 5)."""
        return np.stack(
            [np.log(values["A"]), np.log(values["B"]), np.log(values["E"]), values["alpha"], values["beta"]], 1
        )

    def coefficients(self, theta: FloatArray) -> dict[str, FloatArray]:
        """From centred logarithms (S, 5) to the family's coefficients."""
        a, b, e, alpha, beta = theta.T
        with np.errstate(over="ignore"):  # a runaway resample overflows here, and is then left out as not finite
            A, B = np.exp(a + alpha * self.centre_n), np.exp(b + beta * self.centre_d)
        return {"E": np.exp(e), "A": A, "B": B, "alpha": alpha, "beta": beta}

    def dead_terms(self, theta: FloatArray) -> set[str]:
        """The terms that are next to nothing in every run's loss; theta is (5,)."""
        _, p = shares(theta[None], self)
        return {name for name, share in zip(("A", "B", "E"), p, strict=True) if share.max() < DEAD_SHARE}


class Observed(Protocol):
    """Runs as the solver sees them: Chinchilla's in closed form (LogRuns), any family's by differences."""

    @property
    def count(self) -> int: ...
    @property
    def whole(self) -> FloatArray: ...
    def take(self, kept: BoolArray | IntArray) -> Observed: ...
    def with_penalty(self, penalty: Penalty) -> Observed: ...
    @property
    def free(self) -> tuple[str, ...]: ...
    def expand(self, theta: FloatArray, weights: FloatArray, delta: float) -> Expansion: ...
    def log_predicted(self, theta: FloatArray) -> FloatArray: ...
    def with_curvature(self, theta: FloatArray) -> Observed: ...
    def plain(self, values: Mapping[str, FloatArray]) -> FloatArray: ...
    def coefficients(self, theta: FloatArray) -> dict[str, FloatArray]: ...
    def dead_terms(self, theta: FloatArray) -> set[str]: ...
    @property
    def log_loss(self) -> FloatArray: ...
    @property
    def penalty(self) -> Penalty: ...


def huber(residual: FloatArray, delta: float) -> FloatArray:
    """r^2/2 within delta, delta(|r| - delta/2) beyond.

    >>> huber(np.array([0.5e-3, 2e-3]), 1e-3).tolist()
    [1.25e-07, 1.5e-06]
    """
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))


def shares(theta: FloatArray, runs: LogRuns) -> tuple[FloatArray, FloatArray]:
    """ln of the predicted loss, (S, R), and the shares of the terms A, B and E in it, (3, S, R)."""
    a, b, e, alpha, beta = (column[:, None] for column in theta.T)
    terms = np.stack([a - alpha * runs.n, b - beta * runs.d, np.broadcast_to(e, (len(theta), runs.n.size))])
    top = terms.max(axis=0)
    scaled = np.exp(terms - top)
    total = scaled.sum(axis=0)
    return top + np.log(total), scaled / total


def value(theta: FloatArray, runs: LogRuns, weights: FloatArray, delta: float) -> FloatArray:
    """The objective, shape (S,)."""
    return runs.penalty.costs(shares(theta, runs)[0], runs.log_loss, weights, delta).value


@dataclass(frozen=True)
class Expansion:
    """The objective around theta to second order, and the metric that damps its Newton step.

    ``value`` (S,), ``gradient`` (S, 5), ``hessian`` and ``metric`` (S, 5, 5). The metric is the Hessian
    of the quadratic that majorises Huber's loss (iterated reweighting): positive definite wherever no
    term is dead, and in the same units as the Hessian, so that damping with it is free of scale.
    """

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    metric: FloatArray


def expand(theta: FloatArray, runs: LogRuns, weights: FloatArray, delta: float) -> Expansion:
    """Value, gradient, Hessian and metric at theta.

    With J the map from theta to the three exponents, grad f = J'p and hess f = J'(diag p - p p')J, all
    sums over runs being products against powers of n and d.
    """
    log_predicted, p = shares(theta, runs)
    costs = runs.penalty.costs(log_predicted, runs.log_loss, weights, delta)
    weighted = costs.psi * p
    gradient = _contract(weighted, runs)
    # Of p p' in the Hessian: the cost's curvature, and -psi from the curvature of f.
    hessian = _contract_pairs(p, costs.curvature - costs.psi, runs) + _contract_diagonal(weighted, runs)
    if runs.metric is None:
        metric = _contract_pairs(p, costs.majoriser, runs)
    else:
        metric = np.broadcast_to(runs.metric, hessian.shape)
    return Expansion(costs.value, gradient, hessian, metric)


# Column k of J belongs to the term TERM[k] and carries a power of the run: a, b and e the power 0 of n and d,
# alpha -n, beta -d.
_TERM = (0, 1, 2, 0, 1)


_FACTOR = (0, 0, 0, 1, 2)
_PRODUCT = {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 1): 3, (2, 2): 4, (1, 2): 5}


_SUMS = [[_PRODUCT[min(s, t), max(s, t)] for t in _FACTOR] for s in _FACTOR]


def _contract(weighted: FloatArray, runs: LogRuns) -> FloatArray:
    sums = weighted @ runs.powers[:, :3]
    return np.stack([sums[_TERM[k], :, _FACTOR[k]] for k in range(5)], axis=-1)


def _contract_pairs(p: FloatArray, weights: FloatArray, runs: LogRuns) -> FloatArray:
    """sum over runs of weights * J'p (J'p)'."""
    powers = runs.powers
    sums = {}
    for s in range(3):
        first = weights * p[s]
        for t in range(s, 3):
            sums[s, t] = (first * p[t]) @ powers
    matrix = np.empty((p.shape[1], 5, 5))
    for j in range(5):
        for k in range(j, 5):
            pair = sums[min(_TERM[j], _TERM[k]), max(_TERM[j], _TERM[k])]
            matrix[:, j, k] = matrix[:, k, j] = pair[:, _SUMS[j][k]]
    return matrix


def _contract_diagonal(weighted: FloatArray, runs: LogRuns) -> FloatArray:
    """sum over runs of J' diag(weighted) J."""
    sums = weighted @ runs.powers
    matrix = np.zeros((weighted.shape[1], 5, 5))
    for j in range(5):
        for k in range(5):
            if _TERM[j] == _TERM[k]:
                matrix[:, j, k] = sums[_TERM[j], :, _SUMS[j][k]]
    return matrix

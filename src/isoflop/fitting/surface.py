"""Any family as the solver sees it: log residuals, their derivatives, and where to start.

A family states its loss and nothing else, so derivatives are central differences. What makes them good
enough for exact Newton steps are the coordinates: the coefficients (logarithms of those that may be any
positive number), turned and scaled so that a unit step along any axis changes the predicted losses by about
one e-fold. There a step of 1e-5 gives ten digits of the gradient, and no coefficient is an extrapolation to one
parameter or one token, whatever units a family is written in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from isoflop.errors import TableError, UnknownName
from isoflop.fitting.objective import (
    DEAD_SHARE,
    HUBER_DELTA,
    PLAIN,
    BoolArray,
    Expansion,
    FloatArray,
    IntArray,
    Penalty,
)
from isoflop.laws import Family
from isoflop.runs import Runs

FIRST_STEP, SECOND_STEP = 1e-5, 1e-4
"""Of the central differences for first and second derivatives: rounding and truncation leave 1e-10 and 1e-8."""
RIDGE = 1e-6
"""What a direction that the runs do not see is taken to be seen by."""
KEPT_STARTS = 64


HALF_PAIR = 3.0
"""How many standard deviations from its mean a prior's two pseudo-runs lie."""


@dataclass(frozen=True)
class Prior:
    """A normal prior of the coefficient ``k`` as a search moves it, in units of the objective.

    It enters as two pseudo-runs, HALF_PAIR standard deviations to either side, each costing half the prior's square.
    Resampling moves weight between them: their sum keeps the prior's precision, their balance moves its mean with the
    prior's own spread (weights u and 1 - u, u from Beta(4, 4), whose variance is 1/36), so that draws hold all of it.
    """

    k: int
    mean: float
    deviation: float
    scale: float

    def expand(self, theta: FloatArray, basis: FloatArray, weights: FloatArray) -> tuple[FloatArray, ...]:
        """Value (S,), gradient (S, P) and Hessian (S, P, P) of the pair at weights (S, 2)."""
        along = basis[self.k]
        ends = self.mean + np.array([-HALF_PAIR, HALF_PAIR]) * self.deviation
        off = (theta @ along)[:, None] - ends
        stiffness = self.scale / self.deviation**2
        # The pair's cost at its balance is a constant, and is left out: the prior costs nothing at its mean.
        value = (
            0.5 * stiffness * ((weights * off**2).sum(axis=1) - HALF_PAIR**2 * self.deviation**2 * weights.sum(axis=1))
        )
        gradient = stiffness * (weights * off).sum(axis=1)[:, None] * along
        hessian = stiffness * weights.sum(axis=1)[:, None, None] * (along[:, None] * along)
        return value, gradient, hessian


def prior_weights(draws: int, rng: np.random.Generator) -> FloatArray:
    """The weights of a prior's pair in every resample, (draws, 2)."""
    share = rng.beta(4, 4, size=draws)
    return np.stack([share, 1 - share], axis=1)


@dataclass(frozen=True)
class FamilyRuns:
    """Runs under a family: ``inputs`` and ``log_loss`` of shape (R,), and the coordinates of P free coefficients.

    theta (S, P) are the solver's coordinates: ``basis`` @ theta are the free coefficients, by their logarithm
    where they may be any positive number. ``pinned`` coefficients keep their value. ``curvature``, where given, is
    the second derivative of each run's ln L, (R, P, P), and ``metric`` (P, P), what damps Newton's steps, are held
    fixed: resamples of one table differ little in them.
    """

    family: Family
    inputs: Mapping[str, FloatArray]
    log_loss: FloatArray
    basis: FloatArray
    pinned: Mapping[str, float] = field(default_factory=dict)
    curvature: FloatArray | None = None
    metric: FloatArray | None = None
    penalty: Penalty = PLAIN
    priors: tuple[Prior, ...] = ()

    @property
    def count(self) -> int:
        """Of the columns of weights: the runs, then a pair for every prior."""
        return int(self.log_loss.size) + 2 * len(self.priors)

    @property
    def whole(self) -> FloatArray:
        """The weights of the table itself, (1, count): every run once, a prior's pair in balance."""
        return np.concatenate([np.ones(self.log_loss.size), np.full(2 * len(self.priors), 0.5)])[None]

    def with_penalty(self, penalty: Penalty) -> FamilyRuns:
        return replace(self, penalty=penalty)

    def take(self, kept: BoolArray | IntArray) -> FamilyRuns:
        """Some of the runs (a mask or indices), in the same coordinates."""
        inputs = {name: column[kept] for name, column in self.inputs.items()}
        return replace(self, inputs=inputs, log_loss=self.log_loss[kept], penalty=self.penalty.take(kept))

    @cached_property
    def free(self) -> tuple[str, ...]:
        return tuple(name for name in self.family.names if name not in self.pinned)

    def coefficients(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Name -> (S,) of every coefficient, the pinned ones included."""
        plain = theta @ self.basis.T
        values: dict[str, FloatArray] = {}
        for coefficient in self.family.coefficients:
            if coefficient.name in self.pinned:
                values[coefficient.name] = np.full(len(theta), self.pinned[coefficient.name])
            else:
                column = plain[:, self.free.index(coefficient.name)]
                with np.errstate(over="ignore"):
                    values[coefficient.name] = np.exp(column) if coefficient.logarithmic else column
        return values

    def plain(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """The free coefficients as a search moves them, (S, P): logarithms where they have one."""
        logarithmic = {c.name for c in self.family.coefficients if c.logarithmic}
        return np.stack([np.log(values[n]) if n in logarithmic else values[n] for n in self.free], axis=1)

    @np.errstate(all="ignore")
    def log_predicted(self, theta: FloatArray) -> FloatArray:
        """ln of the predicted loss, (S, R); NaN where the family has no loss."""
        columns = {name: column[:, None] for name, column in self.coefficients(theta).items()}
        predicted = np.log(self.family.loss(columns, self.inputs))
        return np.broadcast_to(predicted, (len(theta), self.log_loss.size))

    @np.errstate(all="ignore")
    def value(self, theta: FloatArray, weights: FloatArray, delta: float) -> FloatArray:
        return self.penalty.costs(self.log_predicted(theta), self.log_loss, weights, delta).value

    def jacobian(self, theta: FloatArray) -> FloatArray:
        """d ln L / d theta, (S, R, P)."""
        steps = FIRST_STEP * np.eye(theta.shape[1])
        slopes = [self.log_predicted(theta + step) - self.log_predicted(theta - step) for step in steps]
        return np.stack(slopes, axis=-1) / (2 * FIRST_STEP)

    @np.errstate(all="ignore")
    def expand(self, theta: FloatArray, weights: FloatArray, delta: float) -> Expansion:
        """Value, gradient, Hessian and metric at theta."""
        size = self.log_loss.size
        costs = self.penalty.costs(self.log_predicted(theta), self.log_loss, weights[:, :size], delta)
        J = self.jacobian(theta)
        transposed = J.transpose(0, 2, 1)
        gradient = (transposed @ costs.psi[:, :, None])[:, :, 0]
        inliers = transposed @ (costs.curvature[:, :, None] * J)
        if self.metric is None:
            metric = transposed @ (costs.majoriser[:, :, None] * J)
        else:
            metric = np.broadcast_to(self.metric, inliers.shape)
        bend = (
            self._contracted(theta, costs.psi) if self.curvature is None else np.tensordot(costs.psi, self.curvature, 1)
        )
        objective = costs.value
        for k, prior in enumerate(self.priors):
            pair = weights[:, size + 2 * k : size + 2 * k + 2]
            value, slope, stiffness = prior.expand(theta, self.basis, pair)
            objective, gradient, inliers = objective + value, gradient + slope, inliers + stiffness
            metric = metric + stiffness if self.metric is None else metric
        # A start in a region without a loss is not a start: the solver sees it as infinitely bad.
        whole = np.isfinite(objective) & np.isfinite(inliers + bend + metric).all(axis=(1, 2))
        matrices = (np.where(whole[:, None, None], matrix, 0.0) for matrix in (inliers + bend, metric))
        return Expansion(np.where(whole, objective, np.inf), np.where(whole[:, None], gradient, 0.0), *matrices)

    def with_curvature(self, theta: FloatArray) -> FamilyRuns:
        """The same runs with the curvature of each run's ln L, and the metric, held at theta (P,)."""
        metric = self.expand(theta[None], self.whole, HUBER_DELTA).metric[0]
        P = theta.size
        curvature = np.empty((self.log_loss.size, P, P))
        for j, k, bend in self._bends(theta[None]):
            curvature[:, j, k] = curvature[:, k, j] = bend[0]
        return replace(self, curvature=curvature, metric=metric)

    def _contracted(self, theta: FloatArray, psi: FloatArray) -> FloatArray:
        matrix = np.empty((len(theta), theta.shape[1], theta.shape[1]))
        for j, k, bend in self._bends(theta):
            matrix[:, j, k] = matrix[:, k, j] = np.einsum("sr,sr->s", psi, bend)
        return matrix

    def _bends(self, theta: FloatArray) -> Iterator[tuple[int, int, FloatArray]]:
        """Second derivatives of ln L, one pair of coordinates at a time, each (S, R)."""
        steps = SECOND_STEP * np.eye(theta.shape[1])
        here = self.log_predicted(theta)
        sides = [self.log_predicted(theta + step) + self.log_predicted(theta - step) - 2 * here for step in steps]
        for j, first in enumerate(steps):
            yield j, j, sides[j] / SECOND_STEP**2
            for k in range(j):
                both = first + steps[k]
                corner = self.log_predicted(theta + both) + self.log_predicted(theta - both) - 2 * here
                yield j, k, (corner - sides[j] - sides[k]) / (2 * SECOND_STEP**2)

    def dead_terms(self, theta: FloatArray) -> set[str]:
        """The free linear coefficients whose term is next to nothing in every run's loss; theta is (P,)."""
        values = self.coefficients(theta[None])
        whole = self.family.loss(values, self.inputs)
        dead = set()
        for name in self.family.linear:
            if name in self.pinned:
                continue
            without = self.family.loss({**values, name: np.zeros(1)}, self.inputs)
            if np.max(np.abs(whole - without) / whole) < DEAD_SHARE:
                dead.add(name)
        return dead


def inputs_of(runs: Runs, family: Family) -> dict[str, FloatArray]:
    """The columns that the family reads; a missing or textual one raises UnknownName or TableError.

    Where a column that the family can do without is blank, as the unique tokens of a run that had plenty, it is what
    ``family.assumed`` says.
    """
    columns = {}
    for name in family.inputs:
        column = runs.column(name)
        if column.dtype.kind != "f":
            raise TableError(f"{runs.source}: the family {family.name} needs numbers in column {name!r}.")
        filled = np.asarray(column, float)
        columns[name] = np.where(np.isnan(filled), family.assumed[name], filled) if name in family.assumed else filled
    return columns


def family_runs(
    runs: Runs,
    family: Family,
    pinned: Mapping[str, float],
    start: Mapping[str, FloatArray] | None = None,
    penalty: Penalty = PLAIN,
) -> tuple[FamilyRuns, FloatArray]:
    """The runs under a family, in coordinates turned to them, and the best starts, (S, P), or the one given."""
    for name in pinned:
        if name not in family.names:
            raise UnknownName.among(f"coefficient of {family.name}", name, family.names)
    inputs = inputs_of(runs, family)
    size = len(family.names) - len(pinned)
    raw = FamilyRuns(family, inputs, np.log(runs.loss), np.eye(size), dict(pinned), penalty=penalty)
    if start is not None:
        turned = replace(raw, basis=_basis(raw, raw.plain(start)[0]))
        return turned, _turned(turned, raw.plain(start))
    values = {name: column.copy() for name, column in family.starts(inputs, runs.loss).items()}
    for name, number in pinned.items():
        values[name] = np.full_like(values[name], number)
    starts = np.unique(raw.plain(_projected(raw, values, runs.loss)), axis=0)
    squares = raw.value(starts, np.ones((1, raw.count)), np.inf)
    order = np.argsort(squares)  # NaN last
    starts = starts[order[np.isfinite(squares[order])][:KEPT_STARTS]]
    if not len(starts):
        raise TableError(f"{runs.source}: no start of the family {family.name} gives these runs a loss.")
    turned = replace(raw, basis=_basis(raw, starts[0]))
    return turned, _turned(turned, starts)


def _turned(observed: FamilyRuns, plain: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(observed.basis, plain.T).T, dtype=np.float64)


def _basis(raw: FamilyRuns, start: FloatArray) -> FloatArray:
    """Coordinates in which ln L of the runs moves by about one along each axis."""
    J = raw.jacobian(start[None])[0]
    gram = J.T @ J / len(J)
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-12))
    eigenvalues, vectors = np.linalg.eigh(scale[:, None] * gram * scale)
    return np.asarray(scale[:, None] * vectors / np.sqrt(eigenvalues.clip(0) + RIDGE))


def _projected(raw: FamilyRuns, values: dict[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
    """Fill the linear coefficients of every start with the non-negative ones that fit best in relative residuals."""
    linear = [name for name in raw.family.linear if name not in raw.pinned]
    if not linear:
        return values
    held = {name: values[name] for name in raw.family.names if name not in linear}
    for row in range(len(next(iter(values.values())))):
        one = {name: np.asarray(column[row]) for name, column in held.items()}
        off = dict.fromkeys(linear, np.zeros(()))
        base = np.broadcast_to(raw.family.loss({**one, **off}, raw.inputs), loss.shape)
        columns = [raw.family.loss({**one, **off, name: np.ones(())}, raw.inputs) - base for name in linear]
        design = np.stack([np.broadcast_to(column, loss.shape) / loss for column in columns], axis=1)
        scale = design.max(axis=0)
        amplitudes, _ = nnls(design / scale, 1 - base / loss)
        # A term that the projection switches off starts at a thousandth of the loss, not at zero.
        for name, amplitude in zip(linear, np.maximum(amplitudes, 1e-3) / scale, strict=True):
            values[name][row] = amplitude
    return values

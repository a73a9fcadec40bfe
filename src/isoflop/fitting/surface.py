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

import numpy as np
from scipy.optimize import nnls

from isoflop.errors import TableError, UnknownName
from isoflop.fitting.objective import DEAD_SHARE, HUBER_DELTA, Expansion, FloatArray, huber
from isoflop.laws import Family
from isoflop.runs import Runs

FIRST_STEP, SECOND_STEP = 1e-5, 1e-4
"""Of the central differences for first and second derivatives: rounding and truncation leave 1e-10 and 1e-8."""
RIDGE = 1e-6
"""What a direction that the runs do not see is taken to be seen by."""
KEPT_STARTS = 64


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

    @property
    def count(self) -> int:
        return int(self.log_loss.size)

    @property
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
        return np.broadcast_to(predicted, (len(theta), self.count))

    @np.errstate(all="ignore")
    def value(self, theta: FloatArray, weights: FloatArray, delta: float) -> FloatArray:
        return np.asarray((weights * huber(self.log_predicted(theta) - self.log_loss, delta)).sum(axis=1))

    def jacobian(self, theta: FloatArray) -> FloatArray:
        """d ln L / d theta, (S, R, P)."""
        steps = FIRST_STEP * np.eye(theta.shape[1])
        slopes = [self.log_predicted(theta + step) - self.log_predicted(theta - step) for step in steps]
        return np.stack(slopes, axis=-1) / (2 * FIRST_STEP)

    @np.errstate(all="ignore")
    def expand(self, theta: FloatArray, weights: FloatArray, delta: float) -> Expansion:
        """Value, gradient, Hessian and metric at theta."""
        residual = self.log_predicted(theta) - self.log_loss
        size = np.maximum(np.abs(residual), 1e-300)
        psi = weights * np.clip(residual, -delta, delta)
        J = self.jacobian(theta)
        transposed = J.transpose(0, 2, 1)
        gradient = (transposed @ psi[:, :, None])[:, :, 0]
        inliers = transposed @ ((weights * (np.abs(residual) <= delta))[:, :, None] * J)
        if self.metric is None:
            metric = transposed @ ((weights * np.minimum(1.0, delta / size))[:, :, None] * J)
        else:
            metric = np.broadcast_to(self.metric, inliers.shape)
        bend = self._contracted(theta, psi) if self.curvature is None else np.tensordot(psi, self.curvature, 1)
        objective = (weights * huber(residual, delta)).sum(axis=1)
        # A start in a region without a loss is not a start: the solver sees it as infinitely bad.
        whole = np.isfinite(objective) & np.isfinite(inliers + bend + metric).all(axis=(1, 2))
        matrices = (np.where(whole[:, None, None], matrix, 0.0) for matrix in (inliers + bend, metric))
        return Expansion(np.where(whole, objective, np.inf), np.where(whole[:, None], gradient, 0.0), *matrices)

    def with_curvature(self, theta: FloatArray) -> FamilyRuns:
        """The same runs with the curvature of each run's ln L, and the metric, held at theta (P,)."""
        metric = self.expand(theta[None], np.ones((1, self.count)), HUBER_DELTA).metric[0]
        P = theta.size
        curvature = np.empty((self.count, P, P))
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
    """The columns that the family reads; a missing or textual one raises UnknownName or TableError."""
    columns = {}
    for name in family.inputs:
        column = runs.column(name)
        if column.dtype.kind != "f":
            raise TableError(f"{runs.source}: the family {family.name} needs numbers in column {name!r}.")
        columns[name] = np.asarray(column, float)
    return columns


def family_runs(
    runs: Runs, family: Family, pinned: Mapping[str, float], start: Mapping[str, FloatArray] | None = None
) -> tuple[FamilyRuns, FloatArray]:
    """The runs under a family, in coordinates turned to them, and the best starts, (S, P), or the one given."""
    for name in pinned:
        if name not in family.names:
            raise UnknownName.among(f"coefficient of {family.name}", name, family.names)
    inputs = inputs_of(runs, family)
    size = len(family.names) - len(pinned)
    raw = FamilyRuns(family, inputs, np.log(runs.loss), np.eye(size), dict(pinned))
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

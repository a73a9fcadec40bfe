"""Approach 2: a parabola per isoFLOP profile, its vertex, and a line through the vertices in log-log.

Hoffmann et al. 2022 (arXiv 2203.15556), section 3.2. Near its minimum the loss at fixed compute is
close to a parabola in ln N; over more than a decade and a half it is not, so at most the seven values
of N around the best one are used. A minimum counts only when it was bracketed: the parabola opens upwards,
its vertex lies among the runs, and the best run is not the smallest or the largest.

Uncertainty is the seed's: every loss is redrawn with the measured noise between seeds, the parabolas go
through the same runs again, and all that follows is computed anew. The irreducible loss E is not
identified by a decade of compute, so it is not estimated but carried as what is left of a flat prior
after the vertices have been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.fitting.objective import FloatArray, IntArray
from isoflop.fitting.result import Minimum
from isoflop.quantities import format_flops
from isoflop.runs import Runs

AROUND_BEST = 7
SAME_BUDGET = 0.10
"""Runs whose FLOPs lie within 10 % of one another share a budget when the table names none."""
IRREDUCIBLE_GRID = 200


@dataclass(frozen=True)
class Profile:
    """The runs at one budget, in order of N."""

    flops: float
    rows: tuple[int, ...]


def profiles(runs: Runs) -> tuple[Profile, ...]:
    """Group the runs by budget: by the column ``budget`` where there is one, else by near-equal FLOPs."""
    if not len(runs):
        return ()
    if "budget" in runs.columns:
        labels = np.unique(np.asarray(runs.columns["budget"], float), return_inverse=True)[1]
    else:
        labels = _near_equal(np.log(runs.flops))
    found = []
    for label in range(labels.max() + 1):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(runs.params[rows], kind="stable")]
        found.append(Profile(float(np.exp(np.log(runs.flops[rows]).mean())), tuple(int(row) for row in rows)))
    return tuple(sorted(found, key=lambda profile: profile.flops))


def _near_equal(log_flops: FloatArray) -> IntArray:
    """Groups in which no run lies further than SAME_BUDGET above the lowest."""
    labels, lowest, label = np.empty(log_flops.size, dtype=np.int64), -np.inf, -1
    for row in np.argsort(log_flops):
        if log_flops[row] - lowest > SAME_BUDGET:
            lowest, label = log_flops[row], label + 1
        labels[row] = label
    return labels


def minimum(runs: Runs, profile: Profile) -> Minimum:
    """The minimum of one profile, or the best run with the reason why it is no minimum."""
    rows = np.array(profile.rows)
    N, D, L = runs.params[rows], runs.tokens[rows], runs.loss[rows]
    best = int(L.argmin())
    sizes = np.unique(N)
    nearest = np.flatnonzero(
        np.isin(N, sizes[np.argsort(np.abs(np.log(sizes / N[best])), kind="stable")[:AROUND_BEST]])
    )
    at = format_flops(profile.flops)
    refused = Minimum(
        flops=profile.flops,
        params_opt=float(N[best]),
        tokens_opt=float(D[best]),
        loss_min=float(L[best]),
        interior=False,
        rows=profile.rows,
        used=tuple(int(row) for row in rows[nearest]),
        centre=float(np.log(N[best])),
        parabola=(float(L[best]), 0.0, 0.0),
    )
    if len(sizes) < 3:
        return replace(refused, reason=f"{len(sizes)} values of N at {at} FLOPs; a minimum needs three")
    if N[best] in (sizes[0], sizes[-1]):
        end, more = ("smallest", "smaller") if N[best] == sizes[0] else ("largest", "larger")
        return replace(
            refused,
            reason=f"the best run at {at} FLOPs is the {end}; add {more} networks to bracket it",
        )
    return _vertex(refused, runs)


def _vertex(candidate: Minimum, runs: Runs) -> Minimum:
    used = np.array(candidate.used)
    x = np.log(runs.params[used]) - candidate.centre
    c2, c1, c0 = (float(c) for c in np.polyfit(x, runs.loss[used], 2))
    fitted = replace(candidate, parabola=(c0, c1, c2))
    if c2 <= 0:
        return replace(fitted, reason=f"the parabola at {format_flops(candidate.flops)} FLOPs opens downwards")
    at = -c1 / (2 * c2)
    if not x.min() <= at <= x.max():
        return replace(fitted, reason=f"the vertex at {format_flops(candidate.flops)} FLOPs lies outside the runs")
    least = c0 - c1 * c1 / (4 * c2)
    if not 0 < least < np.inf:
        return replace(fitted, reason=f"the parabola at {format_flops(candidate.flops)} FLOPs has no positive minimum")
    return replace(
        fitted,
        interior=True,
        params_opt=float(np.exp(candidate.centre + at)),
        tokens_opt=float(np.exp(_tokens_polynomial(x, runs.tokens[used], np.array([at]))[0])),
        loss_min=least,
    )


def _tokens_polynomial(x: FloatArray, tokens: FloatArray, at: FloatArray) -> FloatArray:
    """ln D at x: along a profile D is a smooth function of N, exactly C/6N or nearly so."""
    return np.asarray(np.polyval(np.polyfit(x, np.log(tokens), 2), at))


@dataclass(frozen=True)
class VertexDraws:
    """Vertices under redrawn losses, each of shape (draws, budgets); NaN where a draw lost its minimum."""

    params: FloatArray
    tokens: FloatArray
    loss: FloatArray

    @property
    def kept(self) -> FloatArray:
        """For each budget the share of draws that keep its minimum: how firmly it is bracketed."""
        return np.asarray(np.isfinite(self.params).mean(axis=0))

    def of(self, budgets: Sequence[int]) -> VertexDraws:
        """These budgets only, and only the draws in which all of them have a minimum."""
        picked = list(budgets)
        whole = np.isfinite(self.params[:, picked]).all(axis=1)
        return VertexDraws(*(column[whole][:, picked] for column in (self.params, self.tokens, self.loss)))


def redraw(runs: Runs, minima: Sequence[Minimum], noise: FloatArray, rng: np.random.Generator) -> VertexDraws:
    """Redraw every loss and find all vertices again; ``noise`` holds each draw's standard deviation."""
    columns = []
    for found in minima:
        used = np.array(found.used)
        x = np.log(runs.params[used]) - found.centre
        losses = runs.loss[used] + noise[:, None] * rng.standard_normal((noise.size, used.size))
        c0, c1, c2 = (losses @ np.linalg.pinv(np.vander(x, 3, increasing=True)).T).T
        at = np.divide(-c1, 2 * c2, out=np.full(noise.size, np.nan), where=c2 > 0)
        at[(at < x.min()) | (at > x.max())] = np.nan
        at[c0 + 0.5 * c1 * at <= 0] = np.nan  # noise so large that the vertex is no loss
        log_tokens = _tokens_polynomial(x, runs.tokens[used], at)
        columns.append(np.stack([np.exp(found.centre + at), np.exp(log_tokens), c0 + 0.5 * c1 * at]))
    params, tokens, loss = np.stack(columns, axis=-1)
    return VertexDraws(params, tokens, loss)


@dataclass(frozen=True)
class IrreduciblePosterior:
    """What the vertices leave of a flat prior on E over [0, smallest loss): a grid and its weights."""

    grid: FloatArray
    weights: FloatArray

    def quantile(self, share: float) -> float:
        return float(np.interp(share, np.cumsum(self.weights), self.grid))

    def draw(self, draws: int, rng: np.random.Generator) -> FloatArray:
        width = self.grid[1] - self.grid[0]
        cells = rng.choice(self.grid.size, size=draws, p=self.weights)
        return np.asarray(self.grid[cells] + width * (rng.random(draws) - 0.5))


def irreducible_loss(flops: FloatArray, loss: FloatArray, spread: FloatArray) -> IrreduciblePosterior:
    """Weigh every E by how straight it makes ln(L* - E) against ln C.

    ``loss`` are the vertices' losses, ``spread`` their standard deviations. Two vertices are straight
    whatever E is, and the posterior is the prior.
    """
    highest = max(float((loss - 3 * spread).min()), 0.01 * float(loss.min()))
    edges = np.linspace(0.0, highest, IRREDUCIBLE_GRID + 1)
    grid = 0.5 * (edges[1:] + edges[:-1])
    weights = ((loss - grid[:, None]) / spread) ** 2
    _, _, misfit = _line(np.log(flops / pivot(flops)), np.log(loss - grid[:, None]), weights)
    likelihood = np.exp(-0.5 * (misfit - misfit.min()))
    return IrreduciblePosterior(grid, likelihood / likelihood.sum())


def pivot(flops: FloatArray) -> float:
    """The geometric mean of the budgets."""
    return float(np.exp(np.log(flops).mean()))


def power_law(
    flops: FloatArray, values: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Value at the pivot and exponent of the least-squares line through ln values against ln C.

    ``values`` has shape (..., budgets), as have the ``weights`` of their squared log residuals.

    >>> at_pivot, exponent = power_law(np.array([1e2, 1e4]), np.array([10.0, 1000.0]))
    >>> round(float(at_pivot), 9), round(float(exponent), 9)
    (100.0, 1.0)
    """
    weights = np.ones(flops.size) if weights is None else weights
    intercept, slope, _ = _line(np.log(flops / pivot(flops)), np.log(values), weights)
    return np.exp(intercept), slope


def _line(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Intercept, slope and weighted sum of squared residuals of lines along the last axis."""
    weights = np.broadcast_to(weights, y.shape)
    total = weights.sum(axis=-1)
    x0, y0 = (weights * x).sum(axis=-1) / total, (weights * y).sum(axis=-1) / total
    dx, dy = x - np.asarray(x0)[..., None], y - np.asarray(y0)[..., None]
    slope = (weights * dx * dy).sum(axis=-1) / (weights * dx**2).sum(axis=-1)
    misfit = (weights * (dy - np.asarray(slope)[..., None] * dx) ** 2).sum(axis=-1)
    return np.asarray(y0 - slope * x0), np.asarray(slope), np.asarray(misfit)


def bend(flops: FloatArray, vertices: VertexDraws, params: FloatArray) -> float:
    """How far N* strays from one power law: chi squared about its line, on (budgets - 2) degrees of freedom."""
    spread = np.log(vertices.params).std(axis=0)
    _, _, misfit = _line(np.log(flops / pivot(flops)), np.log(params), spread**-2)
    return float(misfit)


def frontier(
    flops: FloatArray, params: FloatArray, tokens: FloatArray, loss: FloatArray, E: FloatArray, spread: FloatArray
) -> dict[str, FloatArray]:
    """The coefficients of the frontier through vertices of shape (..., budgets), given E of shape (...).

    The loss line weighs each vertex by its ``spread`` in ln(L* - E), as the posterior of E does.
    """
    N_P, a = power_law(flops, params)
    D_P, b = power_law(flops, tokens)
    reducible = loss - np.asarray(E)[..., None]
    R_P, minus_gamma = power_law(flops, reducible, (reducible / spread) ** 2)
    P = np.full(np.shape(N_P), pivot(flops))
    return {"P": P, "N_P": N_P, "a": a, "D_P": D_P, "b": b, "E": np.asarray(E), "R_P": R_P, "gamma": -minus_gamma}

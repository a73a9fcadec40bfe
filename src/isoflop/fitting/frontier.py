"""Approach 2 as a fit: from isoFLOP minima to a frontier law with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isoflop.fitting import diagnose
from isoflop.fitting.isoflop import (
    IrreduciblePosterior,
    Profile,
    VertexDraws,
    bend,
    frontier,
    irreducible_loss,
    minimum,
    power_law,
    profiles,
    redraw,
)
from isoflop.fitting.noise import Noise, seed_noise
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.parametric import fitted_range
from isoflop.fitting.plausible import implausible
from isoflop.fitting.result import Fit, Minimum, Note, Objective, Span, Starts
from isoflop.fitting.uncertainty import interval
from isoflop.laws import Law, Source, family
from isoflop.quantities import format_flops
from isoflop.runs import Runs

FEWEST_SIZES = 3
FIRMLY_BRACKETED = 0.9
"""A minimum that noise removes from more than a tenth of the redrawn tables is none."""
FEWEST_FOR_HALVES = 5
UNKNOWN_NOISE = 0.005
"""Of the loss: what the vertices' spread is taken for where nothing measures it, to weigh E by."""


def fit_frontier(runs: Runs, draws: int, level: float, seed: int) -> Fit:
    """Find the minimum of every isoFLOP profile and the power laws through them."""
    minima = [minimum(runs, group) for group in profiles(runs) if _sizes(runs, group) >= FEWEST_SIZES]
    interior = [found for found in minima if found.interior]
    noise = seed_noise(runs, interior)
    rng = np.random.default_rng(seed)
    drawn = _redraw(runs, interior, noise, draws, rng)
    if drawn is not None:
        loose = {interior[k].rows: 1 - kept for k, kept in enumerate(drawn.vertices.kept) if kept < FIRMLY_BRACKETED}
        minima = [_demoted(found, loose[found.rows]) if found.rows in loose else found for found in minima]
        drawn = drawn.of([k for k, found in enumerate(interior) if found.rows not in loose])
        interior = [found for found in minima if found.interior]
    if len(interior) < 2:
        return _fit(runs, minima, [diagnose.no_minima(minima)], level, noise=noise, refused=True)
    if drawn is not None:
        bracketed = {found.rows: found for found in _with_intervals(interior, drawn.vertices, level)}
        minima = [bracketed.get(found.rows, found) for found in minima]
    posterior = _posterior(interior, drawn)
    joint = None if drawn is None else _joint(interior, drawn, posterior, rng)
    notes = _notes(runs, minima, drawn, noise, posterior, level, asked=draws > 0)
    law = _law(runs, interior, drawn, posterior, joint, notes)
    return _fit(runs, minima, notes, level, law=law, noise=noise, drawn=drawn)


@dataclass(frozen=True)
class Redrawn:
    """Redrawn vertices, and the standard deviation of the noise in each draw, shape (draws,)."""

    vertices: VertexDraws
    noise: FloatArray

    def of(self, budgets: list[int]) -> Redrawn:
        """These budgets only, in the draws in which all of them keep their minimum."""
        params = self.vertices.params[:, budgets]
        return Redrawn(self.vertices.of(budgets), self.noise[np.isfinite(params).all(axis=1)])


def _redraw(
    runs: Runs, minima: list[Minimum], noise: Noise | None, draws: int, rng: np.random.Generator
) -> Redrawn | None:
    if noise is None or not draws or not minima:
        return None
    sigma = noise.draw(draws, rng)
    return Redrawn(redraw(runs, minima, sigma, rng), sigma)


def _sizes(runs: Runs, group: Profile) -> int:
    return int(np.unique(runs.params[list(group.rows)]).size)


def _demoted(found: Minimum, lost: float) -> Minimum:
    reason = (
        f"noise between seeds hides the minimum at {format_flops(found.flops)} FLOPs in {lost:.0%} of redrawn "
        "tables; repeat its runs or widen its range of N"
    )
    return replace(found, interior=False, reason=reason)


def _columns(minima: list[Minimum]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    facts = [(found.flops, found.params_opt, found.tokens_opt, found.loss_min) for found in minima]
    flops, params, tokens, loss = np.array(facts).T
    return flops, params, tokens, loss


def _with_intervals(minima: list[Minimum], vertices: VertexDraws, level: float) -> list[Minimum]:
    return [
        replace(
            found,
            params_interval=interval(vertices.params[:, k], level),
            tokens_interval=interval(vertices.tokens[:, k], level),
            loss_interval=interval(vertices.loss[:, k], level),
        )
        for k, found in enumerate(minima)
    ]


def _spread(minima: list[Minimum], drawn: Redrawn | None) -> FloatArray:
    """The standard deviation of each vertex's loss."""
    if drawn is None:
        return UNKNOWN_NOISE * np.array([found.loss_min for found in minima])
    return np.asarray(drawn.vertices.loss.std(axis=0))


def _posterior(minima: list[Minimum], drawn: Redrawn | None) -> IrreduciblePosterior:
    flops, _, _, loss = _columns(minima)
    return irreducible_loss(flops, loss, _spread(minima, drawn))


def _joint(
    minima: list[Minimum], drawn: Redrawn, posterior: IrreduciblePosterior, rng: np.random.Generator
) -> dict[str, FloatArray]:
    flops, vertices = _columns(minima)[0], drawn.vertices
    E = np.minimum(posterior.draw(len(vertices.loss), rng), 0.98 * vertices.loss.min(axis=1))
    return frontier(flops, vertices.params, vertices.tokens, vertices.loss, E, _spread(minima, drawn))


def _law(
    runs: Runs,
    minima: list[Minimum],
    drawn: Redrawn | None,
    posterior: IrreduciblePosterior,
    joint: dict[str, FloatArray] | None,
    notes: list[Note],
) -> Law:
    flops, params, tokens, loss = _columns(minima)
    E = np.array(posterior.quantile(0.5))
    point = frontier(flops, params, tokens, loss, E, _spread(minima, drawn))
    return Law(
        id="frontier-fit",
        title=f"compute-optimal frontier of {runs.source}",
        family=family("frontier"),
        coefficients={name: float(value) for name, value in point.items()},
        conventions=runs.conventions,
        fitted_range=fitted_range(runs),
        source=Source(title=f"isoflop fit, approach 2, of {runs.source}", where=f"runs {runs.digest()}"),
        caveats=tuple(note.message for note in notes),
        draws=joint,
    )


def _notes(
    runs: Runs,
    minima: Sequence[Minimum],
    drawn: Redrawn | None,
    noise: Noise | None,
    posterior: IrreduciblePosterior,
    level: float,
    *,
    asked: bool,
) -> list[Note]:
    interior = [found for found in minima if found.interior]
    flops, params, _, _ = _columns(interior)
    bent = None if drawn is None else diagnose.bent_frontier(bend(flops, drawn.vertices, params), len(interior) - 2)
    left_over = len(runs) - sum(len(found.rows) for found in minima)
    possible = (
        diagnose.stragglers(left_over) if left_over else None,
        diagnose.two_minima() if len(interior) == 2 else None,
        diagnose.short_span(flops),
        diagnose.repeated_rows(runs),
        None if asked else diagnose.no_draws(),
        diagnose.noise_unknown() if asked and noise is None else None,
        diagnose.parabolas_miss(*_misfit(runs, interior), noise),
        bent,
        None if drawn is None else _halves(flops, params, drawn.vertices),
        diagnose.irreducible_not_identified(
            (posterior.quantile((1 - level) / 2), posterior.quantile((1 + level) / 2)), float(runs.loss.min())
        ),
    )
    refused = [found for found in minima if not found.interior]
    edges = diagnose.edge_minima(refused, len(minima))
    return edges + [note for note in possible if note is not None] + implausible(runs)


def _halves(flops: FloatArray, params: FloatArray, vertices: VertexDraws) -> Note | None:
    """The exponent in the lower and in the upper half of the budgets, which share the middle one of an odd number."""
    if flops.size < FEWEST_FOR_HALVES:
        return None
    half = (flops.size + 1) // 2
    parts = slice(None, half), slice(flops.size - half, None)
    points = [float(power_law(flops[part], params[part])[1]) for part in parts]
    draws = [power_law(flops[part], vertices.params[:, part])[1] for part in parts]
    spans = [(float(flops[part].min()), float(flops[part].max())) for part in parts]
    errors = [float(np.std(column)) for column in draws]
    return diagnose.halves(points, errors, spans, float(np.std(draws[1] - draws[0])))


def _misfit(runs: Runs, minima: Sequence[Minimum]) -> tuple[float, int]:
    """Squared residuals about the parabolas, summed, and their degrees of freedom."""
    squares = [
        float(((runs.loss[list(found.used)] - found.loss_at(runs.params[list(found.used)])) ** 2).sum())
        for found in minima
    ]
    return sum(squares), sum(len(found.used) - 3 for found in minima)


def _fit(
    runs: Runs,
    minima: Sequence[Minimum],
    notes: list[Note],
    level: float,
    *,
    law: Law | None = None,
    noise: Noise | None = None,
    drawn: Redrawn | None = None,
    refused: bool = False,
) -> Fit:
    interior = [found for found in minima if found.interior]
    squares, count = _misfit(runs, interior)[0], sum(len(found.used) for found in interior)
    intervals: dict[str, Span] = {}
    if law is not None and law.draws is not None:
        intervals = {name: interval(column, level) for name, column in law.draws.items()}
    return Fit(
        family="frontier",
        approach=2,
        runs=runs,
        verdict=diagnose.judged(notes, refused=refused),
        fitted=law,
        objective=Objective("squared residuals of the loss about the parabolas", None, squares),
        starts=Starts(1, 1.0),  # linear least squares: one start is all there are
        converged=not refused,
        level=level,
        residual=float(np.sqrt(squares / count) / runs.loss.mean()) if count else float("nan"),
        minima=tuple(minima),
        noise=None if noise is None else noise.value,
        noise_source="" if noise is None else noise.source,
        noise_draws=None if drawn is None else drawn.noise,
        drawn_by="noise",
        intervals=intervals,
    )

"""Approach 2 as a fit: from isoFLOP minima to a frontier law with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from isoflop.fitting import diagnose
from isoflop.fitting.isoflop import Profile, VertexDraws, frontier, irreducible_loss, minimum, profiles, redraw
from isoflop.fitting.noise import Noise, seed_noise
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.parametric import fitted_range
from isoflop.fitting.result import Fit, Minimum, Note, Objective, Starts
from isoflop.fitting.uncertainty import interval
from isoflop.laws import Law, Source, family
from isoflop.quantities import format_flops
from isoflop.runs import Runs

FEWEST_SIZES = 3
FIRMLY_BRACKETED = 0.9
"""A minimum that noise removes from more than a tenth of the redrawn tables is none."""


def fit_frontier(runs: Runs, draws: int, level: float, seed: int) -> Fit:
    """Find the minimum of every isoFLOP profile and the power laws through them."""
    minima = [minimum(runs, group) for group in profiles(runs) if _sizes(runs, group) >= FEWEST_SIZES]
    interior = [found for found in minima if found.interior]
    noise = seed_noise(runs, interior)
    rng = np.random.default_rng(seed)
    vertices = redraw(runs, interior, noise.value, draws, rng) if noise and draws and interior else None
    if vertices is not None:
        firm = [k for k, kept in enumerate(vertices.kept) if kept >= FIRMLY_BRACKETED]
        loose = {found.rows: float(vertices.kept[k]) for k, found in enumerate(interior) if k not in firm}
        minima = [_demoted(found, loose[found.rows]) if found.rows in loose else found for found in minima]
        interior, vertices = [interior[k] for k in firm], vertices.of(firm)
    if len(interior) < 2:
        return _fit(runs, minima, [diagnose.no_minima(minima)], level, noise=noise, refused=True)
    joint = None
    if vertices is not None:
        bracketed = {found.rows: found for found in _with_intervals(interior, vertices, level)}
        minima = [bracketed.get(found.rows, found) for found in minima]
        joint = _joint(interior, vertices, rng)
    intervals = {} if joint is None else {name: interval(column, level) for name, column in joint.items()}
    notes = _notes(runs, minima, intervals, drawn=draws > 0)
    return _fit(runs, minima, notes, level, law=_law(runs, interior, joint), noise=noise, intervals=intervals)


def _sizes(runs: Runs, group: Profile) -> int:
    return int(np.unique(runs.params[list(group.rows)]).size)


def _demoted(found: Minimum, kept: float) -> Minimum:
    reason = (
        f"noise between seeds hides the minimum at {format_flops(found.flops)} FLOPs in {1 - kept:.0%} of redrawn "
        "tables; repeat its runs or widen its range of sizes"
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


def _joint(minima: list[Minimum], vertices: VertexDraws, rng: np.random.Generator) -> dict[str, FloatArray]:
    flops, _, _, loss = _columns(minima)
    posterior = irreducible_loss(flops, loss, vertices.loss.std(axis=0))
    E = np.minimum(posterior.draw(len(vertices.loss), rng), 0.98 * vertices.loss.min(axis=1))
    return frontier(flops, vertices.params, vertices.tokens, vertices.loss, E)


def _law(runs: Runs, minima: list[Minimum], joint: dict[str, FloatArray] | None) -> Law:
    flops, params, tokens, loss = _columns(minima)
    E = np.array(0.0 if joint is None else np.median(joint["E"]))
    return Law(
        id="frontier-fit",
        title=f"compute-optimal frontier of {runs.source}",
        family=family("frontier"),
        coefficients={name: float(value) for name, value in frontier(flops, params, tokens, loss, E).items()},
        conventions=runs.conventions,
        fitted_range=fitted_range(runs),
        source=Source(title=f"isoflop fit, approach 2, of {runs.source}", where=f"runs {runs.digest()}"),
        draws=joint,
    )


def _notes(
    runs: Runs, minima: Sequence[Minimum], intervals: dict[str, tuple[float, float]], *, drawn: bool
) -> list[Note]:
    interior = [found for found in minima if found.interior]
    notes = [diagnose.edge_minimum(found) for found in minima if not found.interior]
    left_over = len(runs) - sum(len(found.rows) for found in minima)
    if left_over:
        notes.append(diagnose.stragglers(left_over))
    if len(interior) == 2:
        notes.append(diagnose.two_minima())
    short = diagnose.short_span(np.array([found.flops for found in interior]))
    if short:
        notes.append(short)
    if drawn and not intervals:
        notes.append(diagnose.noise_unknown())
    if intervals:
        unidentified = diagnose.irreducible_not_identified(intervals["E"], float(runs.loss.min()))
        notes += [unidentified] if unidentified else []
    return notes


def _fit(
    runs: Runs,
    minima: Sequence[Minimum],
    notes: list[Note],
    level: float,
    *,
    law: Law | None = None,
    noise: Noise | None = None,
    intervals: dict[str, tuple[float, float]] | None = None,
    refused: bool = False,
) -> Fit:
    squares = [
        (runs.loss[list(found.used)] - found.loss_at(runs.params[list(found.used)])) ** 2
        for found in minima
        if found.interior
    ]
    residuals = np.concatenate(squares) if squares else np.array([])
    return Fit(
        family="frontier",
        approach=2,
        runs=runs,
        verdict=diagnose.judged(notes, refused=refused),
        fitted=law,
        objective=Objective("squared residuals of the loss about the parabolas", None, float(residuals.sum())),
        starts=Starts(1, 1.0),  # linear least squares: one start is all there are
        converged=not refused,
        level=level,
        residual=float(np.sqrt(residuals.mean()) / runs.loss.mean()) if residuals.size else float("nan"),
        minima=tuple(minima),
        noise=None if noise is None else noise.value,
        noise_source="" if noise is None else noise.source,
        intervals=intervals or {},
    )

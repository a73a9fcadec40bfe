"""Approach 1: the lower envelope of training curves, and the compute-optimal frontier along it.

Hoffmann et al. 2022 (arXiv 2203.15556), section 3.1: at every compute the network with the least loss so far is
the best, and a line through (ln C, ln N) of the winners gives the exponent. With a ladder of K networks the winner
is a staircase, and a line through a staircase is too flat: half a step is missing at either end, a share 1/K^2 of
the exponent. So what is used here are the steps' edges, the computes at which one network overtakes the next
smaller one: there the optimum lies between the two, at their geometric mean to second order, whatever K is.

An edge counts only where both networks were being trained: a winner that changes because a curve begins or ends
says nothing. Losses inside a training curve are those of a learning rate that has not decayed; they lie above what
a finished run of that length would reach, and the more so the earlier, which moves the envelope. The fit says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.fitting import diagnose
from isoflop.fitting.frontier import UNKNOWN_NOISE
from isoflop.fitting.groups import groups
from isoflop.fitting.isoflop import IrreduciblePosterior, frontier, irreducible_loss, power_law
from isoflop.fitting.objective import BoolArray, FloatArray, IntArray
from isoflop.fitting.parametric import FEW_LOST, MANY_LOST, fitted_range
from isoflop.fitting.plausible import implausible
from isoflop.fitting.result import Fit, Minimum, Note, Objective, Span, Starts
from isoflop.fitting.uncertainty import interval
from isoflop.laws import Law, Source, family
from isoflop.runs import Runs

BUDGETS = 1500
"""Computes at which the winner is looked up, evenly in ln C, as many as Hoffmann et al. used."""
SAME_SIZE = 0.01
"""Networks whose N lies within 1 % are one rung of the ladder, however they are shaped."""
FEWEST_EDGES, FEWEST_CHECKPOINTS = 3, 3
SPREAD = 1.5
"""Factor in compute by which an edge must lie inside both curves: nearer, it is the curve's end, not a crossing."""


@dataclass(frozen=True)
class Curves:
    """Losses of K rungs at common computes: ``loss`` and ``tokens`` (K, BUDGETS), infinite where nothing was seen."""

    flops: FloatArray
    params: FloatArray
    loss: FloatArray
    tokens: FloatArray
    rows: tuple[tuple[int, ...], ...]
    from_checkpoints: bool

    def without(self, absent: BoolArray) -> Curves:
        """With the losses of absent rungs (a mask of K) out of the race."""
        return Curves(
            self.flops,
            self.params,
            np.where(absent[:, None], np.inf, self.loss),
            self.tokens,
            self.rows,
            self.from_checkpoints,
        )


@dataclass(frozen=True)
class Edges:
    """Where one rung overtakes another: compute, N* and D* there, the envelope's loss, and the rungs' numbers."""

    flops: FloatArray
    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    rungs: IntArray

    def __len__(self) -> int:
        return self.flops.size


def fit_envelope(runs: Runs, draws: int, level: float, seed: int, group: str | None = None) -> Fit:
    """The frontier through the envelope of training curves; its draws are a bootstrap by curve.

    A curve is the rows of one ``group`` (see fitting.groups); without any, the runs of one N at rising D. Gives a
    refused Fit where there are no curves or fewer than three overtakings.
    """
    curves = _curves(runs, groups(runs, group)) if len(runs) else None
    if curves is None:
        return _fit(runs, None, [diagnose.no_curves()], level)
    edges, cut = _edges(curves)
    if len(edges) < FEWEST_EDGES:
        return _fit(runs, None, [diagnose.no_envelope(len(edges), curves.params.size, cut)], level)
    posterior = irreducible_loss(edges.flops, edges.loss, UNKNOWN_NOISE * edges.loss)
    joint, lost = _bootstrap(curves, posterior, draws, np.random.default_rng(seed))
    if lost > MANY_LOST:
        joint = None
    notes = _notes(runs, curves, edges, cut, lost, posterior, level, asked=draws > 0)
    point = _coefficients(edges, np.array(posterior.quantile(0.5)))
    law = Law(
        id="frontier-fit",
        title=f"compute-optimal frontier of {runs.source}, by the envelope of its curves",
        family=family("frontier"),
        coefficients={name: float(value) for name, value in point.items()},
        conventions=runs.conventions,
        fitted_range=fitted_range(runs),
        source=Source(title=f"isoflop fit, approach 1, of {runs.source}", where=f"runs {runs.digest()}"),
        caveats=tuple(note.message for note in notes),
        draws=joint,
    )
    return _fit(runs, law, notes, level, edges, curves)


def _curves(runs: Runs, labels: IntArray | None) -> Curves | None:
    """Every rung's least loss over its curves, interpolated in ln C between checkpoints and nowhere beyond them."""
    from_checkpoints = labels is not None
    rung_of = rungs(runs.params)
    if labels is None:
        labels = rung_of
    grid = np.linspace(np.log(runs.flops.min()), np.log(runs.flops.max()), BUDGETS)
    count = int(rung_of.max()) + 1
    loss, tokens = np.full((count, BUDGETS), np.inf), np.full((count, BUDGETS), np.nan)
    rows: list[list[int]] = [[] for _ in range(count)]
    for label in range(int(labels.max()) + 1):
        curve = np.flatnonzero(labels == label)
        curve = curve[np.argsort(runs.flops[curve], kind="stable")]
        x = np.log(runs.flops[curve])
        if curve.size < FEWEST_CHECKPOINTS or x[-1] - x[0] < np.log(SPREAD):
            continue
        rung = int(rung_of[curve[0]])
        rows[rung] += curve.tolist()
        seen = (x[0] <= grid) & (grid <= x[-1])
        at = np.interp(grid[seen], x, np.log(runs.loss[curve]))
        better = np.flatnonzero(seen)[np.exp(at) < loss[rung, seen]]
        loss[rung, seen] = np.minimum(loss[rung, seen], np.exp(at))
        tokens[rung, better] = np.exp(np.interp(grid[better], x, np.log(runs.tokens[curve])))
    present = np.array([bool(of) for of in rows])
    if present.sum() < 2:
        return None
    params = np.array([np.exp(np.log(runs.params[of]).mean()) for of in rows if of])
    kept = tuple(tuple(of) for of in rows if of)
    return Curves(np.exp(grid), params, loss[present], tokens[present], kept, from_checkpoints)


def rungs(params: FloatArray) -> IntArray:
    """Each run's rung, numbered by rising N; counted from a rung's lowest member, as levels are."""
    labels, lowest, rung = np.empty(params.size, dtype=np.int64), -np.inf, -1
    for row in np.argsort(params, kind="stable"):
        if np.log(params[row]) - lowest > SAME_SIZE:
            lowest, rung = float(np.log(params[row])), rung + 1
        labels[row] = rung
    return labels


def _edges(curves: Curves) -> tuple[Edges, int]:
    """The overtakings, and how many changes of winner were left out because a curve begins or ends there.

    Noise makes neighbours win in turn about a crossing; sorting the winners, the monotone rearrangement of the
    staircase, puts the edge where each has won its share.
    """
    covered = np.isfinite(curves.loss).sum(axis=0) >= 2
    flops, at = curves.flops[covered], np.flatnonzero(covered)
    winners = np.sort(curves.loss[:, covered].argmin(axis=0))
    steps = np.flatnonzero(np.diff(winners))
    near = round(np.log(SPREAD) / np.log(curves.flops[1] / curves.flops[0]))
    found, cut = [], 0
    for step in steps:
        small, large = int(winners[step]), int(winners[step + 1])
        around = slice(max(at[step] - near, 0), at[step + 1] + near + 1)
        if not np.isfinite(curves.loss[[small, large], around]).all() or around.stop > BUDGETS or around.start == 0:
            cut += 1
            continue
        C = float(np.sqrt(flops[step] * flops[step + 1]))
        loss = float(curves.loss[:, at[step]].min())
        N = float(np.sqrt(curves.params[small] * curves.params[large]))
        D = float(np.sqrt(curves.tokens[small, at[step]] * curves.tokens[large, at[step]]))
        found.append((C, N, D, loss, small, large))
    columns = np.array(found).reshape(-1, 6).T
    return Edges(columns[0], columns[1], columns[2], columns[3], columns[4:].T.astype(np.int64)), cut


def _coefficients(edges: Edges, E: FloatArray) -> dict[str, FloatArray]:
    return frontier(edges.flops, edges.params, edges.tokens, edges.loss, E, UNKNOWN_NOISE * edges.loss)


def _bootstrap(
    curves: Curves, posterior: IrreduciblePosterior, draws: int, rng: np.random.Generator
) -> tuple[dict[str, FloatArray] | None, float]:
    """Envelopes of resampled rungs, as joint coefficients about one pivot, and the share that had too few edges."""
    if not draws:
        return None, 0.0
    count = curves.params.size
    pivot = _coefficients(_edges(curves)[0], np.zeros(()))["P"]
    drawn = []
    for E in posterior.draw(draws, rng):
        absent = rng.multinomial(count, np.full(count, 1 / count)) == 0
        edges, _ = _edges(curves.without(absent))
        if len(edges) < FEWEST_EDGES or np.ptp(np.log(edges.flops)) == 0:
            continue
        drawn.append(_about(edges, np.array(min(E, 0.98 * edges.loss.min())), pivot))
    if not drawn:
        return None, 1.0
    joint = {name: np.array([float(row[name]) for row in drawn]) for name in drawn[0]}
    return joint, 1 - len(drawn) / draws


def _about(edges: Edges, E: FloatArray, pivot: FloatArray) -> dict[str, FloatArray]:
    """The coefficients with their power laws written about another pivot, so that draws can be compared."""
    own = _coefficients(edges, E)
    times = pivot / own["P"]
    return own | {
        "P": pivot,
        "N_P": own["N_P"] * times ** own["a"],
        "D_P": own["D_P"] * times ** own["b"],
        "R_P": own["R_P"] * times ** -own["gamma"],
    }


def _notes(
    runs: Runs,
    curves: Curves,
    edges: Edges,
    cut: int,
    lost: float,
    posterior: IrreduciblePosterior,
    level: float,
    *,
    asked: bool,
) -> list[Note]:
    span = (posterior.quantile((1 - level) / 2), posterior.quantile((1 + level) / 2))
    possible = (
        diagnose.unannealed() if curves.from_checkpoints else None,
        diagnose.cut_edges(cut) if cut else None,
        diagnose.few_curves(curves.params.size) if lost > MANY_LOST else None,
        diagnose.lost_draws(lost) if FEW_LOST < lost <= MANY_LOST else None,
        None if asked else diagnose.no_draws(),
        diagnose.short_span(edges.flops),
        diagnose.repeated_rows(runs),
        diagnose.irreducible_not_identified(span, float(runs.loss.min())),
    )
    return [note for note in possible if note is not None] + implausible(runs)


def _fit(
    runs: Runs,
    law: Law | None,
    notes: list[Note],
    level: float,
    edges: Edges | None = None,
    curves: Curves | None = None,
) -> Fit:
    minima: tuple[Minimum, ...] = ()
    intervals: dict[str, Span] = {}
    objective = None
    if law is not None and edges is not None and curves is not None:
        at_pivot, a = power_law(edges.flops, edges.params)
        line = np.log(edges.params / at_pivot) - a * (np.log(edges.flops) - np.log(edges.flops).mean())
        objective = Objective("squared log residuals of N* about its line", None, float((line**2).sum()))
        minima = tuple(_minimum(edges, k, curves) for k in range(len(edges)))
    if law is not None and law.draws is not None:
        intervals = {name: interval(column, level) for name, column in law.draws.items()}
    return Fit(
        family="frontier",
        approach=1,
        runs=runs,
        verdict=diagnose.judged(notes, refused=law is None),
        fitted=law,
        objective=objective,
        starts=Starts(1, 1.0),  # a line through points: one start is all there are
        converged=law is not None,
        level=level,
        minima=minima,
        drawn_by="curve",
        intervals=intervals,
    )


def _minimum(edges: Edges, k: int, curves: Curves) -> Minimum:
    rows = tuple(sorted(row for rung in edges.rungs[k] for row in curves.rows[rung]))
    C, N, D, loss = (float(column[k]) for column in (edges.flops, edges.params, edges.tokens, edges.loss))
    return Minimum(C, N, D, loss, True, rows, rows, float(np.log(N)), (loss, 0.0, 0.0))

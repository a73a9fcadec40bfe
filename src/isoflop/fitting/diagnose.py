"""What can be wrong with a fit: every reservation the library knows, each with what to do about it.

The sentences live here, so that the same doubt reads the same on the terminal, in JSON and in a report.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc

from isoflop.fitting.noise import Noise
from isoflop.fitting.objective import FloatArray
from isoflop.fitting.result import Minimum, Note, Span, Verdict
from isoflop.quantities import format_flops, format_interval
from isoflop.runs import Runs

POOR = 0.05
"""Training runs repeat to a per cent or so; a residual of 5 % of the loss is no noise."""
MISFIT = 1.5
"""A residual this many times the noise between seeds is the form's, not the noise's."""
DRIFTING = 3.0
"""Two exponents differ where they do by so many standard errors of the difference."""
UNLIKELY = 0.01
SHORT_SPAN = 100.0
"""Compute span below which an exponent is local. Two decades of these runs moved a from .55 to .63."""


def judged(notes: Sequence[Note], refused: bool = False) -> Verdict:
    """A verdict from its notes."""
    if refused:
        return Verdict("refused", tuple(notes))
    return Verdict("caution" if any(note.cautions for note in notes) else "ok", tuple(notes))


def unseen_coefficient(name: str) -> Note:
    return Note(
        "unseen_coefficient",
        f"{name} changes no run's loss, so nothing is known of it; pin it, or fit a family without it.",
    )


def flat_optimum(name: str, values: FloatArray) -> Note:
    return Note(
        "flat_optimum",
        f"starts that reach the same objective disagree on {name}, from {values.min():.3g} to {values.max():.3g}: "
        "these runs do not determine the law; add runs that vary N and D more.",
    )


def lost_draws(share: float) -> Note:
    return Note(
        "lost_draws",
        f"{share:.0%} of the resamples gave no law (an exponent out of bounds, or no optimum) and are left out: "
        "what intervals there are, are too narrow; add runs.",
    )


def one_loss(runs: Runs) -> Note | None:
    if np.ptp(np.log(runs.loss)) > 1e-9:
        return None
    return Note("one_loss", "every run has the same loss: there is nothing to fit; check the loss column.")


def not_converged(agreeing: float, tried: int) -> Note:
    return Note(
        "not_converged",
        f"only {agreeing:.0%} of {tried} starts reached the best objective, or its gradient is not zero: "
        "the minimum may not be global; add runs that vary N and D more.",
    )


def dead_term(name: str) -> Note:
    """A term that the optimum has switched off, in a family whose terms are not N's and D's alone."""
    return Note(
        "dead_term",
        f"the term of {name} contributes nothing at the optimum, so what else it holds is arbitrary; "
        "fit a family without it, or add runs in which it would show.",
    )


def dead_power_law(name: str) -> Note:
    axis, exponent = {"A": ("N", "alpha"), "B": ("D", "beta")}[name]
    return Note(
        "dead_power_law",
        f"the term {name} contributes nothing at the optimum: the loss of these runs does not depend on {axis}, "
        f"and {exponent} is arbitrary; add runs that vary {axis} more.",
    )


def dead_asymptote() -> Note:
    return Note(
        "dead_asymptote",
        "E contributes nothing at the optimum: these runs show no irreducible loss; do not extrapolate with E = 0.",
    )


def irreducible_not_identified(interval: Span, lowest: float) -> Note | None:
    """E counts as identified when its interval is narrower than a quarter of the lowest loss seen."""
    low, high = interval
    if high - low < 0.25 * lowest:
        return None
    return Note(
        "E_not_identified",
        f"E is not identified, its interval runs from {low:.2f} to {high:.2f}: losses extrapolated with it are "
        "guesses; add larger budgets, two decades of them or more.",
    )


def asymptote_not_seen(runs: Runs, interval: Span | None) -> Note | None:
    """E of a surface: where the bootstrap cannot tell it, or where the runs span too little to show it.

    Over one decade of compute a surface with the wrong E bends to the runs and bends away beyond them;
    the bootstrap, which believes the form, does not see that.
    """
    span = float(runs.flops.max() / runs.flops.min())
    if interval is not None and (wide := irreducible_not_identified(interval, float(runs.loss.min()))):
        return wide
    if span >= SHORT_SPAN:
        return None
    return Note(
        "E_not_identified",
        f"E is an asymptote seen over a factor of {span:.3g} in compute: its value rests on the form alone, and so do "
        "losses extrapolated with it; add budgets until they span two decades or more.",
    )


def lack_of_fit(residual: float, runs: Runs) -> Note | None:
    """The form misses the runs: by more than the noise that the table states, or by more than any noise."""
    if "loss_noise" not in runs.columns:
        if residual < POOR:
            return None
        return Note(
            "lack_of_fit",
            f"the form misses the runs by {residual:.0%}: it is not their law; look for runs of another kind among "
            "them (--where), or for columns that are not what they seem.",
        )
    noise = float(np.median(np.asarray(runs.columns["loss_noise"], float) / runs.loss))
    if residual < MISFIT * noise:
        return None
    return Note(
        "lack_of_fit",
        f"the form misses the runs by {residual:.1%}, {residual / noise:.1f} times the noise between seeds: "
        "it is not the law of these runs; trust isoFLOP minima (approach 2) over it.",
    )


def no_fit(residual: float) -> Note:
    return Note(
        "lack_of_fit", f"the form misses the typical run by {residual:.0%}: it is not their law; fit another family."
    )


def at_bound(name: str, value: float) -> Note:
    return Note("at_bound", f"{name} = {value:.3g} is outside what the family allows: check the columns, add runs.")


def exponent_at_bound(name: str, value: float) -> Note:
    axis = "N" if name == "alpha" else "D"
    seen = f"the loss of these runs rises with {axis}" if value <= 0 else f"it falls with {axis} like a step"
    return Note("at_bound", f"{name} = {value:.2g}: {seen}, and that is no law; check the columns, add runs.")


def correlated(first: str, second: str, correlation: float) -> Note:
    return Note(
        "correlated",
        f"{first} and {second} move together (correlation {correlation:.3f}): quote a and N*, not these two.",
    )


def correlation(draws: dict[str, FloatArray], first: str, second: str) -> float:
    """Correlation of ln(first) with second over the draws."""
    columns = np.stack([np.log(draws[first]), draws[second]])
    if (np.ptp(columns, axis=1) == 0).any():  # runs without noise: every resample gives the same law
        return 0.0
    return float(np.corrcoef(columns)[0, 1])


def short_span(flops: FloatArray) -> Note | None:
    span = float(flops.max() / flops.min())
    if span >= SHORT_SPAN * 0.99:
        return None
    return Note(
        "short_span",
        f"the budgets span a factor of {span:.3g}: the exponents are local to it and drift beyond; "
        "quote them with their range, and add budgets until they span 100 or more.",
    )


def edge_minima(minima: Sequence[Minimum], budgets: int) -> list[Note]:
    """Budgets without a bracketed minimum: each by its reason, or all in one note where they are many."""
    if len(minima) <= 3:
        return [Note("edge_minimum", f"one budget is left out: {minimum.reason}.") for minimum in minima]
    return [
        Note(
            "edge_minimum",
            f"{len(minima)} of {budgets} budgets are left out, for the reasons beside them; the first: "
            f"{minima[0].reason}.",
        )
    ]


def no_minima(minima: Sequence[Minimum]) -> Note:
    given = [minimum.reason for minimum in minima if minimum.reason]
    more = f"; and {len(given) - 3} more" if len(given) > 3 else ""
    reasons = "; ".join(given[:3]) + more
    found = sum(minimum.interior for minimum in minima)
    return Note(
        "no_interior_minimum",
        f"{len(minima)} budgets have runs at three values of N or more and {found} of them a bracketed minimum, a "
        "frontier needs two" + (f": {reasons}." if reasons else "; give runs at several budgets, five networks each."),
    )


def parabolas_miss(squares: float, freedom: int, noise: Noise | None) -> Note | None:
    """Residuals about the parabolas that the noise, measured elsewhere, does not explain."""
    if noise is None or noise.of_residuals or freedom < 1:
        return None
    if chdtrc(freedom, squares / noise.value**2) > UNLIKELY:
        return None
    times = float(np.sqrt(squares / freedom)) / noise.value
    return Note(
        "lack_of_fit",
        f"the parabolas miss their runs by {times:.1f} times the noise between seeds, which would happen by chance "
        f"less than {UNLIKELY:.0%} of the time: the noise is larger than stated or the profiles are no parabolas; "
        "repeat runs, or add values of N nearer to the minima.",
    )


def bent_frontier(misfit: float, freedom: int) -> Note | None:
    """Minima that no single power law goes through."""
    if freedom < 1 or chdtrc(freedom, misfit) > UNLIKELY:
        return None
    return Note(
        "bent_frontier",
        "the minima do not lie on one power law within their intervals: the exponent changes along the budgets; "
        "quote it for a part of them (--where), and do not extrapolate it.",
    )


def halves(points: Sequence[float], errors: Sequence[float], spans: Sequence[Span], error: float) -> Note:
    """The exponent by halves of the budgets, always worth knowing; a caution where they differ by three errors."""
    said = [
        f"{a:.2f} ± {e:.2f} from {format_flops(low)} to {format_flops(high)}"
        for a, e, (low, high) in zip(points, errors, spans, strict=True)
    ]
    seen = f"a is {said[0]} FLOPs and {said[1]}"
    if abs(points[1] - points[0]) > DRIFTING * error:
        return Note("drifting_exponent", f"{seen}: it drifts; quote the upper one, and do not extrapolate far.")
    return Note("local_exponents", f"{seen}: no drift beyond the noise between seeds.")


def two_minima() -> Note:
    return Note("two_minima", "two minima make a line that nothing checks; add a third budget.")


def forecast_missed(flops: float, interval: Span, loss: float, level: float) -> Note:
    return Note(
        "forecast_missed",
        f"its own forecast failed: one run at {format_flops(flops)} FLOPs should have ended in "
        f"{format_interval(*interval)} ({level:.0%}) and ended at {loss:.3f}; beyond the data its intervals are too "
        "narrow, so do not plan with them: add budgets there.",
    )


def repeated_rows(runs: Runs) -> Note | None:
    """Rows that are the same to the last digit are copies, and a bootstrap takes them for evidence."""
    rows = np.stack([runs.params, runs.tokens, runs.flops, runs.loss], axis=1)
    copies = len(rows) - len(np.unique(rows, axis=0))
    if not copies:
        return None
    noun = "row repeats" if copies == 1 else "rows repeat"
    return Note(
        "repeated_rows",
        f"{copies} {noun} another to the last digit of the loss, which makes the intervals too narrow; "
        "remove the copies.",
    )


def no_draws() -> Note:
    return Note(
        "no_draws", "no draws were asked for, so nothing here has an interval; ask for some before you rely on it."
    )


def noise_unknown() -> Note:
    return Note(
        "noise_unknown",
        "there are no intervals: no repeated runs, no loss_noise column, no residuals; repeat a run with other seeds.",
    )


def stragglers(count: int) -> Note:
    noun = "run belongs" if count == 1 else "runs belong"
    return Note(
        "stragglers",
        f"{count} {noun} to no isoFLOP profile, which takes three values of N at one budget; left out here.",
    )


def no_curves() -> Note:
    return Note(
        "no_curves",
        "approach 1 needs training curves, several losses of one network at rising compute, and the table has fewer "
        "than two; give a row for every checkpoint with the same run_id, or runs of one N at several D.",
    )


def no_envelope(edges: int, networks: int, cut: int) -> Note:
    ends = f" ({cut} more where a curve begins or ends, which shows nothing)" if cut else ""
    return Note(
        "no_envelope",
        f"among the curves of {networks} networks {edges} overtakings of a smaller by a larger one were seen{ends}, "
        "and a frontier needs three; add networks, or train the small ones longer.",
    )


def cut_edges(count: int) -> Note:
    noun = "change" if count == 1 else "changes"
    return Note(
        "cut_edges",
        f"{count} {noun} of the best network left out: a curve begins or ends there; train them longer, to see one "
        "network overtake the other.",
    )


def unannealed() -> Note:
    return Note(
        "unannealed_checkpoints",
        "the curves are checkpoints of single runs, whose learning rate had not decayed: their losses are not those of "
        "runs that end there, which moves the envelope; trust finished runs (approaches 2 and 3) over it.",
    )


def few_curves(networks: int) -> Note:
    return Note(
        "few_curves",
        f"there are no intervals: resampling the curves of {networks} networks leaves too few of them; add networks "
        "between these.",
    )


def few_groups(count: int) -> Note | None:
    """A bootstrap of few groups knows their spread badly; ten is where cluster-robust practice begins to trust it."""
    if count >= 10:
        return None
    return Note(
        "few_groups",
        f"the runs belong to {count} groups that share a trajectory or a trunk: intervals from so few are too narrow; "
        "add independent runs.",
    )

"""What a trustworthy study of a scaling law states, line by line: met, missing, or not applicable here.

Compiled from what reviews of such studies found missing: Li et al. 2025 ((Mis)Fitting, arXiv 2502.18969), Choshen et
al. 2024 (arXiv 2410.11840), Besiroglu et al. 2024 (arXiv 2404.10102), Czech et al. 2026 (arXiv 2603.22339). A line says
what was seen, or what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from isoflop.conventions import FlopsConvention, LossUnit, ParamsConvention
from isoflop.quantities import format_flops, format_number, format_si
from isoflop.reports.axes import conventions_sentence
from isoflop.reports.evidence import Evidence
from isoflop.runs.columns import is_number


class State(StrEnum):
    MET = "met"
    MISSING = "missing"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Line:
    """One demand: ``asks`` what it is, ``state``, and ``says`` what was seen or what to do; without an ``essential``
    one no decision is shown in green."""

    asks: str
    state: State
    says: str
    essential: bool = False


_Answer = tuple[State, str]


def checklist(evidence: Evidence) -> tuple[Line, ...]:
    """Every line, in the order of a study: question, runs, fit, doubt, decision, record."""
    return tuple(Line(asks, *answer(evidence), answer in ESSENTIAL) for asks, answer in LINES)


def count(lines: Collection[Line], state: State) -> int:
    return sum(line.state is state for line in lines)


def _met(says: str) -> _Answer:
    return State.MET, says


def _missing(says: str) -> _Answer:
    return State.MISSING, says


def _span(low: float, high: float, form: str) -> str:
    """Both ends, or one where they read alike."""
    ends = dict.fromkeys((f"{low:{form}}", f"{high:{form}}"))
    return " to ".join(ends)


def _either(met: bool, says: str, otherwise: str) -> _Answer:
    return _met(says) if met else _missing(otherwise)


def _tolerance(e: Evidence) -> _Answer:
    if e.wanted.within is None:
        return _missing("how narrow N* has to be was not said beforehand; say it with --within 1.5.")
    plan, reason = e.seek("decision")
    if plan is None or plan.intervals is None:
        return _missing(reason or "the law has no intervals to hold against it.")
    ratio = plan.intervals.params[1] / plan.intervals.params[0]
    asked = f"N* at {format_flops(e.target)} within a ratio of {e.wanted.within:g}; its interval's is {ratio:.2f}"
    return _either(ratio <= e.wanted.within, asked, f"{asked}: make more runs (isoflop design --next).")


def _conventions(e: Evidence) -> _Answer:
    held = e.fitted.conventions
    unstated = [
        name
        for name, value, unknown in (
            ("params_convention", held.params, ParamsConvention.UNSTATED),
            ("flops_convention", held.flops, FlopsConvention.UNSTATED),
            ("loss_unit", held.loss, LossUnit.UNSTATED),
        )
        if value is unknown
    ]
    return _either(
        not unstated,
        conventions_sentence(e.runs),
        f"the table does not say {', '.join(unstated)}: add the column.",
    )


def _repetition(e: Evidence) -> _Answer:
    columns = e.fitted.columns
    unique = columns.get("unique_tokens")
    if unique is not None:  # a blank says that there is plenty
        epochs = np.nanmax(e.fitted.tokens / unique, initial=1.0) if is_number(unique) else 1.0
        return _met(f"epochs up to {epochs:.2g}")
    return _either("epochs" in columns, "epochs are in the table", "no column unique_tokens or epochs: add one.")


def _columns(names: tuple[str, ...], what: str) -> Callable[[Evidence], _Answer]:
    def answer(e: Evidence) -> _Answer:
        found = [name for name in names if name in e.fitted.columns]
        return _either(
            bool(found), f"in the table: {', '.join(found)}", f"the table does not say {what} ({', '.join(names)})."
        )

    return answer


def _all_runs(e: Evidence) -> _Answer:
    out = len(e.runs.dropped)
    if "state" in e.runs.columns or out:
        out += 0 if e.aside is None else len(e.aside)
        return _met(f"{len(e.runs)} runs and {out} left out, each with its reason")
    return _missing("the table holds finished runs only: keep those that failed or diverged, with a column state.")


def _seeds(e: Evidence) -> _Answer:
    if e.profiles.noise and "residuals" not in e.profiles.noise_source:
        return _met(f"noise between seeds {e.profiles.noise:.2g}, from {e.profiles.noise_source}")
    return _missing("no run was repeated with another seed: repeat a few, or give a column loss_noise.")


def _design(e: Evidence) -> _Answer:
    C, ratio = e.fitted.flops, e.fitted.tokens / e.fitted.params
    low, high = (format_number(end, 3) for end in (ratio.min(), ratio.max()))
    says = (
        f"C over {np.log10(C.max() / C.min()):.1f} decades, D/N {low} to {high}, "
        f"target {e.extrapolation:.3g} times the largest run"
    )
    one_ray = ratio.max() / ratio.min() < 1.5
    return _either(not one_ray, says, f"{says}: one ray in N and D says nothing of the split; vary D/N at each budget.")


def _objective(e: Evidence) -> _Answer:
    found = e.leading
    if found.objective is None or found.fitted is None:
        return _missing("no fit came out: see the verdict.")
    said = f"approach {found.approach}, {found.family}: sum of {found.objective.name} over {len(found.runs)} runs"
    return _met(said)


def _certificate(e: Evidence) -> _Answer:
    found = e.surface
    if found.starts is None or found.fitted is None:
        return _missing("the surface has no certificate: its fit was refused.")
    condition = format_number(found.conditioning, 2)
    said = f"{found.starts.agreeing_fraction:.0%} of {found.starts.tried} starts agree, condition {condition}"
    return _either(found.converged, f"converged; {said}", f"not converged; {said}")


def _outliers(e: Evidence) -> _Answer:
    chosen = e.provenance.get("rows chosen by", "")
    if not chosen:
        left = f"{len(e.runs.dropped)} rows, for what the table itself says of them" if e.runs.dropped else "none"
        return _met(f"left out: {left}")
    return _missing(
        f"rows were chosen by {chosen}; that this was fixed beforehand no table can show: say so beside it."
    )


def _uncertainty(e: Evidence) -> _Answer:
    found, (profiles, reason) = e.leading, e.seek("likelihood")
    if not found.draws_n:
        return _missing("no joint draws: the intervals are missing (--draws).")
    beside = "and profile likelihood" if profiles else f"but no profile likelihood: {reason}"
    said = f"{found.draws_n} joint draws, resampled by {found.drawn_by}, {beside}"
    return _either(bool(profiles), said, said)


def _residuals(e: Evidence) -> _Answer:
    found = e.surface
    if found.fitted is None:
        return _missing("there is no surface whose residuals could be shown.")
    codes = {note.code for note in found.verdict.notes} & {"lack_of_fit", "residual_trend", "outliers"}
    said = f"residual {found.residual:.2%}, drawn against N, D and C"
    return _either(
        not codes, f"{said}, none of the tests complains", f"{said}, but {', '.join(sorted(codes))}: see notes."
    )


def _held_out(e: Evidence) -> _Answer:
    found, reason = e.seek("backtest")
    if found is None:
        return _missing(reason)
    splits = e.comparable_splits
    hits = [split.hit_rate for split in splits]
    best, line = splits[-1].baselines.values()
    said = (
        f"split by compute up to {splits[-1].jump:g} times: error {splits[-1].relative_error:.2%} "
        f"(best so far {best:.2%}, line {line:.2%}), {_span(min(hits), max(hits), '.0%')} of runs inside intervals"
    )
    return _either(min(hits) >= e.wanted.level - 0.2, said, f"{said}: treat the intervals as too narrow.")


def _robustness(e: Evidence) -> _Answer:
    found, reason = e.seek("specification")
    if found is None:
        return _missing(reason)
    low, high = found.spread
    lawful = sum(row.params is not None for row in found.rows)
    said = f"N* over {lawful} of {len(found.rows)} specifications: {high / low:.2f} from least to most"
    return _either(high / low <= 2, said, f"{said}: quote the spread, not one specification's interval.")


def _answer(e: Evidence) -> _Answer:
    row, reason = e.seek("decision")
    if row is None or row.intervals is None:
        return _missing(reason or "the answer has no interval.")
    wasted = "" if row.intervals.wasted is None else f", at most {row.intervals.wasted:.1%} of the compute wasted"
    return _met(f"N* {' to '.join(map(format_si, row.intervals.params))} at {format_flops(e.target)}{wasted}")


def _agreement(e: Evidence) -> _Answer:
    exponents = {found.approach: found.allocation[0] for found in e.approaches.fits if found.allocation is not None}
    if not e.profiles.minima:
        return State.NOT_APPLICABLE, "no budget has three networks, so there are no profiles to agree with."
    if len(exponents) < 2:
        return _missing("only one approach gives an exponent: see the others' verdicts.")
    said = ", ".join(f"a {value:.3f} by approach {number}" for number, value in exponents.items())
    bias = e.approaches.bias
    if bias is not None:
        off = np.expm1(bias.shift)
        said += f"; parabolas are off by {_span(float(off.min()), float(off.max()), '+.1%')}"
    spread = max(exponents.values()) - min(exponents.values())
    return _either(spread <= 0.05, said, f"{said}: they differ by {spread:.3f}; find out why before quoting one.")


def _downstream(e: Evidence) -> _Answer:
    return State.NOT_APPLICABLE, "the runs are judged by their loss alone."


def _registered(e: Evidence) -> _Answer:
    if e.forecast is None:
        return _missing("no forecast was written down before a run that tests it.")
    tested = "untested so far" if e.outcome is None else "and tested once"
    return _met(f"written {e.forecast.made_at} from runs with digest {e.forecast.runs_digest[:12]}, {tested}")


def _record(e: Evidence) -> _Answer:
    said = f"digest {e.runs.digest()[:12]}, isoflop and its version, command and seed below"
    return _either(bool(e.provenance), said, "no provenance was given to this report.")


LINES: tuple[tuple[str, Callable[[Evidence], _Answer]], ...] = (
    ("A tolerance said before the runs were made", _tolerance),
    ("What N, C and the loss count", _conventions),
    ("Unique tokens and epochs", _repetition),
    ("Shape of the networks", _columns(("layers", "d_model", "heads", "kind"), "which networks they were")),
    (
        "Data and tokenizer",
        _columns(("tokenizer", "vocab", "corpus", "corpus_digest", "dataset"), "on what they were trained"),
    ),
    (
        "Learning rate, batch and schedule of each run",
        _columns(("learning_rate", "batch_tokens", "schedule", "warmup"), "how they were trained"),
    ),
    ("Every run, failed ones too", _all_runs),
    ("Noise between seeds", _seeds),
    ("A design that varies N, D and C", _design),
    ("Form and objective", _objective),
    ("A certificate of the minimum", _certificate),
    ("Outlier rules fixed beforehand", _outliers),
    ("Joint uncertainty, and profiles beside it", _uncertainty),
    ("Residuals without a pattern", _residuals),
    ("Held out by scale, beside simple rivals", _held_out),
    ("The answer under other defensible choices", _robustness),
    ("Agreement of approaches 1, 2 and 3", _agreement),
    ("The answer with its interval and what a miss wastes", _answer),
    ("Downstream tasks: signal, chance floor, joint error", _downstream),
    ("A forecast registered before its test", _registered),
    ("Data, versions, command, seed", _record),
)
ESSENTIAL = (_design, _certificate, _uncertainty, _residuals, _held_out, _robustness, _answer, _agreement)

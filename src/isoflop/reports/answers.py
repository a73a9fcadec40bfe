"""The five questions that a report answers before anything else, each in a sentence or two of plain text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from isoflop.fitting import Fit
from isoflop.fitting.result import Status
from isoflop.quantities import format_estimate, format_flops, format_level, format_si
from isoflop.reports.checklist import Line, State, count
from isoflop.reports.evidence import Evidence
from isoflop.reports.rounding import count_with_interval

NAMES = {1: "the envelope of training curves", 2: "isoFLOP profiles", 3: "a loss surface"}
NEAR = 0.5
"""Decades below the smallest run from which on it is one too."""
FAR = 2.0
"""Decades beyond the largest run from which on a forecast is a caution in itself."""


@dataclass(frozen=True)
class Answer:
    """``asks`` a question, ``says`` the answer, ``see`` the section that shows it."""

    asks: str
    says: str
    see: str


def status(evidence: Evidence, lines: tuple[Line, ...]) -> Status:
    """The light of the decision: that of the fit behind it, green only where nothing that matters most is missing."""
    found = evidence.leading.verdict.status
    wanting = any(line.essential and line.state is State.MISSING for line in lines)
    far = decades(evidence) > FAR or below(evidence) > NEAR
    return "caution" if found == "ok" and (wanting or far) else found


def decades(evidence: Evidence) -> float:
    return float(np.log10(evidence.extrapolation))


def below(evidence: Evidence) -> float:
    """Decades from the target up to the smallest run; negative where it lies above that."""
    return float(np.log10(evidence.fitted.flops.min() / evidence.target))


def _place(beyond: float, below: float) -> str:
    if beyond > 0:
        return f"{beyond:.1f} decades beyond the largest run"
    return f"{below:.1f} decades below the smallest run" if below > 0 else "within the runs' compute"


def decision_line(evidence: Evidence) -> str:
    """The decision in one line; where there is none, that there is none."""
    row, _ = evidence.seek("decision")
    if row is None:
        reasons = [note.message for note in evidence.leading.verdict.notes]
        why = evidence.leading.verdict.describe() if evidence.leading.fitted is None else "there is no plan"
        return f"No decision from {_count(len(evidence.fitted), 'run')}: {why}" + (f", {reasons[0]}" if reasons else "")
    held = row.intervals
    N = count_with_interval(row.params, held.params if held else None)
    D = count_with_interval(row.tokens, held.tokens if held else None)
    loss = "" if row.loss is None else f": loss {format_estimate(row.loss, held.loss if held else None)}"
    return f"At {format_flops(evidence.target)} FLOPs train {N} parameters on {D} tokens{loss}"


def answers(evidence: Evidence, lines: tuple[Line, ...]) -> tuple[Answer, ...]:
    return (
        Answer("What do I train?", _what(evidence), "decision"),
        Answer("How sure is that?", _how_sure(evidence), "extrapolation"),
        Answer("Why?", _why(evidence), "frontier"),
        Answer("What was excluded?", _excluded(evidence), "runs"),
        Answer("How would this be wrong?", _wrong(evidence, lines), "checklist"),
    )


def _what(evidence: Evidence) -> str:
    row, reason = evidence.seek("decision")
    if row is None:
        return f"These runs do not say: {reason}"
    ratio = f"{row.tokens_per_param:.3g} tokens a parameter"
    others = [f"{other.law} {other.tokens_per_param:.3g}" for other in evidence.plan.rows[1:]]
    return f"{decision_line(evidence)}; {ratio} (published laws there, as each counts N: {', '.join(others)})."


def _how_sure(evidence: Evidence) -> str:
    row, _ = evidence.seek("decision")
    if row is None:
        return "Not at all: there is no law."
    parts = []
    if row.intervals is None:
        parts.append("No interval is known (no draws).")
    else:
        low, high = row.intervals.params
        wasted = row.intervals.wasted
        level = format_level(evidence.wanted.level)
        cost = "" if wasted is None else f"; in {level} of draws this split wastes at most {wasted:.1%} of the compute"
        parts.append(f"Brackets are {level} intervals: N* is known to a ratio of {high / low:.3g}{cost}.")
    far = decades(evidence)
    parts.append(f"The budget is {_place(far, below(evidence))}.")
    found, reason = evidence.seek("backtest")
    if found is None:
        parts.append(f"No backtest: {reason}")
    else:
        split = evidence.comparable_splits[-1]
        parts.append(
            f"Asked {split.jump:g} times beyond runs up to {format_flops(split.fitted_up_to)} FLOPs, the same "
            f"procedure missed those above by {split.relative_error:.2%}, {split.hit_rate:.0%} of them inside their "
            "intervals."
        )
    return " ".join(parts)


def _why(evidence: Evidence) -> str:
    found = evidence.leading
    if found.allocation is None:
        return "No fit came out: " + "; ".join(note.message for note in found.verdict.notes[:2])
    others = [
        f"{_exponent(fit)} by {NAMES[fit.approach]}"
        for fit in evidence.approaches.fits
        if fit.allocation is not None and fit.approach != found.approach
    ]
    beside = f" ({'; '.join(others)})" if others else ""
    residual = "" if np.isnan(found.residual) else f", which leaves {found.residual:.2%} of the loss unexplained"
    name = NAMES[found.approach]
    said = f"{name[0].upper()}{name[1:]} through {len(found.runs)} runs{residual}"
    return f"{said}: N* ∝ C^{_exponent(found)}{beside}."


def _exponent(fit: Fit) -> str:
    assert fit.allocation is not None
    a, span = fit.allocation[0], fit.intervals.get("a")
    return f"{a:.2f}" if span is None else format_estimate(a, span)


def _excluded(evidence: Evidence) -> str:
    dropped = Counter(run.reason for run in evidence.runs.dropped)
    parts = [f"{_count(number, 'row')} because {reason}" for reason, number in dropped.most_common(3)]
    if rest := sum(dropped.values()) - sum(number for _, number in dropped.most_common(3)):
        parts.append(f"{_count(rest, 'row')} for other reasons")
    if chosen := evidence.provenance.get("rows chosen by"):
        left = "the rows that are not" if evidence.aside is None else f"{_count(len(evidence.aside), 'row')} not"
        parts.append(f"{left} among {chosen}")
    parts = parts or ["No row was left out"]
    aside = len(evidence.runs) - len(evidence.fitted)
    if aside:
        parts.append(f"{_count(aside, 'run')} shown and not fitted")
    refused = [found for found in evidence.profiles.minima if not found.interior]
    if refused:
        count = f"{len(refused)} of {len(evidence.profiles.minima)} profiles"
        parts.append(f"{count} have no minimum that can be trusted and are left out of approach 2")
    return "; ".join(parts) + "."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _wrong(evidence: Evidence, lines: tuple[Line, ...]) -> str:
    missing = count(lines, State.MISSING)
    grave = [f"“{line.asks}”" for line in lines if line.essential and line.state is State.MISSING]
    named = f", of those that matter most {', '.join(grave)}" if grave else ""
    parts = [f"{missing} of {len(lines)} lines of the checklist are missing{named}."]
    row, _ = evidence.seek("decision")
    if row is not None and decades(evidence) > 0:
        parts.append("No run shows that the form holds as far as the target.")
    counted, _ = evidence.seek("counting")
    if counted is not None:
        a = [one.a for one in counted]
        parts.append(f"Counting N otherwise moves a between {min(a):.2f} and {max(a):.2f}.")
    curve, _ = evidence.seek("specification")
    if curve is not None:
        parts.append(f"Other defensible choices put N* anywhere from {' to '.join(map(format_si, curve.spread))}.")
    if cautions := sum(note.cautions for note in evidence.leading.verdict.notes):
        parts.append(f"And the fit itself has {cautions} caution{'s' if cautions > 1 else ''}, below.")
    return " ".join(parts)

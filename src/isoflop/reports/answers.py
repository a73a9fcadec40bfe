"""The five questions that a report answers before anything else, each in a sentence or two of plain text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.fitting import Fit
from isoflop.fitting.result import Status
from isoflop.quantities import format_estimate, format_flops, format_si
from isoflop.reports.checklist import Line, State, count
from isoflop.reports.evidence import Evidence
from isoflop.reports.rounding import count_with_interval

NAMES = {1: "the envelope of training curves", 2: "isoFLOP profiles", 3: "a loss surface"}
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
    return "caution" if found == "ok" and (wanting or decades(evidence) > FAR) else found


def decades(evidence: Evidence) -> float:
    return float(np.log10(evidence.extrapolation))


def decision_line(evidence: Evidence) -> str:
    """The decision in one line; where there is none, that there is none."""
    row, _ = evidence.seek("decision")
    if row is None:
        return f"No decision from {len(evidence.fitted)} runs: {evidence.leading.verdict.describe()}"
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
    others = [f"{other.law} {other.comparable:.3g}" for other in evidence.plan.rows[1:]]
    return f"{decision_line(evidence)}; {ratio} (published laws at this budget: {', '.join(others)})."


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
        level = f"{evidence.wanted.level:.0%}"
        cost = "" if wasted is None else f"; in {level} of draws this split wastes at most {wasted:.1%} of the compute"
        parts.append(f"Brackets are {level} intervals: N* is known to a ratio of {high / low:.3g}{cost}.")
    far = decades(evidence)
    where = f"{far:.1f} decades beyond the largest run" if far > 0 else "within the runs' compute"
    parts.append(f"The budget is {where}.")
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
    dropped = evidence.runs.dropped
    parts = [f"{len(dropped)} rows have no usable loss, each with its reason" if dropped else "No row was left out"]
    if chosen := evidence.provenance.get("rows chosen by"):
        parts.append(f"rows were chosen by {chosen}")
    aside = len(evidence.runs) - len(evidence.fitted)
    if aside:
        parts.append(f"{aside} runs are shown and not fitted")
    refused = [found for found in evidence.profiles.minima if not found.interior]
    if refused:
        count = f"{len(refused)} of {len(evidence.profiles.minima)} profiles"
        parts.append(f"{count} have no minimum that can be trusted and are left out of approach 2")
    return "; ".join(parts) + "."


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

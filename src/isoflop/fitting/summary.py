"""A fit as text: verdict, evidence, numbers rounded by their intervals, then what to be careful about."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from isoflop.quantities import format_estimate, format_flops, format_level, format_si

if TYPE_CHECKING:
    from isoflop.fitting.result import Fit, Minimum, Note

WIDTH = 100
TITLES = {
    1: "approach 1, envelope of training curves",
    2: "approach 2, isoFLOP profiles",
    3: "approach 3, loss surface",
}


def summarise(fit: Fit) -> str:
    """The whole summary, without a trailing newline."""
    lines = [f"{fit.family.capitalize()} fit ({TITLES[fit.approach]}): {fit.verdict.describe()}", *_evidence(fit)]
    if fit.fitted is not None:
        lines += _numbers(fit) + _minima(fit)
        if fit.draws_n:
            lines.append(f"  intervals hold {format_level(fit.level)} of {fit.draws_n} {_drawn(fit)}")
    lines += [_wrapped(f"  {_word(fit, note)}  ", note.message) for note in fit.verdict.notes]
    return "\n".join(lines)


def _word(fit: Fit, note: Note) -> str:
    if fit.verdict.status == "refused":
        return "refused"
    return "caution" if note.cautions else "note   "


def _wrapped(label: str, sentence: str) -> str:
    return textwrap.fill(sentence, WIDTH, initial_indent=label, subsequent_indent=" " * len(label))


def _evidence(fit: Fit) -> list[str]:
    runs = fit.runs
    if not len(runs):
        return []
    span = f"{len(runs)} runs, C {format_flops(runs.flops.min())} to {format_flops(runs.flops.max())}"
    kind = "overtakings" if fit.approach == 1 else "budgets"
    budgets = f", {len(fit.minima)} {kind}" if fit.minima else ""
    rows = f"{len(runs.dropped)} row{'s' if len(runs.dropped) > 1 else ''}"
    dropped = f" · {rows} left out" if runs.dropped else ""
    lines = [f"  {span}{budgets}{dropped} · {runs.conventions.describe()}"]
    if fit.objective is not None and fit.fitted is not None:
        value = f"{fit.objective.value:.6g}" if fit.approach == 3 else ""
        noise = f" · noise between seeds {fit.noise:.3g}, from {fit.noise_source}" if fit.noise else ""
        residual = "" if np.isnan(fit.residual) else f" · residual {fit.residual:.2%}"
        lines.append(f"  objective: sum of {fit.objective.name} {value}".rstrip() + f"{residual}{noise}")
    if fit.approach == 3 and fit.starts is not None:
        agreed = f"{fit.starts.agreeing_fraction:.0%} of {fit.starts.tried} starts agree"
        lines.append(f"  {'converged' if fit.converged else 'NOT converged'}: {agreed}")
    return lines


def _numbers(fit: Fit) -> list[str]:
    """A line per coefficient, the allocation exponents first: they are what a fit is made for."""
    a, b = fit.allocation or (None, None)
    values = {"a": a, "b": b, **fit.law.coefficients}
    meanings = {"a": "N* ∝ C^a", "b": "D* ∝ C^b", "gamma": "L* - E ∝ C^-gamma", "P": "pivot of the next, fixed"}
    known = {name: span for name, span in fit.intervals.items() if name != "P"}
    return [
        f"  {name:<6} {format_estimate(value, known.get(name)):<26} {meanings.get(name, '')}".rstrip()
        for name, value in values.items()
        if value is not None
    ]


def _minima(fit: Fit) -> list[str]:
    if not fit.minima:
        return []
    header = f"  {'budget':<9}{'N*':<24}{'D*':<24}loss"
    return [header.rstrip(), *(_minimum(found) for found in fit.minima)]


def _minimum(found: Minimum) -> str:
    if not found.interior:
        return f"  {format_flops(found.flops):<9}no minimum: {found.reason}"
    N, D = format_si(found.params_opt), format_si(found.tokens_opt)
    L = format_estimate(found.loss_min, found.loss_interval)
    if found.params_interval and found.tokens_interval:
        N += f" [{', '.join(map(format_si, found.params_interval))}]"
        D += f" [{', '.join(map(format_si, found.tokens_interval))}]"
    return f"  {format_flops(found.flops):<9}{N:<24}{D:<24}{L}".rstrip()


def _drawn(fit: Fit) -> str:
    drawn = {1: "bootstrap draws by curve", 2: "tables redrawn with the noise between seeds"}
    return drawn.get(fit.approach, f"bootstrap draws by {fit.drawn_by}")

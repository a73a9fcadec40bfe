"""What a notebook shows of a fit, a law, a plan and a table of runs: HTML with the verdict first, and figures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import UnknownName, UsageError
from isoflop.fitting import Approaches, Fit
from isoflop.fitting.approaches import NAMES
from isoflop.fitting.summary import TITLES
from isoflop.laws import Law
from isoflop.planning import Plan
from isoflop.planning.text import Sheet
from isoflop.quantities import format_estimate, format_flops, format_si, format_value, read_flops
from isoflop.reports.drawings import DRAWINGS
from isoflop.reports.evidence import Evidence, Wanted, gather
from isoflop.reports.figures import Figure
from isoflop.reports.figures.split import plan_figure, split_figure
from isoflop.reports.painting import shown
from isoflop.reports.palette import Scheme
from isoflop.reports.tables import coefficient_table, minima_table, run_rows, table
from isoflop.runs import Runs

FIRST_ROWS = 8
# Green, amber and red that can be told from white paper and from a dark notebook alike; the words say it too.
LIGHTS = {"ok": "#2a9463", "caution": "#b27600", "refused": "#d1453b"}
# A notebook's own colours are kept; rules are grey half seen through, which shows on either ground.
STYLE = """<style>
.isoflop-shown { max-width: 56em; line-height: 1.45 }
.isoflop-shown table { border-collapse: collapse; margin: .6em 0 }
.isoflop-shown caption { text-align: left; opacity: .75 }
.isoflop-shown th, .isoflop-shown td {
  padding: .15em .7em; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, .35); background: none
}
.isoflop-shown .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.isoflop-shown div { overflow-x: auto }
.isoflop-shown p, .isoflop-shown ul { margin: .3em 0 }
</style>"""
SAYS_MOST = {1: "loss", 2: "isoflop", 3: "contours"}


def plot(shown_of: Any, name: str | None, target: str | float | None, scheme: Scheme) -> go.Figure:
    """The figure of that name, or the one that says most, of a fit, a law, a plan or a table."""
    flops = None if target is None else read_flops(target).value
    return go.Figure(shown(_drawn(shown_of, name, flops), scheme))


@singledispatch
def _drawn(of: Any, name: str | None, target: float | None) -> Figure:
    raise TypeError(f"no figure is known of a {type(of).__name__}")


@_drawn.register
def _(of: Fit, name: str | None, target: float | None) -> Figure:
    known = {{1: "envelope", 2: "profiles", 3: "surface"}[of.approach]: of}
    return _named(name or SAYS_MOST[of.approach], _evidence(of, target, known))


@_drawn.register
def _(of: Approaches, name: str | None, target: float | None) -> Figure:
    known = {"envelope": of.envelope, "profiles": of.profiles, "surface": of.surface}
    return _named(name or SAYS_MOST[of.leading.approach], _evidence(of.surface, target, known))


@_drawn.register
def _(of: Runs, name: str | None, target: float | None) -> Figure:
    return _named(name or "isoflop", gather(of, Wanted(target=target)))


@_drawn.register
def _(of: Law, name: str | None, target: float | None) -> Figure:
    _only("split", name)
    return split_figure(of, target)


@_drawn.register
def _(of: Plan, name: str | None, target: float | None) -> Figure:
    _only("plan", name)
    if target is not None:
        raise UsageError("a plan has its budget; make another for another.")
    return plan_figure(of)


def _evidence(of: Fit, target: float | None, known: dict[str, Fit]) -> Evidence:
    """What else these runs say, worked out only as far as a figure asks for it."""
    surface = known.get("surface")
    family = surface.law.family if surface is not None and surface.fitted is not None else Wanted().family
    wanted = Wanted(family=family, target=target, draws=of.draws_n, level=of.level)
    return Evidence(of.runs.source, of.runs, of.runs, wanted, known=known)


def _named(name: str, evidence: Evidence) -> Figure:
    if name not in DRAWINGS:
        raise UnknownName.among("figure", name, DRAWINGS)
    return DRAWINGS[name].draw(evidence)


def _only(there: str, name: str | None) -> None:
    if name not in (None, there):
        raise UnknownName.among("figure", str(name), [there])


@singledispatch
def as_html(of: Any) -> str:
    """What a notebook shows: escaped, in the notebook's own colours.

    >>> import isoflop as iso
    >>> "<sub>" in as_html(iso.law("besiroglu2024")), "<script" in as_html(iso.plan("besiroglu2024", 1e24))
    (False, False)
    """
    raise TypeError(f"no HTML is known of a {type(of).__name__}")


@as_html.register
def _(of: Fit) -> str:
    runs = of.runs
    parts = [_verdict(of)]
    if len(runs):
        span = f"{len(runs):,} runs, C {format_flops(runs.flops.min())} to {format_flops(runs.flops.max())}"
        dropped = f" · {len(runs.dropped):,} left out" if runs.dropped else ""
        parts.append(_line(f"{span}{dropped} · {runs.conventions.describe()}"))
    if of.fitted is not None:
        parts.append(coefficient_table(of))
    if of.minima:
        parts.append(minima_table(of))
    return _framed(*parts, _notes(note.message for note in of.verdict.notes))


@as_html.register
def _(of: Approaches) -> str:
    rows = []
    for fit in of.fits:
        a, b = (None, None) if fit.allocation is None else fit.allocation
        cells = ["–" if x is None else format_estimate(x, fit.intervals.get(name)) for name, x in (("a", a), ("b", b))]
        rows.append((f"{fit.approach}, {NAMES[fit.approach]}", fit.verdict.describe(), *cells))
    header = ("approach", "verdict", "exponent a", "exponent b")
    found = of.bias
    bias = "" if found is None else _line(found.describe())
    return _framed(table("N* ∝ C^a, D* ∝ C^b", header, rows, texts=2), bias, as_html(of.leading))


@as_html.register
def _(of: Law) -> str:
    meanings = {one.name: one.meaning for one in of.family.coefficients}
    rows = [(name, meanings.get(name, ""), _constant(of, name, value)) for name, value in of.coefficients.items()]
    spans = {name: span for name, span in vars(of.fitted_range).items() if span is not None}
    fitted = ", ".join(f"{name} {format_si(low)} to {format_si(high)}" for name, (low, high) in spans.items())
    source = ", ".join(filter(None, (of.source.title, of.source.where)))
    facts = [of.conventions.describe(), f"fitted on {fitted}" if fitted else "", f"source: {source}" if source else ""]
    head = f"<p><strong>{escape(of.title or of.id)}</strong> ({escape(of.id)})</p>"
    body = table(of.family.formula, ("coefficient", "meaning", "value"), rows, texts=2, symbols=True)
    return _framed(head, body, *(_line(fact) for fact in facts if fact), _notes(of.caveats))


@as_html.register
def _(of: Plan) -> str:
    return _framed(*(_sheet(sheet) for sheet in of.sheets()))


@as_html.register
def _(of: Runs) -> str:
    head = of.take(np.arange(min(FIRST_ROWS, len(of))))
    header, texts, rows = run_rows(head)
    some = f"The first {FIRST_ROWS} of {len(of):,} runs" if len(of) > FIRST_ROWS else f"{len(of)} runs"
    dropped = _notes(f"row {one.row} left out: {one.reason}" for one in of.dropped[:FIRST_ROWS])
    more = len(of.dropped) - FIRST_ROWS
    said = _line(of.conventions.describe()) + dropped + (_line(f"and {more:,} more left out") if more > 0 else "")
    return _framed(f"<p><strong>{escape(of.source)}</strong></p>", table(some, header, rows, texts=texts), said)


def _verdict(fit: Fit) -> str:
    """What the fit is and whether it may be used: a light, and the same in words."""
    light = f'<span style="color:{LIGHTS[fit.verdict.status]}" aria-hidden="true">●</span>'
    name = f"{fit.family.capitalize()} fit ({TITLES[fit.approach]})"
    return f"<p>{light} <strong>{escape(name)}: {escape(fit.verdict.describe())}</strong></p>"


def _constant(law: Law, name: str, value: float) -> str:
    """A coefficient rounded by the spread of its draws, or as it was printed."""
    if law.draws is None or name not in law.draws:
        return f"{value:.6g}"
    low, high = np.quantile(law.draws[name], [0.05, 0.95])
    return format_value(value, (float(low), float(high)) if low < high else None)


def _sheet(sheet: Sheet) -> str:
    """A part of a plan as it is laid out in text: title, table, notes."""
    width = max((len(line) for line in (sheet.header, *sheet.lines)), default=0)
    rows = [(*line, *[""] * (width - len(line))) for line in sheet.lines]
    header = (*sheet.header, *[""] * (width - len(sheet.header)))
    title = f"<p><strong>{escape(sheet.title)}</strong></p>" if sheet.title else ""
    return title + (table("", header, rows) if rows else "") + _notes(sheet.notes)


def _notes(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _line(sentence: str) -> str:
    return f"<p>{escape(sentence)}</p>"


def _framed(*parts: str) -> str:
    return f'{STYLE}<div class="isoflop-shown">{"".join(parts)}</div>'

"""The exponent a under several ways of counting N."""

from __future__ import annotations

from isoflop.conventions import describe
from isoflop.fitting import CountingRow
from isoflop.quantities import format_estimate
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure
from isoflop.reports.prose import PUBLISHED_EXPONENTS


def exponents_figure(rows: tuple[CountingRow, ...]) -> Figure:
    """The exponent a under each way of counting N, with its interval, beside what others published."""
    a, spans = [row.a for row in rows], [row.a_interval for row in rows]
    hover = [f"a = {format_estimate(*pair)}" for pair in zip(a, spans, strict=True)]
    ours = marks.points(a, [describe(row.convention) for row in rows], marks.marker("diamond", "@law", 10), hover)
    ours["error_x"] = marks.error_bar(a, spans, "@law")
    sources = PUBLISHED_EXPONENTS
    hover = [source.quoted for source in sources]
    marker = marks.marker("diamond-open", "@muted", 10)
    theirs = marks.points([source.a for source in sources], [source.name for source in sources], marker, hover)
    x = {"title": {"text": "exponent a of N* ∝ C<sup>a</sup>"}}
    return {"data": [ours, theirs], "layout": {"xaxis": x, "yaxis": marks.names_axis([*ours["y"], *theirs["y"]])}}

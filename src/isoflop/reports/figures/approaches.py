"""The exponent a by three approaches to the same runs, beside what others printed."""

from __future__ import annotations

from collections.abc import Sequence

from isoflop.fitting import Approaches
from isoflop.fitting.approaches import NAMES
from isoflop.quantities import format_estimate
from isoflop.reports.figures import marks
from isoflop.reports.figures.marks import Figure
from isoflop.reports.prose import PUBLISHED_EXPONENTS, PublishedExponent


def approaches_figure(approaches: Approaches, published: Sequence[PublishedExponent] = PUBLISHED_EXPONENTS) -> Figure:
    """The exponent a by the envelope, the profiles and the surface, with intervals, above printed exponents.

    An approach that was refused keeps its row and says so.
    """
    names = [f"{found.approach} {NAMES[found.approach]}" for found in approaches.fits]
    data = []
    for name, found in zip(names, approaches.fits, strict=True):
        if found.allocation is None:
            continue
        a, span = found.allocation[0], found.intervals.get("a")
        hover = f"approach {name}<br>a = {format_estimate(a, span)}: {found.verdict.describe()}"
        marker = marks.marker("diamond", "@law", 10)
        data.append(marks.points([a], [name], marker, [hover]) | {"error_x": marks.error_bar([a], [span], "@law")})
    theirs = [source.name for source in published]
    marker = marks.marker("diamond-open", "@muted", 10)
    quoted = [source.quoted for source in published]
    data.append(marks.points([source.a for source in published], theirs, marker, quoted))
    refused = [
        {"text": "refused", "x": 0.02, "xref": "paper", "xanchor": "left", "y": name, "showarrow": False}
        | {"font": {"color": "@refused", "size": 12}}
        for name, found in zip(names, approaches.fits, strict=True)
        if found.allocation is None
    ]
    x = {"title": {"text": "exponent a of N* ∝ C<sup>a</sup>"}}
    return {
        "data": data,
        "layout": {"xaxis": x, "yaxis": marks.names_axis([*names, *theirs]), "annotations": refused},
    }

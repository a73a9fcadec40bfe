"""A section of the report, and how a figure stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from isoflop.errors import IsoflopError
from isoflop.reports.drawings import DRAWINGS
from isoflop.reports.evidence import Evidence
from isoflop.reports.figures import Figure
from isoflop.reports.svg import figure_svg
from isoflop.reports.typeset import typeset

WITHOUT_SCRIPT = "<noscript><p>This figure is drawn by JavaScript; its numbers are in the tables.</p></noscript>"


@dataclass(frozen=True)
class Section:
    """A heading, the HTML under it, and the figures that the HTML leaves room for, by element id."""

    id: str
    heading: str
    body: str
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Room:
    """A figure by its name among DRAWINGS: what it shows to those who cannot see it, and what is said under it."""

    name: str
    label: str
    caption: str = ""
    kind: str = ""
    drawn_still: bool = False
    """Whether the page holds a static picture of it too, for a reader without JavaScript."""


def shown(evidence: Evidence, rooms: tuple[Room, ...]) -> tuple[str, dict[str, Figure]]:
    """The HTML of figures side by side and the figures; of one that cannot be drawn, why."""
    parts, drawn = [], {}
    for room in rooms:
        try:
            drawn[room.name] = DRAWINGS[room.name].draw(evidence)
        except IsoflopError as error:
            parts.append(absent(f"{DRAWINGS[room.name].title}: {error}"))
        else:
            parts.append(_framed(room, drawn[room.name]))
    body = "".join(parts)
    return (f'<div class="pair">{body}</div>' if len(drawn) > 1 else body), drawn


def _framed(room: Room, figure: Figure) -> str:
    """Room for a figure, what it shows for those who cannot see it, and what stands there without JavaScript."""
    said = f"<figcaption>{typeset(room.caption)}</figcaption>" if room.caption else ""
    plot = f'<div class="plot" id="figure-{room.name}" role="group" aria-label="{escape(room.label)}"></div>'
    still = f"<noscript>{figure_svg(figure, room.label)}</noscript>" if room.drawn_still else WITHOUT_SCRIPT
    return f'<figure class="{room.kind}">{plot}{still}{said}</figure>'


def absent(reason: str) -> str:
    """What stands where these runs cannot carry a part."""
    return f'<p class="absent">Not here: {escape(reason)}</p>'


def quiet(text: str) -> str:
    return f'<p class="quiet">{escape(text)}</p>' if text else ""

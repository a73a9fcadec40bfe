"""What lies over or under the traces: shaded parts, rules, words with or without an arrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Transform, blended_transform_factory

from isoflop.reports.printed.axes import POINTS_PER_PIXEL, Axis, refuse_unknown
from isoflop.reports.printed.colours import rgba
from isoflop.reports.printed.text import mathtext
from isoflop.reports.printed.ticks import Roles
from isoflop.reports.printed.traces import DASHES, Pane

Given = Mapping[str, Any]
BELOW, ABOVE = 0.8, 4.0
SHAPE = {"type", "xref", "yref", "x0", "x1", "y0", "y1", "fillcolor", "line", "layer", "opacity", "name"}
ANNOTATION = {"x", "y", "xref", "yref", "text", "showarrow", "ax", "ay", "arrowhead", "arrowcolor", "arrowwidth"}
ANNOTATION |= {
    "font",
    "xanchor",
    "yanchor",
    "align",
    "bgcolor",
    "textangle",
    "xshift",
    "yshift",
    "opacity",
    "borderpad",
}
ANNOTATION |= {"standoff", "name", "captureevents", "hovertext"}
Find = Callable[[str], Pane]
"""The pane on which an axis, "x2", is drawn."""


def draw_shape(shape: Given, find: Find, whole: Axes) -> None:
    """Draw a rectangle or a line; ``whole`` is the room of all panes, which is "paper" to plotly."""
    refuse_unknown("a shape", shape, SHAPE)
    refs = [shape.get(f"{letter}ref", letter) for letter in ("x", "y")]
    home, transform = _place(refs[0], refs[1], find, whole)
    within = not any(map(_is_share, refs))
    x = _ends(refs[0], (shape["x0"], shape["x1"]), find, cut=not within)
    y = _ends(refs[1], (shape["y0"], shape["y1"]), find, cut=not within)
    if x is None or y is None:
        return
    (x0, x1), (y0, y1) = x, y
    line, opacity = shape.get("line", {}), shape.get("opacity", 1.0)
    style: dict[str, Any] = {
        "linewidth": line.get("width", 2) * POINTS_PER_PIXEL, "linestyle": DASHES[line.get("dash", "solid")],
        "transform": transform, "zorder": BELOW if shape.get("layer") == "below" else ABOVE, "clip_on": within,
    }  # fmt: skip
    edge = rgba(line.get("color", "#444"), opacity)
    if shape["type"] == "line":
        home.add_artist(Line2D([x0, x1], [y0, y1], color=edge, **style))
    elif shape["type"] == "rect":
        face = rgba(shape["fillcolor"], opacity) if "fillcolor" in shape else "none"
        style |= {"facecolor": face, "edgecolor": edge if style["linewidth"] else "none"}
        home.add_artist(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
    else:
        raise ValueError(f"a shape of type {shape['type']} cannot be drawn on paper.")


def draw_annotation(note: Given, find: Find, whole: Axes, roles: Roles) -> None:
    """Write words at a place, with an arrow to it where the figure asks for one."""
    refuse_unknown("an annotation", note, ANNOTATION)
    refs = [note.get(f"{letter}ref", letter) for letter in ("x", "y")]
    home, transform = _place(refs[0], refs[1], find, whole)
    x, y = (_annotated(ref, note[letter], find) for ref, letter in zip(refs, ("x", "y"), strict=True))
    arrow = note.get("showarrow", True)
    shift = (note.get("ax", -10), -note.get("ay", -30)) if arrow else (note.get("xshift", 0), note.get("yshift", 0))
    right, up = (part * POINTS_PER_PIXEL for part in shift)
    font, opacity = note.get("font", {}), note.get("opacity", 1.0)
    pointing = {
        "arrowstyle": "-|>" if note.get("arrowhead", 1) else "-", "shrinkA": 0, "shrinkB": note.get("standoff", 2),
        "color": rgba(note.get("arrowcolor", font.get("color", roles["muted"])), opacity), "mutation_scale": 5,
        "linewidth": note.get("arrowwidth", 1) * POINTS_PER_PIXEL,
    }  # fmt: skip
    ground = {"facecolor": rgba(note["bgcolor"]), "edgecolor": "none", "pad": 1} if "bgcolor" in note else None
    home.annotate(
        mathtext(note["text"]), (x, y), xytext=(right, up), textcoords="offset points",
        xycoords=transform, ha=_anchor(note, "x", arrow), va=_anchor(note, "y", arrow), annotation_clip=False,
        color=rgba(font.get("color", roles["muted"]), opacity), fontsize=font.get("size", 13) * POINTS_PER_PIXEL,
        rotation=-note.get("textangle", 0), multialignment=note.get("align", "center"), bbox=ground, zorder=ABOVE + 1,
        arrowprops=pointing if arrow else None, rotation_mode="default",
    )  # fmt: skip


def _place(xref: str, yref: str, find: Find, whole: Axes) -> tuple[Axes, Transform]:
    """The axes that something belongs to, and what takes its two values to the page."""
    homes = [None if ref == "paper" else find(ref.split()[0]).axes for ref in (xref, yref)]
    along = [
        whole.transAxes if home is None else home.transAxes if ref.endswith("domain") else home.transData
        for home, ref in zip(homes, (xref, yref), strict=True)
    ]
    return homes[0] or homes[1] or whole, blended_transform_factory(*along)


def _is_share(ref: str) -> bool:
    """Whether a place is a share of the panes' room or of a pane, and not a value of an axis."""
    return ref == "paper" or ref.endswith("domain")


def _ends(ref: str, values: tuple[Any, Any], find: Find, cut: bool) -> tuple[float, float] | None:
    """From where to where a shape reaches along one axis, ``cut`` to what that shows; None where it shows nothing."""
    if _is_share(ref):
        return float(values[0]), float(values[1])
    axis = _axis(find(ref), ref)
    at, (low, high) = axis.place(values), sorted(axis.span)
    if cut and (at.max() < low or at.min() > high):
        return None
    start, end = np.clip(at, low, high).tolist() if cut else at.tolist()
    return start, end


def _axis(pane: Pane, ref: str) -> Axis:
    return pane.x if ref.startswith("x") else pane.y


def _annotated(ref: str, value: Any, find: Find) -> float:
    """Where a note stands: unlike a shape's, its place on a logarithmic axis is an exponent."""
    if _is_share(ref):
        return float(value)
    axis = _axis(find(ref), ref)
    return float(10.0**value) if axis.is_log else float(axis.place([value])[0])


def _anchor(note: Given, letter: str, arrow: bool) -> str:
    """Which side of the words is at their place; by itself the middle, or on the page's own scale the nearest side."""
    names = {"x": ("left", "center", "right"), "y": ("bottom", "middle", "top")}[letter]
    given = note.get(f"{letter}anchor", "auto")
    if given == "auto":
        nearest = "paper" in note.get(f"{letter}ref", letter) and not arrow
        given = names[(note[letter] > 1 / 3) + (note[letter] > 2 / 3)] if nearest else names[1]
    return "center" if given == "middle" else str(given)

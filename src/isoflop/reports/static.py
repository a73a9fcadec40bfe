"""Figures for papers: SVG, PDF or PNG at the width of a column, drawn by matplotlib from the figures of the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.reports.palette import Scheme

FORMS = ("svg", "pdf", "png")
COLUMN_MM, PAGE_MM = 84.0, 174.0
"""The usual widths of one column of print and of two."""
HIGHEST, PANE = 0.68, 0.8
"""Height over width of a figure, and of one pane of several."""


def static_form(path: Path) -> str:
    """The form that a file's name asks for; UsageError for one that is not drawn.

    >>> static_form(Path("figure1.PDF"))
    'pdf'
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise UsageError(f"cannot draw a figure as {path.name}: give a name that ends in .svg, .pdf or .png.")
    return form


def save_static(
    figure: Mapping[str, Any],
    path: Path | str,
    *,
    width_mm: float | None = None,
    height_mm: float | None = None,
    scheme: Scheme = "light",
) -> None:
    """Draw a figure of ``isoflop.reports.figures`` to scale, as the form that the path ends in.

    Without sizes it is as wide as a column of print (84 mm), or as a page (174 mm) where it has panes side by side.
    Text stays text, in letters of 7 points, and one figure always gives the same bytes. UsageError without matplotlib,
    for another form, or for a sheet too small; ValueError for a part of a figure that would be left out.

    >>> import tempfile
    >>> point = {"type": "scatter", "x": [1, 2], "y": [3, 4], "mode": "markers", "marker": {"color": "@law"}}
    >>> path = Path(tempfile.mkdtemp()) / "point.svg"
    >>> save_static({"data": [point], "layout": {"xaxis": {"title": {"text": "N"}}}}, path)
    >>> ">N</text>" in path.read_text()
    True
    """
    path = Path(path)
    form = static_form(path)
    width, height = sheet_size(figure, width_mm, height_mm)
    write_atomic(path, _printed(figure, width, height, scheme, form))


def sheet_size(figure: Mapping[str, Any], width_mm: float | None, height_mm: float | None) -> tuple[float, float]:
    """Width and height in mm: those asked for, or those that suit the figure.

    >>> sheet_size({"data": [], "layout": {}}, 100, None)
    (100, 68.0)
    """
    for name, size in (("width", width_mm), ("height", height_mm)):
        if size is not None and not 0 < size <= 2000:
            raise UsageError(f"a {name} of {size:g} mm is no size of a figure; a column is 84 mm wide, a page 174.")
    beside, stacked = (_places(figure, letter) for letter in ("xaxis", "yaxis"))
    width = width_mm or (PAGE_MM if beside > 1 else COLUMN_MM)
    return width, height_mm or width * (min(HIGHEST, PANE * stacked / beside) if beside > 1 else HIGHEST)


def _places(figure: Mapping[str, Any], kind: str) -> int:
    """How many panes stand beside one another along the axes of a kind."""
    axes = [axis for key, axis in figure.get("layout", {}).items() if key.startswith(kind)]
    return len({tuple(axis.get("domain", (0, 1))) for axis in axes})


def _printed(figure: Mapping[str, Any], width: float, height: float, scheme: Scheme, form: str) -> bytes:
    try:
        from isoflop.reports.printed import printed
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise UsageError(
            "drawing a figure for print needs matplotlib, which is not here; install isoflop[plot]."
        ) from None
    return printed(figure, width, height, scheme, form)

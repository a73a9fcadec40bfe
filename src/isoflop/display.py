"""How a fit, a law, a plan and a table of runs show themselves in a notebook.

The drawing lives in ``isoflop.reports``, which knows of all of them; none of them knows of it. This class hands over at
the moment of showing, so that importing isoflop loads no Plotly and a program that shows nothing never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Displayed:
    """Something that Jupyter, marimo and VS Code show as HTML, and that can draw itself."""

    def plot(
        self,
        figure: str | None = None,
        *,
        target: str | float | None = None,
        scheme: Literal["light", "dark"] = "light",
    ) -> go.Figure:
        """A figure as a Plotly figure, which shows itself in a notebook: the one that says most, or one by its name.

        The names are those of ``isoflop plot --list``; a law and a plan have one figure each. ``target`` is a budget
        to draw to, as "1e24". UnknownName for a figure that there is not, DataError where there is nothing to draw it
        from.

        >>> import isoflop as iso
        >>> figure = iso.law("besiroglu2024").plot(target="1e24")
        >>> figure.layout.xaxis.title.text
        'training compute C (FLOPs)'
        """
        return _notebook().plot(self, figure, target, scheme)

    def _repr_html_(self) -> str:
        return str(_notebook().as_html(self))


def _notebook() -> Any:
    # By its name: an import statement would close a circle through the whole package.
    return import_module("isoflop.reports.notebook")

"""A figure as plotly shows it without the page: painted, with the axes and letters of the house."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoflop.reports.palette import Scheme, painted

AXIS: Mapping[str, Any] = {
    "gridcolor": "@rule", "linecolor": "@muted", "tickcolor": "@muted", "ticks": "outside", "ticklen": 4,
    "showline": True, "zeroline": False, "automargin": True, "title": {"standoff": 8, "font": {"size": 13}},
}  # fmt: skip
# What draw.js gives a figure on the page, but for a ground of its own: a notebook may be dark.
HOUSE = {
    "paper_bgcolor": "@paper", "plot_bgcolor": "@paper", "showlegend": False, "hovermode": "closest",
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@muted"},
    "hoverlabel": {"bgcolor": "@paper", "bordercolor": "@muted", "font": {"color": "@ink"}, "align": "left"},
    "margin": {"l": 8, "r": 12, "t": 12, "b": 8}, "template": {},
}  # fmt: skip


def shown(figure: Mapping[str, Any], scheme: Scheme = "light") -> dict[str, Any]:
    """The figure as a whole plotly figure, {"data", "layout"}, with colours for its roles; a slider as plotly's own.

    >>> whole = shown({"data": [{"x": [1], "y": [2], "line": {"color": "@ink"}}], "layout": {}})
    >>> whole["data"][0]["line"]["color"], whole["layout"]["xaxis"]["ticks"]
    ('#1d2129', 'outside')
    """
    layout = {"xaxis": {}, "yaxis": {}, **figure.get("layout", {})}
    dressed = {key: _axis(given) if key[1:5] == "axis" else given for key, given in layout.items()}
    sliders = {"sliders": [_slider(figure["slider"])]} if "slider" in figure else {}
    whole: dict[str, Any] = painted({"data": figure["data"], "layout": HOUSE | dressed | sliders}, scheme)
    return whole


def _axis(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**AXIS, **given, "title": {**AXIS["title"], **given.get("title", {})}}


def _slider(slider: Mapping[str, Any]) -> dict[str, Any]:
    """The slider of a figure as plotly has them: each step gives some traces new coordinates."""
    return {
        "active": slider["at"],
        "currentvalue": {"prefix": "", "font": {"color": "@ink"}},
        "pad": {"t": 50},
        "font": {"color": "rgba(0, 0, 0, 0)"},  # of the steps, whose words are too long to stand beside one another
        "steps": [
            {"label": step["text"], "method": "restyle", "args": _restyled(step["restyle"])} for step in slider["steps"]
        ],
    }


def _restyled(traces: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    keys = sorted({key for changed in traces.values() for key in changed})
    return [{key: [changed[key] for changed in traces.values()] for key in keys}, [int(trace) for trace in traces]]

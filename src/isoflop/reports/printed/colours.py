"""Colours as plotly writes them, as matplotlib takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from numpy.typing import NDArray

Rgba = tuple[float, float, float, float]
CSS = re.compile(r"rgba?\(([^)]*)\)")


def rgba(colour: str, opacity: float = 1.0) -> Rgba:
    """A colour as red, green, blue and opacity between 0 and 1.

    >>> rgba("rgba(255, 0, 51, 0.5)")
    (1.0, 0.0, 0.2, 0.5)
    """
    found = CSS.fullmatch(colour)
    if found is None:
        red, green, blue, alpha = to_rgba(colour)
    else:
        numbers = [float(part) for part in found[1].split(",")]
        red, green, blue = (part / 255 for part in numbers[:3])
        alpha = numbers[3] if len(numbers) > 3 else 1.0
    return red, green, blue, alpha * opacity


def scale_of(given: Mapping[str, Any]) -> Colormap:
    """The scale of colours, [[0, colour], ..., [1, colour]], of a trace or its markers."""
    scale = [(float(at), rgba(colour)) for at, colour in given["colorscale"]]
    if given.get("reversescale"):
        scale = [(1 - at, colour) for at, colour in scale[::-1]]
    return LinearSegmentedColormap.from_list("scale", scale, N=1024)


def normed(values: NDArray[np.float64], low: float | None, high: float | None) -> Normalize:
    """From values to places on a scale, between the limits given or those of the values."""
    known = values[np.isfinite(values)]
    return Normalize(
        float(known.min()) if low is None else low,
        float(known.max()) if high is None else high,
    )

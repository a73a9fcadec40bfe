"""Axes as plotly describes them: what stands on them, from where to where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
POINTS_PER_PIXEL = 7 / 13
"""A page has letters of 13 pixels, a column of print such of 7 points; all else is drawn in that proportion."""
ROOM = 0.05
"""Of the range on either side, where a figure leaves the span of an axis open."""

DRAWN = {"type", "range", "tickvals", "ticktext", "tickmode", "nticks", "title", "domain", "anchor", "showgrid"}
DRAWN |= {"zeroline", "zerolinecolor", "showticklabels", "visible", "autorange", "side", "tickformat", "ticks", "dtick"}
DRAWN |= {"categoryorder", "categoryarray", "ticksuffix", "tickprefix", "tickangle", "tickfont", "matches", "rangemode"}
DRAWN |= {"showline", "tick0", "overlaying", "mirror"}
# These are for a pointer, or ask for what is always done here.
FOR_THE_SCREEN = {"automargin", "fixedrange", "hoverformat", "constrain"}
FOR_THE_SCREEN |= {"ticklen", "layer", "exponentformat"}


def refuse_unknown(what: str, given: Iterable[str], known: set[str]) -> None:
    """ValueError for a part of a figure that would be left out without a word."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{what} has {', '.join(unknown)}, which cannot be drawn on paper.")


@dataclass(frozen=True)
class Axis:
    """One axis of a figure: ``id`` as "x2"; ``names`` of a category axis from its zero up; ``span`` in values."""

    id: str
    given: Mapping[str, Any]
    names: tuple[str, ...]
    span: tuple[float, float]

    @property
    def is_log(self) -> bool:
        return self.given.get("type") == "log"

    @property
    def domain(self) -> tuple[float, float]:
        low, high = self.given.get("domain", (0.0, 1.0))
        return float(low), float(high)

    def place(self, values: Any) -> FloatArray:
        return placed(values, self.names)


def placed(values: Any, names: Sequence[str]) -> FloatArray:
    """Values as numbers: names by their rank, what is missing as NaN.

    >>> placed(["b", None, 0.5], ("a", "b")).tolist()
    [1.0, nan, 0.5]
    """
    rank: dict[Any, Any] = {None: np.nan} | {name: k for k, name in enumerate(names)}
    return np.array([rank.get(value, value) for value in values], float)


def read_axis(name: str, given: Mapping[str, Any], traces: Sequence[Mapping[str, Any]]) -> Axis:
    """The axis "x2" from ``layout["xaxis2"]`` and the traces that stand on it."""
    refuse_unknown(f"the axis {name}", given, DRAWN | FOR_THE_SCREEN)
    values = [value for trace in traces for value in trace[name[0]]]
    names: tuple[str, ...] = ()
    if given.get("type") == "category" or any(isinstance(value, str) for value in values):
        listed = [*given.get("categoryarray", ()), *(value for value in values if isinstance(value, str))]
        names = tuple(dict.fromkeys(listed))
    return Axis(name, given, names, _span(name, given, traces, names))


def _span(
    name: str, given: Mapping[str, Any], traces: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[float, float]:
    """From and to, as the figure says or as its values need."""
    is_log = given.get("type") == "log"
    if "range" in given:
        low, high = (float(end) for end in given["range"])
        return (10.0**low, 10.0**high) if is_log else (low, high)
    if names:
        low, high = -0.5, len(names) - 0.5
    else:
        ends = [_reach(trace, name[0], names) for trace in traces]
        every = np.concatenate(ends)
        every = every[np.isfinite(every) & ((every > 0) | (not is_log))]
        if given.get("rangemode") == "tozero":
            every = np.append(every, 0.0)
        low, high = _with_room(every, is_log, any(_needs_room(trace, name[0]) for trace in traces))
    return (high, low) if given.get("autorange") == "reversed" else (low, high)


def _reach(trace: Mapping[str, Any], letter: str, names: Sequence[str]) -> FloatArray:
    """The values of a trace along x or y, with the ends of its error bars."""
    values = placed(trace[letter], names)
    above, below = error_lengths(trace.get(f"error_{letter}", {}), len(values))
    return np.concatenate([values, values + above, values - below])


def error_lengths(bar: Mapping[str, Any], count: int) -> tuple[FloatArray, FloatArray]:
    """How far error bars reach up and down; zeros where there are none."""
    if "array" not in bar or bar.get("visible") is False:
        return np.zeros(count), np.zeros(count)
    if bar.get("type", "data") != "data":
        raise ValueError(f"error bars of type {bar['type']} cannot be drawn on paper.")
    above = placed(bar["array"], ())
    symmetric = bar.get("symmetric", "arrayminus" not in bar)
    return np.nan_to_num(above), np.nan_to_num(above if symmetric else placed(bar["arrayminus"], ()))


def _needs_room(trace: Mapping[str, Any], letter: str) -> bool:
    """A line may touch the sides; markers are not cut."""
    return letter == "y" or "markers" in trace.get("mode", "")


def _with_room(values: FloatArray, is_log: bool, room: bool) -> tuple[float, float]:
    x = np.log(values) if is_log else values
    low, high = float(x.min()), float(x.max())
    margin = ROOM * (high - low) * room or 0.5 * (low == high)
    low, high = low - margin, high + margin
    return (float(np.exp(low)), float(np.exp(high))) if is_log else (low, high)

"""Colours by what they stand for, in a light and a dark scheme; more compute is further from the paper."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, Literal

import numpy as np

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

_ROLES: dict[Scheme, dict[str, str]] = {
    "light": {
        "paper": "#fffefb",
        "ink": "#1d2129",
        "muted": "#5a6270",
        "rule": "#dfddd6",
        "law": "#2b3a67",
        "band": "rgba(43, 58, 103, 0.14)",
        "beyond": "rgba(29, 33, 41, 0.045)",
        "forecast": "#b8430f",
        "ok": "#1f7a4d",
        "caution": "#8f5a00",
        "refused": "#b3261e",
    },
    "dark": {
        "paper": "#15181d",
        "ink": "#e6e4de",
        "muted": "#a0a6b1",
        "rule": "#343a44",
        "law": "#aebcf0",
        "band": "rgba(174, 188, 240, 0.18)",
        "beyond": "rgba(230, 228, 222, 0.05)",
        "forecast": "#ff9a5c",
        "ok": "#62c793",
        "caution": "#e6b450",
        "refused": "#ff8a80",
    },
}

# Sequential with compute. Every step keeps a contrast of 3 or more with its own paper, which the
# yellow end of viridis does not on white, nor its violet end on black.
_RAMP: dict[Scheme, tuple[str, ...]] = {
    "light": ("#2f9a86", "#2a7f9b", "#31609f", "#413d8c", "#431d62"),
    "dark": ("#5f7fc4", "#3f9bbb", "#4dbba8", "#93d596", "#e6efa0"),
}


def scheme_roles(scheme: Scheme) -> dict[str, Any]:
    """Role -> colour of one scheme; "ramp" is a scale of colours, as plotly has them, from little compute to much."""
    steps = _RAMP[scheme]
    return {**_ROLES[scheme], "ramp": [[float(at), colour] for at, colour in zip(_even(steps), steps, strict=True)]}


def budget_roles(flops: Sequence[float]) -> list[str]:
    """The role of each budget, in the order given: a place on the ramp, by ln C.

    >>> budget_roles([1e18, 1e19, 1e20])
    ['@ramp0.000', '@ramp0.500', '@ramp1.000']
    """
    return [f"@ramp{at:.3f}" for at in _positions(flops)]


def painted(value: Any, scheme: Scheme, key: str = "") -> Any:
    """A figure with colours for its roles. Only keys that name a colour are painted: a run may be called "@ink".

    >>> painted({"text": "@ink", "line": {"color": "@ink"}}, "light")
    {'text': '@ink', 'line': {'color': '#1d2129'}}
    """
    if isinstance(value, dict):
        return {name: painted(one, scheme, name) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [painted(one, scheme, key) for one in value]
    is_role = isinstance(value, str) and value.startswith("@") and key.endswith(("color", "colorscale"))
    if not is_role:
        return value
    if value.startswith("@ramp") and value != "@ramp":
        return _ramp(scheme, float(value.removeprefix("@ramp")))
    return scheme_roles(scheme)[value[1:]]


def css_variables(scheme: Scheme, **more: str) -> str:
    """The roles of a scheme, and ``more``, as CSS custom properties.

    >>> css_variables("light").split("; ")[0]
    '--paper: #fffefb'
    """
    return " ".join(f"--{role}: {colour};" for role, colour in {**_ROLES[scheme], **more}.items())


def _positions(flops: Sequence[float]) -> list[float]:
    """Where each budget lies between the smallest (0) and the largest (1), in ln C."""
    x = np.log(np.asarray(flops, float))
    return [1.0 for _ in x] if x.size < 2 or np.ptp(x) == 0 else [float(v) for v in (x - x.min()) / np.ptp(x)]


def _ramp(scheme: Scheme, at: float) -> str:
    anchors = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in _RAMP[scheme]], float)
    return "#" + "".join(f"{round(np.interp(at, _even(anchors), anchors[:, k])):02x}" for k in range(3))


def _even(steps: Sized) -> Any:
    return np.linspace(0, 1, len(steps))

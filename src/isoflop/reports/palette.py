"""Colours by what they stand for, in a light and a dark scheme; more compute is further from the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

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


def colours(flops: Sequence[float]) -> dict[Scheme, dict[str, str]]:
    """Role -> colour for each scheme; the budgets, in the order given, are ``budget0``, ``budget1``, ...

    >>> colours([1e18, 1e20])["light"]["budget0"]
    '#2f9a86'
    """
    return {
        scheme: _ROLES[scheme] | {f"budget{k}": _ramp(scheme, at) for k, at in enumerate(_positions(flops))}
        for scheme in SCHEMES
    }


def css_variables(roles: dict[str, str]) -> str:
    """The roles of one scheme as CSS custom properties.

    >>> css_variables({"ink": "#000", "paper": "#fff"})
    '--ink: #000; --paper: #fff;'
    """
    return " ".join(f"--{role}: {colour};" for role, colour in roles.items())


def _positions(flops: Sequence[float]) -> list[float]:
    """Where each budget lies between the smallest (0) and the largest (1), in ln C."""
    x = np.log(np.asarray(flops, float))
    return [1.0 for _ in x] if x.size < 2 or np.ptp(x) == 0 else [float(v) for v in (x - x.min()) / np.ptp(x)]


def _ramp(scheme: Scheme, at: float) -> str:
    anchors = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in _RAMP[scheme]], float)
    steps = np.linspace(0, 1, len(anchors))
    return "#" + "".join(f"{round(np.interp(at, steps, anchors[:, k])):02x}" for k in range(3))

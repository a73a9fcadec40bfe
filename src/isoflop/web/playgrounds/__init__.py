"""Playgrounds: questions of the literature with sliders, each quick enough to follow a hand.

>>> list(PLAYGROUNDS)[0]
'kaplan_chinchilla'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isoflop.web.playgrounds import (
    approach2_bias,
    emergence,
    extrapolation,
    inference,
    kaplan_chinchilla,
    learning_curve,
    three_axes,
)
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

__all__ = ["PLAYGROUNDS", "Answer", "Control", "Number", "Playground", "Settings"]

_MODULES = (kaplan_chinchilla, extrapolation, approach2_bias, emergence, three_axes, learning_curve, inference)
PLAYGROUNDS: Mapping[str, Playground] = MappingProxyType({one.PLAYGROUND.id: one.PLAYGROUND for one in _MODULES})
"""Every playground by its id, in the order in which a page shows them."""

"""Playgrounds: questions of the literature with sliders, each quick enough to follow a hand.

>>> list(PLAYGROUNDS)[0]
'kaplan_chinchilla'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isoflop.web.playgrounds import approach2_bias, emergence, extrapolation, kaplan_chinchilla
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

__all__ = ["PLAYGROUNDS", "Answer", "Control", "Number", "Playground", "Settings"]

_ALL = (kaplan_chinchilla.PLAYGROUND, extrapolation.PLAYGROUND, approach2_bias.PLAYGROUND, emergence.PLAYGROUND)
PLAYGROUNDS: Mapping[str, Playground] = MappingProxyType({one.id: one for one in _ALL})
"""Every playground by its id, in the order in which a page shows them."""

"""Plain text as HTML: escaped, powers raised and subscripts lowered."""

from __future__ import annotations

import re
from html import escape


def typeset(text: str) -> str:
    """One line of our own words as HTML; names out of the data are escaped and stay as they are written.

    >>> typeset("N* = N_P (C/P)^a, L* - E ∝ C^-gamma")
    'N* = N<sub>P</sub> (C/P)<sup>a</sup>, L* - E ∝ C<sup>−gamma</sup>'
    """
    raised = re.sub(r"\^(-?)((?:[\w.]*)\w)", lambda power: f"<sup>{'−' * len(power[1])}{power[2]}</sup>", escape(text))
    return re.sub(r"\b([A-Z])_([A-Z])\b", r"\1<sub>\2</sub>", raised)

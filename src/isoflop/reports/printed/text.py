"""The little HTML of plotly's texts as matplotlib's mathtext."""

from __future__ import annotations

import re
from html import unescape

TAG = re.compile(r"<(/?)(sup|sub|b|i|br)\s*/?>")
OPENED = {"sup": "^", "sub": "_", "b": r"\mathbf", "i": r"\mathit"}
# What mathtext reads as an instruction.
SPECIAL = re.compile(r"([_^{}%&#$~])")


def mathtext(text: str) -> str:
    """A text of a figure as matplotlib draws it: raised, lowered, bold and italic, in lines; anything else as written.

    >>> mathtext("N* ∝ C<sup>a</sup>, cost $5, &lt;script&gt;")
    'N* ∝ C$^{\\\\mathregular{a}}$, cost \\\\$5, <script>'
    """
    said, opened, last = [], "", 0
    for tag in TAG.finditer(text):
        said.append(_piece(unescape(text[last : tag.start()]), opened))
        last = tag.end()
        if tag[2] == "br":
            said.append("\n")
        else:
            opened = "" if tag[1] else tag[2]
    return "".join([*said, _piece(unescape(text[last:]), opened)])


def _piece(text: str, tag: str) -> str:
    """The words between two tags."""
    if not tag or not text.strip():
        return text.replace("$", r"\$")
    inside = SPECIAL.sub(r"\\\1", text.replace("\\", r"\backslash ")).replace(" ", r"\ ")
    styled = rf"{{\mathregular{{{inside}}}}}" if tag in ("sup", "sub") else f"{{{inside}}}"
    return f"${OPENED[tag]}{styled}$"

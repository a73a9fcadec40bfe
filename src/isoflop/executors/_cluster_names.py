"""Names as Kubernetes takes them: RFC 1123's for its objects, and its own rules for labels.

kubernetes.io/docs/concepts/overview/working-with-objects (names, labels).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from isoflop.errors import UsageError

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def check_name(key: str, name: str, *, may_have_dots: bool = True) -> None:
    """UsageError for a name of an object, under ``key`` of [kubernetes], that Kubernetes would refuse; "" is none.

    >>> check_name("namespace", "Mine")
    Traceback (most recent call last):
    isoflop.errors.UsageError: [kubernetes]: namespace is 'Mine'; a name there is of a-z, 0-9 and "-", as "studies".
    """
    if name and not re.fullmatch(_SUBDOMAIN if may_have_dots else _LABEL, name):
        raise UsageError(f'[kubernetes]: {key} is {name!r}; a name there is of a-z, 0-9 and "-", as "studies".')


def check_selector(selector: Mapping[str, str | int]) -> None:
    """UsageError for labels of nodes that no node can have."""
    for key, value in selector.items():
        if not re.fullmatch(rf"({_SUBDOMAIN}/)?{_WORD}", key):
            raise UsageError(f'[kubernetes]: node_selector has {key!r}; a label is called as in "example.com/gpu".')
        if not re.fullmatch(rf"({_WORD})?", str(value)):
            raise UsageError(
                f"[kubernetes]: node_selector has {key} = {value!r}; a label's value is of letters, digits, "
                '"-", "_" and ".", 63 at most.'
            )

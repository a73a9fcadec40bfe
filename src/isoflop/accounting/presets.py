"""The shapes of well-known networks, by name."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from isoflop.accounting.shapes import Shape, shape_from
from isoflop.errors import UnknownName


@cache
def presets() -> dict[str, Shape]:
    """Every well-known shape, by name.

    >>> presets()["gpt2"].layers
    12
    """
    text = (resources.files(__package__) / "presets.toml").read_text(encoding="utf-8")
    return {name: shape_from(facts) for name, facts in tomllib.loads(text).items()}


def preset(name: str) -> Shape:
    """The shape of a well-known network, its name in any case, with hyphens or without; UnknownName if there is none.

    >>> from isoflop.accounting import count_params
    >>> count_params(preset("llama3-8b")).total
    8030261248
    """
    if _key(name) not in _names():
        raise UnknownName.among("network", name, presets(), "isoflop count --list")
    return presets()[_names()[_key(name)]]


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


@cache
def _names() -> dict[str, str]:
    """Every name, as ``_key`` writes it, and the preset it stands for."""
    return {_key(name): name for name in presets()}

"""The accelerators that come with isoflop, looked up by name."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib import resources
from pathlib import Path

from isoflop.errors import UnknownName, UsageError
from isoflop.hardware._accelerator import Accelerator, accelerator_from_toml


@cache
def accelerators() -> dict[str, Accelerator]:
    """Every accelerator that comes with isoflop, by id: one TOML of the folder ``accelerators`` each.

    >>> f"{accelerators()['h100-sxm'].peak['bf16']:.4g} FLOP/s, dense"
    '9.894e+14 FLOP/s, dense'
    """
    files = (
        file for file in (resources.files("isoflop.hardware") / "accelerators").iterdir() if file.name.endswith(".toml")
    )
    found = [accelerator_from_toml(file.read_text(encoding="utf-8"), file.name) for file in files]
    return {one.id: one for one in sorted(found, key=lambda one: (one.vendor, one.id))}


def accelerator(name: str) -> Accelerator:
    """An accelerator by its id or by a name that people use for it, in any case; or of a file that ends in .toml.

    A name that is none of these, or could be several, is never guessed: UnknownName.

    >>> accelerator("H100").id, accelerator("rtx 4090").id
    ('h100-sxm', 'rtx-4090')
    >>> accelerator("TPU")
    Traceback (most recent call last):
    isoflop.errors.UnknownName: 'TPU' could be tpu-v4, tpu-v5e, tpu-v5p, tpu-v6e, tpu7x; say which.
    """
    if name.endswith(".toml"):
        return read_accelerator(name)
    key, names = _key(name), _names()
    if key in names:
        return accelerators()[names[key]]
    several = {id for known, id in names.items() if key and known.startswith(key)}
    if len(several) > 1:
        raise UnknownName(f"{name!r} could be {', '.join(sorted(several))}; say which.")
    near = [names[known] for known in difflib.get_close_matches(key, names, n=1)]
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise UnknownName(f"no accelerator called {name!r}{hint} isoflop hardware lists all {len(accelerators())}.")


def is_accelerator(name: str) -> bool:
    """Whether a text is the id or a name of an accelerator, or the path of a file of one's own."""
    return name.endswith(".toml") or _key(name) in _names()


def read_accelerator(path: Path | str) -> Accelerator:
    """Read an accelerator of your own from a TOML file in the layout of those that come with isoflop."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the accelerator file {path}: {error}.") from error
    return accelerator_from_toml(text, str(path))


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


@cache
def _names() -> dict[str, str]:
    """Every id and alias, as ``_key`` writes it, and the id it stands for."""
    return {_key(name): id for id, one in accelerators().items() for name in (id, *one.aliases)}

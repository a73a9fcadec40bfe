"""A family of the user's own, from a Python file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from isoflop.errors import UsageError
from isoflop.laws._family import Family

USERS_FAULTS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What running a file can raise that is the file's own doing."""


def family_from_file(words: str) -> Family:
    """The family that ``FILE.py:NAME`` names: a Family, or a class of one, in a Python file.

    The file is run, as any Python file that is imported. Raises UsageError when there is no such file or name.
    """
    path, _, name = words.rpartition(":")
    if not name.isidentifier():
        raise UsageError(f"{words}: give a file and the name of a family in it, as in my_laws.py:FAMILY.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if not Path(path).is_file() or spec is None or spec.loader is None:
        raise UsageError(f"{words}: there is no Python file {path}.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except USERS_FAULTS as error:
        raise UsageError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, Family):
        found = found()
    if not isinstance(found, Family):
        raise UsageError(f"{path} has no family {name}: assign an isoflop.laws.Family to that name.")
    _try_out(found, words)
    return found


def _try_out(family: Family, words: str) -> None:
    """Two laws at three inputs: what raises here, or gives no number, would do so in the middle of a fit."""
    theta = {c.name: np.full((2, 1), c.guesses[0] if c.guesses else 1.0) for c in family.coefficients}
    inputs = {name: np.array([1e8, 1e9, 1e10]) for name in family.inputs}
    try:
        loss = np.asarray(family.loss(theta, inputs), float)
    except USERS_FAULTS as error:
        raise UsageError(f"{words}: its loss raises {type(error).__name__}: {error}.") from error
    if loss.shape not in ((2, 3), (2, 1)) or np.isnan(loss).all():
        seen = "nothing but nan" if np.isnan(loss).all() else f"an array of shape {loss.shape}"
        raise UsageError(
            f"{words}: for 2 laws and 3 runs its loss is {seen}; coefficients (2, 1) and inputs (3,) "
            "broadcast to (2, 3)."
        )

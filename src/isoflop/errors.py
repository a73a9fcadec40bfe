"""What can go wrong, and the exit code that the command line answers with.

::

    IsoflopError                 1   unexpected
    ├── UsageError               2   an argument, a file or a name that cannot be read
    │   ├── QuantityError            "plan banana"
    │   ├── TableError               a run table with a bad cell, a missing column, no rows
    │   └── UnknownName              no such law, family, column; names the near ones
    ├── DataError                3   readable, but cannot carry the question asked of it
    ├── RunsFailed               4   some runs of a study failed, the others are there
    ├── CheckFailed              5   a check failed under --strict
    └── Interrupted            130   Ctrl-C or SIGTERM, state kept

Every message is one sentence that says what was seen, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IsoflopError(Exception):
    """Base of everything isoflop raises on purpose."""

    exit_code = 1


class UsageError(IsoflopError):
    """An argument, a file or a name that cannot be read."""

    exit_code = 2


class QuantityError(UsageError):
    """A budget, a parameter count or a token count that is not a quantity."""


class TableError(UsageError):
    """A run table with a bad cell, a missing column or no rows."""


class UnknownName(UsageError):
    """No such law, family, preset or column."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], listing: str = "") -> UnknownName:
        """Name what was asked for, what is near it, and what there is, or the command that lists what is many.

        >>> str(UnknownName.among("law", "bezirogulu2024", ["besiroglu2024", "hoffmann2022"]))
        "no law called 'bezirogulu2024'; did you mean 'besiroglu2024'? There are: besiroglu2024, hoffmann2022."
        """
        names = sorted(known)
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        there = f"{listing} lists all {len(names)}." if listing else f"There are: {', '.join(names)}."
        return cls(f"no {kind} called {name!r}{hint} {there}")


class DataError(IsoflopError):
    """The data cannot carry the question: too few runs, no interior minimum, one ray in N-D."""

    exit_code = 3


class RunsFailed(IsoflopError):
    """Some runs of a study failed; the others are kept."""

    exit_code = 4


class CheckFailed(IsoflopError):
    """A check failed under --strict."""

    exit_code = 5


class Interrupted(IsoflopError):
    """Stopped by the user; the state is kept and the same command goes on."""

    exit_code = 130

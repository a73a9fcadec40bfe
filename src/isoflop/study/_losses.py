"""The losses of a run as they fall, from the lines that its trainer writes now and then."""

from __future__ import annotations

import json
import math
from pathlib import Path

from isoflop.study._states import METRICS


def losses(folder: Path) -> tuple[tuple[float, float], ...]:
    """(tokens, training loss) of a run's folder, in order; what is no such line is left out.

    A trainer of somebody's own writes what it likes, and the last line may be half written. An attempt that goes on
    from a checkpoint may say tokens again: the later word stands.
    """
    try:
        text = (folder / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    seen = dict(filter(None, map(_point, text.splitlines())))
    return tuple(sorted(seen.items()))


def _point(line: str) -> tuple[float, float] | None:
    try:
        said = json.loads(line)
        tokens, loss = float(said["tokens"]), float(said["loss"])
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    return (tokens, loss) if math.isfinite(tokens) and math.isfinite(loss) and tokens > 0 else None

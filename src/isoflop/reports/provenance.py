"""Where a report came from: the table, how it was read, what was asked, which versions answered."""

from __future__ import annotations

import platform
import shlex
import sys
from importlib.metadata import version

from isoflop.quantities import format_flops
from isoflop.reports.axes import FLOPS_MEANING
from isoflop.reports.evidence import Wanted
from isoflop.runs import Runs


def provenance(runs: Runs, wanted: Wanted, where: str | None = None) -> dict[str, str]:
    """What to its value, in the order of the page."""
    family = wanted.family if isinstance(wanted.family, str) else wanted.family.name
    facts = {
        "command": shlex.join(["isoflop", *sys.argv[1:]]),
        "runs": f"{runs.source}, {len(runs)} rows",
        "rows chosen by": where or "",
        "runs digest (SHA-256 as CSV)": runs.digest(),
        "FLOPs": FLOPS_MEANING[runs.conventions.flops],
        "family of the surface": family,
        "target, draws, level, seed": ", ".join(
            (
                "10 times the largest run" if wanted.target is None else format_flops(wanted.target),
                "as usual" if wanted.draws is None else f"{wanted.draws}",
                f"{wanted.level:g}",
                f"{wanted.seed}",
            )
        ),
        "isoflop": version("isoflop"),
        "Python, NumPy, SciPy": ", ".join((platform.python_version(), version("numpy"), version("scipy"))),
    }
    return {what: value for what, value in facts.items() if value}

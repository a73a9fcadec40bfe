"""What the studies that train share: a study.toml, made into runs by the command line, as a user would.

runs = swept(folder, PLAN, workers)     # the same call goes on with what is there
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import isoflop as iso

STUDY = "study.toml"


def options(description: str) -> argparse.Namespace:
    """FOLDER and --workers, as every study that trains takes them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def swept(folder: Path, plan: str, workers: int) -> iso.Runs:
    """The runs of a plan: made in ``folder``, or gone on with; those that fail are in its table, and not returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STUDY).write_text(plan, encoding="utf-8")
    isoflop("sweep", "init", str(folder))
    isoflop("sweep", "run", str(folder), "--workers", str(workers))
    isoflop("sweep", "collect", str(folder))
    return iso.read_runs(folder / "runs.csv")


def exponent(fit: iso.Fit) -> str:
    """a of N* ~ C^a with its interval, where the fit has them; or why there is none."""
    if fit.allocation is None:
        return f"refused: {fit.verdict.notes[0].code}"
    if not fit.draws_n:
        return f"{fit.allocation[0]:.3f}"
    low, high = fit.interval("a")
    return f"{fit.allocation[0]:.3f} [{low:.2f}, {high:.2f}]"


def isoflop(*words: str) -> None:
    """One command of isoflop; what it prints goes to stderr, its failure ends the study."""
    command = str(Path(sys.executable).with_name("isoflop"))
    done = subprocess.run([command, *words], stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit(done.returncode)

"""``python -m isoflop.training RUN_DIR --attempt N [--parent PID]``: what an executor starts, one process a run.

Exit codes: 0 the result is there · 75 stopped, state kept, submit again · 2 or 3 the run cannot be made
(one sentence on stderr) · 1 a crash (traceback on stderr).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from isoflop.errors import IsoflopError
from isoflop.training.attempt import Attempt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m isoflop.training", description="Train one run of a study.")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR", help="the run's folder, with spec.json")
    parser.add_argument("--attempt", type=int, required=True, help="this attempt's number; only the newest may write")
    parser.add_argument("--parent", type=int, help="stop, with the state saved, when this parent process is gone")
    options = parser.parse_args()
    attempt = Attempt(options.folder, options.attempt, options.parent)
    attempt.listen()
    # Before torch is imported, which starts its threads; so the import is here and not at the top.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    from isoflop.training.loop import train

    try:
        train(attempt)
    except IsoflopError as error:
        print(f"isoflop: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m isoflop.training RUN_DIR --attempt N [--parent PID]``: what an executor starts, one process a run.

Under torchrun (``torchrun --nproc-per-node P -m isoflop.training ...``, or ``isoflop.training.launch``) it is one rank
of the run, and ``--shard`` divides the weights among the ranks.

Exit codes: 0 the result is there · 75 stopped, state kept, submit again · 2 or 3 the run cannot be made
(one sentence on stderr) · 1 a crash (traceback on stderr).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from isoflop.errors import IsoflopError, UsageError
from isoflop.training.attempt import Attempt

RANKED = "RANK" in os.environ
"""Whether torchrun has started this process, as one of a run's ranks."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m isoflop.training", description="Train one run of a study.")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR", help="the run's folder, with spec.json")
    parser.add_argument("--attempt", type=int, required=True, help="this attempt's number; only the newest may write")
    parser.add_argument("--parent", type=int, help="stop, with the state saved, when this parent process is gone")
    parser.add_argument(
        "--shard", action="store_true", help="under torchrun: divide the weights among the ranks (FSDP2)"
    )
    options = parser.parse_args()
    # A rank whose torchrun is killed with no time to end its ranks ends by itself.
    attempt = Attempt(options.folder, options.attempt, os.getppid() if RANKED else options.parent)
    attempt.listen()
    # Before torch is imported, which starts its threads; so the import is here and not at the top.
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    try:
        _train(attempt, options.shard)
    except IsoflopError as error:
        print(f"isoflop: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _train(attempt: Attempt, shard: bool) -> None:
    """What only some runs need, torch.distributed and FSDP2, is imported for them alone."""
    if shard:
        if not RANKED:
            raise UsageError(
                "--shard divides a run among ranks, and torchrun starts those; start the run under torchrun."
            )
        from isoflop.training.sharded import train_sharded

        train_sharded(attempt)
    elif RANKED and int(os.environ["WORLD_SIZE"]) > 1:
        from isoflop.training.ranks import train_together

        train_together(attempt)
    else:
        from isoflop.training.loop import train

        train(attempt)


if __name__ == "__main__":
    code = main()
    if RANKED:
        # All is written, and threads of gloo that outlive its groups now and then abort a process that ends gently.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

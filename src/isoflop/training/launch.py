"""``python -m isoflop.training.launch RUN_DIR --attempt N --processes P [--shard]``: one run on P ranks a node.

It is torchrun for this one program, and answers as ``python -m isoflop.training`` does where torchrun would answer 1 to
everything: 0 the result is there · 75 stopped, state kept · 2 or 3 the run cannot be made (one sentence on stderr) ·
1 a crash (that rank's traceback on stderr), or a rank that was killed (one line).

On several nodes each is given ``--nodes K --node-rank R --rendezvous HOST:PORT``, HOST being the node of rank 0.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from isoflop.attempts import STOPPED_CODE

SECONDS_TO_SAVE = 3600
"""How long ranks that were asked to stop may take to save the state. torchrun's own half minute is short for it."""


@dataclass(frozen=True)
class Ending:
    """How the ranks ended: the exit code, and what is said of it."""

    code: int
    words: str


def main() -> int:
    options = _options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave_early)
    if options.parent is not None:
        threading.Thread(target=_mind, args=(options.parent,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="isoflop-ranks-") as logs:
        ending = _run_ranks(options, Path(logs))
    if ending.words:
        print(ending.words, file=sys.stderr)
    return ending.code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m isoflop.training.launch", description="Train one run of a study on several ranks."
    )
    parser.add_argument("folder", type=Path, metavar="RUN_DIR", help="the run's folder, with spec.json")
    parser.add_argument("--attempt", type=int, required=True, help="this attempt's number; only the newest may write")
    parser.add_argument("--parent", type=int, help="stop, with the state saved, when this parent process is gone")
    parser.add_argument("--processes", type=int, required=True, metavar="P", help="ranks on this node")
    parser.add_argument("--shard", action="store_true", help="divide the weights among the ranks (FSDP2)")
    parser.add_argument("--nodes", type=int, default=1, metavar="K", help="how many nodes train the run")
    parser.add_argument("--node-rank", type=int, default=0, metavar="R", help="which of them this is, from 0")
    parser.add_argument("--rendezvous", metavar="HOST:PORT", help="where the nodes meet, at node 0")
    options = parser.parse_args()
    if options.processes < 1 or not 0 <= options.node_rank < options.nodes:
        parser.error("give --processes P of at least 1, and --node-rank R from 0 to --nodes K less one")
    if options.nodes > 1 and not options.rendezvous:
        parser.error("several nodes meet at --rendezvous HOST:PORT, HOST being the node of --node-rank 0")
    return options


def _leave_early(number: int, frame: FrameType | None) -> None:
    """Before there are ranks; from then on torchrun takes the signal, and passes it on to them."""
    print(f"isoflop: stopped before the ranks began: received {signal.Signals(number).name}.", file=sys.stderr)
    raise SystemExit(STOPPED_CODE)


def _mind(parent: int) -> None:
    """Stop when the process that started this one is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)


def _run_ranks(options: argparse.Namespace, logs: Path) -> Ending:
    # Imported here and not at the top: it takes seconds, and a signal in these is to be answered as any other.
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    alone = options.nodes == 1
    config = LaunchConfig(
        min_nodes=options.nodes,
        max_nodes=options.nodes,
        nproc_per_node=options.processes,
        run_id=f"{options.folder.name}-{options.attempt}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0" if alone else options.rendezvous,
        rdzv_configs={"is_host": options.node_rank == 0},
        # Of a machine with several addresses, the one at which the other nodes have found it.
        local_addr="localhost" if alone else options.rendezvous.rpartition(":")[0] if options.node_rank == 0 else None,
        max_restarts=0,  # the study submits again
        logs_specs=DefaultLogsSpecs(log_dir=str(logs), redirects=Std.ERR),
        shutdown_timeout=SECONDS_TO_SAVE,
    )
    program = ["-m", "isoflop.training", str(options.folder), "--attempt", str(options.attempt)]
    program += ["--parent", str(os.getpid()), *(["--shard"] if options.shard else [])]
    logging.disable()  # torchrun's account of what has failed, after which comes ours
    try:
        elastic_launch(config, sys.executable)(*program)
    except SignalException as stop:
        return _asked_to_stop(options.folder, logs, signal.Signals(stop.sigval).name)
    except ChildFailedError as failed:
        codes = {rank: failure.exitcode for rank, failure in failed.failures.items()}
        local = {failure.local_rank: rank for rank, failure in failed.failures.items()}
        return _failed(codes, {local[r]: text for r, text in _said(logs).items() if r in local})
    except RendezvousError as error:
        why = str(error) or "one did not come in time"
        return Ending(1, f"isoflop: the nodes of the run did not meet at {config.rdzv_endpoint}: {why}")
    return Ending(0, "")


def _said(logs: Path) -> dict[int, str]:
    """What each rank of this node wrote on stderr, who wrote last being last."""
    files = sorted(logs.rglob("stderr.log"), key=lambda path: path.stat().st_mtime_ns)
    return {int(path.parent.name): path.read_text(errors="replace").strip() for path in files}


def _sentence(text: str) -> str | None:
    """A rank's last word, where it ended on purpose."""
    last = text.rpartition("\n")[2]
    return last if last.startswith("isoflop: ") else None


def _asked_to_stop(folder: Path, logs: Path, name: str) -> Ending:
    """The ranks were passed the signal and have ended; torchrun does not say how, but they do."""
    said = _said(logs).values()
    sentences = [sentence for text in said if (sentence := _sentence(text))]
    crashes = [text for text in said if "Traceback" in text]
    if (folder / "result.json").exists():
        return Ending(0, "")
    if crashes and not sentences:
        return Ending(1, crashes[0])
    return Ending(
        STOPPED_CODE, sentences[0] if sentences else f"isoflop: stopped before the first step: received {name}."
    )


def _failed(codes: dict[int, int], said: dict[int, str]) -> Ending:
    """The ranks' exit codes (negative: killed by that signal), those that failed first being first, as one ending.

    One that fails takes the others along: they lose the connection, or torchrun ends them. So an end on purpose counts
    before a kill, a kill before a crash, and of crashes the first to speak.
    """
    on_purpose = [rank for rank, code in codes.items() if code > 1 and _sentence(said.get(rank, ""))]
    if on_purpose:
        return Ending(codes[on_purpose[0]], _sentence(said[on_purpose[0]]) or "")
    killed = [rank for rank, code in codes.items() if code < 0 and "Traceback" not in said.get(rank, "")]
    if killed:
        name = signal.Signals(-codes[killed[0]]).name
        return Ending(1, f"isoflop: rank {killed[0]} of the run was killed by {name}; the others were ended.")
    crashes = [text for text in said.values() if "Traceback" in text]
    return Ending(1, crashes[0] if crashes else f"isoflop: ranks of the run ended with the exit codes {codes}.")


if __name__ == "__main__":
    sys.exit(main())

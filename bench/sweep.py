"""What a study costs beside its runs: 2,000 runs of a command that does nothing, against the same commands in a loop.

    python bench/sweep.py [--runs 2000] [--workers 2] [--out FOLDER]
    python bench/sweep.py --runs 1000 --executor slurm --runs-per-task 50

Makes a study whose own trainer is one line of shell that writes a result.json, and times ``isoflop sweep init``,
``run``, ``status``, ``status --json --runs`` and ``collect`` on it, each in a process of its own. The same commands are
spawned by a plain loop before and after it, as many at a time, in folders of their own. Bookkeeping is what a run takes
more than in the loop: of wall time, and of the supervisor's own CPU time. With ``--executor`` the runs go through the
Slurm or Ray that is reached from here. Everything is made in a temporary folder
unless --out is given.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

WIDTHS = (8, 12, 16, 20, 24)
WRITES_A_RESULT = "echo '{\"loss\": 3.5}' > result.json"
CLI = """
import json, resource, sys
from isoflop.cli.main import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 2**10}), file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Took:
    """Seconds of wall time, of the process's own CPU time, and its peak of memory."""

    wall: float
    cpu: float
    peak_mib: float = 0.0


def main() -> int:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="bench_sweep_") as scratch:
        folder = options.out or Path(scratch)
        study = folder / "study"
        study.mkdir(parents=True)
        (study / "study.toml").write_text(study_toml(options.runs) + executor_toml(options))
        workers = str(options.workers)
        before = loop(folder / "before", options.runs, options.workers)
        init = isoflop("init", study, "--workers", workers)
        at_a_time = ["--workers", workers] if options.executor == "local" else []
        run = isoflop("run", study, *at_a_time)
        after = loop(folder / "after", options.runs, options.workers)
        done = len(list(study.glob("runs/*/published.json")))
        print(f"{done} of {options.runs} runs done, {workers} at a time")
        for name, took in (("loop before", before), ("init", init), ("run", run), ("loop after", after)):
            say(name, took)
        for words in (["status"], ["status", "--json", "--runs"], ["collect"]):
            say(" ".join(words), isoflop(words[0], study, *words[1:]))
        say("run again, all done", isoflop("run", study, *at_a_time))
        plain = Took((before.wall + after.wall) / 2, (before.cpu + after.cpu) / 2)
        wall, cpu = (1e3 * more / options.runs for more in (run.wall - plain.wall, run.cpu - plain.cpu))
        print(
            f"bookkeeping a run: {wall:.2f} ms of wall, {cpu:.2f} ms of CPU; {run.wall / plain.wall:.2f} times the loop"
        )
    return 0 if done == options.runs else 1


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="make the study here and keep it")
    parser.add_argument("--executor", choices=("local", "slurm", "ray"), default="local")
    parser.add_argument("--runs-per-task", type=int, default=1)
    return parser.parse_args()


def executor_toml(options: argparse.Namespace) -> str:
    table = {"kind": options.executor, "runs_per_task": options.runs_per_task, "poll_seconds": 0.5}
    return "\n[executor]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def study_toml(runs: int) -> str:
    """Five widths of one budget, and as many seeds as it takes."""
    command = ["sh", "-c", WRITES_A_RESULT.replace("{", "{{").replace("}", "}}")]
    head = 'schema = "isoflop.study/1"\nname = "instant"\nrecipe = "small-bytes-v1"\n'
    head += f"[trainer]\ncommand = {json.dumps(command)}\n"
    seeds = -(-runs // len(WIDTHS))
    counts = [seeds - (i >= runs % len(WIDTHS) and runs % len(WIDTHS) > 0) for i in range(len(WIDTHS))]
    rows = zip(WIDTHS, counts, strict=True)
    return head + "".join(f"[[runs]]\nwidth = {w}\nbudget = 1e10\nseeds = {list(range(n))}\n" for w, n in rows)


def loop(folder: Path, runs: int, workers: int) -> Took:
    """The same commands, so many at a time, by the shortest program that does it."""

    def one(number: int) -> None:
        place = folder / str(number)
        place.mkdir(parents=True)
        with (place / "stdout.log").open("wb") as out, (place / "stderr.log").open("wb") as err:
            subprocess.run(["sh", "-c", WRITES_A_RESULT], cwd=place, stdout=out, stderr=err, check=True)

    used = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(runs)))
    now = resource.getrusage(resource.RUSAGE_SELF)
    return Took(time.monotonic() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)


def isoflop(command: str, study: Path, *options: str) -> Took:
    """One ``isoflop sweep`` command in a process of its own."""
    began = time.monotonic()
    words = [sys.executable, "-c", CLI, "sweep", command, str(study), *options]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env=environment())
    wall = time.monotonic() - began
    said = ended.stderr.splitlines()
    if ended.returncode:
        raise SystemExit(f"isoflop sweep {command} ended with {ended.returncode}: {said[-2:]}")
    used = json.loads(said[-1])
    return Took(wall, used["cpu"], used["peak_mib"])


def environment() -> dict[str, str]:
    """This one's, with byte code kept from one command to the next, as it is wherever a package is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def say(name: str, took: Took) -> None:
    peak = f"  peak {took.peak_mib:.0f} MiB" if took.peak_mib else ""
    print(f"{name:24} {took.wall:7.2f} s wall  {took.cpu:7.2f} s CPU of its own{peak}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

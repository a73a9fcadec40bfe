"""Does kill -9 of the whole tree, at any moment, cost anything that was finished, or change any number?

    python studies/kill_and_resume.py [--kills 20] [--budgets 2e10,4e10,8e10] [--widths 8,12,16,24,32] ...

Runs ``isoflop quickstart`` once undisturbed. Then the same command in another folder, killed with
SIGKILL, supervisor and jobs, at random moments, and issued again each time; when a study gets to its
end before all kills are spent, the next one begins in a new folder. Every study that was killed must
end with the exit code of the undisturbed one and with its runs.csv in all columns that are no clocks,
and no run that was finished at a kill may have been submitted or written again afterwards.

Prints one line to a kill and one to a study. Exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CLOCKS = ("seconds", "tokens_per_second", "finished_at")


@dataclass(frozen=True)
class Trace:
    """What must not change once a run is finished: when its result was written, and its attempts."""

    written_ns: int
    attempts: int


def main() -> int:
    options = parse_options()
    source = random.Random(options.kill_seed)
    with tempfile.TemporaryDirectory(prefix="kill_and_resume_") as scratch:
        folder = Path(options.out or scratch)
        reference = folder / "undisturbed"
        started = time.monotonic()
        expected_code = start(options, reference).wait()
        print(f"undisturbed: exit code {expected_code}, {time.monotonic() - started:.0f} s", flush=True)
        if not rows(reference / "runs.csv"):
            print(f"no runs in {reference / 'runs.csv'}:\n{reference.with_suffix('.log').read_text()}", file=sys.stderr)
            return 1
        kills, faults, studies = 0, 0, 0
        while kills < options.kills:
            studies += 1
            out = folder / f"killed-{studies}"
            spent, code, before = torment(options, out, source, kills)
            kills += spent
            found = differences(reference, out) + repeated(out, before)
            if code != expected_code:
                found.append(f"exit code {code}, not {expected_code}")
            faults += len(found)
            print(f"study {studies}: {spent} kills, {len(before)} runs were finished at one, {summary(found)}")
    print(f"{kills} kills, {studies} studies, {faults} differences")
    return 1 if faults else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest-delay", type=float, default=15.0, help="seconds from a start to its kill, at most")
    parser.add_argument("--kill-seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--budgets", default="2e10,4e10,8e10")
    parser.add_argument("--widths", default="8,12,16,24,32")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--out", type=Path, help="keep the studies in this folder; without it they are deleted")
    parser.add_argument("--verify", action=argparse.BooleanOptionalAction, default=False, help="the forecast run too")
    return parser.parse_args()


def start(options: argparse.Namespace, out: Path) -> subprocess.Popen[bytes]:
    """``isoflop quickstart`` into ``out``, its output beside it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("isoflop")), "quickstart", "--out", str(out)]
    for name in ("budgets", "widths", "workers", "seed"):
        command += [f"--{name}", getattr(options, name)]
    command.append("--verify" if options.verify else "--no-verify")
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def torment(
    options: argparse.Namespace, out: Path, source: random.Random, kills_so_far: int
) -> tuple[int, int, dict[str, Trace]]:
    """Run one study to its end, killing it on the way while kills are left.

    Returns the number of kills, the last exit code, and the traces, as of the kill after which each
    was first seen, of the runs that were finished then.
    """
    kills = 0
    before: dict[str, Trace] = {}
    while True:
        process, began = start(options, out), time.monotonic()
        delay = source.uniform(0.0, options.longest_delay) if kills_so_far + kills < options.kills else None
        try:
            return kills, process.wait(timeout=delay), before
        except subprocess.TimeoutExpired:
            jobs = kill_tree(process)
        kills += 1
        finished = traces(out)
        before = finished | before  # the first sight of a run is what later ones are held to
        print(
            f"  kill {kills_so_far + kills:>2} after {time.monotonic() - began:4.1f} s: "
            f"{jobs} jobs alive, {len(finished):>2} runs finished",
            flush=True,
        )


def kill_tree(process: subprocess.Popen[bytes]) -> int:
    """SIGKILL to the supervisor and all below it; it is stopped first, so that it starts no more. Counts jobs."""
    process.send_signal(signal.SIGSTOP)
    below = descendants(process.pid)
    for pid in [*below, process.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself
    process.wait()
    return len(below)


def descendants(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listing.splitlines())}
    found = [pid]
    for ancestor in found:  # grows while it is read: children, then theirs
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def traces(out: Path) -> dict[str, Trace]:
    return {
        path.parent.name: Trace(path.stat().st_mtime_ns, len(list((path.parent / "attempts").glob("*.json"))))
        for path in out.glob("runs/*/result.json")
    }


def repeated(out: Path, before: dict[str, Trace]) -> list[str]:
    """The runs that were finished at some kill and were touched after it."""
    after = traces(out)
    return [f"{run_id} was trained again" for run_id, trace in before.items() if after.get(run_id) != trace]


def differences(reference: Path, out: Path) -> list[str]:
    """The cells of runs.csv that differ, clocks apart."""
    one, other = (rows(folder / "runs.csv") for folder in (reference, out))
    if len(one) != len(other):
        return [f"{len(other)} rows, not {len(one)}"]
    return [
        f"row {number}, {column}: {b.get(column)}, not {a[column]}"
        for number, (a, b) in enumerate(zip(one, other, strict=True), start=2)
        for column in a
        if column not in CLOCKS and a[column] != b.get(column)
    ]


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def summary(found: list[str]) -> str:
    return "equal" if not found else "DIFFERS: " + "; ".join(found[:5])


if __name__ == "__main__":
    sys.exit(main())

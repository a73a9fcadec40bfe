"""100 random kill -9 over studies whose runs fail, diverge and run out of disk: is anything lost, or made twice?

    python studies/kill_many.py [--kills 100] [--kill-seed 0] [--out FOLDER]

Runs a study of 24 short runs once undisturbed, with ``isoflop sweep run`` and a trainer in plain Python that keeps
checkpoints of its own: 15 runs end well, 3 fail, 3 diverge and 3 fill a disk of 256 KiB (a tmpfs where the user may
mount one, else a limit on the size of a file). Then the same study in new folders, killed with SIGKILL at random
moments: the supervisor alone, the supervisor with all its jobs, or one job. The command is issued again until nothing
is left to do. Every study must then give the same table as the undisturbed one in all columns that are no clocks; no
run may have been touched once its result was there; no run may have written two results, nor two jobs have worked in
one folder at a time. Prints a line a study. Exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CLOCKS = ("seconds", "tokens_per_second", "finished_at")
WIDTHS, SEEDS, BUDGET = (8, 12, 16), tuple(range(8)), 1e10
FAILS, DIVERGES, FILLS_THE_DISK = 5, 6, 7
"""Seeds whose runs end so."""
STEPS, SECONDS_PER_STEP, CHECKPOINT_EVERY = 30, 0.01, 5
ENDS_AT = 17
"""The step at which a run fails: none with a checkpoint, or one that was killed there would go on behind it."""
DISK_BYTES = 256 * 1024
KINDS = ("supervisor", "tree", "job")


@dataclass
class Tally:
    """Kills so far by kind, and what was found wrong."""

    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main() -> int:
    if sys.argv[1:2] == ["train"]:
        return train(Path(sys.argv[2]), sys.argv[3])
    options = parse_options()
    source, tally = random.Random(options.kill_seed), Tally()
    with tempfile.TemporaryDirectory(prefix="kill_many_") as scratch, small_disk(Path(scratch) / "disk") as disk:
        folder = Path(options.out or scratch)
        print(f"out of disk: {'a tmpfs' if disk else 'a limit on the size of a file'} of {DISK_BYTES // 1024} KiB")
        reference = make(folder / "undisturbed", disk)
        code = finish(reference)
        expected = table(reference)
        print(f"undisturbed: exit code {code}, {dict(Counter(row['state'] for row in expected.values()))}", flush=True)
        studies = 0
        while tally.kills.total() < options.kills:
            studies += 1
            study = make(folder / f"killed-{studies}", disk)
            torment(study, options.kills, source, tally)
            if (ended := finish(study)) != code:
                tally.faults.append(f"{study.name}: exit code {ended}, not {code}")
            tally.faults += [
                f"{study.name}: {said}" for said in (*differences(expected, table(study)), *doubles(study))
            ]
            attempts = sum(1 for _ in study.glob("runs/*/attempts/*.json"))
            print(f"{study.name}: {tally.kills.total()} kills so far, {attempts} attempts at 24 runs", flush=True)
    print(f"{dict(tally.kills)} kills in {studies} studies: {len(tally.faults)} faults")
    print("\n".join(tally.faults))
    return 1 if tally.faults else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--kill-seed", type=int, default=0, help="seed of the random moments")
    parser.add_argument("--out", type=Path, help="keep the studies in this folder; without it they are deleted")
    return parser.parse_args()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of DISK_BYTES, or None where the user may mount none."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make(study: Path, disk: Path | None) -> Path:
    """A study of 24 runs by this file's trainer."""
    shutil.rmtree(study, ignore_errors=True)
    study.mkdir(parents=True)
    command = [sys.executable, str(Path(__file__).resolve()), "train", "{run_dir}", str(disk or "")]
    head = 'schema = "isoflop.study/1"\nname = "killed"\nrecipe = "small-bytes-v1"\n'
    rows = "".join(f"[[runs]]\nwidth = {width}\nbudget = {BUDGET}\n" for width in WIDTHS)
    text = f"{head}seeds = {list(SEEDS)}\n[trainer]\ncommand = {json.dumps(command)}\n{rows}"
    (study / "study.toml").write_text(text)
    subprocess.run(isoflop("init", study), check=True, capture_output=True)
    return study


def isoflop(command: str, study: Path) -> list[str]:
    return [sys.executable, "-c", "from isoflop.cli.main import main; main()", "sweep", command, str(study)]


def start(study: Path) -> subprocess.Popen[bytes]:
    with (study / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [*isoflop("run", study), "--workers", "2"], stdin=subprocess.DEVNULL, stderr=log, stdout=log
        )


def finish(study: Path) -> int:
    """Run what is left; twice, for a run that was killed alone is only tried again by the next call."""
    start(study).wait()
    return start(study).wait()


def torment(study: Path, kills: int, source: random.Random, tally: Tally) -> None:
    """Run the study and kill it on the way, until it has come to its end or the kills are spent."""
    first_seen: dict[str, tuple[int, int]] = {}
    process = start(study)
    while tally.kills.total() < kills:
        try:
            process.wait(timeout=source.uniform(0.1, 3.0))
            if not left(study):
                return
            process = start(study)
            continue
        except subprocess.TimeoutExpired:
            kind = source.choice(KINDS)
        if not kill(process, kind, source):
            continue
        tally.kills[kind] += 1
        for run, trace in traces(study).items():
            if first_seen.setdefault(run, trace) != trace:
                tally.faults.append(f"{study.name}: {run} was touched after it was finished")
        if kind != "job":
            process = start(study)
    process.kill()
    process.wait()


def kill(process: subprocess.Popen[bytes], kind: str, source: random.Random) -> bool:
    """SIGKILL to the supervisor, to it and its jobs, or to one of its jobs; False where there was none."""
    process.send_signal(signal.SIGSTOP)  # so that it starts no more meanwhile
    jobs = children(process.pid)
    if kind == "job":
        if jobs:
            os.kill(source.choice(jobs), signal.SIGKILL)
        process.send_signal(signal.SIGCONT)
        return bool(jobs)
    for pid in [*(jobs if kind == "tree" else []), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    return True


def children(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], check=True, capture_output=True, text=True).stdout
    rows = map(str.split, listing.splitlines())
    return [int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]


def left(study: Path) -> int:
    """Runs with neither result nor failure, and those that were killed."""
    folders = [spec.parent for spec in study.glob("runs/*/spec.json")]
    ended = [folder for folder in folders if (folder / "published.json").exists()]
    failed = [folder / "failure.json" for folder in folders if (folder / "failure.json").exists()]
    settled = [path for path in failed if json.loads(path.read_text())["state"] != "killed"]
    return len(folders) - len(ended) - len(settled)


def traces(study: Path) -> dict[str, tuple[int, int]]:
    """Of each run whose result is complete: when it was written, and how many attempts there were."""
    found = {}
    for path in study.glob("runs/*/published.json"):
        found[path.parent.name] = (path.stat().st_mtime_ns, len(list((path.parent / "attempts").iterdir())))
    return found


def table(study: Path) -> dict[str, dict[str, str]]:
    """The collected table by run, clocks apart."""
    subprocess.run(isoflop("collect", study), check=True, capture_output=True)
    with (study / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["run_id"]: {name: cell for name, cell in row.items() if name not in CLOCKS} for row in rows}


def differences(expected: dict[str, dict[str, str]], seen: dict[str, dict[str, str]]) -> list[str]:
    said = [f"{run} is not in the table" for run in expected if run not in seen]
    said += [f"{run} is in the table of this study alone" for run in seen if run not in expected]
    return said + [
        f"{run}, {name}: {seen[run].get(name)!r}, not {cell!r}"
        for run, row in expected.items()
        if run in seen
        for name, cell in row.items()
        if seen[run].get(name) != cell
    ]


def doubles(study: Path) -> list[str]:
    """Runs that wrote two results, runs that were begun after that, and folders in which two jobs worked at a time."""
    said = []
    for folder in (spec.parent for spec in study.glob("runs/*/spec.json")):
        words = (folder / "trace.log").read_text().split()
        if words.count("result") > 1 or "result" in words[:-1]:
            said.append(f"{folder.name} went {' '.join(words)}")
        if "shared" in words:
            said.append(f"{folder.name} had two jobs at a time")
        result = folder / "published.json"
        if result.exists() and json.loads(result.read_text())["attempt"] != len(list((folder / "attempts").iterdir())):
            said.append(f"{folder.name} was attempted again after its result")
    return said


def train(folder: Path, disk: str) -> int:
    """The trainer: a chain of hashes, so that a step that was lost or made twice changes the loss."""
    spec = json.loads((folder / "spec.json").read_text())
    note(folder, "begin")
    alive = folder / "alive"
    if alive.exists() and works_in(folder, alive.read_text()):
        note(folder, "shared")
    alive.write_text(str(os.getpid()))
    checkpoint = folder / "checkpoint.json"
    step, chain = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, spec["run_id"])
    while step < STEPS:
        time.sleep(SECONDS_PER_STEP)
        step, chain = step + 1, hashlib.sha256(f"{chain} {step}".encode()).hexdigest()
        if step % CHECKPOINT_EVERY == 0:
            replace(checkpoint, [step, chain])
        if step == ENDS_AT and spec["seed"] == FAILS:
            raise ValueError("the fake trainer fails by design")
        if step == ENDS_AT and spec["seed"] == FILLS_THE_DISK:
            fill(Path(disk) if disk else folder, limited=not disk)
    loss = None if spec["seed"] == DIVERGES else 1 + int(chain[:8], 16) / 2**32
    alive.unlink()
    replace(folder / "result.json", {"loss": loss, "chain": chain})
    note(folder, "result")
    return 0


def works_in(folder: Path, pid: str) -> bool:
    """Whether the process of that number is another trainer in this folder; one that is dead has no command."""
    try:
        return bytes(folder) in Path(f"/proc/{pid or 0}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def fill(folder: Path, *, limited: bool) -> None:
    """Write until there is no more room, and leave none of it."""
    if limited:
        resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))
    path = folder / f"large-{os.getpid()}"
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 65536)
    finally:
        path.unlink()


def note(folder: Path, word: str) -> None:
    with (folder / "trace.log").open("a") as log:
        log.write(f"{word}\n")


def replace(path: Path, content: object) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())

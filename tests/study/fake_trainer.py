"""A trainer that trains nothing and obeys the run-folder contract: what the study's tests submit.

``behaviour.json`` in the study's folder says how: ``seconds_per_step``, and ``crash``, ``kill`` and
``stop``, lists of run ids whose first attempt ends in that way at half of the steps.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args()
    if not (options.folder / "result.json").exists():
        train(options.folder, options.attempt, options.parent)


def train(folder: Path, attempt: int, parent: int | None) -> None:
    spec = json.loads((folder / "spec.json").read_text())
    study = folder.parent.parent
    behaviour = json.loads((study / "behaviour.json").read_text())
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))

    checkpoint = folder / "checkpoint.json"
    done = json.loads(checkpoint.read_text())["step"] if checkpoint.exists() else 0
    with (study / "starts.log").open("a") as log:
        log.write(f"{spec['run_id']} {attempt} {done}\n")

    for step in range(done + 1, spec["steps"] + 1):
        time.sleep(behaviour["seconds_per_step"])
        if fenced(folder, attempt):
            sys.exit(75)
        if stopped or (parent is not None and os.getppid() != parent):
            write(checkpoint, {"step": step - 1})
            sys.exit(75)
        if attempt == 1 and step == spec["steps"] // 2:
            misbehave(behaviour, spec["run_id"])
        line = {"step": step, "tokens": 512 * step, "loss": 5 / step, "seconds": 0.001 * step}
        with (folder / "metrics.jsonl").open("a") as metrics:
            metrics.write(json.dumps(line) + "\n")

    facts = {"attempt": attempt, "steps": spec["steps"], "seconds": 0.001 * spec["steps"]}
    loss = 1 + 1 / spec["shape"]["d_model"]
    write(folder / "result.json", {"state": "done", "loss": loss, "tokens_per_second": 512000.0, **facts})


def misbehave(behaviour: dict[str, list[str]], run_id: str) -> None:
    if run_id in behaviour.get("crash", ()):
        raise ValueError("the fake trainer was told to crash")
    if run_id in behaviour.get("kill", ()):
        os.kill(os.getpid(), signal.SIGKILL)
    if run_id in behaviour.get("stop", ()):
        os.kill(os.getpid(), signal.SIGTERM)


def fenced(folder: Path, attempt: int) -> bool:
    return max(int(path.stem) for path in (folder / "attempts").glob("*.json")) != attempt


def write(path: Path, table: dict[str, object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(table))
    temporary.replace(path)


if __name__ == "__main__":
    main()

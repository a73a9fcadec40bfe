"""The program that an engine starts on a node, started here by hand, and killed as engines kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isoflop.executors import ATTEMPT, Job, birth
from isoflop.executors._batch import Batch, make_batch
from isoflop.executors.node import main

NODE = """
import sys
import isoflop.executors.node as node
node.GRACE_SECONDS = 0.3
sys.exit(node.main(sys.argv[1:]))
"""
DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
# Attempt 1 and what it starts heed no SIGTERM, and say who they are.
STUBBORN = f"""
{DEAF}
import os, subprocess
from pathlib import Path
if sys.argv[1] == "1":
    child = subprocess.Popen([sys.executable, "-c", {DEAF + "print('deaf', flush=True); time.sleep(60)"!r}], stdout=-1)
    child.stdout.readline()
    Path("pids.tmp").write_text(f"{{os.getpid()}} {{child.pid}}")
    os.rename("pids.tmp", "pids")
    time.sleep(60)
"""


IN_A_SHELL = ("sh", "-c", '"$0" "$@"; exit $?')
"""Before a command: a shell that waits for it, dies of SIGTERM and leaves it alone."""


def batch_of(tmp_path: Path, code: str, before: tuple[str, ...] = ()) -> Batch:
    """One job, whose first attempt has been claimed."""
    (tmp_path / "run" / "attempts").mkdir(parents=True)
    (tmp_path / "run" / "attempts" / "0001.json").write_text("{}")
    (tmp_path / "batches").mkdir()
    job = Job("run", 1, (*before, sys.executable, "-c", code, ATTEMPT), tmp_path / "run")
    return make_batch(tmp_path / "batches", [job], [[0]])


def node(batch: Batch) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", NODE, str(batch.folder), "0"])


def pids(tmp_path: Path) -> list[int]:
    """Of the processes of attempt 1, once they are there."""
    deadline = time.monotonic() + 20
    while not (tmp_path / "run" / "pids").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(pid) for pid in (tmp_path / "run" / "pids").read_text().split()]


def end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("the node's program has not ended")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an orphan does not hear of its parent's end")
@pytest.mark.parametrize("before", [(), IN_A_SHELL], ids=["alone", "in a shell"])
def test_an_orphan_deaf_to_sigterm_is_killed_with_what_it_has_started(tmp_path: Path, before: tuple[str, ...]) -> None:
    batch = batch_of(tmp_path, STUBBORN, before)
    first = node(batch)
    orphans = pids(tmp_path)
    first.kill()
    first.wait()
    assert all(map(birth, orphans))
    assert end(node(batch)) == 0
    assert not any(map(birth, orphans))
    ended = batch.ended(0, 2)
    assert ended is not None
    assert ended.exit_code == 0


@pytest.mark.parametrize(
    ("before", "died_of"), [((), signal.SIGKILL), (IN_A_SHELL, signal.SIGTERM)], ids=["alone", "in a shell"]
)
def test_a_cancelled_job_ends_with_what_it_has_started(
    tmp_path: Path, before: tuple[str, ...], died_of: signal.Signals
) -> None:
    batch = batch_of(tmp_path, STUBBORN, before)
    process = node(batch)
    started = pids(tmp_path)
    batch.cancel(0)
    assert end(process) == 1
    ended = batch.ended(0, 1)
    assert ended is not None
    assert (ended.cancelled, ended.exit_code) == (True, -died_of)
    assert not any(map(birth, started))


def test_the_end_is_that_of_what_a_shell_has_started(tmp_path: Path) -> None:
    tidies = (
        "import signal, sys, time; from pathlib import Path\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), Path('tidied').touch(), sys.exit(75)))\n"
        "Path('begun').touch(); time.sleep(60)"
    )
    batch = batch_of(tmp_path, tidies, IN_A_SHELL)
    process = subprocess.Popen([sys.executable, "-m", "isoflop.executors.node", str(batch.folder), "0"])
    while not (tmp_path / "run" / "begun").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    end(process)
    assert (tmp_path / "run" / "tidied").exists()


@pytest.mark.parametrize("task", ["1", "100", "", "-1"])
def test_a_task_that_there_is_not_is_one_sentence(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = batch_of(tmp_path, "pass")
    assert main([str(batch.folder), task]) == 2
    said = capsys.readouterr().err
    assert said == f"isoflop: {batch.folder} has tasks 0 to 0, and none called {task!r}; nothing is begun.\n"
    assert not batch.marks()

"""A job on several nodes, each a process here: its command runs on all, and how it ended is told by who knows why."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.executors import NODE_RANK, RENDEZVOUS, Cause, _nodes
from isoflop.executors._batch import Batch, Ended, make_batch
from isoflop.executors._nodes import LOSSES_AT_MOST, joint_end
from isoflop.testing.executors import python_job


def batch_of(tmp_path: Path, *codes: str) -> Batch:
    """Jobs on two nodes, whose code sees ``rank`` and ``rendezvous``, as one task; a requeue makes a file."""
    jobs = [python_job(tmp_path, f"job{number}", code) for number, code in enumerate(codes)]
    head = "import sys, time; rank, rendezvous = int(sys.argv[1]), sys.argv[2]\n"
    jobs = [
        replace(job, command=(sys.executable, "-c", head + code, NODE_RANK, RENDEZVOUS), nodes=2)
        for job, code in zip(jobs, codes, strict=True)
    ]
    return make_batch(tmp_path / "batches", jobs, [list(range(len(jobs)))], ("touch", str(tmp_path / "requeued")))


def node(batch: Batch, rank: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "isoflop.executors.node", str(batch.folder), "0"]
    return subprocess.Popen([*words, *([str(rank)] if rank else [])])


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def test_each_node_is_told_its_rank_and_one_place_to_meet(tmp_path: Path) -> None:
    """By jobs that do meet: node 0 listens where it was told to, and node 1 calls there."""
    code = """
import socket
host, port = rendezvous.split(":")
if rank == 0:
    with socket.create_server(("", int(port))) as server:
        print(server.accept()[0].recv(9).decode())
else:
    for _ in range(100):
        try:
            socket.create_connection((host, int(port))).sendall(b"from 1")
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    print("sent")
"""
    batch = batch_of(tmp_path, code, code)
    nodes = [node(batch, rank) for rank in (1, 0)]
    assert [one.wait(60) for one in nodes] == [0, 0]
    for job in batch.jobs:
        assert (job.folder / "stdout.log").read_text() == "from 1\n"
        assert (job.folder / "stdout-1.log").read_text() == "sent\n"
    ports = [batch.started(number, 1)["rendezvous"] for number in (0, 1)]
    assert ports[0] != ports[1]


def test_the_node_that_knows_why_speaks_for_all(tmp_path: Path) -> None:
    own = (
        'if rank: sys.exit("isoflop: rank 1 of the run was killed by SIGKILL")\nraise ConnectionError("reset by peer")'
    )
    batch = batch_of(tmp_path, own, 'raise ConnectionError("here" if rank == 0 else "there")')
    nodes = [node(batch, rank) for rank in (1, 0)]
    assert nodes[1].wait(60) == 1
    told, crashed = (batch.ended(number, 1) for number in (0, 1))
    assert told is not None
    assert (told.exit_code, told.stderr_tail) == (1, "isoflop: rank 1 of the run was killed by SIGKILL\n")
    assert crashed is not None
    assert crashed.stderr_tail.endswith("ConnectionError: here\n")
    assert nodes[0].wait(60) == 0
    assert not (tmp_path / "requeued").exists()


def test_a_job_that_loses_a_node_is_started_again_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What took part and has left no word is lost; what never took part has not come, and that is no loss."""
    monkeypatch.setattr(_nodes, "SECONDS_FOR_A_WORD", 0.1)
    batch = batch_of(tmp_path, "pass")
    crash = Ended(1, "ConnectionError: reset by peer")
    assert joint_end(batch, 0, batch.claim_start(0), 1, crash) == crash
    said = []
    for _ in range(LOSSES_AT_MOST + 1):
        this = batch.claim_start(0)
        assert batch.claim_part(0, this, 1)
        assert not batch.claim_part(0, this, 1)
        ended = joint_end(batch, 0, this, 1, crash)
        batch.note_ended(0, this, ended)
        said.append((ended.cause, ended.is_final))
    assert said == [(Cause.NODE_LOST, False)] * LOSSES_AT_MOST + [(Cause.NODE_LOST, True)]


@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_any_node_stops_the_job_on_all(tmp_path: Path, asked: int) -> None:
    """By jobs that stop when either is asked to, as ranks do that agree on it."""
    code = """
import signal, os
signal.signal(15, lambda *_: open("asked", "w").close())
open(f"begun{rank}", "w").close()
while not os.path.exists("asked"):
    time.sleep(0.05)
sys.exit(75)
"""
    batch = batch_of(tmp_path, code)
    folder = batch.jobs[0].folder
    nodes = [node(batch, rank) for rank in (0, 1)]
    wait_for(lambda: (folder / "begun0").exists() and (folder / "begun1").exists())
    nodes[asked].send_signal(signal.SIGUSR1)
    assert nodes[0].wait(60) == 75
    assert (tmp_path / "requeued").exists()
    ended = batch.ended(0, 1)
    assert ended is not None
    assert (ended.is_final, ended.said) == (False, "SIGUSR1" if asked == 0 else "")
    if asked == 0:  # an engine ends the others with the first
        nodes[1].terminate()
    assert nodes[1].wait(60) == 75

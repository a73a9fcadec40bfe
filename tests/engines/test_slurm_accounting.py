"""A Slurm with accounting that forgets ended jobs within seconds: what became of them is told by ``sacct``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from isoflop.executors import Cause, Manners, SlurmSettings, Status, slurm_executor
from isoflop.testing.executors import python_job, wait_until_final

OFTEN = Manners(poll_seconds=0.2, patience_seconds=60.0)


def name_of(cluster: Any, task: int) -> list[str]:
    """Name, number and node of an array's task while it runs."""
    rows = map(str.split, cluster.run("squeue", "-h", "-t", "R,CG", "-o", "%i %A %N").splitlines())
    return next((row for row in rows if row[0].endswith(f"_{task}")), [])


def forgotten(cluster: Any) -> bool:
    return cluster.run("squeue", "-h", "-t", "all") == ""


def wait_for(condition: Any, patience_seconds: float = 90.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.2)


def test_jobs_that_squeue_has_forgotten_are_told_by_sacct(
    accounting_cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ended while no client looked: one deaf to scancel, killed with its watcher, and one with its node. No mark
    says how."""
    monkeypatch.setenv("SLURM_CONF", str(accounting_cluster.conf))
    sleeps = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('begun', 'w'); time.sleep(100)"
    gone, lost = (python_job(tmp_path, name, sleeps) for name in ("gone", "lost"))
    done = python_job(tmp_path, "done", "open('begun', 'w')")
    with slurm_executor(tmp_path / "slurm", SlurmSettings(requeue=False), OFTEN) as first:
        for job in (gone, lost, done):
            first.submit(job)
    wait_for(lambda: all((job.folder / "begun").exists() for job in (gone, lost, done)))
    accounting_cluster.run("scancel", name_of(accounting_cluster, 0)[0])
    wait_for(lambda: not name_of(accounting_cluster, 0))
    accounting_cluster.kill_node(name_of(accounting_cluster, 1)[2])
    wait_for(lambda: forgotten(accounting_cluster))
    with slurm_executor(tmp_path / "slurm", SlurmSettings(), OFTEN) as second:
        assert wait_until_final(second, done).status is Status.DONE
        report = wait_until_final(second, lost)
        assert (report.status, report.cause) == (Status.FAILED, Cause.NODE_LOST)
        assert report.reason.startswith("Slurm: the node failed")
        assert wait_until_final(second, gone).status is Status.CANCELLED

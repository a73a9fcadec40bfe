"""A whole study through a real Ray cluster, disturbed: its results are those of an undisturbed one, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("torch", reason="the trainer needs torch (pip install isoflop[train])")

RAY = """
[executor]
kind = "ray"
poll_seconds = 0.3
patience_seconds = 5
[ray]
address = "{address}"
"""


def test_twelve_runs_through_a_killed_client_a_killed_worker_and_a_removed_node(
    ray_cluster: Any, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    study = studies.put_study(undisturbed, tmp_path / "disturbed", RAY.format(address=ray_cluster.address))
    extra = ray_cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    first = studies.client("sweep", "run", study, seconds_a_step=0.02)
    studies.wait_for(lambda: len(list(study.glob("runs/*/metrics.jsonl"))) >= 3)
    first.kill()
    first.communicate()

    second = studies.client("sweep", "run", study, seconds_a_step=0.02)
    os.kill(studies.wait_for(lambda: workers(study))[0], signal.SIGKILL)
    time.sleep(1.0)
    ray_cluster.remove_node(extra, allow_graceful=False)
    stdout, stderr = second.communicate(timeout=240)
    assert second.returncode == 0, stdout + stderr
    assert len(list(study.glob("ray/*/submitted.json"))) == 1  # by the second client, nothing was submitted
    assert studies.outcome(study) == studies.outcome(undisturbed)
    made = studies.attempts(study)
    assert sum("restart_of" in row for rows in made.values() for row in rows) >= 1
    assert sum("restart_of" not in row for rows in made.values() for row in rows) == 12


def workers(study: Path) -> list[int]:
    """Ray's workers that are at a job now, the last begun first."""
    begun = sorted(study.glob("ray/*/marks/*.started"), key=lambda path: -int(path.name.split(".")[0]))
    live = [path for path in begun if path.read_text() and not path.with_suffix(".ended").exists()]
    return [json.loads(path.read_text())["process"] for path in live]


def test_a_run_over_two_nodes_goes_on_after_a_kill_and_gives_its_nodes_back(
    ray_cluster: Any, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    import ray

    tables = RAY.format(address=ray_cluster.address).replace("[ray]", "nodes = 2\n[ray]")
    alone, spread = studies.put_spread(undisturbed, tmp_path, tables)
    client = subprocess.Popen([sys.executable, "-m", "isoflop", "sweep", "run", str(spread)], stderr=subprocess.PIPE)
    studies.wait_for(lambda: list(spread.glob("runs/*/metrics.jsonl")))
    groups = [group for group in ray.util.placement_group_table().values() if group["state"] == "CREATED"]
    assert [len(set(group["bundles_to_node_id"].values())) for group in groups] == [2]
    os.kill(workers(spread)[0], signal.SIGKILL)
    studies.isoflop("sweep", "run", alone)
    _, stderr = client.communicate(timeout=240)
    assert client.returncode == 0, stderr
    studies.assert_same_losses(alone, spread)
    (made,) = studies.attempts(spread).values()
    assert [row.get("restart_of") for row in made] == [None, 1]
    studies.wait_for(lambda: {g["state"] for g in ray.util.placement_group_table().values()} == {"REMOVED"})

"""The Ray executor against a real cluster of two nodes: the contract, and a cluster that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.executors import EngineExecutor, Manners
from isoflop.executors.ray import RaySettings, ray_executor
from isoflop.testing.executors import EngineContract

Client = Callable[[Path], EngineExecutor]
OFTEN = Manners(poll_seconds=0.2, patience_seconds=3.0)


class TestRay(EngineContract):
    @pytest.fixture
    def client(self, ray_cluster: str) -> Client:
        return lambda folder: ray_executor(folder, RaySettings(), OFTEN)


def test_no_cluster_here_is_one_sentence(tmp_path: Path) -> None:
    """In a process of its own: this one may be a client of the cluster of the other tests."""
    pytest.importorskip("ray", reason="Ray is not installed (the extra ray)")
    code = (
        "import sys; from pathlib import Path; from isoflop.errors import UsageError\n"
        "from isoflop.executors.ray import RaySettings, ray_executor\n"
        "try: ray_executor(Path(sys.argv[1]), RaySettings(address='127.0.0.1:9'))\n"
        "except UsageError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ray")], capture_output=True, text=True, check=False
    )
    assert re.fullmatch(
        r"no Ray cluster answers at '127.0.0.1:9' \(.*\); start one with ray start --head, .*\n", said.stdout
    )

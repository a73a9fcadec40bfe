"""The Ray executor against a real cluster of two nodes: the contract, and a cluster that is not there."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.errors import UsageError
from isoflop.executors import EngineExecutor, Manners, Status
from isoflop.executors.ray import RaySettings, ray_executor
from isoflop.testing.executors import EngineContract, python_job, wait_until_final

Client = Callable[[Path], EngineExecutor]
OFTEN = Manners(poll_seconds=0.2, patience_seconds=3.0)


class TestRay(EngineContract):
    @pytest.fixture
    def client(self, ray_cluster: str) -> Client:
        return lambda folder: ray_executor(folder, RaySettings(), OFTEN)


def test_no_cluster_here_is_one_sentence(tmp_path: Path) -> None:
    """In a process of its own: this one may be a client of the cluster of the other tests. A web server is at an
    address, nobody at another, and a cluster that ends with its client at the third."""
    pytest.importorskip("ray", reason="Ray is not installed (the extra ray)")
    code = (
        "import sys; from pathlib import Path; from isoflop.errors import UsageError\n"
        "from isoflop.executors.ray import RaySettings, ray_executor\n"
        "for address in sys.argv[2:]:\n"
        "    try: ray_executor(Path(sys.argv[1]), RaySettings(address=address))\n"
        "    except UsageError as error: print(error)"
    )
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        where = ["127.0.0.1:9", f"127.0.0.1:{web.server_port}", "local"]
        words = [sys.executable, "-c", code, str(tmp_path / "ray"), *where]
        said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout.splitlines()
        web.shutdown()
    nobody, other, local = said
    assert re.fullmatch(r"no Ray cluster answers at '127.0.0.1:9' \(.*\); start one with ray start --head, .*", nobody)
    assert "something else than Ray listens there" in other
    assert "a cluster of Ray that ends with this command" in local


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (RaySettings(gpus=1.5), r"gpus is 1.5; above 1 Ray gives whole ones"),
        (RaySettings(gpus=0.00001), r"gpus is 1e-05; Ray gives 0.0001 at least"),
        (RaySettings(resources={"a100": 2.5}), r"resources.a100 is 2.5; above 1"),
        (RaySettings(resources={"CPU": 1.0}), r"resources has 'CPU'; give cpus, gpus and memory_gib"),
    ],
)
def test_amounts_that_ray_does_not_give_are_refused(settings: RaySettings, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        ray_executor(tmp_path / "ray", settings)


@pytest.mark.usefixtures("ray_cluster")
def test_what_fits_on_no_node_says_so_and_its_keeper_ends_with_it(tmp_path: Path) -> None:
    from ray.util import list_named_actors

    before = list_named_actors(all_namespaces=True)
    job = python_job(tmp_path, "large", "pass")
    with ray_executor(tmp_path / "ray", RaySettings(cpus=64), OFTEN) as executor:
        executor.submit(job)
        report = executor.status(job)
        assert (report.status, report.reason) == (Status.QUEUED, "Ray: no node of the cluster has 64 CPU")
        executor.cancel(job)
        assert wait_until_final(executor, job).status is Status.CANCELLED
        executor.settle(job)
    deadline = time.monotonic() + 30
    while list_named_actors(all_namespaces=True) != before:
        assert time.monotonic() < deadline, "the keeper lives on"
        time.sleep(0.1)

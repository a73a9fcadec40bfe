"""Real engines for the tests: a Slurm of two nodes on loopback, a Ray cluster of two nodes on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def _neighbour(name: str, folder: Path = Path(__file__).parent) -> ModuleType:
    """A module beside this file, or in another folder of tests: they are no package."""
    spec = spec_from_file_location(name, folder / f"{name}.py")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _free_ports() -> int:
    """The first of some ports in a row that nobody listens at."""
    for port in range(17000, 30000, 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) and one.connect_ex(("127.0.0.1", port + 1)):
                return port
    raise AssertionError("no free port")


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[object]:
    slurm = _neighbour("slurm_cluster")
    if why_not := slurm.why_not():
        pytest.skip(why_not)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = slurm.SlurmCluster(folder, _free_ports())
    cluster.start()
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(cluster.conf)
    yield cluster
    cluster.stop()
    os.environ.pop("SLURM_CONF")
    if before:
        os.environ["SLURM_CONF"] = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def accounting_cluster() -> Iterator[object]:
    """The same with accounting, and a controller of short memory."""
    slurm = _neighbour("slurm_cluster")
    if why_not := slurm.why_not((*slurm.NEEDED, "slurmdbd", "mariadbd", "mariadb-install-db")):
        pytest.skip(why_not)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = slurm.SlurmCluster(folder, _free_ports(), remembers=2)
    cluster.start(accounts=True)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Two nodes, the head with one processor and another with two; this process is a client of it."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray", reason="Ray is not installed (the extra ray)")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    cluster.add_node(num_cpus=2, object_store_memory=80_000_000)
    ray.init(cluster.address, namespace="isoflop", log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def studies() -> ModuleType:
    return _neighbour("studies")


@pytest.fixture(scope="session")
def templates() -> ModuleType:
    """The tests of the templates for others' trainers, for what these trainers print."""
    return _neighbour("test_trainer_templates", Path(__file__).parents[1] / "study")


@pytest.fixture(scope="session")
def undisturbed(studies: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of twelve small runs, made on this machine in peace."""
    folder = tmp_path_factory.mktemp("undisturbed")
    studies.write_text(folder / "text")
    study = folder / "study"
    study.mkdir()
    (study / "study.toml").write_text(studies.STUDY)
    studies.run_client("sweep", "init", study)
    studies.run_client("sweep", "run", study)
    return study

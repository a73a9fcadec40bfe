"""Manifests for Kubernetes and SkyPilot, launched by a cluster that is played here: the command of each pod, index by
index, as the manifest has it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from isoflop.cli.main import run
from isoflop.errors import UsageError
from isoflop.executors import (
    NODE_RANK,
    PYTHON,
    RENDEZVOUS,
    EngineExecutor,
    Job,
    KubernetesSettings,
    Manners,
    SkyPilotSettings,
    Status,
    manifests_executor,
)
from isoflop.executors.manifests import Form
from isoflop.testing.executors import EngineContract, python_job, wait_until_final

Client = Callable[[Path], EngineExecutor]
OFTEN = Manners(poll_seconds=0.1, patience_seconds=3.0)
ROOT = Path(__file__).parents[2]


def kubernetes(folder: Path, **others: Any) -> KubernetesSettings:
    return KubernetesSettings(image="isoflop:1", claim="studies", mount=str(folder), python=sys.executable, **others)


def skypilot(folder: Path) -> SkyPilotSettings:
    return SkyPilotSettings(volume="studies", mount=str(folder), python=sys.executable)


def pods(manifest: Path) -> list[tuple[list[str], dict[str, str]]]:
    """The words and the variables of each task, as the manifest has them."""
    table = json.loads(manifest.read_text())
    if manifest.stem == "skypilot":
        count = len(json.loads((manifest.parent / "batch.json").read_text())["tasks"])
        return [(["bash", "-c", table["run"]], {**table["envs"], "TASK": str(index)}) for index in range(count)]
    (container,) = table["spec"]["template"]["spec"]["containers"]
    variables = {row["name"]: row["value"] for row in container["env"]}
    return [
        ([word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["command"]], variables)
        for index in range(table["spec"]["completions"])
    ]


class Cluster:
    """Launches every manifest under a folder once, all its tasks at a time, and begins again none that ended badly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._launched: set[Path] = set()
        self._pods: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for manifest in set(self._folder.glob("**/[!.]*/*.yaml")) - self._launched:
                self._launched.add(manifest)
                for words, variables in pods(manifest):
                    self._pods.append(subprocess.Popen(words, env={**os.environ, **variables}))

    def kill_pods(self) -> None:
        for pod in self._pods:
            pod.kill()
            pod.wait()

    def launch_again(self) -> None:
        self._launched.clear()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        for pod in self._pods:
            pod.terminate()
            pod.wait(30)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.stop()


class _Contract(EngineContract):
    def test_a_job_whose_node_was_killed_is_begun_again_or_told(
        self, executor: Any, cluster: Cluster, tmp_path: Path
    ) -> None:
        """Nobody tells that its pod is gone; the one that Kubernetes puts in its place goes on as another attempt."""
        job = self.begun(executor, tmp_path)
        cluster.kill_pods()
        time.sleep(0.3)
        assert executor.status(job).status is Status.RUNNING
        cluster.launch_again()
        assert wait_until_final(executor, job).status is Status.DONE
        assert (job.folder / "begun-2").exists()


@pytest.mark.usefixtures("cluster")
class TestKubernetes(_Contract):
    @pytest.fixture
    def client(self, tmp_path: Path) -> Client:
        return lambda folder: manifests_executor(folder, kubernetes(tmp_path), OFTEN)


@pytest.mark.usefixtures("cluster")
class TestSkyPilot(_Contract):
    @pytest.fixture
    def client(self, tmp_path: Path) -> Client:
        return lambda folder: manifests_executor(folder, skypilot(tmp_path), OFTEN)


# By hand, of what is written here: the fields and types that Kubernetes 1.36's api/openapi-spec has for batch/v1 Job.
WORD, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}


def closed(**properties: Any) -> dict[str, Any]:
    required = [name for name in properties if not name.endswith("_")]
    properties = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def rows(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


WORDS = {"type": "object", "additionalProperties": WORD}
CONTAINER = closed(
    name=WORD,
    image=WORD,
    command=rows(WORD),
    env=rows(closed(name=WORD, value=WORD)),
    resources=closed(requests=WORDS, limits=WORDS),
    volumeMounts=rows(closed(name=WORD, mountPath=WORD)),
)
POD = closed(
    restartPolicy={"const": "Never"},  # what a podFailurePolicy asks for
    terminationGracePeriodSeconds=COUNT,
    containers=rows(CONTAINER),
    volumes=rows(closed(name=WORD, persistentVolumeClaim=closed(claimName=WORD))),
    serviceAccountName_=WORD,
    nodeSelector_=WORDS,
)
CONDITION = closed(type={"const": "DisruptionTarget"}, status={"enum": ["True", "False", "Unknown"]})
RULE = closed(action={"enum": ["FailJob", "FailIndex", "Ignore", "Count"]}, onPodConditions=rows(CONDITION))
KUBERNETES_JOB = closed(
    apiVersion={"const": "batch/v1"},
    kind={"const": "Job"},
    metadata=closed(name={"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 57}, namespace_=WORD),
    spec=closed(
        completionMode={"const": "Indexed"},  # what a backoffLimitPerIndex asks for
        completions=COUNT,
        parallelism=COUNT,
        backoffLimitPerIndex=COUNT,
        podFailurePolicy=closed(rules=rows(RULE)),
        template=closed(metadata=closed(labels=WORDS), spec=POD),
    ),
)
# The same of get_task_schema and _get_single_resources_schema in SkyPilot 0.14's sky/utils/schemas.py.
NUMBER = {"type": "number"}
SKYPILOT_TASK = closed(
    name=WORD,
    resources_=closed(
        infra_=WORD, accelerators_=WORD, cpus_=NUMBER, memory_=NUMBER, use_spot_={"type": "boolean"}, image_id_=WORD
    ),
    num_nodes={"type": "integer"},
    envs={
        "type": "object",
        "patternProperties": {"^[a-zA-Z_][a-zA-Z0-9_]*$": {"type": ["string", "null"]}},
        "additionalProperties": False,
    },
    volumes_=WORDS,
    setup_=WORD,
    run=WORD,
)
FULL = {"namespace": "ml", "service_account": "runner", "cpus": 4, "gpus": 2, "memory_gib": 1.5, "tasks_at_once": 2}
SELECTOR = {"node_selector": {"cloud.google.com/gke-accelerator": "nvidia-l4", "rack": 3}}
SKY = {"infra": "k8s", "accelerators": "A100:1", "cpus": 4, "memory_gib": 16.0, "use_spot": True, "image": "docker:i"}


def written(folder: Path, form: Form, *jobs: Job, manners: Manners = OFTEN) -> dict[str, Any]:
    with manifests_executor(folder / "batches", form, manners) as executor:
        for job in jobs:
            executor.submit(job)
    (manifest,) = (folder / "batches").glob(f"*/{form.name}.yaml")
    return json.loads(manifest.read_text())


@pytest.mark.parametrize("asked", [{}, FULL | SELECTOR])
def test_a_job_of_kubernetes_is_one_by_its_schema(asked: dict[str, Any], tmp_path: Path) -> None:
    jobs = [python_job(tmp_path, name, "pass") for name in "abc"]
    job = written(tmp_path, kubernetes(tmp_path, **asked), *jobs)
    jsonschema.validate(job, KUBERNETES_JOB)
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (3, 2 if asked else 3)
    pod = job["spec"]["template"]["spec"]
    limits = pod["containers"][0]["resources"]["limits"]
    assert limits == ({"cpu": "4", "memory": "1536Mi", "nvidia.com/gpu": "2"} if asked else {"cpu": "1"})
    if asked:
        assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4", "rack": "3"}


@pytest.mark.parametrize("asked", [{}, SKY | {"setup": ("pip install isoflop", "nvidia-smi")}])
def test_a_task_of_skypilot_is_one_by_its_schema(asked: dict[str, Any], tmp_path: Path) -> None:
    task = written(tmp_path, replace(skypilot(tmp_path), **asked), python_job(tmp_path, "a", "pass"))
    jsonschema.validate(task, SKYPILOT_TASK)
    assert task["envs"]["TASK"] is None
    assert ("setup" in task, "resources" in task) == (bool(asked), bool(asked))


def test_a_little_memory_is_not_none(tmp_path: Path) -> None:
    job = written(tmp_path, kubernetes(tmp_path, memory_gib=0.0001), python_job(tmp_path, "a", "pass"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Mi"


def test_the_schemas_refuse_what_they_should(tmp_path: Path) -> None:
    job = written(tmp_path, kubernetes(tmp_path), python_job(tmp_path, "a", "pass"))
    job["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, KUBERNETES_JOB)


def test_a_trunk_and_its_branches_are_one_task_and_short_runs_share_others(tmp_path: Path) -> None:
    trunk = python_job(tmp_path, "trunk", "pass")
    branches = [replace(python_job(tmp_path, name, "pass"), after=(trunk.key,)) for name in ("b1", "b2")]
    short = [python_job(tmp_path, f"s{number}", "pass") for number in range(3)]
    jobs = (branches[0], short[0], trunk, short[1], branches[1], short[2])
    written(tmp_path, kubernetes(tmp_path), *jobs, manners=Manners(runs_per_task=2))
    (batch,) = (tmp_path / "batches").glob("*/batch.json")
    table = json.loads(batch.read_text())
    ids = [[table["jobs"][number]["id"] for number in task] for task in table["tasks"]]
    assert ids == [["trunk", "b1", "b2"], ["s0", "s1"], ["s2"]]


def test_a_branch_of_a_trunk_in_an_earlier_manifest_is_refused(tmp_path: Path) -> None:
    trunk = python_job(tmp_path, "trunk", "pass")
    with manifests_executor(tmp_path / "batches", kubernetes(tmp_path), OFTEN) as executor:
        executor.submit(trunk)
        executor.flush()
        executor.submit(replace(python_job(tmp_path, "branch", "pass"), after=(trunk.key,)))
        with pytest.raises(UsageError, match="waits for a trunk that is with kubernetes already"):
            executor.flush()


def test_what_is_to_be_launched_is_said_until_it_has_begun(tmp_path: Path) -> None:
    told: list[str] = []
    jobs = [python_job(tmp_path, name, "pass") for name in "ab"]
    for _ in range(2):
        with manifests_executor(tmp_path / "batches", kubernetes(tmp_path), OFTEN, tell=told.append) as executor:
            for job in jobs:
                executor.submit(job)
            executor.status(jobs[0])
    (manifest,) = (tmp_path / "batches").glob("*/kubernetes.yaml")
    assert told == [f"2 tasks to launch, once: kubectl apply -f {manifest}"] * 2
    words, variables = pods(manifest)[0]
    subprocess.run(words, env={**os.environ, **variables}, check=True)
    with manifests_executor(tmp_path / "batches", kubernetes(tmp_path), OFTEN, tell=told.append) as executor:
        assert [executor.status(job).status for job in jobs] == [Status.DONE, Status.QUEUED]
    assert len(told) == 2


def test_the_loop_of_skypilot_launches_each_task_once(tmp_path: Path) -> None:
    """By a ``sky`` that writes down how it is called."""
    told: list[str] = []
    with manifests_executor(tmp_path / "my batches", skypilot(tmp_path), OFTEN, tell=told.append) as executor:
        for name in "abc":
            executor.submit(python_job(tmp_path, name, "pass"))
    (manifest,) = (tmp_path / "my batches").glob("*/skypilot.yaml")
    sky = tmp_path / "sky"
    sky.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$0.log"\n')
    sky.chmod(0o755)
    loop = told[0].partition("once: ")[2]
    subprocess.run(["bash", "-c", loop], env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    name = f"isoflop-{manifest.parent.name}"
    assert (tmp_path / "sky.log").read_text().splitlines() == [
        f"jobs launch --yes --detach-run --name {name}-{task} --env TASK={task} {manifest}" for task in range(3)
    ]


def test_a_task_of_skypilot_on_two_nodes_starts_the_job_on_both(tmp_path: Path) -> None:
    """Its shell, played on each with SkyPilot's own variables."""
    code = (
        "import sys, time; from pathlib import Path; rank = int(sys.argv[1]); print(*sys.argv[1:], flush=True)\n"
        "while rank == 0 and not Path('stdout-1.log').exists(): time.sleep(0.05)"
    )
    job = Job("a", 1, (sys.executable, "-c", code, NODE_RANK, RENDEZVOUS), tmp_path, nodes=2)
    task = written(tmp_path, replace(skypilot(tmp_path), python=sys.executable), job)
    jsonschema.validate(task, SKYPILOT_TASK)
    assert task["num_nodes"] == 2
    address = {"TASK": "0", "SKYPILOT_NODE_IPS": "10.0.0.7\n10.0.0.8", "SKYPILOT_NUM_NODES": "2"}
    nodes = [
        subprocess.Popen(["bash", "-c", task["run"]], env={**os.environ, **address, "SKYPILOT_NODE_RANK": rank})
        for rank in "10"
    ]
    assert [node.wait(60) for node in nodes] == [0, 0]
    said = [(tmp_path / name).read_text().split() for name in ("stdout.log", "stdout-1.log")]
    assert [rank for rank, _ in said] == ["0", "1"]
    assert said[0][1] == said[1][1]
    assert said[0][1].startswith("10.0.0.7:")


def test_a_commands_python_is_that_of_the_pod(cluster: Cluster, tmp_path: Path) -> None:
    other = tmp_path / "python-of-the-image"
    other.symlink_to(sys.executable)
    form = replace(kubernetes(tmp_path), python=str(other))
    job = Job("a", 1, (PYTHON, "-c", "import sys; print(sys.executable)"), tmp_path)
    variables = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # a symbolic link is in no environment
    try:
        with manifests_executor(tmp_path / "batches", form, OFTEN) as executor:
            executor.submit(job)
            assert wait_until_final(executor, job).status is Status.DONE
    finally:
        os.environ["PYTHONPATH"] = variables
    assert (tmp_path / "stdout.log").read_text().strip() == str(other)


NAMED = KubernetesSettings(image="i", claim="c", mount="/data")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (KubernetesSettings(claim="c", mount="/"), r"\[kubernetes\] has no image"),
        (KubernetesSettings(image="i", mount="/"), r"\[kubernetes\] has no claim"),
        (KubernetesSettings(image="i", claim="c"), r"\[kubernetes\] has no mount"),
        (KubernetesSettings(image="i", claim="c", mount="/data"), "mount is '/data', and the study is not below it"),
        (replace(NAMED, mount="/"), "mount is '/', where a pod has its own system"),
        (replace(NAMED, python=""), r"\[kubernetes\]: python is ''; name the image's"),
        (replace(NAMED, namespace="UPPER CASE"), "namespace is 'UPPER CASE'; a name there is of a-z"),
        (replace(NAMED, namespace="a.b"), "namespace is 'a.b'"),
        (replace(NAMED, claim="my_claim"), "claim is 'my_claim'"),
        (replace(NAMED, service_account="-a"), "service_account is '-a'"),
        (replace(NAMED, image="an image"), "image is 'an image'; the name of an image has no spaces"),
        (replace(NAMED, node_selector={"a b c": ""}), "node_selector has 'a b c'; a label is called as in"),
        (replace(NAMED, node_selector={"a/b/c": "x"}), "node_selector has 'a/b/c'"),
        (replace(NAMED, node_selector={"gpu": "an l4"}), "node_selector has gpu = 'an l4'; a label's value is of"),
        (replace(NAMED, node_selector={"gpu": "x" * 64}), "63 at most"),
        (SkyPilotSettings(), r"\[skypilot\] has no volume, and no setup that mounts one"),
        (SkyPilotSettings(setup=("mount-it",), python=""), r"\[skypilot\]: python is ''"),
        (SkyPilotSettings(volume="v"), "volume and mount go together"),
        (SkyPilotSettings(volume="v", mount="/data"), "mount is '/data', and the study is not below it"),
    ],
)
def test_what_no_pod_could_work_with_is_refused_before_a_run_is_claimed(form: Form, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        manifests_executor(tmp_path / "study" / "batches", form)


TABLES = """
[executor]
kind = "kubernetes"
poll_seconds = 0.1
patience_seconds = 3
[kubernetes]
image = "isoflop:1"
claim = "studies"
mount = "{mount}"
python = "{python}"
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study of the example, whose runs take no time, with Kubernetes."""
    shutil.copytree(ROOT / "examples" / "trainers" / "own", tmp_path / "study")
    with (tmp_path / "study" / "study.toml").open("a") as file:
        file.write(TABLES.format(mount=tmp_path, python=sys.executable))
    monkeypatch.chdir(tmp_path)
    assert run(["sweep", "init", "study"]) == 0
    return tmp_path / "study"


def launch(said: str, only: int | None = None) -> Path:
    """Do what was said to be done to launch: every task of the manifest, or one."""
    command = shlex.split(re.findall(r"to launch, once: (.*)", said)[-1])
    assert command[:3] == ["kubectl", "apply", "-f"]
    manifest = Path(command[3])
    for index, (words, variables) in enumerate(pods(manifest)):
        if only in (None, index):
            subprocess.run(words, env={**os.environ, **variables}, check=False)
    return manifest


def test_a_study_is_written_launched_and_watched(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "run", "study", "--detach"]) == 0
    said = capsys.readouterr()
    assert "own: 6 runs: 6 queued" in said.out
    assert re.search(
        r"^6 tasks to launch, once: kubectl apply -f study/kubernetes/\w+/kubernetes\.yaml$", said.err, re.M
    )
    assert run(["sweep", "status", "study"]) == 0
    assert "6 runs with kubernetes" in capsys.readouterr().out
    assert run(["sweep", "run", "study", "--executor", "local"]) == 2
    assert "6 runs of study are with kubernetes" in capsys.readouterr().err
    launch(said.err)
    assert run(["sweep", "run", "study"]) == 4  # one run of the example fails
    assert "own: 6 runs: 5 done, 1 out of memory" in capsys.readouterr().out
    assert len(list(study.glob("kubernetes/*/kubernetes.yaml"))) == 1


def test_a_result_is_what_its_attempt_left_whatever_an_orphan_writes(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the end of the newest attempt and the next look of a client."""
    assert run(["sweep", "run", "study", "--detach"]) == 0
    launch(capsys.readouterr().err)
    written = {path: json.loads(path.read_text()) for path in study.glob("runs/*/result.json")}
    assert len(written) == 5
    for path in written:
        path.write_text('{"loss": 99}')
    assert run(["sweep", "run", "study"]) == 4  # one run of the example fails
    for path, result in written.items():
        assert json.loads((path.parent / "published.json").read_text())["loss"] == result["loss"]
        assert json.loads(path.read_text()) == {"loss": 99}


def test_a_lost_pod_is_under_way_until_it_is_cancelled(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that is gone with its pod leaves a start without an end. Should the pod live after all, its attempt is
    not the newest any more."""
    assert run(["sweep", "run", "study", "--detach"]) == 0
    (batch,) = study.glob("kubernetes/*/batch.json")
    (batch.parent / "marks" / "0.1.started").write_text('{"attempt": 1, "host": "gone", "process": 7}\n')
    lost = json.loads(batch.read_text())["jobs"][0]["id"]
    assert run(["sweep", "run", "study", "--detach"]) == 0
    assert run(["sweep", "cancel", "study"]) == 0
    assert run(["sweep", "retry", "study"]) == 0
    capsys.readouterr()
    assert run(["sweep", "run", "study", "--detach"]) == 0
    said = capsys.readouterr()
    assert "own: 6 runs: 6 queued" in said.out
    second = launch(said.err)
    assert second.parent != batch.parent
    assert run(["sweep", "run", "study"]) == 4
    assert "own: 6 runs: 5 done, 1 out of memory" in capsys.readouterr().out
    attempts = sorted(path.name for path in (study / "runs" / lost / "attempts").iterdir())
    assert attempts == ["0001.json", "0002.json"]
    results = {path: path.read_bytes() for path in study.glob("runs/*/published.json")}
    for words, variables in pods(batch.parent / "kubernetes.yaml"):  # the first manifest, launched late
        subprocess.run(words, env={**os.environ, **variables}, check=False)
    assert {path: path.read_bytes() for path in study.glob("runs/*/published.json")} == results
    assert len(results) == 5


def test_who_watches_a_lost_pod_is_free_once_it_is_cancelled(tmp_path: Path) -> None:
    job = python_job(tmp_path, "a", "pass")
    with manifests_executor(tmp_path / "batches", kubernetes(tmp_path), OFTEN) as executor:
        executor.submit(job)
        executor.status(job)
        (batch,) = (tmp_path / "batches").glob("*/batch.json")
        (batch.parent / "marks" / "0.1.started").touch()
        time.sleep(0.2)
        assert executor.status(job).status is Status.RUNNING
        executor.cancel(job)
        time.sleep(0.2)
        assert executor.status(job).status is Status.RUNNING
        assert wait_until_final(executor, job, 10).status is Status.CANCELLED


def test_the_trainers_own_runs_come_out_as_on_one_machine(
    cluster: Cluster, undisturbed: Path, studies: ModuleType, tmp_path: Path
) -> None:
    """isoflop's own trainer, twelve runs in two pods, which are killed and replaced."""
    pytest.importorskip("torch", reason="the trainer needs torch (pip install isoflop[train])")
    tables = TABLES.format(mount=tmp_path, python=sys.executable).replace("poll", "runs_per_task = 6\npoll")
    study = studies.put_study(undisturbed, tmp_path / "played", tables)
    watching = studies.client("sweep", "run", study, seconds_a_step=0.02)
    studies.wait_for(lambda: len(list(study.glob("runs/*/metrics.jsonl"))) >= 2)
    cluster.kill_pods()
    cluster.launch_again()
    stdout, stderr = watching.communicate(timeout=240)
    assert watching.returncode == 0, stdout + stderr
    assert studies.outcome(study) == studies.outcome(undisturbed)
    assert sum("restart_of" in row for rows in studies.attempts(study).values() for row in rows) >= 1

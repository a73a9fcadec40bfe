"""Jobs for Kubernetes and SkyPilot: written down as they take them, and launched by somebody else.

Nobody is asked here how a job fares. What its node has put down in the batch is all that is known, so that a job whose
pod vanished without a word stays under way until it is cancelled.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from isoflop.errors import UsageError
from isoflop.executors._batch import Batch
from isoflop.executors._cluster_names import check_name, check_selector
from isoflop.executors._engine import AS_USUAL, EngineExecutor, Manners
from isoflop.executors._executor import mebibytes
from isoflop.files import write_atomic

KUBERNETES, SKYPILOT = "kubernetes", "skypilot"
# SkyPilot's own variables: the rank, and the addresses of all nodes in the order of their ranks, one a line.
_WHICH_NODE = ' "$SKYPILOT_NODE_RANK" "$(echo "$SKYPILOT_NODE_IPS" | head -n1)"'
_SECONDS_TO_STOP = 60
"""What a pod that is evicted gets, to stop after a checkpoint."""

Tell = Callable[[str], None]


class Form(Protocol):
    """How one kind of manifest is written."""

    @property
    def name(self) -> str: ...

    def check(self, folder: Path) -> None:
        """UsageError where what was set cannot do for batches in ``folder``."""

    def manifest(self, batch: Batch) -> dict[str, Any]: ...

    def launch(self, batch: Batch, file: str) -> str:
        """The command of a shell that launches what was written in ``file``."""


@dataclass(frozen=True)
class KubernetesSettings:
    """What a Job asks for. ``image`` holds isoflop, ``python`` is its Python; ``claim`` is the persistentVolumeClaim
    that holds the study, mounted at ``mount``. ``retries`` is how often a task is begun again that failed for another
    reason than a disruption. ``""`` and 0 leave the cluster's own."""

    image: str = ""
    claim: str = ""
    mount: str = ""
    namespace: str = ""
    service_account: str = ""
    cpus: int = 1
    gpus: int = 0
    memory_gib: float = 0.0
    tasks_at_once: int = 0
    retries: int = 3
    node_selector: Mapping[str, str | int] = field(default_factory=dict)
    python: str = "python3"

    @property
    def name(self) -> str:
        return KUBERNETES

    def check(self, folder: Path) -> None:
        for key in ("image", "claim", "mount"):
            if not getattr(self, key):
                raise UsageError(f"[kubernetes] has no {key}: give image, claim and mount, without which no pod works.")
        if self.image.split() != [self.image]:
            raise UsageError(f"[kubernetes]: image is {self.image!r}; the name of an image has no spaces.")
        check_name("namespace", self.namespace, may_have_dots=False)
        check_name("service_account", self.service_account)
        check_name("claim", self.claim)
        check_selector(self.node_selector)
        _check_python(self.python, KUBERNETES)
        _check_mount(self.mount, folder, KUBERNETES)

    def manifest(self, batch: Batch) -> dict[str, Any]:
        """A Job of batch/v1 with an index for each task."""
        metadata = {"name": _name(batch), **_given(namespace=self.namespace)}
        spec = {
            "completionMode": "Indexed",
            "completions": len(batch.tasks),
            "parallelism": self.tasks_at_once or len(batch.tasks),
            "backoffLimitPerIndex": self.retries,
            # A node that is drained or preempted is no fault of the task's.
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": {"metadata": {"labels": {"app": "isoflop"}}, "spec": self._pod(batch)},
        }
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}

    def _pod(self, batch: Batch) -> dict[str, Any]:
        asked = {
            **_given(cpu=self.cpus and str(self.cpus)),
            **_given(memory=self.memory_gib and f"{mebibytes(self.memory_gib)}Mi"),
            **({"nvidia.com/gpu": str(self.gpus)} if self.gpus else {}),
        }
        container = {
            "name": "runs",
            "image": self.image,
            # The kubelet puts the index in, which is a variable of every pod of an indexed Job.
            "command": [*_node(self.python, batch), "$(JOB_COMPLETION_INDEX)"],
            "env": [{"name": name, "value": value} for name, value in _threads(self.cpus).items()],
            "resources": {"requests": asked, "limits": asked},
            "volumeMounts": [{"name": "study", "mountPath": self.mount}],
        }
        return {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": _SECONDS_TO_STOP,
            "containers": [container],
            "volumes": [{"name": "study", "persistentVolumeClaim": {"claimName": self.claim}}],
            **_given(serviceAccountName=self.service_account),
            **_given(nodeSelector={key: str(value) for key, value in self.node_selector.items()}),
        }

    def launch(self, batch: Batch, file: str) -> str:
        return f"kubectl apply -f {shlex.quote(file)}"


@dataclass(frozen=True)
class SkyPilotSettings:
    """What a task asks SkyPilot for, in SkyPilot's own words; ``""`` and 0 leave its own choice. ``volume`` is one of
    its volumes, which holds the study, mounted at ``mount``; without it ``setup``, lines of shell, sees to that."""

    infra: str = ""
    accelerators: str = ""
    cpus: int = 0
    memory_gib: float = 0.0
    use_spot: bool = False
    image: str = ""
    volume: str = ""
    mount: str = ""
    setup: tuple[str, ...] = ()
    python: str = "python3"

    @property
    def name(self) -> str:
        return SKYPILOT

    def check(self, folder: Path) -> None:
        if bool(self.volume) != bool(self.mount):
            raise UsageError("[skypilot]: volume and mount go together; give both, or neither and a setup that mounts.")
        if not self.volume and not self.setup:
            raise UsageError("[skypilot] has no volume, and no setup that mounts one: no task would see the study.")
        if self.mount:
            _check_mount(self.mount, folder, SKYPILOT)
        _check_python(self.python, SKYPILOT)

    def manifest(self, batch: Batch) -> dict[str, Any]:
        """A task whose variable TASK is the number of a task of the batch."""
        resources = _given(
            infra=self.infra,
            accelerators=self.accelerators,
            cpus=self.cpus,
            memory=self.memory_gib,
            use_spot=self.use_spot,
            image_id=self.image,
        )
        return {
            "name": _name(batch),
            **_given(resources=resources),
            "num_nodes": batch.nodes,
            "envs": {"TASK": None, **_threads(self.cpus)},  # SkyPilot refuses a launch that leaves out one of null
            **_given(volumes=self.volume and {self.mount: self.volume}, setup="\n".join(self.setup)),
            "run": f'exec {shlex.join(_node(self.python, batch))} "$TASK"{_WHICH_NODE if batch.nodes > 1 else ""}',
        }

    def launch(self, batch: Batch, file: str) -> str:
        # One managed job a task, in a loop, as SkyPilot's page on many jobs has it.
        words = f"sky jobs launch --yes --detach-run --name {_name(batch)}-$TASK --env TASK=$TASK {shlex.quote(file)}"
        return f"for TASK in $(seq 0 {len(batch.tasks) - 1}); do {words}; done"


class Manifests:
    """An ``Engine`` that only writes. ``tell`` is told what is to be launched, as long as nothing of it has begun."""

    only_writes = True
    requeue = ()
    tasks_at_most = 10_000

    def __init__(self, form: Form, tell: Tell) -> None:
        self.name = form.name
        self._form = form
        self._tell = tell
        self._told: set[str] = set()

    def hand_over(self, batch: Batch, after: Sequence[tuple[Batch, int]]) -> None:
        if after:
            raise UsageError(
                f"a branch waits for a trunk that is with {self.name} already, which cannot be told so; run this again "
                "when the trunk is done."
            )
        # JSON is YAML too: no library is needed to write it.
        write_atomic(self._file(batch), json.dumps(self._form.manifest(batch), indent=2) + "\n")
        batch.note_submitted({"manifest": self._file(batch).name})
        self._say_what_to_launch(batch)

    def recover(self, batch: Batch) -> bool:
        if not self._file(batch).exists():
            return False
        batch.note_submitted({"manifest": self._file(batch).name})
        return True

    def look(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            if batch.name not in self._told and not any(marks.starts for marks in batch.marks().values()):
                self._say_what_to_launch(batch)

    def end(self, batch: Batch, tasks: Collection[int]) -> bool:
        """Nothing more than the marks: a task that finds its jobs cancelled does none of them."""
        return True

    def close(self) -> None:
        """Nothing to let go of."""

    def _file(self, batch: Batch) -> Path:
        return batch.folder / f"{self.name}.yaml"

    def _say_what_to_launch(self, batch: Batch) -> None:
        self._told.add(batch.name)
        file = os.path.relpath(self._file(batch))
        file = str(self._file(batch)) if file.startswith(os.pardir) else file
        count = f"{len(batch.tasks)} task{'s' if len(batch.tasks) > 1 else ''}"
        self._tell(f"{count} to launch, once: {self._form.launch(batch, file)}")


def manifests_executor(
    folder: Path, form: Form, manners: Manners = AS_USUAL, *, observes: bool = False, tell: Tell = lambda text: None
) -> EngineExecutor:
    """An executor that writes manifests in ``folder``, which pods see under the same path."""
    if not observes:
        form.check(folder.absolute())
    return EngineExecutor(Manifests(form, tell), folder, manners, observes=observes)


def _check_python(python: str, table: str) -> None:
    if not python.strip():
        raise UsageError(f"[{table}]: python is {python!r}; name the image's, as python3.")


def _check_mount(mount: str, folder: Path, table: str) -> None:
    if PurePosixPath(mount) == PurePosixPath("/"):
        raise UsageError(f"[{table}]: mount is {mount!r}, where a pod has its own system; mount the volume below it.")
    if not folder.is_relative_to(mount) or not PurePosixPath(mount).is_absolute():
        raise UsageError(
            f"[{table}]: mount is {mount!r}, and the study is not below it but in {folder.parent}; mount the volume "
            "here and in the pods at one path, with the study on it."
        )


def _name(batch: Batch) -> str:
    return f"isoflop-{batch.name}"


def _node(python: str, batch: Batch) -> list[str]:
    return [python, "-m", "isoflop.executors.node", str(batch.folder)]


def _threads(cpus: int) -> dict[str, str]:
    """Of a machine's processors a container sees all, whatever its share."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(cpus)) if cpus else {}


def _given(**facts: Any) -> dict[str, Any]:
    """What was set, and nothing for what was not."""
    return {key: value for key, value in facts.items() if value}

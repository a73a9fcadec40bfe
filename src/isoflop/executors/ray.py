"""Jobs through Ray: one Ray task for each of a batch's, kept by an actor that outlives the client.

Ray ends the tasks of a client that dies. So a detached actor, the keeper, owns them: a later client finds it by the
name that stands in the study's folder. It remembers nothing that matters: should it be lost with its node, the runs
that were under way are found without a word of how they ended, and are begun again from their checkpoints.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoflop.errors import UsageError
from isoflop.executors._batch import Batch, done_with
from isoflop.executors._engine import AS_USUAL, EngineExecutor, Manners, Phase, Task, Word
from isoflop.executors._executor import Cause
from isoflop.executors._gang import NOT_BEGUN, Gang, bundle_of, code_of, ended_of
from isoflop.executors._nodes import Follower
from isoflop.executors.node import Node
from isoflop.files import read_object

NAMESPACE = "isoflop"
KEEPER = "keeper.json"
_SECONDS_TO_ANSWER = 60.0
_SECONDS_TO_GREET = 5.0
# Of HTTP/2 (RFC 9113): how a client begins, with no settings of its own, and the kind of frame that it is answered by.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_SETTINGS = 4
_LEAST = 0.0001
_NOT_CUSTOM = ("", "CPU", "GPU", "memory", "object_store_memory")
# Where the head of a cluster has a little of this, the keeper goes there: it is the node that lives longest.
_HEAD = "node:__internal_head__"


@dataclass(frozen=True)
class RaySettings:
    """What a task asks of Ray. ``address`` is the cluster's, else RAY_ADDRESS or the one that runs here; ``resources``
    are custom ones; ``retries`` how often Ray itself begins a task again whose worker or node died."""

    address: str = "auto"
    cpus: float = 1.0
    gpus: float = 0.0
    memory_gib: float = 0.0
    resources: Mapping[str, float] = field(default_factory=dict, metadata={"values": "numbers"})
    retries: int = 3
    environment: Mapping[str, str] = field(default_factory=dict, metadata={"values": "variables"})


class Ray:
    """A Ray cluster, as an ``Engine``. UsageError where there is none, or Ray is not installed."""

    name = "ray"
    only_writes = False
    requeue = ()
    tasks_at_most = 10_000

    def __init__(self, folder: Path, settings: RaySettings = RaySettings()) -> None:
        try:
            import ray
        except ImportError:
            raise UsageError("Ray is not installed here; pip install 'isoflop[ray]' where the study is run.") from None
        self._ray: Any = ray
        self._folder = folder
        self._settings = settings
        self._began_here = not self._ray.is_initialized()
        if self._began_here:
            address = _address(settings)
            try:
                _knock(address)
                ray.init(address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
            except (OSError, ValueError, RuntimeError) as error:
                raise UsageError(
                    f"no Ray cluster answers at {address!r} ({_first_line(error)}); start one with "
                    "ray start --head, or give its address under [ray]."
                ) from None
        self._keeper = self._find_keeper()

    def _find_keeper(self) -> Any:
        """The keeper of the study's tasks: the one that lives, or a new one."""
        spare = self._ray.cluster_resources().get(_HEAD, 0.0)
        options: dict[str, Any] = {
            **{"name": _keeper_name(self._folder), "namespace": NAMESPACE, "lifetime": "detached"},
            **{"get_if_exists": True, "num_cpus": 0, "resources": {_HEAD: 0.001} if spare else {}},
        }
        return self._ray.remote(_Keeper).options(**options).remote()

    def hand_over(self, batch: Batch, after: Sequence[tuple[Batch, int]]) -> None:
        awaited = [(one.name, task) for one, task in after]
        self._ask("start", str(batch.folder), len(batch.tasks), batch.nodes, _task_options(self._settings), awaited)
        batch.note_submitted({"keeper": _keeper_name(self._folder)})

    def recover(self, batch: Batch) -> bool:
        if self._ask("look", [batch.name]) or any(marks.starts for marks in batch.marks().values()):
            batch.note_submitted({"keeper": _keeper_name(self._folder)})
            return True
        return False

    def look(self, batches: Sequence[Batch]) -> Mapping[Task, Word] | None:
        kept = self._ask("look", [batch.name for batch in batches])
        return {
            task: Word(Phase(phase), cause and Cause(cause), reason) for task, (phase, cause, reason) in kept.items()
        }

    def end(self, batch: Batch, tasks: Collection[int]) -> bool:
        """The marks are enough: a task that finds its jobs cancelled does none of them. Nodes that a run still waits
        for are asked for no longer."""
        if batch.nodes > 1:
            for task in tasks:
                self._ask("give_up", (batch.name, task))
        return True

    def close(self) -> None:
        """End the keeper that has nothing left to keep: tasks of a batch whose ends are all put down, and which wait
        for nodes that never come, are nobody's any more. Those of a batch that is not known here are another
        client's, which submits at this moment."""
        if self._ask("is_idle", done_with(self._folder)):
            self._ray.kill(self._keeper)
        if self._began_here:
            self._ray.shutdown()

    def _ask(self, question: str, *words: Any) -> Any:
        """What the keeper answers. One that has died is replaced by one that knows nothing: its tasks died with it."""
        for _ in range(2):
            try:
                return self._ray.get(getattr(self._keeper, question).remote(*words), timeout=_SECONDS_TO_ANSWER)
            except self._ray.exceptions.GetTimeoutError:
                break
            except self._ray.exceptions.RayActorError:
                self._keeper = self._find_keeper()
            except self._ray.exceptions.RayTaskError as error:
                raise UsageError(f"Ray refuses the runs: {_first_line(error.cause)}.") from None
        raise UsageError("Ray does not answer; does the cluster have its head (ray status)?")


class _Keeper:
    """Owns the tasks of a study, in a process of its own on the cluster."""

    def __init__(self) -> None:
        self._tasks: dict[Task, Any] = {}  # one that is Ray's alone, or a Gang
        self._asked: dict[str, tuple[dict[str, float], int]] = {}  # by a batch: what a node is to have, and how many

    def start(self, folder: str, count: int, nodes: int, options: dict[str, Any], awaited: Sequence[Task]) -> None:
        import ray

        self._asked[Path(folder).name] = bundle_of(options), nodes
        begin = ray.remote(_work).options(**options)
        waits = [self._tasks[task] for task in map(tuple, awaited) if task in self._tasks]
        is_plain = nodes == 1 and not any(isinstance(one, Gang) for one in waits)
        for task in range(count):
            if (key := (Path(folder).name, task)) not in self._tasks:
                self._tasks[key] = (
                    begin.remote(folder, task, 0, *waits)
                    if is_plain
                    else Gang(_work, options, (folder, task), nodes, waits)
                )

    def give_up(self, key: Task) -> None:
        if isinstance(task := self._tasks.get(key), Gang):
            task.give_up()

    def look(self, names: Sequence[str]) -> dict[Task, tuple[str, str | None, str]]:
        """Phase, cause and reason of each task of the batches."""
        asked = {key: task for key, task in self._tasks.items() if key[0] in names}
        gone = set(ended_of(list(asked.values())))
        lacking = {name: _lacking(*self._asked[name]) for name in {key[0] for key in asked}}
        under_way = {name: (Phase.WAITING if why else Phase.RUNNING).value for name, why in lacking.items()}
        return {
            key: _said(task) if task in gone else (under_way[key[0]], None, lacking[key[0]])
            for key, task in asked.items()
        }

    def is_idle(self, over: Sequence[str]) -> bool:
        kept = [task for (name, _), task in self._tasks.items() if name not in over]
        return len(ended_of(kept)) == len(kept)


def _lacking(asked: Mapping[str, float], nodes: int) -> str:
    """Why no task can begin on the nodes that the cluster has now, or ""."""
    import ray

    nodes_now: Any = ray.nodes  # has no types
    able = [node["Resources"] for node in nodes_now() if node["Alive"]]
    able = [has for has in able if all(has.get(name, 0.0) >= amount for name, amount in asked.items())]
    if len(able) >= nodes:
        return ""
    wanted = " and ".join(f"{amount:g} {name}" for name, amount in asked.items())
    if nodes == 1:
        return f"Ray: no node of the cluster has {wanted}"
    return f"Ray: {len(able)} nodes of the cluster have {wanted}, and a run is to have {nodes}"


def _said(task: Any) -> tuple[str, str | None, str]:
    """What is to be said of a task that has ended; the marks say the rest."""
    import ray

    try:
        code = code_of(task)
    except ray.exceptions.OutOfMemoryError as error:
        return Phase.GONE.value, Cause.OUT_OF_MEMORY.value, f"Ray: {_first_line(error)}"
    except ray.exceptions.RayError as error:
        return Phase.GONE.value, Cause.NODE_LOST.value, f"Ray: {_first_line(error)}"
    if code == NOT_BEGUN:
        return Phase.GONE.value, Cause.NEVER_STARTS.value, "Ray: what it waits for has failed"
    return Phase.GONE.value, None, ""


class _LostNode(Exception):
    """A run has lost one of its nodes: Ray begins the task again, which goes on from the checkpoint."""


def _work(folder: str, task: int, node_rank: int, *codes: int) -> int:
    """One task of a batch, or one node's part of it, in a worker of Ray's. ``codes`` are those of the tasks that it
    waited for."""
    import ray

    if any(codes):
        return NOT_BEGUN
    batch = Batch(Path(folder))
    if node_rank:
        return Follower(batch, node_rank).work(task)
    address: Any = ray.util.get_node_ip_address
    node = Node(batch, address())
    code = node.work(task)
    if node.has_lost_a_node:
        raise _LostNode
    return code


def _task_options(settings: RaySettings) -> dict[str, Any]:
    memory = {"memory": int(settings.memory_gib * 2**30)} if settings.memory_gib else {}
    variables = {"runtime_env": {"env_vars": dict(settings.environment)}} if settings.environment else {}
    return {
        "num_cpus": settings.cpus,
        "num_gpus": settings.gpus,
        "resources": dict(settings.resources),
        "max_retries": settings.retries,
        "retry_exceptions": [_LostNode],
        **memory,
        **variables,
    }


def _keeper_name(folder: Path) -> str:
    """The name of the keeper of these batches, which stands beside them and moves with them."""
    path = folder / KEEPER
    try:
        with path.open("x") as file:
            file.write(json.dumps({"name": f"isoflop-{secrets.token_hex(4)}"}))
    except FileExistsError:
        pass
    return str(read_object(path, "remove it")["name"])


def _check(settings: RaySettings) -> None:
    """UsageError for amounts that Ray knows not how to give."""
    amounts = {"cpus": settings.cpus, "gpus": settings.gpus}
    for name, amount in {**amounts, **{f"resources.{name}": n for name, n in settings.resources.items()}}.items():
        if amount > 1 and amount != int(amount):
            raise UsageError(f"[ray] {name} is {amount:g}; above 1 Ray gives whole ones: {int(amount)} or more.")
        if 0 < amount < _LEAST:
            raise UsageError(f"[ray] {name} is {amount:g}; Ray gives {_LEAST} at least.")
    for name in settings.resources:
        if name in _NOT_CUSTOM:
            raise UsageError(f"[ray] resources has {name!r}; give cpus, gpus and memory_gib, and here custom ones.")


def _address(settings: RaySettings) -> str:
    """Where the cluster is; UsageError where that would be one that ends with this process."""
    address = settings.address if settings.address not in ("", "auto") else os.environ.get("RAY_ADDRESS") or "auto"
    if address == "local":
        raise UsageError(
            'the address "local" is a cluster of Ray that ends with this command, and the runs with it; start one '
            'with ray start --head and give "auto", or take the local executor.'
        )
    return address


def _knock(address: str) -> None:
    """OSError where nobody listens at HOST:PORT, or something that does not speak as Ray does, which is HTTP/2: Ray
    itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit() and "/" not in host):
        return
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_GREET) as line:
        if os.environ.get("RAY_USE_TLS", "0") == "1":
            return
        line.sendall(_GREETING)
        answer = line.recv(9)
        if len(answer) < 4 or answer[3] != _SETTINGS:
            raise OSError("something else than Ray listens there")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def ray_executor(
    folder: Path, settings: RaySettings, manners: Manners = AS_USUAL, *, observes: bool = False
) -> EngineExecutor:
    """An executor that submits to a Ray cluster; ``folder``, for its batches, lies where all nodes see it."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not observes:
        _check(settings)
    return EngineExecutor(Ray(folder, settings), folder, manners, observes=observes)

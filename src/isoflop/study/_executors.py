"""Which executor a study's runs go to, as its study.toml says: this machine, Slurm, Ray, or by manifests
that somebody launches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from isoflop.errors import UnknownName, UsageError
from isoflop.executors import (
    EngineExecutor,
    KubernetesSettings,
    LocalExecutor,
    Manners,
    SkyPilotSettings,
    SlurmSettings,
    Unreachable,
    manifests_executor,
    open_batches,
    slurm_executor,
)
from isoflop.executors.ray import RaySettings, ray_executor
from isoflop.study._tables import AT_LEAST_ONE, settings, table_in

LOCAL, SLURM, RAY, KUBERNETES, SKYPILOT = "local", "slurm", "ray", "kubernetes", "skypilot"
ENGINES: Mapping[str, type[Any]] = {
    SLURM: SlurmSettings,
    RAY: RaySettings,
    KUBERNETES: KubernetesSettings,
    SKYPILOT: SkyPilotSettings,
}
"""Each with the table of study.toml that has its name."""
KINDS = (LOCAL, *ENGINES)


@dataclass(frozen=True)
class ExecutorPlan:
    """Where runs are made, and how. None of it is part of what a run is: it may change between two calls.

    A run is spread over ``processes`` on each of ``nodes`` (``shard``: its weights too); ``runs_per_task`` is how many
    runs one task of an engine makes in turn, ``price_usd_per_hour`` that of one process. ``poll_seconds`` pass between
    two looks at the engine, and a job that it does not know is given up after ``patience_seconds`` without a word from
    its node.
    """

    kind: str = LOCAL
    nodes: int = field(default=1, metadata=AT_LEAST_ONE)
    processes: int = field(default=1, metadata=AT_LEAST_ONE)
    shard: bool = False
    runs_per_task: int = field(default=1, metadata=AT_LEAST_ONE)
    price_usd_per_hour: float = 0.0
    poll_seconds: float = 5.0
    patience_seconds: float = 90.0
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    ray: RaySettings = field(default_factory=RaySettings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
    skypilot: SkyPilotSettings = field(default_factory=SkyPilotSettings)

    @property
    def ranks(self) -> int:
        """All processes of a run."""
        return self.nodes * self.processes


def read_executor(table: Mapping[str, Any], where: str) -> ExecutorPlan:
    """``[executor]`` and the engines' tables of a study.toml; UsageError where one of them cannot be read."""
    own = dict(table_in(table, "executor", where))
    engines = {
        name: settings(kind, table_in(table, name, where), f"{where}, [{name}]") for name, kind in ENGINES.items()
    }
    for key in engines:
        if key in own:
            raise UsageError(f"{where}: write [{key}] as a table of its own, not in [executor].")
    plan = settings(ExecutorPlan, own, f"{where}, [executor]")
    known_kind(plan.kind)
    return ExecutorPlan(**{**vars(plan), **engines})


def known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise UnknownName.among("executor", kind, KINDS)
    return kind


def refuse_workers(kind: str) -> None:
    """UsageError where runs at a time are not for the client to say, but for the engine of that kind."""
    if known_kind(kind) == LOCAL:
        return
    keys = {field.name for field in fields(ENGINES[kind])}
    instead = f"tasks_at_once under [{kind}] caps them" if "tasks_at_once" in keys else "the cluster has its own say"
    raise UsageError(
        f"--workers says how many runs are made at a time on this machine, and these go to {kind}: {instead}."
    )


def executor_for(
    plan: ExecutorPlan,
    folder: Path,
    workers: int,
    kind: str = "",
    *,
    observes: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> LocalExecutor | EngineExecutor:
    """The executor of a plan for the study in ``folder``, or that of another ``kind``; ``tell`` is told what is to be
    launched by hand."""
    kind = known_kind(kind or plan.kind)
    if not observes:
        _check_nodes(plan, kind)
    spread = plan.processes
    manners = Manners(plan.runs_per_task, plan.poll_seconds, plan.patience_seconds)
    if kind == SLURM:
        return slurm_executor(
            folder / SLURM, replace(plan.slurm, cpus=max(plan.slurm.cpus, spread)), manners, observes=observes
        )
    if kind == RAY:
        return ray_executor(
            folder / RAY, replace(plan.ray, cpus=max(plan.ray.cpus, float(spread))), manners, observes=observes
        )
    if kind in (KUBERNETES, SKYPILOT):
        form = getattr(plan, kind)
        form = replace(form, cpus=max(form.cpus, spread)) if spread > 1 else form
        return manifests_executor(folder / kind, form, manners, observes=observes, tell=tell)
    return LocalExecutor(max(1, workers // spread))


def engines_with_jobs(folder: Path, besides: str = "") -> tuple[str, ...]:
    """The engines, ``besides`` one, that were given jobs of a study whose end nobody has put down."""
    return tuple(
        kind for kind in ENGINES if kind != besides and (folder / kind).is_dir() and open_batches(folder / kind)
    )


def observers(plan: ExecutorPlan, folder: Path, besides: str = "") -> Generator[EngineExecutor]:
    """An executor that only looks, for each of ``engines_with_jobs``: there may be several, of which one works. Each is
    closed before the next. An engine that cannot be reached leaves what its nodes have put down."""
    for kind in engines_with_jobs(folder, besides):
        with _observer(plan, folder, kind) as engine:
            yield engine


def _observer(plan: ExecutorPlan, folder: Path, kind: str) -> EngineExecutor:
    try:
        found = executor_for(plan, folder, 1, kind, observes=True)
    except UsageError as error:
        return EngineExecutor(Unreachable(kind, error), folder / kind, observes=True)
    assert isinstance(found, EngineExecutor)
    return found


def _check_nodes(plan: ExecutorPlan, kind: str) -> None:
    """UsageError where a run is to have several nodes, and what runs it gives it one."""
    why = {LOCAL: "the local executor has this machine", KUBERNETES: "an indexed Job of Kubernetes has one pod a task"}
    if plan.nodes > 1 and kind in why:
        raise UsageError(
            f"[executor] says nodes = {plan.nodes}, and {why[kind]}; take slurm, ray or skypilot, or nodes = 1 with "
            "more processes."
        )

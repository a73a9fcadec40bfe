"""Where a study stands, in one object: what ``isoflop sweep status`` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isoflop.accounting.flops import flops_per_token
from isoflop.attempts import STOPPED_CODE, belongs
from isoflop.executors import Job, JobReport, Status, batches
from isoflop.study._executors import ENGINES, ExecutorPlan, observers
from isoflop.study._failure import failure_of
from isoflop.study._folder import Study
from isoflop.study._lock import is_supervised
from isoflop.study._plan import StudyPlan
from isoflop.study._protocol import Check, protocol
from isoflop.study._states import RESULT, RunState, State, time_left
from isoflop.training.spec import RunSpec

SCHEMA = "isoflop.sweep/1"


@dataclass(frozen=True)
class Standing:
    """Runs with their states, FLOPs spent and planned, and seconds left of one core's work, None where unknown."""

    folder: Path
    name: str
    runs: tuple[RunState, ...]
    flops: float
    flops_planned: float
    core_seconds_left: float | None
    is_running: bool
    checks: tuple[Check, ...]
    executor: ExecutorPlan
    engine: str = ""
    """The engine that has jobs of the study, "" where none has."""
    in_engine: int = 0
    """How many."""
    silent: str = ""
    """Those that do not answer: what their nodes have put down is all that is known."""
    run_seconds: float = 0.0
    """What all runs have taken so far, whatever came of them."""

    @property
    def process_hours(self) -> float:
        """The same in hours, over all processes of each run."""
        return self.run_seconds * self.executor.ranks / 3600

    @property
    def process_hours_left(self) -> float | None:
        left = self.core_seconds_left
        return None if left is None else left * self.executor.ranks / 3600

    @property
    def counts(self) -> dict[State, int]:
        """Runs by state, in the order of the states."""
        seen = Counter(run.state for run in self.runs)
        return {state: seen[state] for state in State if seen[state]}

    def usd(self, hours: float | None) -> float | None:
        """What so many hours of a process cost; None where no price was given."""
        price = self.executor.price_usd_per_hour
        return None if hours is None or not price else hours * price

    def to_dict(self, *, runs: bool = False) -> dict[str, Any]:
        listed = {"runs": [_as_dict(run) for run in self.runs]} if runs else {}
        failed = [run for run in self.runs if run.state.has_failed or run.state is State.DIVERGED]
        return {
            "schema": SCHEMA,
            "study": str(self.folder),
            "name": self.name,
            "is_running": self.is_running,
            "n_runs": len(self.runs),
            "states": {str(state): count for state, count in self.counts.items()},
            "flops": self.flops,
            "flops_planned": self.flops_planned,
            "core_seconds_left": self.core_seconds_left,
            "process_hours": self.process_hours,
            "process_hours_left": self.process_hours_left,
            "cost_usd": self.usd(self.process_hours),
            "cost_usd_left": self.usd(self.process_hours_left),
            "engine": {"name": self.engine, "jobs": self.in_engine, "answers": not self.silent}
            if self.engine
            else None,
            "failed": [{"run_id": run.run_id, "state": str(run.state), "reason": run.reason} for run in failed],
            "checks": [{"code": check.code, "ok": check.ok, "message": check.message} for check in self.checks],
            **listed,
        }


def standing(study: Study) -> Standing:
    """Read where every run of the study stands, from its folder, and from the engines that have jobs of it."""
    plan, runs = study.plan(), {run.run_id: run for run in study.states()}
    with_engines: dict[str, str] = {}
    at_work: set[str] = set()
    silent: list[str] = []
    for engine in observers(plan.executor, study.folder):
        for job in engine.unsettled():
            run = runs.get(job.id)
            if run is None or run.state.is_finished or not belongs(study.run_folder(job.id), job.attempt):
                continue
            report = engine.status(job)
            if not report.status.is_final:
                with_engines[job.id] = engine.name
            if report.status is Status.RUNNING:
                at_work.add(job.id)
            if run.state is not State.CANCELLED:
                runs[job.id] = _as_reported(run, report, job)
        silent += [] if engine.answers else [engine.name]
    taken = _seconds_with_engines(study, at_work)
    found = tuple(_timed(run, taken.get(run.run_id, 0.0)) for run in runs.values())
    # What a trainer says includes earlier starts where it goes on from a checkpoint: a sum would count these twice.
    spent = sum(max(run.seconds, taken.get(run.run_id, 0.0)) for run in found)
    return replace(_standing(study, plan, found, with_engines), run_seconds=spent, silent=" and ".join(silent))


def _standing(study: Study, plan: StudyPlan, runs: tuple[RunState, ...], with_engines: Mapping[str, str]) -> Standing:
    return Standing(
        folder=study.folder,
        name=plan.name,
        runs=runs,
        flops=sum(_flops_of_a_step(run.spec) * (run.step - _taken_over(run.spec, run.step)) for run in runs),
        flops_planned=sum(_flops_of_a_step(run.spec) * (run.steps - _taken_over(run.spec, run.steps)) for run in runs),
        core_seconds_left=time_left(runs, 1),
        is_running=is_supervised(study.folder),
        checks=protocol(runs),
        executor=plan.executor,
        engine=" and ".join(dict.fromkeys(with_engines.values())),
        in_engine=len(with_engines),
    )


def _as_reported(run: RunState, report: JobReport, job: Job) -> RunState:
    """A run's state as an engine has its job, whose end is not put down yet: what the next client will put down."""
    if report.status is Status.QUEUED:
        return replace(run, state=State.QUEUED, reason=report.reason)
    if report.status is Status.RUNNING:
        return replace(run, state=State.RUNNING)
    if report.status is Status.DONE and (report.left if job.leaves else (job.folder / RESULT).exists()):
        return replace(run, state=State.DONE, step=run.steps)  # a result that the next client will complete
    if report.status is Status.FAILED and report.exit_code != STOPPED_CODE:
        failure = failure_of(report, "", None)
        return replace(run, state=State(failure["state"]), reason=failure["reason"])
    return replace(run, reason=run.reason or report.reason)


def _seconds_with_engines(study: Study, at_work: Set[str]) -> Mapping[str, float]:
    """What all starts of each run have taken on engines; of those ``at_work``, until now."""
    taken: Counter[str] = Counter()
    for kind in ENGINES:
        for batch in batches(study.folder / kind):
            taken.update(batch.seconds_at_work(at_work))
    return taken


def _timed(run: RunState, seconds: float) -> RunState:
    """A run with the seconds that its engine saw, where it is done and nobody has put down how long it took."""
    return replace(run, seconds=seconds) if run.state is State.DONE and not run.seconds else run


def _flops_of_a_step(spec: RunSpec) -> float:
    return flops_per_token(spec.shape).exact_causal * spec.batch_tokens


def _taken_over(spec: RunSpec, step: int) -> int:
    """Steps that a branch has from its trunk."""
    return min(step, spec.branch.step) if spec.branch else 0


def _as_dict(run: RunState) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": str(run.state),
        "reason": run.reason,
        "budget": run.spec.budget,
        "width": run.spec.shape.d_model,
        "seed": run.spec.seed,
        "step": run.step,
        "steps": run.steps,
        "loss": run.loss,
        "seconds": run.seconds,
    }

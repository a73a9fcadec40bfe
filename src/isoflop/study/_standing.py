"""Where a study stands, in one object: what ``isoflop sweep status`` says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoflop.accounting.flops import flops_per_token
from isoflop.study._folder import Study
from isoflop.study._lock import is_supervised
from isoflop.study._protocol import Check, protocol
from isoflop.study._states import RunState, State, time_left
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

    @property
    def counts(self) -> dict[State, int]:
        """Runs by state, in the order of the states."""
        seen = Counter(run.state for run in self.runs)
        return {state: seen[state] for state in State if seen[state]}

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
            "failed": [{"run_id": run.run_id, "state": str(run.state), "reason": run.reason} for run in failed],
            "checks": [{"code": check.code, "ok": check.ok, "message": check.message} for check in self.checks],
            **listed,
        }


def standing(study: Study) -> Standing:
    """Read where every run of the study stands."""
    runs = study.states()
    return Standing(
        folder=study.folder,
        name=study.plan().name,
        runs=runs,
        flops=sum(_flops_of_a_step(run.spec) * (run.step - _taken_over(run.spec, run.step)) for run in runs),
        flops_planned=sum(_flops_of_a_step(run.spec) * (run.steps - _taken_over(run.spec, run.steps)) for run in runs),
        core_seconds_left=time_left(runs, 1),
        is_running=is_supervised(study.folder),
        checks=protocol(runs),
    )


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

"""Studies as they run: where each stands, the losses as they fall, and what its results say of a target so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from isoflop.errors import UsageError
from isoflop.quantities import format_flops, format_si, read_flops
from isoflop.reports.figures import Figure, TrainingCurve, training_curves_figure
from isoflop.runs import read_runs
from isoflop.study import METRICS, PUBLISHED, RESULT, RunState, Standing, State, Study, losses, standing
from isoflop.sweeps.so_far import SoFar, so_far
from isoflop.web.operations import NotHere
from isoflop.web.parameters import Parameter

WITHIN = 2.0
KEPT = 16
"""Answers, and refits, of a study that are kept: one a target."""
BEYOND = 10.0
"""How many times the largest budget is asked about where no target is named."""
MOST_CURVES = 60
"""Runs whose losses are drawn: those under way first, then the largest."""
NUMBER = Parameter("n", "Which of the studies, the first being 0.", "integer", low=0, high=10_000, example=0)
STUDY = (Parameter("target", "The budget that the study is for, in FLOPs; ten times its largest unless given.",
                   example="1e24"),)  # fmt: skip


@dataclass
class Watched:
    """A study, and the last answer about each target: it holds while the study stands as it did."""

    study: Study
    lock: Lock = field(default_factory=Lock)
    answers: dict[float | None, tuple[object, dict[str, Any]]] = field(default_factory=dict)
    refits: dict[tuple[float, frozenset[tuple[str, float | None]]], SoFar] = field(default_factory=dict)

    def answer(self, target: str | None) -> dict[str, Any]:
        """Where the study stands now; ``target`` is the budget, as text, that a refit is asked about."""
        budget = None if target is None else read_flops(target).value
        with self.lock:
            found = standing(self.study)
            shown = sorted(found.runs, key=_interest)[:MOST_CURVES]
            files = [self.study.run_folder(run.run_id) / METRICS for run in shown]
            files += [self.study.run_folder(run.run_id) / name for run in found.runs for name in (PUBLISHED, RESULT)]
            seen = found.to_dict(runs=True), list(map(_stamp, files))
            if budget not in self.answers or self.answers[budget][0] != seen:
                _keep(self.answers, budget, (seen, self._look(found, shown, budget)))
            return self.answers[budget][1]

    def _look(self, found: Standing, shown: Sequence[RunState], budget: float | None) -> dict[str, Any]:
        curves = {run.run_id: losses(self.study.run_folder(run.run_id)) for run in shown}
        target = budget or BEYOND * max((run.spec.budget or 0.0 for run in found.runs), default=0.0)
        refit = self._refit(found, target) if target else None
        answer: dict[str, Any] = found.to_dict(runs=True) | {"figures": {"losses": losses_figure(shown, curves)}}
        return answer | {"refit": None if refit is None else refit.to_dict(), "said": _said(found, refit)}

    def _refit(self, found: Standing, target: float) -> SoFar:
        """What the results say; fitted again when there are others."""
        done = frozenset((run.run_id, run.loss) for run in found.runs if run.state is State.DONE)
        if not done:
            return SoFar(0, target, WITHIN, why="no run has ended")
        if (target, done) not in self.refits:
            try:
                refit = so_far(read_runs(self.study.folder), target, within=WITHIN)
            except UsageError as error:  # one that is being written: it says nothing of these results, so is not kept
                return SoFar(len(done), target, WITHIN, why=str(error))
            _keep(self.refits, (target, done), refit)
        return self.refits[target, done]


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file does; None for none."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return seen.st_mtime_ns, seen.st_size


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    """Keep a value among the newest few: anybody may ask about any number of targets."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))


def list_studies(watched: Sequence[Watched]) -> dict[str, Any]:
    """The studies that the server was started for."""
    listed = [{"n": n, "name": one.study.plan().name, "study": str(one.study.folder)} for n, one in enumerate(watched)]
    return {"studies": listed}


def one_study(watched: Sequence[Watched], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Where one of them stands; NotHere for a number that none has."""
    n: int = settings["n"]
    if n >= len(watched):
        raise NotHere(f"there is no study {n}; the server was started for {len(watched)}.")
    return watched[n].answer(settings["target"])


def losses_figure(runs: Sequence[RunState], curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """The training losses against the tokens seen."""
    drawn = [run for run in runs if curves[run.run_id]]
    points = [np.array(curves[run.run_id], float) for run in drawn]
    shown = [
        TrainingCurve(run.run_id, at[:, 0], at[:, 1], str(run.state)) for run, at in zip(drawn, points, strict=True)
    ]
    figure = training_curves_figure(shown)
    if shown:
        figure["layout"]["yaxis"]["title"] = {"text": "training loss"}
    return figure


def _interest(run: RunState) -> tuple[int, float]:
    return (0 if run.state is State.RUNNING else 1, -(run.spec.budget or 0.0))


def _said(found: Standing, refit: SoFar | None) -> dict[str, str]:
    """The sentences of the page, rounded as they should be read."""
    share = found.flops / found.flops_planned if found.flops_planned else 0.0
    said = {"spent": f"{format_flops(found.flops)} of {format_flops(found.flops_planned)} FLOPs, {share:.0%}"}
    if refit is None:
        return said | {"refit": "Its runs have no budgets: name a target to see what their results say of it."}
    target = format_flops(refit.target)
    if refit.params is None or refit.interval is None or refit.width is None:
        return said | {"refit": f"No answer for {target} FLOPs yet: {refit.why.rstrip('.')}."}
    low, high = map(format_si, refit.interval)
    said["refit"] = (
        f"At {target} FLOPs the {refit.n_runs} results so far put the best network at {format_si(refit.params)} "
        f"parameters, {low} to {high} (90 %): its ends are {refit.width:.2f} times apart."
    )
    return said

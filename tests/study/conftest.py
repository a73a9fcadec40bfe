"""Studies of a few tiny runs, and the command of the fake trainer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isoflop.study import RunPlan, Study, StudyPlan, Trainer, create_study, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.spec import RunSpec

CELLS = tuple(Cell(budget, width) for budget in (1e9, 2e9) for width in (8, 12, 16))

MakeStudy = Callable[..., Study]
Starts = list[tuple[str, int, int]]


@pytest.fixture
def fake_trainer() -> Trainer:
    return Trainer((sys.executable, str(Path(__file__).with_name("fake_trainer.py"))))


@pytest.fixture
def specs() -> tuple[RunSpec, ...]:
    """Six runs of 23 to 116 steps."""
    return run_specs(SMALL_BYTES, CELLS, seed=0, corpus_digest="c0ffee")


@pytest.fixture
def plan() -> StudyPlan:
    runs = tuple(RunPlan(width=cell.width, budget=cell.budget) for cell in CELLS)
    return StudyPlan(name="fake", recipe=SMALL_BYTES.name, runs=runs, corpus_digest="c0ffee", loss_noise=0.013)


@pytest.fixture
def make_study(tmp_path: Path, specs: tuple[RunSpec, ...], plan: StudyPlan) -> MakeStudy:
    """``make_study(seconds_per_step=..., crash=[...])``: a study whose fake trainer behaves like that."""

    def make(seconds_per_step: float = 0.0, **behaviour: Any) -> Study:
        study = create_study(tmp_path / "study", plan, specs)
        behaviour = {"seconds_per_step": seconds_per_step, **behaviour}
        (study.folder / "behaviour.json").write_text(json.dumps(behaviour))
        return study

    return make


@pytest.fixture
def starts() -> Callable[[Study], Starts]:
    """What was started, in order: run id, attempt, the step it went on from."""

    def read(study: Study) -> Starts:
        lines = (study.folder / "starts.log").read_text().splitlines()
        return [(run_id, int(attempt), int(step)) for run_id, attempt, step in map(str.split, lines)]

    return read

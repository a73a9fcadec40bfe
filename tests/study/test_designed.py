"""From a design to a study.toml: every run is there, at the compute that the design gave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import UnknownName, UsageError
from isoflop.study import plan_to_toml, preview, read_plan, study_of_design
from isoflop.sweeps.designs import Design, of_runs
from isoflop.sweeps.kinds import Frame, isoflop_design, ladder_design, space_filling_design

FRAME = Frame(1e20, iso.law("besiroglu2024"), runs=15)
RECIPE = "llama-step-law-v1"


def test_every_run_is_trained_at_its_compute_and_nearly_its_size() -> None:
    made = space_filling_design(FRAME)
    plan = study_of_design(made, RECIPE, "mine")
    rules = plan.rules()
    N = np.array([rules.params(run.width or 0) for run in plan.runs], float)
    D = np.array([run.tokens or 0.0 for run in plan.runs])
    assert np.sort(6 * N * D) == pytest.approx(np.sort(made.flops), rel=1e-5)
    # A layer more or less among six is a sixth of N: the nearest width is within half of that.
    assert np.sort(N) == pytest.approx(np.sort(made.params), rel=1 / 12)
    assert len(preview(plan)) == len(made)


def test_a_grid_keeps_its_budgets_for_approach_2() -> None:
    made = isoflop_design(FRAME)
    specs = preview(study_of_design(made, RECIPE, "mine"))
    assert len(specs) == len(made)
    assert {spec.budget for spec in specs} == set(made.budgets)


def test_repeats_become_seeds() -> None:
    plan = study_of_design(of_runs("mine", np.full(3, 5e7), np.full(3, 1e9)), RECIPE, "mine")
    assert [run.seeds for run in plan.runs] == [(0, 1, 2)]
    assert len(preview(plan)) == 3


def test_trunks_become_horizons_and_lonely_ones_runs() -> None:
    made = ladder_design(Frame(1e13, iso.law("besiroglu2024"), runs=12, span=4.0), shared_trunks=True)
    alone = np.append(made.trunks[:-1], made.trunks.max() + 1)  # the last run gets a trunk of its own
    made = Design(made.kind, made.params, made.tokens, made.flops, made.budgets, alone)
    plan = study_of_design(made, "small-bytes-v1", "mine")
    assert [len(run.horizons) for run in plan.runs] == [4, 4, 3, 0]
    assert len(preview(plan)) == 12


def test_the_file_is_read_back(tmp_path: Path) -> None:
    plan = study_of_design(isoflop_design(FRAME), RECIPE, "mine", loss_noise=0.008)
    file = tmp_path / "study.toml"
    file.write_text(plan_to_toml(plan))
    assert read_plan(file) == plan


def test_what_a_recipe_cannot_train_is_refused() -> None:
    with pytest.raises(UnknownName, match="no recipe called 'mine'"):
        study_of_design(isoflop_design(FRAME), "mine", "mine")
    with pytest.raises(UsageError, match=r"has no network of 1\.00K parameters"):
        study_of_design(of_runs("tiny", np.array([1e3]), np.array([1e9])), RECIPE, "mine")
    with pytest.raises(UsageError, match="different batches or learning rates"):
        study_of_design(ladder_design(FRAME, shared_trunks=True), RECIPE, "mine")

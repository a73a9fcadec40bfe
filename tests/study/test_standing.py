"""What a study has cost, over all starts of its runs, wherever they were."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from isoflop.executors import Job
from isoflop.executors._batch import Ended, make_batch
from isoflop.study import Study, standing
from isoflop.training.spec import RunSpec


@pytest.mark.parametrize(("said", "spent"), [(30.0, 47.5), (60.0, 60.0)], ids=["less than the engine saw", "more"])
def test_what_a_trainer_says_is_not_added_to_what_its_engine_saw(
    make_study: Callable[..., Study], specs: tuple[RunSpec, ...], said: float, spent: float
) -> None:
    """Two starts that ended, one that was lost, and a line of the trainer's about all of them."""
    study = make_study()
    folder = study.run_folder(specs[0].run_id)
    (study.folder / "slurm").mkdir()
    batch = make_batch(study.folder / "slurm", [Job(specs[0].run_id, 1, ("true",), folder)], [[0]])
    for seconds in (40.0, None, 7.5):
        start = batch.claim_start(0)
        if seconds is not None:
            batch.note_ended(0, start, Ended(75, seconds=seconds))
    batch.close()
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, "tokens": 64, "loss": 3.0, "seconds": said}) + "\n")
    found = standing(study)
    assert found.run_seconds == spent
    assert found.process_hours == spent / 3600

"""A study's folder: written once, repeated without effect, never mixed with another study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from isoflop.errors import TableError, UsageError
from isoflop.runs import read_runs
from isoflop.study import State, Study, StudyPlan, create_study, open_study, predicted_seconds, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.spec import RunSpec

Specs = tuple[RunSpec, ...]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of last writing."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_the_same_design_twice_writes_nothing(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    create_study(tmp_path, plan, specs)
    before = contents(tmp_path)
    study = create_study(tmp_path, plan, tuple(reversed(specs)))
    assert contents(tmp_path) == before
    assert study.specs() == specs


def test_what_a_kill_left_out_is_filled_in(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    study = create_study(tmp_path, plan, specs)
    (study.run_folder(specs[1].run_id) / "spec.json").unlink()
    shutil.rmtree(study.run_folder(specs[4].run_id))
    assert len(study.specs()) == 4
    assert create_study(tmp_path, plan, specs).specs() == specs


def test_another_design_is_refused_with_what_differs(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    create_study(tmp_path, plan, specs)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"seeds is \(0,\) there and \(3,\) here; choose another --out"):
        create_study(tmp_path, replace(plan, seeds=(3,)), specs)
    with pytest.raises(UsageError, match=r"grid is 1e\+09 at widths 8 12 16, .* there and 1e\+09 at widths 8 12 here"):
        create_study(tmp_path, replace(plan, runs=plan.runs[:2]), specs)
    assert contents(tmp_path) == before


def test_a_run_added_later_is_no_part_of_the_design(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    study = create_study(tmp_path, plan, specs)
    (forecast,) = run_specs(SMALL_BYTES, [Cell(6e9, 14)], seed=0, corpus_digest="c0ffee")
    study.add(forecast)
    study.add(forecast)
    assert study.specs() == (*specs, forecast)
    assert create_study(tmp_path, plan, specs).specs() == (*specs, forecast)


def test_a_study_survives_a_move(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    study = create_study(tmp_path / "here", plan, specs)
    (study.corpus_folder).mkdir()
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = open_study(tmp_path / "there")
    assert moved.specs() == specs
    for spec in specs:
        assert (moved.run_folder(spec.run_id) / spec.corpus).samefile(moved.corpus_folder)
    assert str(tmp_path) not in "".join(p.read_text() for p in moved.folder.rglob("*.*") if p.is_file())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed = = 3", "is no TOML"),
        ('schema = "isoflop.study/9"', "schema 'isoflop.study/9'"),
        (None, "holds no study"),
    ],
)
def test_folders_that_are_no_study(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "study.toml").write_text(text)
    with pytest.raises(UsageError, match=sentence):
        open_study(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        create_study(tmp_path / "file" / "study", plan, specs)


def test_names_with_quotes_and_newlines_are_read_back(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    odd = replace(plan, name='a "quoted"\nname with é')
    create_study(tmp_path, odd, specs)
    create_study(tmp_path, odd, specs)  # would be refused if the name came back changed


def run_with(study: Study, spec: RunSpec, **files: str) -> State:
    """The state of a run whose folder holds these files."""
    folder = study.run_folder(spec.run_id)
    for name, text in files.items():
        path = folder / {"attempt": "attempts/0002.json"}.get(name, name.replace("_", "."))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (state,) = (state for state in study.states() if state.run_id == spec.run_id)
    return state.state


def test_states_are_read_from_the_folders(make_study: Callable[..., Study], specs: Specs) -> None:
    study = make_study()
    line = json.dumps({"step": 20, "tokens": 10240, "loss": 3.5, "seconds": 2.0})
    done = {"state": "done", "steps": 23, "loss": 1.5, "seconds": 2.0, "tokens_per_second": 5888.0}
    failure = {"exit_code": 1, "reason": "ValueError: no"}
    assert run_with(study, specs[0]) is State.PENDING
    assert run_with(study, specs[1], metrics_jsonl=line + "\n") is State.STOPPED
    assert run_with(study, specs[2], result_json=json.dumps(done)) is State.DONE
    assert (
        run_with(study, specs[3], result_json=json.dumps({**done, "state": "diverged", "loss": None})) is State.DIVERGED
    )
    assert run_with(study, specs[4], attempt="", failure_json=json.dumps({"attempt": 2, **failure})) is State.FAILED
    old = json.dumps({"attempt": 1, **failure})
    assert run_with(study, specs[5], attempt="", failure_json=old, metrics_jsonl=line) is State.PENDING
    stopped = study.states()[1]
    assert (stopped.step, stopped.loss, stopped.tokens_per_second) == (20, 3.5, 5120.0)


def test_a_torn_last_line_is_not_read(make_study: Callable[..., Study], specs: Specs) -> None:
    study = make_study()
    lines = [json.dumps({"step": step, "tokens": step, "loss": 3.5, "seconds": 2.0}) for step in (1, 2)]
    (study.run_folder(specs[0].run_id) / "metrics.jsonl").write_text(lines[0] + "\n" + lines[1][:20])
    assert study.states()[0].step == 1


def test_every_run_reads_the_recipes_rules_at_its_own_width_and_length(specs: Specs) -> None:
    for spec in specs:
        width = spec.shape.d_model
        assert spec.shape == SMALL_BYTES.shape(width)
        assert spec.optimiser.learning_rate == pytest.approx(3e-3 * 64 / width)
        assert spec.optimiser.embedding_learning_rate == 2.4e-2
        assert spec.optimiser.warmup_steps == SMALL_BYTES.warmup_steps(spec.steps)
        assert spec.optimiser.decay_steps == SMALL_BYTES.decay_steps(spec.steps)
        assert spec.batch_tokens == 512
        assert spec.run_id.endswith(spec.digest()[:8])


def test_predicted_seconds_follow_the_measured_runs() -> None:
    """CPU seconds of runs of one budget, from the width that takes longest to the one that takes least."""
    measured = {24: 90, 32: 62, 48: 45, 64: 34, 96: 26}
    specs = run_specs(SMALL_BYTES, [Cell(1.5e12, width) for width in measured], seed=0, corpus_digest="c0ffee")
    predicted = [predicted_seconds(spec) for spec in specs]
    assert predicted == sorted(predicted, reverse=True)
    # The trainer has become faster since these were measured; what counts is the share of each run.
    for seconds, share in zip(predicted, measured.values(), strict=True):
        assert seconds / sum(predicted) == pytest.approx(share / sum(measured.values()), rel=0.3)


def test_a_noise_that_is_no_number_is_named(tmp_path: Path, specs: Specs, plan: StudyPlan) -> None:
    study = create_study(tmp_path, plan, specs)
    (study.run_folder(specs[0].run_id) / "result.json").write_text("{}")
    text = (tmp_path / "study.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace("loss_noise = 0.013", 'loss_noise = "a"'))
    with pytest.raises(TableError, match=r"study.toml says loss_noise = 'a', which is no number"):
        read_runs(tmp_path)


def test_a_result_of_another_kind_is_named(make_study: Callable[..., Study], specs: Specs) -> None:
    study = make_study()
    for text in ('{"state": "finished"}', '{"state": "done"}'):
        (study.run_folder(specs[0].run_id) / "result.json").write_text(text)
        with pytest.raises(UsageError, match=r"result.json is no result of a run .* trains this run again"):
            study.states()

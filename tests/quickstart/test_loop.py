"""The loop on planted runs: what is written when, and what a second call, a failure or a divergence does to it."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isoflop.cli.findings import as_dict, as_text
from isoflop.errors import DataError, RunsFailed, UsageError
from isoflop.quickstart import Quickstart, expected_forecast, prepare, quickstart
from isoflop.runs import read_runs
from isoflop.training.spec import FORECAST, RunSpec

if TYPE_CHECKING:
    from conftest import PlantedExecutor

DERIVED = ("runs.csv", "law.toml", "forecast.json", "outcome.json", "report.html")


def derived(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in DERIVED if (out / name).exists()}


def fate_of_forecast(fate: str):
    return lambda spec: fate if spec.purpose == FORECAST else "done"


def change_a_run(out: Path) -> None:
    """Another loss for one run of the sweep, as if it had been trained again on another machine."""
    path = next(iter(sorted(out.glob("runs/b5e11-*/result.json"))))
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"loss": facts["loss"] + 0.002}))


def test_it_finds_the_planted_frontier_and_forecasts_the_planted_loss(
    wanted: Quickstart, planted: PlantedExecutor
) -> None:
    there_before: list[str] = []

    def look(spec: RunSpec) -> None:
        if spec.purpose == FORECAST:
            there_before.extend(derived(wanted.out))

    planted.before = look
    findings = quickstart(wanted)
    assert there_before == ["runs.csv", "law.toml", "forecast.json", "report.html"]
    assert set(derived(wanted.out)) == set(DERIVED)
    assert len(planted.trained) == 16
    low, high = findings.frontier.interval("a")
    assert low < planted.truth["a"] < high
    assert [str(row.convention) for row in findings.counting] == ["non_embedding", "matrices_and_head", "total"]
    assert findings.forecast is not None
    assert findings.forecast.flops == 4.5e12
    optimum = planted.truth["N_P"] * 9 ** planted.truth["a"]
    assert findings.forecast.params_interval[0] < optimum < findings.forecast.params_interval[1]
    assert findings.outcome is not None
    assert findings.outcome.inside
    assert len(findings.runs) == 16
    assert not findings.runs_changed


def test_the_same_command_twice_does_nothing_twice(wanted: Quickstart, planted: PlantedExecutor) -> None:
    quickstart(wanted)
    before, trained = derived(wanted.out), list(planted.trained)
    again = quickstart(wanted)
    assert planted.trained == trained
    assert derived(wanted.out) == before
    assert again.outcome is not None


def test_a_forecast_whose_test_has_ended_is_never_written_anew(wanted: Quickstart, planted: PlantedExecutor) -> None:
    quickstart(wanted)
    before, trained = derived(wanted.out), list(planted.trained)
    change_a_run(wanted.out)
    findings = quickstart(wanted)
    after = derived(wanted.out)
    assert planted.trained == trained
    assert after["forecast.json"] == before["forecast.json"]
    assert after["outcome.json"] == before["outcome.json"]
    assert after["law.toml"] != before["law.toml"]
    assert "the runs have changed since it was written" in as_text(findings)
    assert as_dict(findings)["runs_changed"] is True
    assert b"The runs have changed since" in after["report.html"]


def test_changed_runs_make_a_new_forecast_while_its_test_has_not_ended(
    wanted: Quickstart, planted: PlantedExecutor
) -> None:
    planted.fate = fate_of_forecast("failed")
    with pytest.raises(RunsFailed):
        quickstart(wanted)
    before = derived(wanted.out)["forecast.json"]
    change_a_run(wanted.out)
    planted.fate = lambda spec: "done"
    findings = quickstart(wanted)
    assert derived(wanted.out)["forecast.json"] != before
    assert not findings.runs_changed
    assert findings.outcome is not None


def test_no_forecast_is_made_after_its_test(wanted: Quickstart, planted: PlantedExecutor) -> None:
    quickstart(wanted)
    (wanted.out / "forecast.json").unlink()
    findings = quickstart(wanted)
    assert findings.forecast is None
    assert set(derived(wanted.out)) == {"runs.csv", "law.toml", "report.html"}
    assert "No forecast: its test, b4.5e12-" in as_text(findings)
    assert len(planted.trained) == 16


def test_a_failed_forecast_run_leaves_the_answer_and_is_tried_again_alone(
    wanted: Quickstart, planted: PlantedExecutor
) -> None:
    planted.fate = fate_of_forecast("failed")
    with pytest.raises(RunsFailed, match=r"1 of 16 runs failed: b4\.5e12-.* \(MemoryError: planted\).* report so far"):
        quickstart(wanted)
    assert set(derived(wanted.out)) == {"runs.csv", "law.toml", "forecast.json", "report.html"}
    assert b"stands untested" in derived(wanted.out)["report.html"]
    without = quickstart(replace(wanted, verify=False))
    assert len(planted.trained) == 16
    assert without.forecast is None
    planted.fate = lambda spec: "done"
    assert quickstart(wanted).outcome is not None
    assert len(planted.trained) == 17


def test_a_diverged_forecast_run_is_said_to_have_diverged(wanted: Quickstart, planted: PlantedExecutor) -> None:
    wanted.out.mkdir()
    (wanted.out / "outcome.json").write_text("{}")  # of an earlier run that ended otherwise
    planted.fate = fate_of_forecast("diverged")
    findings = quickstart(wanted)
    assert findings.outcome is None
    assert "diverged: it has no loss, so the forecast stands untested" in as_text(findings)
    assert as_dict(findings)["forecast_run"]["state"] == "diverged"
    assert not (wanted.out / "outcome.json").exists()
    assert b"it diverged" in derived(wanted.out)["report.html"]


def test_a_diverged_run_is_in_the_table_and_not_in_the_fit(wanted: Quickstart, planted: PlantedExecutor) -> None:
    planted.fate = lambda spec: "diverged" if spec.shape.d_model == 96 else "done"
    findings = quickstart(replace(wanted, verify=False))
    assert len(findings.frontier.runs) == 14
    (dropped,) = read_runs(wanted.out / "runs.csv").dropped
    assert dropped.run_id.startswith("b1.5e12-d096")
    assert dropped.reason == "its state is 'diverged', not 'done'"
    assert read_runs(wanted.out / "runs.csv").digest() == read_runs(wanted.out).digest()


def test_when_all_diverge_there_is_a_table_and_no_law(wanted: Quickstart, planted: PlantedExecutor) -> None:
    planted.fate = lambda spec: "diverged"
    with pytest.raises(DataError, match=r"all 15 runs in .* diverged"):
        quickstart(wanted)
    table = (wanted.out / "runs.csv").read_text()
    assert table.count(",diverged,") == 15
    assert set(derived(wanted.out)) == {"runs.csv"}


def test_a_failure_is_told_even_when_all_others_diverged(wanted: Quickstart, planted: PlantedExecutor) -> None:
    planted.fate = lambda spec: "failed" if spec.shape.d_model == 96 else "diverged"
    with pytest.raises(RunsFailed, match="1 of 15 runs failed"):
        quickstart(wanted)
    assert (wanted.out / "runs.csv").read_text().count(",diverged,") == 14


def test_a_refused_law_is_reported_and_an_older_one_goes(wanted: Quickstart, planted: PlantedExecutor) -> None:
    wanted.out.mkdir()
    (wanted.out / "law.toml").write_text("of runs that have been replaced since")
    planted.truth["N_P"] = 1.0  # every best run is the smallest
    findings = quickstart(wanted)
    assert findings.frontier.verdict.status == "refused"
    assert findings.forecast is None
    assert set(derived(wanted.out)) == {"runs.csv", "report.html"}
    assert "isoflop plan" not in as_text(findings)
    assert len(planted.trained) == 15


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"workers": 0}, "0 workers can run nothing"),
        ({"seed": -1}, "a seed of -1"),
        ({"budgets": (5e11, 5e11)}, "a law needs 2 budgets or more, and there is 1"),
        ({"widths": (16, 32)}, "a minimum needs 3 widths or more, and there are 2"),
        ({"widths": (16, 24, 31)}, "a width of 31"),
        ({"widths": (16, 24, 2_000_000_000)}, "even numbers from 8 to 16,384"),
        ({"widths": (16, 24, 10_000)}, "buy 0 steps at width 10000"),
        ({"budgets": (1e8, 5e11), "widths": (16, 24, 32)}, "needs 20; give a larger budget"),
        ({"text": Path("nowhere")}, "there is no folder or file nowhere"),
    ],
)
@pytest.mark.usefixtures("planted")
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    wanted: Quickstart, change: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        quickstart(replace(wanted, **change))
    assert not wanted.out.exists()


@pytest.mark.usefixtures("planted")
def test_too_little_text_leaves_nothing_behind(wanted: Quickstart, tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "note.txt").write_text("a word " * 1000)
    with pytest.raises(DataError, match="usable text"):
        quickstart(replace(wanted, text=tmp_path / "text"))
    assert not wanted.out.exists()


@pytest.mark.usefixtures("planted")
def test_an_out_that_is_no_folder_is_refused(wanted: Quickstart, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    for out in (tmp_path / "file", tmp_path / "file" / "study"):
        with pytest.raises(UsageError, match=r"cannot write to .*; choose another --out"):
            quickstart(replace(wanted, out=out))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("planted")
def test_two_commands_may_prepare_one_study_at_once(wanted: Quickstart) -> None:
    with ThreadPoolExecutor(4) as pool:
        prepared = list(pool.map(lambda _: prepare(wanted), range(8)))
    assert len({corpus.digest for _, corpus in prepared}) == 1
    assert not list(wanted.out.rglob(".*"))


@pytest.mark.usefixtures("planted")
def test_without_torch_it_says_what_to_install(wanted: Quickstart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoflop.quickstart.find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(UsageError, match=r"pip install 'isoflop\[train\]'"):
        quickstart(wanted)
    assert not wanted.out.exists()


def test_the_run_still_to_come_is_known_for_what_it_is(wanted: Quickstart, planted: PlantedExecutor) -> None:
    to_come = expected_forecast(wanted)
    assert to_come is not None
    assert (to_come.purpose, to_come.budget) == (FORECAST, 4.5e12)
    assert expected_forecast(replace(wanted, verify=False)) is None
    with pytest.raises(UsageError, match=r"at 1e\+05 FLOPs"):  # the budget that was typed, not three times it
        expected_forecast(replace(wanted, budgets=(1e5, 2e5)))
    quickstart(wanted)
    assert expected_forecast(wanted) is None


@pytest.mark.usefixtures("planted")
def test_a_judged_forecast_is_shown_whether_or_not_one_is_wanted(wanted: Quickstart) -> None:
    quickstart(wanted)
    before = derived(wanted.out)
    findings = quickstart(replace(wanted, verify=False))
    assert findings.outcome is not None
    assert derived(wanted.out) == before


@pytest.mark.usefixtures("planted")
def test_the_same_text_by_another_name_is_the_same_text(
    wanted: Quickstart, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text.parent)
    prepare(replace(wanted, text=Path(text.name)))
    prepare(replace(wanted, text=text))
    with pytest.raises(UsageError, match="the Python standard library is not that text"):
        prepare(replace(wanted, text=None))


@pytest.mark.usefixtures("planted")
def test_text_that_was_edited_is_not_trained_on_in_the_same_study(
    wanted: Quickstart, text: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(text, mine)
    prepare(replace(wanted, text=mine))
    (mine / "00.txt").write_text("a word " * 1000)
    with pytest.raises(UsageError, match=r"or it has changed since the study began: choose another --out"):
        prepare(replace(wanted, text=mine))


@pytest.mark.parametrize(
    ("torn", "named"),
    [
        ("runs/b5e11-d0*/spec.json", r"spec.json is not whole: .* writes it again"),
        ("runs/b5e11-d0*/result.json", r"result.json is not whole: .* trains this run again"),
        ("forecast.json", r"forecast.json is not whole: .* restore it, or delete it"),
        ("corpus/corpus.json", r"corpus.json is not whole: .* delete that folder"),
    ],
)
@pytest.mark.usefixtures("planted")
def test_a_torn_file_is_named_with_its_remedy(wanted: Quickstart, torn: str, named: str) -> None:
    quickstart(wanted)
    path = min(wanted.out.glob(torn))
    path.write_text(path.read_text()[:20])
    with pytest.raises(UsageError, match=named):
        quickstart(wanted)
    path.write_text("[]")
    with pytest.raises(UsageError, match="holds no JSON object"):
        quickstart(wanted)
    path.write_text("{}")
    with pytest.raises(UsageError, match=path.name):
        quickstart(wanted)


@pytest.mark.usefixtures("planted")
def test_what_the_remedies_say_is_true(wanted: Quickstart, planted: PlantedExecutor) -> None:
    quickstart(wanted)
    before = derived(wanted.out)
    shutil.rmtree(wanted.out / "corpus")
    min(wanted.out.glob("runs/b5e11-*/spec.json")).unlink()
    min(wanted.out.glob("runs/b5e11-*/result.json")).unlink()
    assert len(planted.trained) == 16
    quickstart(wanted)
    assert len(planted.trained) == 17
    assert derived(wanted.out) == before


@pytest.mark.usefixtures("planted")
def test_a_corpus_without_its_bytes_is_named(wanted: Quickstart) -> None:
    quickstart(wanted)
    (wanted.out / "corpus" / "val.bin").unlink()
    with pytest.raises(UsageError, match=r"cannot be read \(No such file .*val.bin\); delete that folder"):
        quickstart(wanted)


@pytest.mark.usefixtures("planted")
def test_the_report_says_what_it_was_made_with(wanted: Quickstart) -> None:
    quickstart(wanted)
    assert "planted, threads a run: 1<" in (wanted.out / "report.html").read_text()

"""The committed study is of one piece: its forecast was made from its runs, and its run was judged by its forecast."""

import json
from pathlib import Path

import pytest

import isoflop as iso
from isoflop.fitting import Forecast, judge
from isoflop.quickstart import CLOCKS

STUDY = Path(__file__).parents[1] / "examples" / "quickstart"


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    return Forecast.from_dict(json.loads((STUDY / "forecast.json").read_text()))


def test_the_forecast_was_made_from_these_runs(forecast, tmp_path):
    swept = iso.read_runs(STUDY / "runs.csv", where="purpose == 'sweep'")
    facts = {name: column for name, column in swept.columns.items() if name not in CLOCKS}
    without_clocks = iso.Runs(
        swept.params, swept.tokens, swept.loss, swept.flops, facts, swept.conventions, swept.source
    )
    assert without_clocks.digest() == forecast.runs_digest


def test_the_outcome_is_that_of_the_forecast_run(forecast):
    tested = iso.read_runs(STUDY / "runs.csv", where="purpose == 'forecast'")
    outcome = judge(forecast, str(tested.columns["run_id"][0]), float(tested.loss[0]))
    assert outcome.to_dict() == json.loads((STUDY / "outcome.json").read_text())


class TestMiniStudy:
    """examples/mini_study: the law beside the table is the table's, and the two seeds tell one story."""

    FOLDER = Path(__file__).parents[1] / "examples" / "mini_study"

    def runs(self, where: str = "purpose == 'sweep'") -> iso.Runs:
        return iso.read_runs(self.FOLDER / "runs.csv", where=where)

    def test_the_law_is_that_of_the_table(self):
        law = iso.read_law(self.FOLDER / "law.toml")
        fit = iso.fit(self.runs(), "frontier")
        for name, value in fit.law.coefficients.items():
            assert law.coefficients[name] == pytest.approx(value, rel=1e-6), name
        assert len(fit.minima) == 7
        assert all(minimum.interior for minimum in fit.minima)

    def test_each_seed_lies_in_the_interval_of_the_other(self):
        one, two = (iso.fit(self.runs(f"purpose == 'sweep' and seed == {seed}"), "frontier") for seed in (0, 1))
        for fit, other in ((one, two), (two, one)):
            low, high = fit.interval("a")
            assert low - 0.01 <= other.allocation[0] <= high + 0.01

    def test_the_study_that_made_it_makes_these_runs(self):
        """By its own study.toml, corpus and all: the same specs, to the digest."""
        from isoflop.study import planned_specs, read_plan

        table = self.runs("budget > 0")
        digest = str(table.columns["corpus_digest"][0])
        plan = read_plan(self.FOLDER / "study.toml")
        specs = planned_specs(plan, {"corpus": digest})
        made = {spec.digest() for spec in specs if spec.purpose == "sweep"}
        assert made == set(table.columns["spec_digest"].tolist())

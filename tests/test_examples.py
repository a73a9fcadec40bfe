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

"""A design as an answer: within its budget, as wide as simulated studies are, and said in words that hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import isoflop as iso
from isoflop.errors import DataError, QuantityError, UnknownName, UsageError
from isoflop.sweeps.designed import Designed, design, to_csv
from isoflop.sweeps.kinds import KINDS
from isoflop.sweeps.optimal import Terms

RUNS, STUDIES = 16, 25


@pytest.fixture(scope="module")
def found() -> Designed:
    return design("1e20", "1e24", runs=RUNS, noise=0.003, against="isoflop")


def test_the_json_is_what_scripts_rely_on(found: Designed) -> None:
    table = json.loads(found.to_json())
    assert next(iter(table)) == "schema"
    assert table["schema"] == "isoflop.design/1"
    assert len(table["runs"]) == RUNS
    assert all(run["flops"] == pytest.approx(6 * run["params"] * run["tokens"]) for run in table["runs"])
    assert table["cost_flops"] == pytest.approx(sum(run["flops"] for run in table["runs"]))
    assert table["cost_flops"] <= 1e20 * (1 + 1e-9)
    low, high = table["expected"]["params_opt_interval"]
    assert high / low == pytest.approx(table["expected"]["params_opt_interval_ratio"])
    assert low < iso.law("besiroglu2024").optimum(1e24).params < high
    assert table["expected"]["loss_interval"][0] < table["expected"]["loss"] < table["expected"]["loss_interval"][1]
    assert isinstance(table["notes"], list)


def test_simulated_studies_are_as_wide_as_the_design_says(found: Designed) -> None:
    simulated = iso.simulate(found.design, found.law, noise=0.003, target=1e24, studies=STUDIES, draws=0)
    low, high = np.sqrt(stats.chi2.ppf([0.0005, 0.9995], STUDIES - 1) / (STUDIES - 1))
    outcome = simulated.outcome()
    assert outcome.params is not None
    assert outcome.loss is not None
    assert low < outcome.params.deviation / found.expected.params < high
    assert low < outcome.loss.deviation / found.expected.loss < high


def test_the_optimal_design_beats_the_grid_of_the_same_cost(found: Designed) -> None:
    assert found.against is not None
    grid, said = found.against
    assert len(grid) == RUNS
    assert grid.cost == pytest.approx(1e20)
    assert (said.params / found.expected.params) ** 2 > 2


def test_it_says_the_answer_first_and_every_network(found: Designed) -> None:
    lines = str(found).splitlines()
    factor = np.exp(stats.norm.ppf(0.95) * found.expected.params)
    assert lines[0].startswith(f"At 1e24 FLOPs: N* to a factor of {factor:.3g} either way, loss ")
    table = lines[lines.index("") + 1 :]
    assert sum(int(line.split()[1]) for line in table[1 : table.index("")]) == RUNS
    assert "times the variance of ln N*" in str(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_answered_and_written(kind: str) -> None:
    made = design(1e20, 1e24, kind=kind, runs=12).design
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    assert sum(float(row["flops"]) for row in rows) == pytest.approx(made.cost)
    assert [float(row["params"]) for row in rows] == made.params.tolist()
    assert {row["budget"] == "" for row in rows} == {kind != "isoflop"}


def test_a_table_by_budget_counts_all_runs() -> None:
    lines = str(design(1e20, 1e24, kind="isoflop", runs=20)).splitlines()
    table = lines[lines.index("") + 1 :]
    assert table[0].split()[0] == "budget"
    assert sum(int(line.split()[1]) for line in table[1 : table.index("")]) == 20


def test_trunks_cost_less_than_their_runs_would() -> None:
    made = design(1e20, 1e24, kind="ladder", runs=12, terms=Terms(shared_trunks=True)).design
    assert made.cost == pytest.approx(1e20)
    assert (6 * made.params * made.tokens).sum() > 1.2e20
    assert {run["trunk"] for run in json.loads(design(1e20, 1e24, kind="random", runs=12).to_json())["runs"]} == {None}


def test_a_budget_in_hardware_is_priced() -> None:
    found = design("8xH100 for 2 days", "1e24", kind="isoflop", runs=15)
    assert found.cost is not None
    assert found.cost.device_hours == pytest.approx(8 * 48, rel=1e-6)
    assert "device-hours, $" in str(found)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "A noise of 0.3% of the loss is assumed"),
        ({"law": "hoffmann2022"}, "hoffmann2022 has no draws"),
        ({"budget": 1e16}, "besiroglu2024 was fitted on runs of 1.4e18 to 1.3e22 FLOPs"),
        ({"noise": 0.05}, "too large for that: simulate"),
        ({}, "times the largest run"),
    ],
)
def test_what_to_know_is_noted(asked: dict[str, Any], words: str) -> None:
    found = design(asked.pop("budget", 1e20), 1e24, kind="isoflop", runs=15, **asked)
    assert words in " ".join(found.notes)


def test_what_the_insurance_costs_is_said(found: Designed) -> None:
    assert found.insurance is not None
    assert found.insurance > 0.99
    bare = design("1e20", "1e24", runs=RUNS, noise=0.003, terms=Terms(sizes=1, frontier=0.0))
    assert found.insurance == pytest.approx(found.expected.params / bare.expected.params)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"budget": "1e3"}, UsageError, "buys 40 runs of networks from"),
        ({"budget": "a lot"}, QuantityError, "a lot"),
        ({"target": 1e19}, UsageError, "no more than the 1e20"),
        ({"kind": "best"}, UnknownName, "no kind of design called 'best'"),
        ({"against": "best"}, UnknownName, "no kind of design called 'best'"),
        ({"goal": "speed"}, UnknownName, "no goal called 'speed'"),
        ({"level": 1.0}, UsageError, "a level of 1"),
        ({"runs": 7}, UsageError, "7 runs carry no fit of chinchilla, which takes 8"),
        ({"runs": 5000, "kind": "optimal"}, UsageError, "takes many minutes"),
        ({"seed": -1}, UsageError, "a seed of -1"),
        ({"terms": Terms(overhead=1e10)}, UsageError, "terms of the optimal design; isoflop has none"),
        ({"terms": Terms(shared_trunks=True)}, UsageError, "share no trunks"),
        ({"terms": Terms(overhead=1e20), "kind": "optimal"}, UsageError, "an overhead of 1e20"),
        ({"terms": Terms(largest_run=2.0), "kind": "optimal"}, UsageError, "up to the whole budget"),
        ({"law": "llama3_2024"}, DataError, "needs a law of the loss"),
        ({"noise": 3.0}, UsageError, "a noise of 3"),
        ({"ratio": (100.0, 5.0)}, UsageError, "from 100 to 5 hold nothing"),
    ],
)
def test_questions_that_mean_nothing(asked: dict[str, Any], error: type[Exception], message: str) -> None:
    words: dict[str, Any] = {"budget": 1e20, "target": 1e24, "kind": "isoflop", **asked}
    ask: Callable[..., Designed] = design
    with pytest.raises(error, match=message):
        ask(**words)

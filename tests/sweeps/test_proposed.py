"""The next best run: its gain by a second method, its limits, and what is said where no run can be named."""

from __future__ import annotations

import json

import numpy as np
import pytest

import isoflop as iso
from isoflop.errors import DataError, UnknownName, UsageError
from isoflop.sweeps.designs import of_runs
from isoflop.sweeps.expected import expected
from isoflop.sweeps.proposed import propose

LAW = iso.law("hoffmann2022")  # a point alone: medians over laws are then of one
AXES = np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(4e9, 2e10, 4))
N, D = (axis.ravel() for axis in AXES)
NOISY = np.exp(0.003 * np.random.default_rng(0).standard_normal(N.size))
SO_FAR = iso.Runs(N, D, LAW.predict(N, D) * NOISY)


@pytest.mark.parametrize("goal", ["params", "loss"])
def test_what_a_run_adds_is_what_the_design_with_it_tells_beyond_the_one_without(goal: str) -> None:
    found = propose(SO_FAR, 1e24, LAW, noise=0.003, goal=goal)
    for one in found.ranked:
        longer = of_runs("with it", np.append(N, one.params), np.append(D, one.tokens))
        said = expected(longer, LAW, noise=0.003, target=1e24)
        assert one.after == pytest.approx(said.params if goal == "params" else said.loss, rel=1e-6)
    gains = [one.gain_per_flop for one in found.ranked]
    assert gains == sorted(gains, reverse=True)
    assert found.after.params < found.now.params


def test_no_run_costs_more_than_the_largest_that_was_allowed() -> None:
    found = propose(SO_FAR, 1e24, LAW, noise=0.003, largest_run=5e18)
    assert max(one.flops for one in found.ranked) <= 5e18 * (1 + 1e-6)


def test_without_a_prior_the_runs_are_fitted_and_their_residuals_are_the_noise() -> None:
    found = propose(SO_FAR, 1e24)
    assert found.law.id == "chinchilla-fit"
    assert found.noise == pytest.approx(0.003, rel=0.5)
    assert "is what these runs show" in " ".join(found.notes)


def test_it_is_said_and_written() -> None:
    found = propose(SO_FAR, 1e24, LAW, noise=0.003)
    table = json.loads(found.to_json())
    best = found.ranked[0]
    assert table["schema"] == "isoflop.design/1"
    assert table["runs"] == [{"params": best.params, "tokens": best.tokens, "flops": best.flops}]
    assert table["cost_flops"] == best.flops
    assert table["expected"]["params_opt_interval_ratio"] < table["now"]["params_opt_interval_ratio"]
    assert str(found).startswith("Next: ")


def test_runs_that_carry_no_law_need_a_prior() -> None:
    few = SO_FAR.take([0, 5, 10])
    with pytest.raises(DataError, match=r"no law yet .* give a prior"):
        propose(few, 1e24)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": 1e18}, "no more than the largest run so far"),
        ({"goal": "speed"}, "no goal called 'speed'"),
        ({"level": 0.0}, "a level of 0"),
        ({"largest_run": 1e10}, "there is no run of"),
        ({"noise": 2.0}, "a noise of 2"),
    ],
)
def test_questions_that_mean_nothing(asked: dict[str, object], message: str) -> None:
    words = {"target": 1e24, "law": LAW, "noise": 0.003, **asked}
    with pytest.raises((UsageError, UnknownName), match=message):
        propose(SO_FAR, **words)  # type: ignore[arg-type]

"""Numbers that no training run has: slips of units, of columns and of designs are said, never fitted in silence."""

from __future__ import annotations

import numpy as np
import pytest

import isoflop as iso
from isoflop.fitting.plausible import implausible, rising_loss


@pytest.fixture
def runs() -> iso.Runs:
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 6), np.geomspace(1e9, 1e12, 6)))
    noise = 0.002 * np.random.default_rng(5).standard_normal(N.size)
    return iso.Runs(params=N, tokens=D, loss=(1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(noise))


def codes(fit: iso.Fit) -> set[str]:
    return {note.code for note in fit.verdict.notes}


def test_a_clean_table_is_ok_though_a_moves_with_alpha(runs):
    fit = iso.fit(runs, draws=400)
    assert fit.verdict.status == "ok", fit.summary()
    assert codes(fit) <= {"correlated"}
    assert "usable\n" in fit.summary()


@pytest.mark.parametrize("slip", ["params in millions", "tokens in billions", "perplexity", "loss in thousandths"])
def test_a_slip_of_units_is_never_ok(runs, slip):
    N, D, L = runs.params, runs.tokens, runs.loss
    table = {
        "params in millions": (N / 1e6, D, L),
        "tokens in billions": (N, D / 1e9, L),
        "perplexity": (N, D, np.exp(1.5 * L)),
        "loss in thousandths": (N, D, L / 1000),
    }[slip]
    fit = iso.fit(iso.Runs(*table), draws=0)
    assert "units" in codes(fit)
    assert fit.verdict.status != "ok"


@pytest.mark.parametrize("factor", [1 / 3, np.where(np.arange(36) % 2, 1.0, 1000.0)])
def test_flops_that_are_not_of_these_runs_are_said(runs, factor):
    off = iso.Runs(runs.params, runs.tokens, runs.loss, flops=6 * runs.params * runs.tokens * factor)
    assert [note.code for note in implausible(off)] == ["flops_off"]
    assert implausible(runs) == []


def test_attention_and_a_head_left_out_of_n_are_no_slip(runs):
    counted = 6 * runs.params * runs.tokens * (1 + 3 * (1e7 / runs.params) ** 0.3)
    assert implausible(iso.Runs(runs.params, runs.tokens, runs.loss, flops=counted)) == []


def test_a_loss_that_rises_is_called_so(runs):
    upside_down = iso.Runs(runs.params, runs.tokens, 10 - runs.loss)
    assert rising_loss(runs) is None
    assert rising_loss(upside_down) is not None
    assert iso.fit(upside_down, draws=0).verdict.status == "refused"


def test_a_narrow_axis_is_named(runs):
    narrow = iso.Runs(1e8 * (runs.params / 1e7) ** 0.02, runs.tokens, runs.loss)
    (note,) = iso.fit(narrow, draws=0).verdict.notes
    assert note.message.startswith("N varies by a factor of 1.15 only")


def test_what_a_fit_refuses_a_prediction_refuses(runs):
    one_budget = iso.Runs(runs.params, 1e19 / (6 * runs.params), 2 + 480 * runs.params**-0.35)
    with pytest.raises(iso.DataError, match="all runs lie on one line"):
        iso.fitting.pooled(one_budget, 7e10, 1.4e12)


def test_a_form_that_misses_by_far_is_no_law(runs):
    fit = iso.fit(runs, "amari_many", draws=0)
    assert fit.verdict.status == "refused"
    assert codes(fit) == {"lack_of_fit"}


def test_gross_outliers_are_named_though_the_answer_does_not_hang_on_them(runs):
    loss = runs.loss.copy()
    loss[[3, 20]] *= 1.5
    fit = iso.fit(iso.Runs(runs.params, runs.tokens, loss), draws=400)
    (message,) = (note.message for note in fit.verdict.notes if note.code == "outliers")
    assert "row 4, 21 of those used, from 1" in message
    assert "lack_of_fit" not in codes(fit)

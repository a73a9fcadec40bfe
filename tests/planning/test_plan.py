"""Plans: the closed forms of published laws, intervals against a second method, and what the notes say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from isoflop import laws
from isoflop.conventions import Conventions, ParamsConvention
from isoflop.errors import DataError, QuantityError, UnknownName, UsageError
from isoflop.laws import FittedRange, Law, families
from isoflop.planning import DEFAULT_LAWS, Asked, Plan, find_law, plan, plans, predict

GOPHER = 5.76e23
OWN = """
from isoflop.laws import Family
from isoflop.laws.chinchilla import FAMILY

class Own(Family):
    name, formula, reference, inputs = "own", FAMILY.formula, "mine", FAMILY.inputs
    coefficients, linear, loss = FAMILY.coefficients, FAMILY.linear, lambda self, *given: FAMILY.loss(*given)
"""

# Besiroglu et al. 2024 (arXiv 2404.10102) and Hoffmann et al. 2022 (arXiv 2203.15556) at Gopher's budget.
PUBLISHED = [
    ("besiroglu2024", 72.25e9, 1.329e12, 18.4),
    ("hoffmann2022", 40.36e9, 2.379e12, 58.9),
    ("hoffmann2022_rounded", 32.19e9, 2.982e12, 92.7),
]


def uncertain(id: str = "mine", width: float = 0.02, draws: int = 2000) -> Law:
    """Besiroglu's law with planted draws: each coefficient log-normal about its value."""
    rng = np.random.default_rng(0)
    law = laws.law("besiroglu2024")
    spread = {name: value * np.exp(width * rng.standard_normal(draws)) for name, value in law.coefficients.items()}
    return dataclasses.replace(law, id=id, draws=spread, form_error=None, caveats=())


@pytest.mark.parametrize(("law", "params", "tokens", "ratio"), PUBLISHED)
def test_the_closed_forms_at_gophers_budget(law: str, params: float, tokens: float, ratio: float) -> None:
    (row,) = plan(law, GOPHER).rows
    assert row.params == pytest.approx(params, rel=5e-4)
    assert row.tokens == pytest.approx(tokens, rel=5e-4)
    assert row.tokens_per_param == pytest.approx(ratio, rel=2e-3)
    assert 6 * row.params * row.tokens == pytest.approx(GOPHER, rel=1e-12)


@pytest.mark.parametrize("law", DEFAULT_LAWS)
def test_the_optimum_is_the_least_loss_on_the_isoflop_line(law: str) -> None:
    (row,) = plan(law, GOPHER).rows
    N = np.geomspace(row.params / 10, row.params * 10, 4001)
    losses = laws.law(law).predict(N, GOPHER / (6 * N))
    assert row.loss <= losses.min() * (1 + 1e-12)
    assert N[np.argmin(losses)] == pytest.approx(row.params, rel=2e-3)


def test_intervals_are_quantiles_over_whole_draws() -> None:
    law = uncertain()
    (row,) = plan(law, 1e24, level=0.8).rows
    assert law.draws is not None
    optima = []
    for i in range(2000):
        coefficients = {name: float(values[i]) for name, values in law.draws.items()}
        best = dataclasses.replace(law, coefficients=coefficients, draws=None).optimum(1e24)
        optima.append((float(best.params), float(best.tokens), float(best.loss)))
    lo, hi = np.quantile(np.array(optima), [0.1, 0.9], axis=0)
    assert row.intervals is not None
    for i, name in enumerate(("params", "tokens", "loss")):
        assert getattr(row.intervals, name) == pytest.approx((lo[i], hi[i]), rel=1e-9)


def test_a_higher_level_is_wider() -> None:
    narrow, wide = (plan(uncertain(), 1e24, level=level).rows[0].intervals for level in (0.5, 0.95))
    assert narrow is not None
    assert wide is not None
    assert wide.params[0] < narrow.params[0] < narrow.params[1] < wide.params[1]


def test_json_carries_what_scripts_rely_on() -> None:
    table = json.loads(plan([uncertain(), "hoffmann2022"], "10 EFLOP/s for 64 days").to_json())
    assert next(iter(table)) == "schema"
    assert table["schema"] == "isoflop.plan/1"
    assert table["budget"]["flops"] == pytest.approx(5.5296e25)
    assert table["budget"]["reading"].startswith("10 EFLOP/s for 64 days = 5.5296e25 FLOPs")
    mine, theirs = table["plans"]
    for key in ("law", "params", "tokens", "tokens_per_param", "loss", "intervals", "extrapolation", "notes"):
        assert key in mine
    lo, hi = mine["intervals"]["params"]
    assert lo < mine["params"] < hi
    assert theirs["intervals"] is None
    assert theirs["extrapolation"]["times_largest_run"] == pytest.approx(5.5296e25 / 3e21)


def said(answer: Plan) -> str:
    return " ".join(str(answer).split())


def test_notes_say_what_to_do() -> None:
    text = said(plan(DEFAULT_LAWS, GOPHER))
    assert "The laws disagree 5.0-fold on tokens per parameter" in text
    assert "hoffmann2022: 5.76e23 FLOPs is 190 times the largest run it was fitted on (3e21)" in text
    assert "hoffmann2022_rounded: Rounded constants: do not allocate compute with them" in text
    assert "N is total parameters, C is 6 N D, loss is in nats per token." in text


def test_a_law_without_draws_is_called_published_only_if_it_is() -> None:
    mine = dataclasses.replace(uncertain(), draws=None)
    text = said(plan([mine, "hoffmann2022"], 1e20))
    assert "No interval for hoffmann2022: published as point values" in text
    assert "No interval for mine: without joint draws; fit again with some (--draws 4000)." in text


def test_no_other_note_where_there_is_nothing_to_say() -> None:
    (row,) = plan(uncertain(), 1e20).rows
    assert ["waste up to" in note for note in row.notes] == [True]  # its draws differ, and that is said
    assert len(plan(uncertain(), 1e20).notes) == 1  # the conventions


def test_a_budget_below_the_fitted_runs_is_said() -> None:
    assert "below the smallest run it was fitted on (1.4e18)" in said(plan(uncertain(), 1e15))


def test_a_law_without_a_fitted_range_is_said() -> None:
    (row,) = plan(dataclasses.replace(uncertain(), fitted_range=FittedRange()), 1e15).rows
    assert row.times_largest_run is None
    assert "does not say on which budgets it was fitted" in row.notes[0]


def test_laws_that_count_differently_are_recounted() -> None:
    blocks = dataclasses.replace(uncertain("blocks"), conventions=Conventions(ParamsConvention.NON_EMBEDDING))
    text = said(plan([uncertain(), blocks], 1e20))
    assert "blocks counted as mine counts: the split that costs the same 6 N D so." in text
    assert "Do not compare" not in text


def test_the_text_echoes_the_budget_and_lines_up() -> None:
    lines = str(plan([uncertain(), "hoffmann2022"], "1 PF-day")).splitlines()
    assert lines[0] == "Budget: 1 PF-day = 8.64e19 FLOPs (1e15 FLOP/s x 86400 s)"
    header, mine, interval, theirs = lines[2:6]
    assert header.split() == ["law", "parameters", "tokens", "tokens/param", "loss"]
    assert interval.split()[:2] == ["90%", "interval"]
    assert len({len(line) for line in (header, mine, interval, theirs)}) == 1


def test_a_law_file_is_a_law(tmp_path: Path) -> None:
    path = tmp_path / "law.toml"
    laws.write_law(uncertain(), path)
    (row,) = plan(str(path), 1e24).rows
    assert row.law == "mine"
    assert row.params == pytest.approx(plan("besiroglu2024", 1e24).rows[0].params, rel=1e-12)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'besiroglu2024'"):
        plan("besirogul2024", 1e24)
    with pytest.raises(UsageError, match=r"nowhere\.toml"):
        plan("nowhere.toml", 1e24)
    with pytest.raises(QuantityError, match="is a rate"):
        plan("besiroglu2024", "10 EFLOP/s")
    with pytest.raises(UsageError, match="90 is not a share"):
        plan("besiroglu2024", 1e24, level=90)


def test_a_law_of_ones_own_family_is_planned_with(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    family = laws.family_from_file(f"{tmp_path / 'own.py'}:Own")
    numbers = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    laws.write_law(Law("own-fit", "", family, numbers), tmp_path / "own.toml")
    with pytest.raises(UsageError, match="--family"):
        find_law(str(tmp_path / "own.toml"))
    (row,) = plan(find_law(str(tmp_path / "own.toml"), family), 1e22).rows
    twin = Law("twin", "", families()["chinchilla"], numbers).optimum(1e22)
    assert row.params == pytest.approx(float(twin.params), rel=1e-8)


def test_few_tokens_a_parameter_are_no_zero() -> None:
    answer = said(plan("kaplan2020_allocation", 3.8e25))
    assert f" {plan('kaplan2020_allocation', 3.8e25).rows[0].tokens_per_param:.3g} " in answer


def test_no_law_is_no_plan() -> None:
    with pytest.raises(UsageError, match="no law to plan with"):
        plan([], 1e24)


def test_a_budget_beyond_a_float_is_refused() -> None:
    with pytest.raises(QuantityError, match="a budget of more than 1e308"):
        plan("besiroglu2024", 10**400)


def test_exponents_that_cancel_are_no_plan() -> None:
    coefficients = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.37, "beta": -0.37}
    law = Law("cancelled", "", families()["chinchilla"], coefficients)
    with pytest.raises(DataError, match="the law cancelled gives no optimum at 1e24 FLOPs"):
        plan(law, 1e24)


def test_the_compute_that_a_wrong_split_wastes():
    """Second method: for each draw, the closed form of the compute at which its own optimum has the loss of ours."""
    rng = np.random.default_rng(0)
    names = ("E", "A", "B", "alpha", "beta")
    point = dict(zip(names, (1.8, 480.0, 2100.0, 0.35, 0.37), strict=True))
    alpha = 0.35 + 0.05 * rng.standard_normal(500)
    draws = {name: np.full(500, value) for name, value in point.items()} | {
        "alpha": alpha,
        "A": 480 * 1e7 ** (alpha - 0.35),
    }
    law = Law("mine", "mine", laws.family("chinchilla"), point, draws=draws)
    best = law.optimum(1e23)
    wasted = []
    for k in range(500):
        one = Law("one", "one", laws.family("chinchilla"), {name: float(draws[name][k]) for name in names})
        target = float(one.predict(best.params, best.tokens))
        C = brentq(lambda x, one=one, target=target: float(one.optimum(np.exp(x)).loss) - target, 40, 54)
        wasted.append(1 - np.exp(C) / 1e23)
    row = plan(law, 1e23, level=0.9).rows[0]
    assert row.intervals.wasted == pytest.approx(np.quantile(wasted, 0.9), rel=0.01)
    assert any("waste up to" in note for note in row.notes)


@pytest.mark.parametrize("level", [-0.5, 0.0, 1.0, 1.5, float("nan")])
def test_what_is_no_level_is_refused_by_every_call(level: float) -> None:
    law = laws.law("besiroglu2024")
    for ask in (
        lambda: plan(law, 1e22, level=level),
        lambda: plans(law, [1e22], level=level),
        lambda: predict(law, 1e9, 1e10, level),
    ):
        with pytest.raises(UsageError, match="is not a share between 0 and 1"):
            ask()


@pytest.mark.parametrize("budget", ["a", ["a"], [[1e22], "b"], None, [1e22, -1.0], []])
def test_what_is_no_budget_is_refused_by_arrays(budget: object) -> None:
    with pytest.raises(UsageError, match="budgets are positive numbers"):
        plans(laws.law("besiroglu2024"), budget)


def test_a_list_is_no_budget_and_a_section_has_a_name() -> None:
    with pytest.raises(QuantityError, match="a budget is one number or a text, not"):
        plan("besiroglu2024", [1e24])
    with pytest.raises(UnknownName, match="'vally'; did you mean 'valley'"):
        Asked(show=frozenset({"vally"}))

"""Questions from the other end against closed forms and second methods; properties that any answer has."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from isoflop import laws
from isoflop.errors import DataError, UsageError
from isoflop.laws import Law, families
from isoflop.planning import Asked, Demand, pass_at_k, plan, plans, predict, samples_for
from isoflop.planning.data_limited import data_limited, limited
from isoflop.planning.lifecycle import lifecycle
from isoflop.planning.optimum import numeric_optimum, optimum
from isoflop.planning.questions import (
    compute_gain,
    flops_for_loss,
    gain_of_loss,
    params_for_loss,
    shift_from_measured,
    tokens_for_loss,
)
from isoflop.planning.surface import view

LAW = laws.law("besiroglu2024")
BARE = dataclasses.replace(LAW, draws=None, form_error=None)
BUDGETS = np.geomspace(1e18, 1e27, 10)
CLOSED = [
    name
    for name in laws.catalogue()
    if {"params", "tokens"} <= set(laws.law(name).family.inputs)
    and laws.law(name).family.optimum({k: np.asarray(v) for k, v in laws.law(name).coefficients.items()}, BUDGETS)
    is not None
]


def test_every_family_with_a_closed_form_is_here():
    """Chinchilla with its kin, Skaling and Kaplan at least; each by a published law."""
    assert {laws.law(name).family.name for name in CLOSED} >= {"chinchilla", "skaling", "kaplan"}


@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_form_is_the_numeric_optimum(name):
    """To 1e-9 in N, by a search that knows the surface alone."""
    law = dataclasses.replace(laws.law(name), draws=None)
    said, searched = law.optimum(BUDGETS), numeric_optimum(law, BUDGETS)
    # Where repeats count, the surface has a kink at its optimum, and values know it to the root of rounding.
    close = 1e-6 if law.family.name == "data_limited" else 1e-9
    assert searched.params == pytest.approx(said.params, rel=close)
    assert searched.tokens == pytest.approx(said.tokens, rel=close)
    assert searched.loss == pytest.approx(said.loss, rel=1e-12)


def test_a_family_without_a_closed_form_has_a_numeric_one():
    assert "farseer" in families()
    numbers = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
    law = Law("mine", "", laws.family("chinchilla"), numbers)
    brute = np.geomspace(1e7, 1e12, 400_001)
    best = optimum(law, 1e22, lambda N: 6 * N + 3e9)
    losses = law.predict(brute, 1e22 / (6 * brute + 3e9))
    assert float(best.params) == pytest.approx(brute[losses.argmin()], rel=1e-4)


@given(st.floats(1.9, 3.5))
@settings(max_examples=40)
def test_the_compute_of_a_loss_has_that_loss(loss):
    C = flops_for_loss(BARE, loss).value
    assert float(BARE.optimum(C).loss) == pytest.approx(loss, rel=1e-10)


@given(st.floats(1e8, 1e12), st.floats(1e9, 1e14))
@settings(max_examples=40)
def test_n_and_d_come_back_from_their_loss(N, D):
    loss = float(BARE.predict(N, D))
    assert float(tokens_for_loss(BARE, N, loss).value) == pytest.approx(D, rel=1e-6)
    assert float(params_for_loss(BARE, D, loss).value) == pytest.approx(N, rel=1e-6)


def test_draws_answer_one_by_one():
    found = flops_for_loss(LAW, 2.1)
    assert LAW.draws is not None
    numbers = {name: float(column[17]) for name, column in LAW.draws.items()}
    alone = dataclasses.replace(BARE, coefficients=numbers)
    assert found.draws is not None
    assert float(found.draws[17]) == pytest.approx(float(flops_for_loss(alone, 2.1).value), rel=1e-9)


def test_a_loss_below_what_can_be_reached_is_refused_with_e():
    with pytest.raises(DataError, match=r"E = 1\.817"):
        flops_for_loss(LAW, 1.8)
    with pytest.raises(DataError, match="take a larger network"):
        tokens_for_loss(BARE, 1e9, 2.0)
    with pytest.raises(DataError, match="take more tokens"):
        params_for_loss(BARE, 1e9, 2.0)


def test_gains_and_measured_runs():
    gain = compute_gain(BARE, 1e22, 3.0)
    assert float(gain.loss.value) == pytest.approx(float(BARE.optimum(3e22).loss))
    assert float(gain_of_loss(BARE, 1e22, gain.loss.value).value) == pytest.approx(3.0, rel=1e-9)
    moved = shift_from_measured(BARE, (1e9, 2e10, float(BARE.predict(1e9, 2e10)) + 0.1), 7e10, 1.4e12)
    assert float(moved.added - moved.predicted) == pytest.approx(0.1)


@given(st.floats(1e9, 1e14))
@settings(max_examples=25)
def test_serving_pays_for_smaller_networks_at_the_first_order_condition(served):
    """eps_N / eps_D = 1 + served / (3 D) at the cheapest network, and it never costs more than the baseline."""
    found = lifecycle(BARE, 1e23, Demand(prompt_tokens=served))
    N, D = float(found.params.value), float(found.tokens.value)
    a, b = BARE.coefficients["alpha"], BARE.coefficients["beta"]
    of_n, of_d = a * BARE.coefficients["A"] * N**-a, b * BARE.coefficients["B"] * D**-b
    assert of_n / of_d == pytest.approx(1 + served / (3 * D), rel=1e-5)
    assert float(found.saving.value) >= -1e-12
    assert float(BARE.predict(N, D)) == pytest.approx(float(found.loss), rel=1e-9)


def test_more_demand_is_a_smaller_network():
    sizes = [
        float(lifecycle(BARE, 1e23, Demand(prompt_tokens=served)).params.value) for served in (0, 1e11, 1e12, 1e13)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(float(BARE.optimum(1e23).params), rel=1e-6)


def test_slow_decoding_and_samples_multiply_the_demand():
    demand = Demand(
        1e12, 1e11, samples=4, training_mfu=0.4, prefill_mfu=0.4, decode_mfu=0.02, prefill_price=2, decode_price=2
    )
    assert demand.equivalent_tokens == pytest.approx(2 * (1e12 + 4e11 * 20))
    assert dataclasses.replace(demand, prefill_price=1).equivalent_tokens == pytest.approx(1e12 + 2 * 4e11 * 20)
    with pytest.raises(UsageError, match="not a share"):
        Demand(1e12, decode_mfu=1.2)


def test_unlimited_tokens_are_the_plain_law_and_fewer_never_help():
    plain = BARE.optimum(1e22)
    much = data_limited(BARE, 1e22, 1e18)
    assert float(much.params.value) == pytest.approx(float(plain.params), rel=1e-6)
    assert float(much.loss.value) == pytest.approx(float(plain.loss), rel=1e-9)
    losses = [float(data_limited(BARE, 1e22, unique).loss.value) for unique in (1e9, 1e10, 1e11, 1e12)]
    assert losses == sorted(losses, reverse=True)


def test_the_limited_optimum_is_brute_forces():
    law = laws.law("muennighoff2023")
    found = data_limited(law, 9.3e21, 25e9)
    N = np.geomspace(1e9, 5e10, 20_001)
    losses = law.predict(N, 9.3e21 / (6 * N), unique_tokens=25e9)
    assert float(found.loss.value) <= losses.min() + 1e-9
    assert float(found.params.value) == pytest.approx(N[losses.argmin()], rel=1e-3)


def test_ten_thousand_plans_in_one_call():
    budgets = np.geomspace(1e18, 1e27, 10_000)
    many = plans(LAW, budgets)
    for at in (0, 4321, 9999):
        row = plan(LAW, float(budgets[at])).rows[0]
        assert row.intervals is not None
        assert many.params_interval is not None
        assert (float(many.params[at]), float(many.loss[at])) == pytest.approx((row.params, row.loss))
        edges = tuple(float(edge[at]) for edge in many.params_interval)
        assert edges == pytest.approx(row.intervals.params, rel=1e-3)
    with pytest.raises(UsageError, match="positive numbers"):
        plans(LAW, [1e22, -1])


@pytest.mark.parametrize(
    ("budget", "asked", "error", "says"),
    [
        (None, {}, UsageError, "no budget"),
        (1e22, {"target_loss": 2.0}, UsageError, "two ends"),
        (None, {"target_loss": 1.5}, DataError, "irreducible"),
        (None, {"target_loss": float("nan")}, UsageError, "is no loss"),
        (None, {"target_loss": 2.1, "params": 1e9, "tokens": 1e12}, UsageError, "isoflop predict"),
        (1e22, {"params": 1e9, "tokens": 1e12}, UsageError, "hold one of"),
        (1e22, {"tokens_per_param": -3.0}, UsageError, "positive"),
        (1e22, {"unique_tokens": -1.0}, UsageError, "unique tokens"),
        (1e22, {"params": 1e40}, UsageError, "hold another split"),
        (1e22, {"tokens": 1.0}, UsageError, "hold another split"),
        (1e24, {"hardware": "H100", "price_usd_per_hour": 1e308}, UsageError, "no finite price"),
        (1e-3, {}, UsageError, "larger budget"),
        (True, {}, UsageError, "larger budget"),
        (1e300, {}, UsageError, "smaller budget"),
        (1e22, {"demand": Demand(1e30)}, DataError, "no cheapest network"),
        (1e22, {"demand": Demand(1e12, decode_mfu=0.02)}, UsageError, "compared with training's"),
        (1e22, {"demand": Demand(1e12, training_mfu=0.3), "hardware": "H100"}, UsageError, "say it once"),
        (None, {"target_loss": 2.1, "tokens_per_param": 20, "params": 1e9}, UsageError, "leave --params"),
        (None, {"target_loss": 2.1, "tokens_per_param": -1}, UsageError, "cannot be held"),
        (1e22, {"multiplier": 0.0}, UsageError, "gain"),
        (1e22, {"training_bits": 0.0}, UsageError, "bits"),
    ],
)
def test_impossible_questions_are_refused(budget, asked, error, says):
    with pytest.raises(error, match=says):
        plan(BARE, budget, asked=Asked(**asked))


def test_every_section_is_json_and_text():
    asked = Asked(
        params=7e10,
        demand=Demand(2e12),
        unique_tokens=3e11,
        training_bits=8,
        post_bits=4,
        multiplier=2,
        measured=(1e9, 2e10, 2.62),
        exact_flops=True,
        show=frozenset({"valley", "strategies", "known"}),
    )
    answer = plan(LAW, 1e24, asked=asked)
    table = json.loads(answer.to_json())
    assert {"fixed", "exact_flops", "lifecycle", "data_limited", "precision", "gain", "measured", "valley"} <= set(
        table
    )
    assert {"strategies", "known_networks"} <= set(table)
    assert table["data_limited"]["epochs"] > 1
    assert str(answer).count("\n\n") > 20


def every_section(level):
    asked = Asked(params=7e10, demand=Demand(2e12), unique_tokens=3e11, multiplier=2, exact_flops=True)
    asked = dataclasses.replace(asked, show=frozenset({"valley"}))
    return json.loads(plan(LAW, 1e24, level=level, asked=asked).to_json())


def intervals(table, path=()):
    """Path -> the ends, of every interval in a JSON object."""
    found = {}
    for key, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, dict):
            found |= intervals(value, (*path, key))
        elif key == "interval" or "intervals" in path:
            found[(*path, key)] = np.asarray(value, float)
    return found


def test_every_interval_of_every_section_is_at_the_level_asked():
    narrow, wide = intervals(every_section(0.5)), intervals(every_section(0.9))
    assert {path[0] for path in narrow} >= {"fixed", "exact_flops", "lifecycle", "data_limited", "gain", "valley"}
    assert narrow.keys() == wide.keys()
    for path, ends in narrow.items():
        width, wider = (np.ravel(np.nan_to_num(one[1] - one[0], nan=np.inf)) for one in (ends, wide[path]))
        free = ~((width == 0) | np.isinf(width))
        assert np.all(wider[free] > width[free]), path


def test_a_split_that_is_held_is_as_doubtful_as_its_prediction():
    """Noise and form, as isoflop predict has them; quantiles of the one are draws, of the other between draws."""
    held = plan(LAW, 1e24, asked=Asked(params=5e10)).sections[0]
    said = predict(LAW, 5e10, 1e24 / 6 / 5e10)
    assert held.loss.interval(0.9) == pytest.approx(said.interval, rel=1e-3)


def test_a_ratio_held_at_a_target_loss_against_the_surface():
    found = plan(BARE, asked=Asked(target_loss=2.0, tokens_per_param=20)).sections[0]
    N = brentq(lambda n: float(BARE.predict(n, 20 * n)) - 2.0, 1e9, 1e12, rtol=1e-14)
    assert found.flops == pytest.approx(120 * N**2, rel=1e-9)


SURFACE = {"E": 0.5, "A": 30.0, "B": 100.0, "alpha": 0.3, "beta": 0.35, "eta": 4.0, "L_0": 6.0}


def rosenfeld(draws=0):
    """A family without a closed form; draws, where asked, move its coefficients by a hundredth."""
    family = laws.family("rosenfeld")
    point = {name: SURFACE.get(name, 1.0) for name in family.names}
    rng = np.random.default_rng(0)
    drawn = {name: value * np.exp(0.01 * rng.standard_normal(draws)) for name, value in point.items()}
    return Law("searched", "", family, point, draws=drawn if draws else None)


@pytest.mark.parametrize(
    "law", [rosenfeld(600), laws.law("abnar2025"), laws.law("krajewski2024")], ids=lambda law: law.id
)
def test_a_surface_without_a_closed_form_is_planned_with_like_any_other(law):
    C = 1e20
    N = np.geomspace(1e6, 1e13, 200_001)
    losses = law.predict(N, C / (6 * N))
    asked = Asked(params=float(N[losses.argmin()]) / 2, demand=Demand(1e12), unique_tokens=1e10, multiplier=2)
    asked = dataclasses.replace(asked, exact_flops=True, architecture="llama", vocab=32000, context=2048)
    answer = plan(law, C, asked=dataclasses.replace(asked, show=frozenset({"valley", "strategies", "known"})))
    (row,) = answer.rows
    assert (row.params, row.loss) == pytest.approx((N[losses.argmin()], losses.min()), rel=1e-4)
    assert {"fixed", "architecture", "valley", "strategies", "known_networks"} <= set(json.loads(answer.to_json()))
    assert float(plans(law, [C]).params[0]) == pytest.approx(row.params, rel=1e-9)
    assert float(flops_for_loss(law, losses.min()).value) == pytest.approx(C, rel=1e-4)
    if law.draws is not None:
        low, high = row.intervals.params
        assert low < row.params < high
        assert any("searched, under" in note for note in row.notes)


def test_what_is_no_surface_is_refused_by_name():
    with pytest.raises(DataError, match="reads params alone"):
        plan("kaplan2020_params", 1e20)


PENALTY = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


@pytest.mark.parametrize("own", [(0.05, 1.0, 0.5), (1e-4, 1.0, 0.5), (0.02, 0.6, 1.0), (1e-3, 2.0, 0.2)])
def test_a_law_with_a_penalty_of_its_own_is_asked_itself(own):
    """Brute force of its surface at 50B unique tokens: by Muennighoff's decay 61 epochs, by the first of these one."""
    family = laws.family("repetition_penalty")
    law = Law("rep", "", family, PENALTY | dict(zip(("P_R", "delta", "kappa"), own, strict=True)))
    found = data_limited(law, 1e24, 50e9)
    N = np.geomspace(1e9, 1e14, 400_001)
    losses = law.predict(N, 1e24 / (6 * N), unique_tokens=50e9)
    assert float(found.loss.value) <= losses.min() * (1 + 1e-9)
    assert float(found.params.value) == pytest.approx(N[losses.argmin()], rel=1e-3)
    assert found.effective is None
    assert "Muennighoff" not in str(plan(law, 1e24, asked=Asked(unique_tokens=50e9)))


@pytest.mark.parametrize(
    "law",
    [BARE, Law("rep", "", laws.family("repetition_penalty"), PENALTY | {"P_R": 1e-4, "delta": 1.0, "kappa": 0.5})],
    ids=lambda law: law.id,
)
def test_serving_with_limited_data_is_one_optimum(law):
    """Brute force: of all N and D that have the loss of the limited optimum, the least cost of both."""
    C, unique, served = 1e24, 3e11, 2e12
    found = lifecycle(law, C, Demand(prompt_tokens=served), unique_tokens=unique)
    limit = data_limited(law, C, unique)
    assert float(found.loss) == pytest.approx(float(limit.loss.value), rel=1e-9)
    N, D = np.geomspace(1e10, 2e11, 600)[:, None], np.geomspace(5e11, 2e13, 6000)[None]
    if law is BARE:
        U, fed = np.minimum(D, unique), BARE.optimum(np.geomspace(1e18, 1e28, 4001))
        enough = np.minimum(N, np.exp(np.interp(np.log(U), np.log(fed.tokens), np.log(fed.params))))
        worth = U * (1 + 15.387756 * (1 - np.exp(-(D / U - 1) / 15.387756)))
        loss = law.predict(enough * (1 + 5.309743 * (1 - np.exp(-(N / enough - 1) / 5.309743))), worth)
    else:
        loss = law.predict(N, D, unique_tokens=unique)
    cost = np.where(loss <= float(found.loss), N * (6 * D + 2 * served), np.inf)
    assert float(found.cost) == pytest.approx(cost.min(), rel=2e-3)
    assert float(found.cost) <= cost.min() * (1 + 1e-9)


def test_a_lifecycle_without_an_answer_is_refused():
    with pytest.raises(DataError, match="ask for fewer"):
        lifecycle(laws.law("besiroglu2024"), 1e24, Demand(prompt_tokens=1e25), unique_tokens=1e9)


def test_a_lifecycle_on_hardware_is_in_dollars():
    """Training and serving at one utilisation: FLOPs over the peak, the MFU and the hour, at the price."""
    asked = Asked(demand=Demand(2e12), hardware="H100", devices=512, mfu=0.4, price_usd_per_hour=2.0)
    found = plan(BARE, 1e24, asked=asked).sections[1]
    assert found.usd[1] == pytest.approx(float(found.cost) / (989.4e12 * 0.4 * 3600) * 2.0, rel=1e-3)
    assert found.usd[1] < found.usd[0]


def test_samples_reach_a_share():
    k = samples_for(0.2, 2.0, 0.7)
    assert pass_at_k(0.2, 2.0, k) >= 0.7 > pass_at_k(0.2, 2.0, k - 1)
    with pytest.raises(UsageError, match="not a share"):
        samples_for(0.2, 2.0, 1.0)


class TestServingWithLimitedText:
    """Over the reach of the page's sliders, text that is ample, repeated, and exhausted."""

    @pytest.mark.parametrize("name", ["hoffmann2022", "besiroglu2024", "muennighoff2023"])
    @pytest.mark.parametrize("flops", [1e20, 1e26])
    @pytest.mark.parametrize("unique", [1e8, 3e10])
    def test_more_is_served_by_smaller_networks(self, name: str, flops: float, unique: float):
        last = np.inf
        for served in (1.0, 1e13):
            found = lifecycle(laws.law(name), flops, Demand(prompt_tokens=served), unique_tokens=unique)
            N, saved = float(found.params.value), float(found.saving.value)
            assert float(found.baseline_params) * (1 + 1e-4) >= N
            assert last * (1 + 1e-6) >= N
            assert -1e-6 <= saved < 1
            if served == 1.0:  # nothing is served, and so nothing saved: what buys nothing is in neither network
                assert saved < 1e-4
            if found.saving.draws is not None:
                assert np.all(found.saving.draws < 1)
            last = N

    @pytest.mark.parametrize(("flops", "unique", "served"), [(1e20, 1e9, 3e13), (1e22, 1e9, 1e14), (1e24, 1e11, 1e13)])
    def test_the_cheapest_of_a_fine_grid_is_no_cheaper(self, flops: float, unique: float, served: float):
        """The form written out: D tokens are worth U (1 + R (1 - exp(-(D/U - 1)/R))) (Muennighoff et al. 2023)."""
        c = LAW.coefficients
        loss = float(limited(BARE, view(BARE), unique, flops).best(np.asarray(flops)).loss)
        found = lifecycle(BARE, flops, Demand(prompt_tokens=served), unique_tokens=unique)

        def faded(x, once, scale):
            return once * (1 + scale * (1 - np.exp(-(x / once - 1) / scale)))

        def loss_of(N, D):
            new = np.minimum(D, unique)
            fed = (c["alpha"] * c["A"] / (c["beta"] * c["B"]) * new ** c["beta"]) ** (1 / c["alpha"])
            worth = faded(N, np.minimum(N, fed), 5.309743), faded(D, new, 15.387756)
            return c["E"] + c["A"] / worth[0] ** c["alpha"] + c["B"] / worth[1] ** c["beta"]

        N, D = float(found.params.value), float(found.tokens.value)
        assert loss_of(N, D) == pytest.approx(loss, rel=1e-8)
        others, tokens = np.meshgrid(N * np.linspace(0.7, 1.4, 701), D * np.linspace(0.7, 1.4, 701))
        reached = loss_of(others, tokens) <= loss
        assert float(found.cost) <= (others * (6 * tokens + 2 * served))[reached].min()

    def test_a_budget_beyond_what_text_can_use_is_left(self):
        small, large = (data_limited(laws.law("muennighoff2023"), C, 1e9) for C in (1e24, 1e25))
        assert float(large.params.value) == pytest.approx(float(small.params.value), rel=1e-3)
        assert large.spare == pytest.approx(1 - (1 - small.spare) / 10, abs=1e-3)
        assert "% of the budget would not lower the loss, and is left." in " ".join(large.sheet().notes)
        assert data_limited(laws.law("muennighoff2023"), 1e22, 1e10).spare == pytest.approx(0, abs=1e-9)

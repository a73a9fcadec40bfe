"""Numbers of planning from outside: Sardana's lifecycles, Muennighoff's epochs, the flat valley, known runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from isoflop import laws
from isoflop.accounting import count_params, preset
from isoflop.conventions import LossUnit
from isoflop.planning.backward import fixed
from isoflop.planning.data_limited import data_limited, effective_tokens
from isoflop.planning.known import place
from isoflop.planning.lifecycle import Demand, lifecycle, pass_at_k
from isoflop.planning.precision import precision
from isoflop.planning.strategies import strategies
from isoflop.planning.valley import valley

LAW = laws.law("besiroglu2024")


def budget_of(law, params):
    """C at which the law's N* is so large."""
    return float(np.exp(brentq(lambda at: float(law.optimum(np.exp(at)).params) - params, 40, 65)))


@pytest.mark.parametrize(
    ("name", "params", "served", "N", "D", "saving"),
    [
        ("hoffmann2022", 13e9, 2e12, 7.12e9, 1.295e12, 0.163),
        ("hoffmann2022_rounded", 13e9, 2e12, 8.02e9, None, 0.101),
        ("besiroglu2024", 13e9, 2e12, 6.10e9, None, 0.290),
        ("hoffmann2022", 30e9, 1e13, 13.93e9, 4.576e12, 0.266),
    ],
)
def test_sardanas_lifecycles(name, params, served, N, D, saving):
    """Quality of a compute-optimal 13B or 30B, so many tokens served: constants drive the advice."""
    law = laws.law(name)
    found = lifecycle(law, budget_of(law, params), Demand(prompt_tokens=served))
    assert float(found.params.value) == pytest.approx(N, rel=2e-3)
    assert float(found.saving.value) == pytest.approx(saving, abs=6e-4)
    if D is not None:
        assert float(found.tokens.value) == pytest.approx(D, rel=1e-3)


def test_sardanas_thirteen_b_is_trained_twice_as_long():
    law = laws.law("hoffmann2022")
    found = lifecycle(law, budget_of(law, 13e9), Demand(prompt_tokens=2e12))
    assert float(found.tokens.value / found.baseline_tokens) == pytest.approx(2.10, abs=0.01)
    assert float(found.cost) == pytest.approx(1.64e22 * 5.11, rel=0.01)


def test_muennighoffs_optimum_with_25b_unique_tokens():
    """9.3e21 FLOPs: about 6.8B parameters, 227B tokens, 9.1 epochs, loss 2.2251."""
    found = data_limited(laws.law("muennighoff2023"), 9.3e21, 25e9)
    assert float(found.params.value) == pytest.approx(6.8e9, rel=0.02)
    assert float(found.tokens.value) == pytest.approx(2.27e11, rel=0.02)
    assert found.epochs == pytest.approx(9.1, rel=0.02)
    assert float(found.loss.value) == pytest.approx(2.2251, abs=1e-4)


def test_what_repeats_are_worth():
    epochs = np.array([2.0, 4.0, 8.0, 16.0, 40.0])
    assert effective_tokens(epochs, 1.0) == pytest.approx([1.968, 3.726, 6.624, 10.582, 15.167], abs=1e-3)
    assert float(effective_tokens(1e9, 1.0)) == pytest.approx(16.388, abs=1e-3)


def test_the_flat_valley():
    found = valley(LAW, 1e24, [2.0, 0.5, 4.0])
    assert found.wasted.value == pytest.approx([0.1567, 0.1555, 0.4856], abs=1e-4)


def test_twenty_tokens_a_parameter_is_sqrt_of_c_over_120():
    """Popular calculators take N = sqrt(C/6) with D = 20 N, and spend 20 times the budget."""
    held = fixed(LAW, 5.76e23, None, None, 20.0, 0.9)
    assert held.params == pytest.approx(69.3e9, rel=1e-3)
    assert held.tokens == pytest.approx(1.386e12, rel=1e-3)
    assert 6 * held.params * held.tokens == pytest.approx(5.76e23)


def test_pass_at_k():
    assert pass_at_k(0.2, 2.0, 100) == pytest.approx(0.562755, abs=1e-6)


def test_kumars_effective_parameters():
    """Eight bits everywhere: product of 1 - exp(-8/gamma) over weights, activations and cache."""
    found = precision(1e9, 26e9, training_bits=8)
    assert found.effective == pytest.approx(
        (1 - np.exp(-8 / 2.6745)) * (1 - np.exp(-8 / 2.2102)) * (1 - np.exp(-8 / 0.9578)), rel=1e-9
    )


def test_precision_stands_beside_a_law_that_counts_otherwise():
    """Kumar et al. count blocks and nats per token: N is recounted, and what cannot be made alike is said."""
    beside = laws.law("besiroglu2024").conventions
    N = 1e9 + 47491 * 1e9 ** (1 / 3)
    found = precision(N, 26e9, training_bits=8, conventions=beside)
    assert found.training_loss == pytest.approx(precision(1e9, 26e9, training_bits=8).training_loss)
    assert len(found.notes) == 1
    assert "recounted for a vocabulary of 32,000" in found.notes[0]
    per_byte = replace(beside, loss=LossUnit.NATS_PER_BYTE)
    (_, unit, small) = precision(3e6, 1e9, training_bits=8, conventions=per_byte).notes
    assert "another unit (nats per byte): do not add" in unit
    assert small.startswith("Their smallest network is 1")
    (_, large) = precision(70e9, 1e12, post_bits=4, conventions=beside).notes
    assert large == "That is 41 times their largest network."


@pytest.mark.parametrize("bits", [3.0, 4.0, 6.0])
def test_kumars_critical_tokens_are_where_more_training_stops_helping(bits):
    law = laws.law("kumar2024")
    found = precision(1e9, 26e9, post_bits=bits)
    D = np.array([found.critical * 0.99, found.critical, found.critical * 1.01])
    loss = law.predict(1e9, D, post_bits=bits)
    assert loss[1] < loss[0]
    assert loss[1] < loss[2]


def test_what_known_runs_imply():
    """MFU of 6 N D in the reported hours at the dense bf16 peak."""
    mfu = {one.known.id: one.known.mfu for one in place(LAW) if one.known.mfu is not None}
    expected = {
        "llama3.1-405b": 0.346,
        "llama-7b": 0.437,
        "llama-13b": 0.514,  # Epoch's sum for the same hours
        "llama-65b": 0.477,
        "llama3-8b": 0.156,
        "llama3-70b": 0.279,
        "llama2-7b": 0.391,
        "llama2-70b": 0.428,
        "tinyllama-1.1b": 0.51,
        "amd-llama-135m": 0.18,
        "deepseek-v3": 0.351,
    }
    assert {name: mfu[name] for name in expected} == pytest.approx(expected, abs=2e-3)


def test_known_networks_are_counted_as_the_law_counts():
    """Columns belong together: D/N and C are of the N that the law was asked about."""
    (one,) = (one for one in place(laws.law("krajewski2024_dense")) if one.known.id == "gpt3-175b")
    assert one.params == count_params(preset("gpt3-175b")).non_embedding
    found = one.to_dict()
    assert found["flops"] == 6 * one.params * 300e9
    assert found["tokens_per_param"] == 300e9 / one.params
    optimum = laws.law("krajewski2024_dense").optimum(found["flops"])
    assert one.ratio_over_optimal == pytest.approx(found["tokens_per_param"] * float(optimum.params / optimum.tokens))


def test_gopher_undertrained_chinchilla_near_the_optimum():
    found = {one.known.id: one for one in place(LAW)}
    assert found["gopher-280b"].trained == "undertrained"
    assert found["chinchilla-70b"].wasted < 0.01
    assert found["gopher-280b"].loss == pytest.approx(1.9996, abs=1e-3)
    assert found["chinchilla-70b"].loss == pytest.approx(1.9739, abs=1e-3)


def test_strategies_against_closed_forms():
    found = {one.name: one for one in strategies(LAW, 1e23).strategies}
    assert found["20 tokens a parameter"].params == pytest.approx((1e23 / 120) ** 0.5)
    assert found["300B tokens"].tokens == pytest.approx(300e9)
    own = found["optimum of besiroglu2024"]
    assert own.needed == pytest.approx(1e23, rel=1e-6)
    assert all(one.needed >= own.needed * (1 - 1e-9) for one in found.values())

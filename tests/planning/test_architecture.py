"""Integer architectures: near N*, counted exactly, scored with what they cost."""

from __future__ import annotations

import pytest

import isoflop as iso
from isoflop.accounting import activation_memory, count_params, flops_per_token
from isoflop.errors import DataError, UnknownName
from isoflop.planning.architecture import NEAR, architectures

LAW = iso.law("besiroglu2024")


@pytest.mark.parametrize("budget", [1e19, 1e21, 5.76e23, 3.8e25])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen3"])
def test_candidates_spend_the_budget_and_lose_next_to_nothing(budget, kind):
    best = LAW.optimum(budget)
    found = architectures(LAW, budget, kind=kind, vocab=32000, context=2048)
    assert 1 <= len(found) <= 5
    for candidate in found:
        count, flops = count_params(candidate.shape), flops_per_token(candidate.shape)
        assert candidate.params == count.total
        assert candidate.tokens * flops.exact_causal == pytest.approx(budget, rel=1e-12)
        assert abs(candidate.params / float(best.params) - 1) <= NEAR
        assert candidate.loss == pytest.approx(float(LAW.predict(candidate.params, candidate.tokens)))
        assert abs(candidate.excess) < 0.02 * float(best.loss)


def test_with_6nd_none_beats_the_closed_form_and_the_best_comes_close():
    found = architectures(LAW, 1e22, exact=False, keep=1000)
    assert min(candidate.excess for candidate in found) >= -1e-12
    assert min(candidate.excess for candidate in found) < 1e-4


def test_the_ordering_is_brute_force_among_all():
    found = architectures(LAW, 1e22, keep=10_000)
    lowest = min(candidate.loss for candidate in found)
    assert found[0].loss - lowest < 0.01 * (float(LAW.optimum(1e22).loss) - 1.8172)


def test_a_7b_law_gets_a_7b_that_looks_like_one():
    """Proportions of published networks: 32 layers of 4096 is what 7B have been."""
    law = LAW
    budget = 120 * 6.9e9**2
    shape = architectures(law, budget, vocab=32000, context=4096)[0].shape
    assert 100 <= shape.d_model / shape.layers <= 160


def test_a_law_that_counts_blocks_gets_blocks():
    law = iso.law("kaplan2020")
    candidate = architectures(law, 1e21, vocab=50257, context=1024, kind="gpt2")[0]
    assert candidate.params == candidate.count.non_embedding


def test_more_devices_hold_less_each():
    one, many = (architectures(LAW, 1e22, devices=devices)[0] for devices in (1, 64))
    assert many.memory.total == pytest.approx(one.memory.total / 64)
    assert one.recomputed == activation_memory(one.shape, recompute="full").total < one.activations / 4
    assert one.fits(one.memory.total + one.activations) == "selective"
    assert one.fits(one.memory.total + one.recomputed) == "full"
    assert one.fits(one.memory.total) is None


def test_what_cannot_be_built_is_refused():
    with pytest.raises(DataError, match="the embedding alone"):
        architectures(LAW, 1e13, vocab=256_000)
    with pytest.raises(UnknownName, match="architecture"):
        architectures(LAW, 1e22, kind="lama")

"""Exact FLOPs inside the optimisation: against brute force, and against 6 N D where they agree."""

from __future__ import annotations

import numpy as np
import pytest

import isoflop as iso
from isoflop.accounting import count_params, flops_per_token, preset
from isoflop.conventions import ParamsConvention
from isoflop.planning.exact import Scaled, cost_of_kind, exact_split
from isoflop.planning.optimum import numeric_optimum, optimum

LAW = iso.law("besiroglu2024")


@pytest.mark.parametrize("budget", [1e19, 1e22, 5.76e23, 3.8e25])
@pytest.mark.parametrize(("kind", "vocab", "context"), [("llama", 128256, 8192), ("gpt2", 50257, 1024)])
def test_the_optimum_is_brute_forces(budget, kind, vocab, context):
    _, cost = cost_of_kind(LAW, budget, kind, vocab, context)
    found = optimum(LAW, budget, cost)
    N = np.geomspace(float(found.params) / 5, float(found.params) * 5, 20_001)
    losses = LAW.predict(N, budget / cost(N))
    assert float(found.loss) <= losses.min() + 1e-12
    assert N[losses.argmin()] == pytest.approx(float(found.params), rel=1e-3)
    assert float(cost(found.params) * found.tokens) == pytest.approx(budget, rel=1e-12)


@pytest.mark.parametrize("name", ["gpt2", "llama3-8b", "llama3.1-405b", "deepseek-v3", "gemma2-27b"])
def test_a_scaled_shape_costs_what_the_shape_costs_at_its_own_width(name):
    shape = preset(name)
    scaled = Scaled.of(shape, ParamsConvention.TOTAL)
    width = np.array(float(shape.d_model))
    assert float(scaled.flops(width)) == pytest.approx(flops_per_token(shape).exact_causal, rel=2e-2)
    assert float(scaled.params(width)) == pytest.approx(count_params(shape).total, rel=1e-3)


def test_without_attention_or_ends_it_is_6nd():
    """Large networks of short context: embedding and attention vanish."""
    found = exact_split(LAW, 1e28, "llama", 256, 16, 0.9)
    plainly = numeric_optimum(LAW, 1e28)
    assert found.cost_ratio == pytest.approx(1, abs=1e-3)
    assert found.params == pytest.approx(float(plainly.params), rel=1e-2)


def test_long_contexts_cost_tokens():
    short, long = (exact_split(LAW, 1e22, "llama", 32000, context, 0.9) for context in (1024, 65536))
    assert long.tokens < short.tokens
    assert long.loss > short.loss
    assert long.cost_ratio > short.cost_ratio
    assert long.intervals is not None
    low, high = long.intervals["params"]
    assert low < long.params < high

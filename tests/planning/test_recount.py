"""N in another convention: Pearce & Song's relation, and networks counted exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import count_params, preset
from isoflop.conventions import ParamsConvention
from isoflop.laws import convert, law
from isoflop.planning import Asked, plan
from isoflop.planning.recount import active, recounted

TOTAL, BLOCKS = ParamsConvention.TOTAL, ParamsConvention.NON_EMBEDDING


@given(st.floats(1e4, 1e13))
def test_there_and_back(blocks):
    total = recounted(blocks, BLOCKS, TOTAL)
    assert total is not None
    assert recounted(total, TOTAL, BLOCKS) == pytest.approx(blocks, rel=1e-9)


def test_it_is_the_relation_of_the_converted_law():
    converted = convert(law("besiroglu2024"), BLOCKS)
    assert recounted(1e8, BLOCKS, TOTAL) == pytest.approx(float(converted.total(1e8)))


def test_a_pair_without_a_relation_is_none():
    assert recounted(1e9, ParamsConvention.UNSTATED, TOTAL) is None
    assert recounted(1e9, TOTAL, TOTAL) is None


def test_the_relation_is_near_exact_counts_of_its_vocabulary():
    """Llama 2 7B, vocabulary 32,000, embedding and head apart: twice the relation's one matrix."""
    count = count_params(preset("chinchilla-70b"))
    assert recounted(count.non_embedding, BLOCKS, TOTAL) == pytest.approx(count.total, rel=0.01)


def test_laws_side_by_side_are_counted_as_the_first():
    first, kaplan = plan(["besiroglu2024", "kaplan2020"], 1e20).rows
    assert first.params_converted is None
    assert kaplan.params_converted == pytest.approx(
        recounted(recounted(kaplan.params_converted, TOTAL, BLOCKS), BLOCKS, TOTAL)
    )
    said = str(plan(["besiroglu2024", "kaplan2020"], 1e20))
    assert "counted as the first" in said
    assert "Do not compare" not in said


@pytest.mark.parametrize("name", ["kaplan2020_allocation", "krajewski2024_dense", "porian2024"])
@pytest.mark.parametrize("flops", [1e18, 3.8e25])
def test_a_converted_split_costs_the_budget_and_is_one_of_the_laws(name, flops):
    """By brute force: of 4,000 budgets of the law's own, the one whose network and tokens cost 6 N D = C so counted."""
    _, other = plan(["besiroglu2024", name], flops).rows
    assert 6 * other.params_converted * other.tokens_converted == pytest.approx(flops)
    best = law(name).optimum(flops * np.geomspace(1e-2, 1e2, 4000))
    blocks = law(name).conventions.params == BLOCKS
    N = best.params + 47491 * np.cbrt(best.params) if blocks else best.params
    nearest = np.argmin(np.abs(np.log(6 * N * best.tokens / flops)))
    assert (other.params_converted, other.tokens_converted) == pytest.approx(
        (N[nearest], best.tokens[nearest]), rel=3e-3
    )


def test_another_vocabulary_moves_what_is_converted():
    small, large = (
        plan(["kaplan2020", "besiroglu2024"], 1e18, asked=Asked(vocab=vocab)).rows[1] for vocab in (32_000, 256_000)
    )
    N = float(law("besiroglu2024").optimum(6 * 1e9 * 1e9).params)
    assert large.params_converted < small.params_converted < N


def test_a_law_that_does_not_say_how_it_counts_is_not_compared_in_parameters():
    assert "How deepseek2024 counts N is another way or unsaid" in str(plan(["besiroglu2024", "deepseek2024"], 1e20))


def test_active_parameters_in_every_convention():
    shape = preset("deepseek-v3")
    assert active(shape, TOTAL) == count_params(shape).active
    assert active(shape, BLOCKS) < active(shape, TOTAL)

"""N in another convention: Pearce & Song's relation, and networks counted exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import count_params, preset
from isoflop.conventions import ParamsConvention
from isoflop.laws import convert, law
from isoflop.planning import plan
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
    assert kaplan.params_converted == pytest.approx(kaplan.params + 47491 * kaplan.params ** (1 / 3))
    assert "counted as the first" in str(plan(["besiroglu2024", "kaplan2020"], 1e20))


def test_active_parameters_in_every_convention():
    shape = preset("deepseek-v3")
    assert active(shape, TOTAL) == count_params(shape).active
    assert active(shape, BLOCKS) < active(shape, TOTAL)

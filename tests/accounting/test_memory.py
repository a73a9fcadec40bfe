"""Memory against the figures of the papers that the formulas come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import activation_memory, kv_cache, preset, state_memory
from isoflop.accounting.memory import GIB
from isoflop.errors import UnknownName, UsageError

LLAMA2_7B = 6_738_415_616


def test_llama2_7b_over_64_devices():
    """16 bytes a parameter, sharded by stage; Megatron-LM's 18 with gradients in fp32."""
    gib = [state_memory(LLAMA2_7B, devices=64, stage=stage).total / GIB for stage in range(4)]
    assert gib == pytest.approx([100.4, 26.3, 13.9, 1.57], rel=2e-3)
    megatron = state_memory(LLAMA2_7B, devices=64, stage=1, precision="bf16_fp32_gradients")
    assert megatron.total == pytest.approx(LLAMA2_7B * (6 + 12 / 64))


def test_activations_of_llama2_7b():
    gib = [activation_memory(preset("llama2-7b"), recompute=kind) / GIB for kind in ("none", "selective", "full")]
    assert gib == pytest.approx([97, 17, 1.0], rel=0.01)


def test_keys_and_values():
    """GPT-3 4.72 MB a token, Llama 3 70B 0.328 MB: the key heads alone, and both of keys and values."""
    assert kv_cache(preset("gpt3-175b")) == pytest.approx(4.72e6, rel=1e-3)
    assert kv_cache(preset("llama3-70b")) == 327_680
    assert kv_cache(preset("deepseek-v3")) == 61 * 576 * 2
    windowed = preset("gemma2-27b")
    assert kv_cache(windowed, 8192) == kv_cache(windowed, 4096) * 1.5


@given(st.integers(1, 4096), st.floats(1e6, 1e12))
def test_a_higher_stage_never_takes_more(devices, params):
    totals = [state_memory(params, devices=devices, stage=stage).total for stage in range(4)]
    assert totals == sorted(totals, reverse=True)
    assert totals[3] * devices == pytest.approx(totals[0])


def test_what_cannot_be_held_is_refused():
    with pytest.raises(UnknownName, match="precision"):
        state_memory(1e9, precision="fp3")
    with pytest.raises(UsageError, match="stages 0 to 3"):
        state_memory(1e9, stage=4)
    with pytest.raises(UsageError, match="0 devices"):
        state_memory(1e9, devices=0)

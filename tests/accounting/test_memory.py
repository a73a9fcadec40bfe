"""Memory against the figures of the papers that the formulas come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.accounting import Shape, activation_memory, architecture, kv_cache, preset, state_memory
from isoflop.accounting.memory import GIB
from isoflop.errors import UnknownName, UsageError

LLAMA2_7B = 6_738_415_616


def test_llama2_7b_over_64_devices():
    """16 bytes a parameter, sharded by stage; Megatron-LM's 18 with gradients in fp32."""
    gib = [state_memory(LLAMA2_7B, devices=64, stage=stage).total / GIB for stage in range(4)]
    assert gib == pytest.approx([100.4, 26.3, 13.9, 1.57], rel=2e-3)
    megatron = state_memory(LLAMA2_7B, devices=64, stage=1, precision="bf16_fp32_gradients")
    assert megatron.total == pytest.approx(LLAMA2_7B * (6 + 12 / 64))


GPT = Shape(32, 4096, 32, 4 * 4096, 50257, 4096, architecture("gpt2"))


def test_activations_of_gpts_block_with_dropout():
    """s b h (34 + 5 a s / h), 34 s b h, 2 s b h a block (Korthikanti et al., equation 1, table 2): 97, 17, 1 GiB."""
    kept = [activation_memory(GPT, recompute=kind, dropout=True) for kind in ("none", "selective", "full")]
    sbh = 4096 * 4096
    assert [one.blocks for one in kept] == [32 * sbh * each for each in (34 + 5 * 32 * 4096 / 4096, 34, 2)]
    assert [one.blocks / GIB for one in kept] == pytest.approx([97, 17, 1.0], rel=0.01)
    assert kept[2].at_work == 32 * sbh
    # Their equation 5: norm and head 4 s b h, 4 s b v of log-probabilities; the 2 s b v of the logits are ours.
    assert kept[0].head == 4 * sbh + (4 + 2) * 4096 * 50257


@pytest.mark.parametrize(
    ("name", "numbers"),
    [  # by hand: norms' inputs, attention's, queries, keys and values, its output; the MLP's input and inside
        ("gpt3-175b", 12288 * (2 + 1 + 1 + 2 + 1 + 1 + 2 * 4)),
        ("llama2-7b", 4096 * (2 + 1 + 1 + 2 + 1 + 1) + 4 * 11008),
        ("llama3-8b", 4096 * (2 + 1 + 1 + 1 + 1) + 2 * 1024 + 4 * 14336),
        ("qwen2.5-72b", 8192 * (2 + 1 + 1 + 1 + 1) + 2 * 1024 + 4 * 29568),
        ("gemma-2b", 2048 * (2 + 1 + 1 + 1 + 1) + 2 * 256 + 4 * 16384),
        ("gemma-7b", 3072 * (2 + 1 + 1) + 4 * 4096 + 4 * 24576),
        ("mixtral-8x22b", 6144 * (2 + 1 + 1 + 1 + 1) + 2 * 1024 + 2 * (2 * 6144 + 4 * 16384)),
        # queries, keys and their inputs to norms, 128 wide in each of 32 and 4 heads
        ("qwen3-30b-a3b", 2048 * (2 + 1 + 1) + 2 * 4096 + 2 * 512 + 4096 + 512 + 8 * (2 * 2048 + 4 * 768)),
    ],
)
def test_numbers_a_token_and_block_by_hand(name, numbers):
    shape = preset(name)
    assert activation_memory(shape).blocks == 2 * shape.layers * shape.context * numbers


def test_latent_attention_and_dense_layers_by_hand():
    shape = preset("deepseek-v3")
    latent = 2 * 1536 + 2 * 512 + 64 + 2 * 128 * 192 + 2 * 128 * 128
    common = 7168 * (2 + 1 + 1) + latent
    dense, mixture = common + 4 * 18432, common + 8 * (2 * 7168 + 4 * 2048) + 4 * 2048
    kept = activation_memory(shape)
    assert kept.blocks == 2 * shape.context * (3 * dense + 58 * mixture)
    assert activation_memory(shape, recompute="full").at_work == 2 * shape.context * (mixture - 7168)


def test_fp32_keeps_twice_as_much():
    half, whole = (activation_memory(GPT, precision=precision) for precision in ("bf16", "fp32"))
    assert whole.blocks == 2 * half.blocks
    assert whole.head == 2 * half.head - 4096 * 4 * 50257


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

"""Exact counts against published models: parameters to the unit, FLOPs to the printed digit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from isoflop.accounting import (
    Shape,
    architecture,
    count_network,
    count_params,
    count_parts,
    flops_per_token,
    hoffmann_flops_per_token,
    named_or_described,
    preset,
    presets,
)
from isoflop.errors import UsageError

CHINCHILLA_A4 = [  # N in millions, layers, d_model, d_ff, heads, head width, FLOPs / 6 N D as printed
    (73, 10, 640, 2560, 10, 64, 1.03),
    (305, 20, 1024, 4096, 16, 64, 1.10),
    (552, 24, 1280, 5120, 10, 128, 1.08),
    (1143, 26, 1792, 7168, 14, 128, 1.04),
    (1593, 28, 2048, 8192, 16, 128, 1.03),
    (6796, 40, 3584, 14336, 28, 128, 0.99),
]


DEEPSEEK_V3 = """
architecture = "deepseek_v3"
layers = 61
d_model = 7168
heads = 128
d_ff = 18432
vocab = 129280
context = 4096
experts = { count = 256, top_k = 8, d_ff = 2048, shared = 1, dense_layers = 3, router_bias = true }
latent = { query_rank = 1536, kv_rank = 512, plain = 128, rotary = 64, value = 128 }
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("networks.toml").read_text(encoding="utf-8"))


def test_kaplans_count_of_gpt3():
    """12 L d^2 = 1.7395e11 (arXiv 2001.08361, table 1): the matrices of the blocks."""
    parts = count_parts(preset("gpt3-175b"))
    assert parts.attention + parts.mlp == 12 * 96 * 12288**2
    assert parts.attention + parts.mlp == pytest.approx(1.7395e11, rel=1e-4)


def test_every_published_network_to_the_unit(facts):
    assert len(facts["networks"]) == 86
    for name, published in facts["networks"].items():
        count = count_params(preset(name))
        assert count.total == published["total"], name
        assert count.non_embedding == published.get("blocks", count.non_embedding), name
        assert count.active == published.get("active", count.active), name


def test_counts_that_stand_in_public_files():
    """Read in model cards, configuration files and the authors' repositories."""
    published = {
        "gpt2": 124_439_808,
        "pythia-160m": 162_322_944,
        "llama-7b": 6_738_415_616,
        "llama3-8b": 8_030_261_248,
        "llama3-70b": 70_553_706_496,
        "llama3.1-405b": 405_853_388_800,
        "tinyllama-1.1b": 1_100_048_384,
        "amd-llama-135m": 134_105_856,
        "gemma2-27b": 27_227_128_320,
        "deepseek-v3": 671_026_419_200,
        "mosaic-70b-2k": 64_862_437_376,
    }
    assert {name: count_params(preset(name)).total for name in published} == published


def test_fifty_chinchilla_shapes_to_the_printed_million(facts):
    """Table A9 of arXiv 2203.15556: queries are heads x kv_size wide, which is not always d_model."""
    rows = facts["chinchilla"]["shapes"]
    assert len(rows) == 50
    for printed, d_model, d_ff, kv_size, heads, layers in rows:
        shape = Shape(layers, d_model, heads, d_ff, 32000, 2048, architecture("chinchilla"), head_dim=kv_size)
        assert round(count_params(shape).total / 1e6) == printed


@pytest.mark.parametrize(("millions", "layers", "d_model", "d_ff", "heads", "width", "printed"), CHINCHILLA_A4)
def test_table_a4_of_hoffmann(millions, layers, d_model, d_ff, heads, width, printed):
    """FLOPs over 6 N D: as printed without embeddings and head, though the text says they are in."""
    shape = Shape(layers, d_model, heads, d_ff, 32000, 2048, architecture("chinchilla"), head_dim=width)
    ratio = hoffmann_flops_per_token(shape, embeddings=False) / (6e6 * millions)
    assert ratio == pytest.approx(printed, abs=0.0101)
    assert hoffmann_flops_per_token(shape) / (6e6 * millions) > printed + 0.02


def test_appendix_f_is_counted_of_plain_blocks_alone():
    account = count_network(preset("gopher-280b")).to_dict()
    assert account["flops_per_token"]["hoffmann"] * 4 / 3 * 300e9 == pytest.approx(6.3e23, rel=0.01)
    assert count_network(preset("llama3-8b")).hoffmann_flops is None
    with pytest.raises(UsageError, match="plain blocks"):
        hoffmann_flops_per_token(preset("llama3-8b"))


@pytest.mark.parametrize("name", ["GPT2", "gpt-2", "Llama-3-8B", "LLaMA 7B", "Qwen2.5-72B", "DeepSeek-V3"])
def test_names_as_people_write_them(name):
    assert preset(name) in presets().values()


def test_names_stay_apart():
    assert all(preset(name) == shape for name, shape in presets().items())


def test_a_shape_of_a_file(tmp_path):
    """DeepSeek-V3's configuration, written out: latent attention, shared experts, dense layers, to the unit."""
    path = tmp_path / "mine.toml"
    path.write_text(DEEPSEEK_V3)
    assert count_params(named_or_described(str(path), None, {})).total == 671_026_419_200


def test_gopher_by_appendix_f():
    """The printed 6.3e23 FLOPs for 300B tokens is four forward passes, not three: blocks were recomputed."""
    gopher = preset("gopher-280b")
    assert hoffmann_flops_per_token(gopher, embeddings=False) * 4 / 3 * 300e9 == pytest.approx(6.3e23, rel=0.005)
    assert hoffmann_flops_per_token(gopher) * 4 / 3 * 300e9 == pytest.approx(6.3e23, rel=0.01)
    assert flops_per_token(gopher).six_n * 300e9 == pytest.approx(5.0348e23, rel=1e-4)


def test_the_shorthand_is_low_by_as_much_as_measured():
    """6 N against every product: Llama 3 8B at 8k context, AMD-135M at 2k, GPT-3."""
    low = {}
    for name in ("llama3-8b", "amd-llama-135m", "gpt3-175b"):
        flops = flops_per_token(preset(name))
        low[name] = (1 - flops.six_n / flops.exact_causal, 1 - flops.six_n / flops.exact_full)
    llama, amd, gpt3 = low.values()
    assert llama == pytest.approx((0.06, 0.17), abs=0.03)
    assert gpt3[1] == pytest.approx(0.027, abs=0.003)
    assert amd[1] == pytest.approx(0.08, abs=0.02)


def test_amd_135m_do_the_math():
    """Six days on 16 MI250 at 362.1e12 FLOP/s, 670B tokens: the utilisation that each way of counting implies."""
    shape, tokens, peak = preset("amd-llama-135m"), 670e9, 16 * 362.1e12 * 518_400
    flops, count = flops_per_token(shape), count_params(shape)
    assert peak == pytest.approx(3.003e21, rel=1e-3)
    assert flops.six_n * tokens == pytest.approx(5.391e20, rel=1e-4)
    implied = [count * tokens / peak for count in (flops.six_n, flops.exact_causal, flops.exact_full)]
    assert implied == pytest.approx([0.180, 0.172, 0.197], abs=0.001)
    assert 6 * count.matrices_and_head * tokens / peak == pytest.approx(0.147, abs=0.001)


@pytest.mark.parametrize(("depth", "params"), [(8, 42e6), (12, 110e6), (26, 918e6), (32, 1.7e9), (50, 6.2e9)])
def test_nanochats_depths(depth, params):
    """Its log counts matrices and head; heads are 128 wide, d_model 64 x depth."""
    d = 64 * depth
    shape = Shape(depth, d, max(1, d // 128), 4 * d, 32768, 2048, architecture("nanochat"), head_dim=128)
    assert count_params(shape).matrices_and_head == pytest.approx(params, rel=0.02)


@pytest.mark.parametrize("name", sorted(presets()))
def test_parts_add_up(name):
    shape = preset(name)
    parts, count = count_parts(shape), count_params(shape)
    assert parts.token_embedding + parts.positions + parts.blocks + parts.head == count.total
    assert count.active <= count.total
    flops = flops_per_token(shape)
    assert flops.exact_causal < flops.exact_full

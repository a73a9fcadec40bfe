"""FLOPs per token against torch's own counter of matrix products, on the decoder that is trained."""

from __future__ import annotations

import pytest

from isoflop.accounting import Shape, count_params, flops_per_token, preset

torch = pytest.importorskip("torch", reason="torch is not installed")

SHAPES = [
    Shape(layers=2, d_model=16, heads=1, d_ff=64, vocab=256, context=128),
    Shape(layers=2, d_model=64, heads=2, d_ff=256, vocab=256, context=128),
    Shape(layers=3, d_model=48, heads=3, d_ff=100, vocab=300, context=64),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_exact_full_is_what_torch_counts(shape: Shape) -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from isoflop.training import decoder, model

    flat = model.initial_weights(shape, seed=0)
    leaves = {name: view.clone().requires_grad_() for name, view in model.named_views(flat, shape).items()}
    tokens = torch.randint(shape.vocab, (2, shape.context + 1))
    # The math kernel makes attention of plain products, whole squares; fused kernels hide theirs from the counter.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        decoder.loss(leaves, shape, tokens[:, :-1], tokens[:, 1:]).backward()

    counted = counter.get_total_flops() / (2 * shape.context)

    assert flops_per_token(shape).exact_full == pytest.approx(counted, rel=0.01)


def test_causal_attention_is_half_of_full() -> None:
    for shape in SHAPES:
        flops = flops_per_token(shape)
        products = 6 * count_params(shape).matrices_and_head
        assert flops.exact_full - products == pytest.approx(2 * (flops.exact_causal - products))


def test_the_formula_of_the_palm_paper() -> None:
    """PaLM (arXiv 2204.02311, appendix B): 6 N + 12 L H Q T a token, N without the embedding look-up."""
    shape = Shape(layers=12, d_model=768, heads=12, d_ff=3072, vocab=50257, context=1024)
    palm = 6 * count_params(shape).matrices_and_head + 12 * 12 * 12 * 64 * 1024
    assert flops_per_token(shape).exact_full == palm


def test_kaplans_attention_is_as_wide_as_the_queries_are():
    """DeepSeek-V3: 61 layers, 128 heads of 128 and 64 rotary numbers, against 4,096 positions more."""
    shape = preset("deepseek-v3")
    without, with_attention = (flops_per_token(shape, context).kaplan for context in (4096, 8192))
    assert with_attention - without == pytest.approx(6 * 61 * 4096 * 128 * 192)

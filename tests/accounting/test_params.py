"""Parameter counts against networks made of torch's own layers."""

from __future__ import annotations

import pytest

from isoflop.accounting import Shape, count_params

nn = pytest.importorskip("torch.nn", reason="torch is not installed")

SHAPES = [
    Shape(layers=2, d_model=12, heads=1, d_ff=48, vocab=256, context=128),
    Shape(layers=2, d_model=96, heads=3, d_ff=384, vocab=256, context=128),
    Shape(layers=5, d_model=40, heads=2, d_ff=100, vocab=1000, context=64),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_counts_equal_the_weights_of_torchs_layers(shape: Shape) -> None:
    def linear(rows: int, columns: int) -> object:
        return nn.Linear(rows, columns, bias=False)

    d = shape.d_model
    block = [linear(d, 3 * d), linear(d, d), linear(d, shape.d_ff), linear(shape.d_ff, d)]
    blocks = sum(p.numel() for layer in block for p in layer.parameters()) * shape.layers
    embedding = nn.Embedding(shape.vocab, d).weight.numel() + nn.Embedding(shape.context, d).weight.numel()
    head = linear(d, shape.vocab).weight.numel()

    count = count_params(shape)

    assert count.non_embedding == blocks
    assert count.embedding == embedding
    assert count.matrices_and_head == blocks + head
    assert count.total == blocks + embedding + head


def test_the_blocks_of_gpt2_small() -> None:
    """Kaplan et al. (arXiv 2001.08361) count GPT-2 small as 12 blocks of 12 d^2 = 84,934,656."""
    gpt2 = Shape(layers=12, d_model=768, heads=12, d_ff=3072, vocab=50257, context=1024)
    assert count_params(gpt2).non_embedding == 84_934_656

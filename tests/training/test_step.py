"""The hand-written step against autograd on the readable decoder, and that against a textbook's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isoflop.accounting import Shape, count_params

torch = pytest.importorskip("torch", reason="torch is not installed")

from isoflop.training import decoder, model  # noqa: E402
from isoflop.training.step import Step  # noqa: E402

SHAPES = [
    Shape(layers=2, d_model=16, heads=1, d_ff=64, vocab=256, context=128),
    Shape(layers=2, d_model=64, heads=2, d_ff=256, vocab=256, context=128),
    Shape(layers=3, d_model=48, heads=3, d_ff=100, vocab=300, context=33),
    Shape(layers=1, d_model=10, heads=5, d_ff=14, vocab=70, context=7),
]


def weights_away_from_zero(shape: Shape) -> torch.Tensor:
    """Initial weights, but with a head that lets gradients through."""
    flat = model.initial_weights(shape, seed=1)
    generator = torch.Generator().manual_seed(2)
    model.named_views(flat, shape)["head"].normal_(0.0, 0.3, generator=generator)
    return flat


def batch(shape: Shape, windows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.random.default_rng(seed).integers(0, shape.vocab, (windows, shape.context + 1))
    return tokens[:, :-1], tokens[:, 1:]


def autograd(shape: Shape, flat: torch.Tensor, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, torch.Tensor]:
    leaves = {name: view.clone().requires_grad_() for name, view in model.named_views(flat, shape).items()}
    loss = decoder.loss(leaves, shape, torch.from_numpy(inputs.copy()), torch.from_numpy(targets.copy()))
    loss.backward()
    return float(loss.detach()), torch.cat([leaf.grad.flatten() for leaf in leaves.values()])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_loss_and_gradient_equal_autograds(shape: Shape) -> None:
    flat = weights_away_from_zero(shape)
    step = Step(shape, 4, flat)
    for seed in (0, 1):  # the second batch meets buffers that the first has used
        inputs, targets = batch(shape, 4, seed)
        expected_loss, expected = autograd(shape, flat, inputs, targets)
        assert step.loss_and_gradient(inputs, targets) == pytest.approx(expected_loss, rel=5e-6)
        assert float((step.gradient - expected).norm() / expected.norm()) < 5e-6
        assert float((step.gradient - expected).abs().max() / expected.abs().max()) < 5e-6


class Textbook(torch.nn.Module):
    """The decoder again, from torch's modules and the definition of attention."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.d_model
        self.shape = shape
        self.tokens, self.positions = torch.nn.Embedding(shape.vocab, d), torch.nn.Embedding(shape.context, d)
        self.qkv, self.out, self.up, self.down = (
            torch.nn.ModuleList(torch.nn.Linear(rows, columns, bias=False) for _ in range(shape.layers))
            for rows, columns in ((d, 3 * d), (d, d), (d, shape.d_ff), (shape.d_ff, d))
        )
        self.norm = torch.nn.LayerNorm(d, elementwise_affine=False)
        self.head = torch.nn.Linear(d, shape.vocab, bias=False)

    @torch.no_grad()
    def load(self, flat: torch.Tensor) -> None:
        views = model.named_views(flat, self.shape)
        for name in ("tokens", "positions"):
            getattr(self, name).weight.copy_(views[name])
        self.head.weight.copy_(views["head"].t())
        for i in range(self.shape.layers):
            for name in ("qkv", "out", "up"):
                getattr(self, name)[i].weight.copy_(views[f"blocks.{i}.{name}"].t())
            self.down[i].weight.copy_(views[f"blocks.{i}.down"])

    def attention(self, x: torch.Tensor, i: int) -> torch.Tensor:
        width = self.shape.d_model // self.shape.heads
        query, key, value = self.qkv[i](x).chunk(3, dim=-1)
        mixed = []
        for head in range(self.shape.heads):
            q, k, v = (part[..., head * width : (head + 1) * width] for part in (query, key, value))
            scores = q @ k.transpose(1, 2) / math.sqrt(width)
            future = torch.ones(self.shape.context, self.shape.context, dtype=torch.bool).triu(1)
            mixed.append(scores.masked_fill(future, -math.inf).softmax(dim=-1) @ v)
        return self.out[i](torch.cat(mixed, dim=-1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = self.tokens(inputs) + self.positions(torch.arange(self.shape.context))
        for i in range(self.shape.layers):
            x = x + self.attention(self.norm(x), i)
            x = x + self.down[i](torch.nn.functional.gelu(self.up[i](self.norm(x))))
        return self.head(self.norm(x))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_decoder_is_the_textbooks(shape: Shape) -> None:
    flat = weights_away_from_zero(shape)
    network = Textbook(shape)
    network.load(flat)
    assert sum(p.numel() for p in network.parameters()) == count_params(shape).total == len(flat)
    inputs, targets = (torch.from_numpy(part.copy()) for part in batch(shape, 3))
    expected = torch.nn.functional.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
    loss = decoder.loss(model.named_views(flat, shape), shape, inputs, targets)
    assert float(loss) == pytest.approx(float(expected.detach()), rel=2e-6)


def test_a_zero_head_knows_nothing() -> None:
    """All tokens equally likely: ln V nats."""
    shape = SHAPES[0]
    step = Step(shape, 4, model.initial_weights(shape, seed=0))
    assert step.loss_and_gradient(*batch(shape, 4)) == pytest.approx(math.log(256), rel=1e-6)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    shape = SHAPES[1]
    assert torch.equal(model.initial_weights(shape, 5), model.initial_weights(shape, 5))
    assert not torch.equal(model.initial_weights(shape, 5), model.initial_weights(shape, 6))


@pytest.mark.parametrize("rows", [64, 512])
def test_products_of_either_library(rows: int) -> None:
    """Below and above the size from which oneDNN takes over, with every transposition that a step uses."""
    from isoflop.training.product import product, product_into

    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, 96, generator=generator), torch.randn(96, 128, generator=generator)
    expected = (a.double() @ b.double()).float()
    out = torch.empty(rows, 128)
    product_into(out, a, b)
    for result in (product(a, b), product(a.t().contiguous().t(), b.t().contiguous().t()), out):
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-4)

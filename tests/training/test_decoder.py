"""Decoders of every architecture that is trained: their counts, a textbook's of them, their gradients, their runs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from isoflop.accounting import Shape, count_params, flops_per_token
from isoflop.accounting.shapes import architecture, usual_shape
from isoflop.errors import UsageError
from isoflop.training.attempt import Attempt
from isoflop.training.spec import OptimiserSpec

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from isoflop.training import autograd, decoder, device, loop, model  # noqa: E402

MakeRun = Callable[..., Path]
TINY = {"heads": 4, "vocab": 96, "context": 24}
SHAPES = {
    "built-in": usual_shape(architecture("built-in"), 2, 32, **TINY),
    "gpt2": usual_shape(architecture("gpt2"), 2, 32, **TINY),
    "llama": usual_shape(architecture("llama"), 2, 32, d_ff=80, **TINY),
    "llama, grouped": usual_shape(architecture("llama"), 2, 32, d_ff=80, kv_heads=2, **TINY),
    "llama, tied": usual_shape(architecture("llama"), 2, 32, d_ff=80, tied=True, **TINY),
    "llama, wide heads": usual_shape(architecture("llama"), 1, 32, d_ff=80, head_dim=16, **TINY),
    "olmo1": usual_shape(architecture("olmo1"), 2, 32, d_ff=80, **TINY),
    "qwen2": usual_shape(architecture("qwen2"), 2, 32, d_ff=80, kv_heads=1, **TINY),
    "qwen3": usual_shape(architecture("qwen3"), 2, 32, d_ff=80, kv_heads=2, **TINY),
}


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


def weights_of(shape: Shape) -> torch.Tensor:
    """Weights that let every gradient through: none of them is zero."""
    flat = model.initial_weights(shape, seed=1)
    return flat + 0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(2))


def batch(shape: Shape, windows: int = 4) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.random.default_rng(0).integers(0, shape.vocab, (windows, shape.context + 1))
    return tokens[:, :-1], tokens[:, 1:]


def test_every_trained_architecture_is_here() -> None:
    assert {one.architecture.name for one in SHAPES.values()} == set(model.TRAINED)


def test_the_weights_are_as_many_as_are_counted(shape: Shape) -> None:
    assert sum(math.prod(size) for size in model.layout(shape).values()) == count_params(shape).total


def test_a_step_costs_the_flops_that_are_counted(shape: Shape) -> None:
    """torch's own counter, attention as explicit products of the whole square: forward and backward to 1 %."""
    step = autograd.AutogradStep(shape, weights_of(shape))
    inputs, targets = batch(shape)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step.loss_and_gradient(inputs, targets)
    assert counter.get_total_flops() == pytest.approx(flops_per_token(shape).exact_full * inputs.size, rel=0.01)


def textbook(shape: Shape, named: dict[str, torch.Tensor], tokens: torch.Tensor) -> torch.Tensor:
    """The logits again, one window and one head at a time, from definitions; rotary positions by complex numbers."""
    kind, width = shape.architecture, shape.head_width

    def norm(x: torch.Tensor, prefix: str) -> torch.Tensor:
        if kind.norm == "weight":
            return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * named[prefix]
        centred = x - x.mean(-1, keepdim=True)
        out = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return out * named[prefix] + named[f"{prefix}_bias"] if prefix in named else out

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        out = x @ (named[name].t() if name.endswith("down") else named[name])
        return out + named[f"{name}_bias"] if f"{name}_bias" in named else out

    def turned(x: torch.Tensor) -> torch.Tensor:
        if kind.positions == "learned":
            return x
        speed = 10_000.0 ** (-torch.arange(width // 2).double() * 2 / width)
        angle = torch.outer(torch.arange(len(x)).double(), speed)
        pairs = torch.complex(x[:, : width // 2].double(), x[:, width // 2 :].double()) * torch.polar(
            torch.ones_like(angle), angle
        )
        return torch.cat([pairs.real, pairs.imag], dim=-1).float()

    def headed(x: torch.Tensor, i: int, part: str) -> torch.Tensor:
        name = f"blocks.{i}.{part}_norm"
        return turned(x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * named[name] if name in named else x)

    def attention(x: torch.Tensor, i: int) -> torch.Tensor:
        qkv, shared = linear(x, f"blocks.{i}.qkv"), shape.key_value_heads
        future = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        mixed = []
        for head in range(shape.heads):
            group = head // (shape.heads // shared)
            at = [head, shape.heads + group, shape.heads + shared + group]
            q, k, v = (qkv[:, start * width : (start + 1) * width] for start in at)
            scores = headed(q, i, "query") @ headed(k, i, "key").t() / math.sqrt(width)
            mixed.append(scores.masked_fill(future, -math.inf).softmax(-1) @ v)
        return linear(torch.cat(mixed, -1), f"blocks.{i}.out")

    rows = []
    for window in tokens:
        x = named["tokens"][window] + named.get("positions", 0)
        for i in range(shape.layers):
            x = x + attention(norm(x, f"blocks.{i}.attention_norm"), i)
            inner = norm(x, f"blocks.{i}.mlp_norm")
            up = linear(inner, f"blocks.{i}.up")
            gate = inner @ named[f"blocks.{i}.gate"] if kind.gated else None
            hidden = up * torch.erf(up / math.sqrt(2)).add(1) / 2 if gate is None else gate * gate.sigmoid() * up
            x = x + linear(hidden, f"blocks.{i}.down")
        rows.append(norm(x, "last_norm") @ (named["tokens"].t() if shape.shares_head else named["head"]))
    return torch.stack(rows)


def test_the_decoder_is_the_textbooks(shape: Shape) -> None:
    named = model.named_views(weights_of(shape), shape)
    tokens = torch.from_numpy(batch(shape)[0].copy())
    expected = textbook(shape, named, tokens)
    torch.testing.assert_close(decoder.forward(named, shape, tokens), expected, rtol=2e-4, atol=2e-4)


def test_the_flat_gradient_is_the_slope_of_the_loss(shape: Shape) -> None:
    """Along a random direction, by a central difference in double precision of the textbook's loss."""
    flat = weights_of(shape)
    inputs, targets = batch(shape)
    step = autograd.AutogradStep(shape, flat)
    step.loss_and_gradient(inputs, targets)
    along = torch.randn(flat.shape, generator=torch.Generator().manual_seed(3))
    at = [torch.from_numpy(part.copy()) for part in (inputs, targets)]

    def loss(by: float) -> float:
        named = model.named_views(flat.double() + by * along.double(), shape)
        return float(
            torch.nn.functional.cross_entropy(decoder.forward(named, shape, at[0]).flatten(0, 1), at[1].flatten())
        )

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert float(step.gradient @ along) == pytest.approx(slope, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("parts", [2, 4])
def test_micro_batches_add_up(shape: Shape, parts: int) -> None:
    flat = weights_of(shape)
    whole, cut = autograd.AutogradStep(shape, flat), autograd.AutogradStep(shape, flat, micro_batches=parts)
    losses = [step.loss_and_gradient(*batch(shape)) for step in (whole, cut)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    torch.testing.assert_close(cut.gradient, whole.gradient, rtol=1e-5, atol=1e-6)


def test_bfloat16_keeps_the_weights_and_sees_the_loss_to_three_digits(shape: Shape) -> None:
    flat = weights_of(shape)
    exact, half = autograd.AutogradStep(shape, flat), autograd.AutogradStep(shape, flat, bfloat16=True)
    losses = [step.loss_and_gradient(*batch(shape)) for step in (exact, half)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert half.gradient.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity(half.gradient, exact.gradient, dim=0)
    assert float(cosine) > 0.99


def test_the_loss_can_be_compiled_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one graph without a break; by the backend that runs it as it is, since building kernels takes minutes here."""
    compiled = torch.compile

    def eagerly(function: object, **options: object) -> object:
        return compiled(function, backend="eager", fullgraph=True)

    monkeypatch.setattr(torch, "compile", eagerly)
    for name in ("built-in", "llama, grouped"):
        flat = weights_of(SHAPES[name])
        plain, whole = (
            autograd.AutogradStep(SHAPES[name], flat),
            autograd.AutogradStep(SHAPES[name], flat, compiled=True),
        )
        losses = [step.loss_and_gradient(*batch(SHAPES[name])) for step in (plain, whole)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-6)
        torch.testing.assert_close(whole.gradient, plain.gradient, rtol=1e-5, atol=1e-6)


def test_a_run_of_each_learns(make_run: MakeRun, shape: Shape, optimiser: OptimiserSpec) -> None:
    """From ln 256 to well below what bytes alone would give, in two hundred steps."""
    bytes_of = dataclasses.replace(shape, vocab=256, context=32)
    tied = {"embedding_learning_rate": 6e-3} if shape.shares_head else {}
    small = dataclasses.replace(optimiser, weight_decay=0.1, **tied)
    folder = make_run(shape=bytes_of, steps=200, optimiser=small, micro_batches=2)
    loop.train(Attempt(folder, 1, None))
    result = json.loads((folder / "result.json").read_text())
    assert result["loss"] < 2.2
    assert result["params"]["total"] == count_params(bytes_of).total


def test_the_built_in_decoder_ends_alike_by_hand_and_by_autograd(make_run: MakeRun) -> None:
    by_hand, by_autograd = make_run("hand", steps=60), make_run("autograd", steps=60, micro_batches=2)
    for folder in (by_hand, by_autograd):
        loop.train(Attempt(folder, 1, None))
    losses = [json.loads((f / "result.json").read_text())["loss"] for f in (by_hand, by_autograd)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"architecture": "gemma3", "d_ff": 64}, "this run asks for gemma3"),
        ({"architecture": "llama", "d_ff": 64, "heads": 1, "head_dim": 5}, "a head is 5 wide"),
        ({"architecture": "llama", "d_ff": 64, "window": 8, "windowed_layers": 1}, "full attention"),
    ],
)
def test_what_is_not_trained_is_refused(make_run: MakeRun, facts: dict[str, object], said: str) -> None:
    usual = {"layers": 2, "d_model": 16, "heads": 2, "d_ff": 64, "vocab": 256, "context": 32, **facts}
    odd = Shape(**{**usual, "architecture": architecture(str(usual.pop("architecture")))})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=said):
        loop.train(Attempt(make_run(shape=odd), 1, None))


class TestDevices:
    def test_a_device_that_is_not_there_is_refused(self, make_run: MakeRun) -> None:
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
        with pytest.raises(UsageError, match="PyTorch sees none here"):
            loop.train(Attempt(make_run(device="cuda"), 1, None))

    @pytest.mark.parametrize(("rates", "is_refused"), [((1e9, 5e9), True), ((9e9, 5e9), False)])
    def test_bfloat16_is_refused_where_it_is_the_slower(
        self, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, rates: tuple[float, float], is_refused: bool
    ) -> None:
        timed = dict(zip((torch.bfloat16, torch.float32), rates, strict=True))
        monkeypatch.setattr(device, "matrix_rate", lambda where, kind: timed[kind])
        folder = make_run(precision="bfloat16", steps=20)
        if is_refused:
            with pytest.raises(UsageError, match=r"bfloat16 is 0\.2 times as fast"):
                loop.train(Attempt(folder, 1, None))
        else:
            loop.train(Attempt(folder, 1, None))
            assert json.loads((folder / "result.json").read_text())["precision"] == "bfloat16"

    def test_matrix_products_are_timed(self) -> None:
        """A square product by the definition, once: between a tenth and ten times the rate that is said."""
        import time

        a = torch.ones(512, 512)
        a @ a
        began = time.perf_counter()
        for _ in range(5):
            a @ a
        rate = 5 * 2 * 512**3 / (time.perf_counter() - began)
        assert rate / 10 < device.matrix_rate(torch.device("cpu"), torch.float32) < rate * 10

    def test_a_batch_that_does_not_divide_is_refused(self, make_run: MakeRun) -> None:
        with pytest.raises(UsageError, match="do not divide into 3 micro-batches"):
            loop.train(Attempt(make_run(micro_batches=3), 1, None))

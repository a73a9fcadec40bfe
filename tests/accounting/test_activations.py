"""Activations against what torch keeps for the backward pass, on blocks written out in its own operators."""

from __future__ import annotations

import pytest

from isoflop.accounting import Experts, Shape, activation_memory, architecture

torch = pytest.importorskip("torch", reason="torch is not installed")
F = torch.nn.functional

T, D, V = 64, 64, 1000
FP32 = 4


def weight(rows: int, columns: int):
    return torch.randn(rows, columns, requires_grad=True)


def bytes_kept(forward, x) -> int:
    """Bytes of the tensors that ``forward`` leaves for its backward pass, its weights apart."""
    kept: dict[int, int] = {}

    def pack(tensor):
        if not (tensor.is_leaf and tensor.requires_grad and tensor is not x):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = forward(x)
    alive = sum(kept.values())
    out.sum().backward()
    return alive


def norm(x):
    return F.layer_norm(x, x.shape[-1:])


def attention(x, heads: int, mask=None):
    queries, keys, values = (x @ weight(D, D) for _ in range(3))
    split = [one.view(1, T, heads, D // heads).transpose(1, 2) for one in (queries, keys, values)]
    if mask is None:
        out = F.scaled_dot_product_attention(*split, is_causal=True)
    else:
        out = torch.softmax(split[0] @ split[1].transpose(2, 3) + mask, -1) @ split[2]
    return out.transpose(1, 2).reshape(1, T, D) @ weight(D, D)


def plain(x, d_ff: int):
    return F.gelu(x @ weight(D, d_ff)) @ weight(d_ff, D)


def gated(x, d_ff: int):
    return (F.silu(x @ weight(D, d_ff)) * (x @ weight(D, d_ff))) @ weight(d_ff, D)


def mixture(x, d_ff: int, count: int, top_k: int):
    """As many implementations have it: rows gathered for each expert, its output weighted and added."""
    x = x[0]
    shares, chosen = torch.softmax(x @ weight(D, count), -1).topk(top_k)
    out = torch.zeros_like(x)
    for expert in range(count):
        rows, rank = torch.where(chosen == expert)
        weighted = gated(x[rows], d_ff) * shares[rows, rank, None]
        out = out.scatter_add(0, rows[:, None].expand(-1, D), weighted)
    return out[None]


@pytest.mark.parametrize(
    ("kind", "mlp", "shape"),
    [
        ("gpt2", lambda x: plain(x, 256), {"d_ff": 256}),
        ("llama", lambda x: gated(x, 172), {"d_ff": 172}),
        ("llama", lambda x: mixture(x, 96, 4, 2), {"d_ff": 96, "experts": Experts(4, 2, 96)}),
    ],
)
def test_a_block(kind, mlp, shape) -> None:
    def block(x):
        x = x + attention(norm(x), 2)
        return x + mlp(norm(x))

    counted = activation_memory(
        Shape(1, D, 2, vocab=V, context=T, architecture=architecture(kind), **shape), precision="fp32"
    )
    x = torch.randn(1, T, D, requires_grad=True)
    # Norms' means, attention's normaliser and the router's few numbers are not counted.
    assert counted.blocks == pytest.approx(bytes_kept(block, x), rel=0.03)


def test_scores_that_are_stored() -> None:
    """Attention of plain products under a mask keeps one softmax for each head more than a fused one."""
    shape = Shape(1, D, 2, 256, V, T, architecture("gpt2"))
    whole, fused = (activation_memory(shape, recompute=kind, precision="fp32").blocks for kind in ("none", "selective"))
    mask = torch.full((T, T), -torch.inf).triu(1)
    x = torch.randn(1, T, D, requires_grad=True)
    more = bytes_kept(lambda x: attention(x, 2, mask), x) - bytes_kept(lambda x: attention(x, 2), x)
    assert whole - fused == pytest.approx(more, rel=0.02)


def test_head_and_loss() -> None:
    """torch keeps the log-probabilities; the logits are the caller's, and are there as long."""
    target = torch.randint(V, (T,))

    def head(x):
        return F.cross_entropy((norm(x) @ weight(D, V))[0], target)

    counted = activation_memory(Shape(1, D, 2, 256, V, T, architecture("gpt2")), precision="fp32").head
    x = torch.randn(1, T, D, requires_grad=True)
    assert counted == pytest.approx(bytes_kept(head, x) + FP32 * T * V, rel=0.01)

"""AdamW on flat buffers against torch.optim.AdamW with parameter groups and its own clipping."""

from __future__ import annotations

import dataclasses

import pytest

from isoflop.training.spec import OptimiserSpec

torch = pytest.importorskip("torch", reason="torch is not installed")

from isoflop.training.optim import AdamW  # noqa: E402


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1e-3, 10.0], ids=["unclipped", "clipped"])
def test_equals_torchs(weight_decay: float, scale: float, optimiser: OptimiserSpec) -> None:
    spec = dataclasses.replace(optimiser, weight_decay=weight_decay)
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(1000, generator=generator)
    embedding, matrices = (part.clone().requires_grad_() for part in flat.split([300, 700]))
    reference = torch.optim.AdamW(
        [
            {"params": [embedding], "lr": spec.embedding_learning_rate},
            {"params": [matrices], "lr": spec.learning_rate},
        ],
        betas=(spec.beta1, spec.beta2), eps=spec.epsilon, weight_decay=weight_decay,
    )  # fmt: skip
    peaks = [group["lr"] for group in reference.param_groups]
    gradient = torch.empty_like(flat)
    ours = AdamW(spec, flat, gradient, embedding=300)
    for step in range(30):
        factor = 1.0 / (step + 1)
        gradient.normal_(generator=generator).mul_(scale)
        embedding.grad, matrices.grad = (part.clone() for part in gradient.split([300, 700]))
        torch.nn.utils.clip_grad_norm_([embedding, matrices], spec.clip_norm)
        for group, peak in zip(reference.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        reference.step()
        ours.update(step, factor)
    torch.testing.assert_close(flat, torch.cat([embedding, matrices]).detach(), rtol=1e-5, atol=1e-6)

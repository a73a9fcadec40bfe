"""Matrix products of float32, by whichever of torch's two libraries is the faster at them.

torch.mm goes to MKL. The wheel also carries oneDNN, whose kernels use AVX-512 on AMD where MKL's stay
with AVX2: twice the rate there from 64 columns on, the same rate on Intel. torch offers oneDNN's product
of plain tensors only as the operator that its compiler emits, so it is called by that name, where it
exists (tried with torch 2.13, the least that the extra "train" asks for: the name is private, and may
change); everywhere else, and for small products, whose set-up costs more than it gains, there is mm.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_FOR_ONEDNN = 1_200_000
"""Multiply-adds below which mm is the faster (measured on a Zen 5 core, 512 rows: the two cross at width 24)."""

_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b, in a tensor of its own."""
    if _HAS_ONEDNN and a.shape[0] * a.shape[1] * b.shape[1] >= _LEAST_FOR_ONEDNN:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")
        return result
    return torch.mm(a, b)


def product_into(out: Tensor, a: Tensor, b: Tensor) -> None:
    """out = a @ b."""
    if _HAS_ONEDNN and a.shape[0] * a.shape[1] * b.shape[1] >= _LEAST_FOR_ONEDNN:
        out.copy_(product(a, b))
    else:
        torch.mm(a, b, out=out)

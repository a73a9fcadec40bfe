"""How many FLOPs one token of training costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import Shape


@dataclass(frozen=True)
class FlopsPerToken:
    """FLOPs of forward and backward for one token of training, counted three ways.

    ``six_n`` is 6 N with N the total parameters, the literature's shorthand; ``exact_causal`` counts
    every matrix product, attention only over the positions that the causal mask lets through;
    ``exact_full`` counts attention over the whole square, as most kernels compute it and as nanoGPT
    and PaLM report it.
    """

    six_n: float
    exact_causal: float
    exact_full: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def flops_per_token(shape: Shape) -> FlopsPerToken:
    """Count the training FLOPs per token of ``shape``.

    A weight costs one multiply and one add in the forward pass and twice that in the backward pass:
    6 FLOPs, so 6 (12 L d^2 + V d) for blocks and head; the embedding is a look-up and costs none
    (Kaplan et al., arXiv 2001.08361, section 2.1). Attention's two products against T positions add
    12 L T d (Chowdhery et al., PaLM, arXiv 2204.02311, appendix B); a causal mask lets through half of
    the square, 6 L T d, with the diagonal's half position per token left out as is usual. Softmax,
    norms, GELU and the optimiser are not matrix products and are not counted (under 1 % at widths
    where FLOPs are the cost). ``exact_causal`` is thus ``exact_full`` less 6 L T d.

    >>> shape = Shape(layers=2, d_model=32, heads=1, d_ff=128, vocab=256, context=128)
    >>> flops_per_token(shape)
    FlopsPerToken(six_n=270336.0, exact_causal=245760.0, exact_full=294912.0)
    """
    params = count_params(shape)
    products = 6.0 * params.matrices_and_head
    causal_attention = 6.0 * shape.layers * shape.context * shape.d_model
    return FlopsPerToken(
        six_n=6.0 * params.total,
        exact_causal=products + causal_attention,
        exact_full=products + 2.0 * causal_attention,
    )

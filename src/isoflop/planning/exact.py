"""The split of a budget when a token costs what its products cost, and not 6 N."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.accounting import Shape, count_params, count_parts, flops_per_token
from isoflop.conventions import ParamsConvention
from isoflop.laws import Law
from isoflop.planning.architecture import architectures
from isoflop.planning.optimum import optimum, optimum_draws
from isoflop.planning.result import Span
from isoflop.planning.search import FloatArray, root
from isoflop.planning.surface import Estimate, FlopsPerToken, of_form, plain, spread
from isoflop.planning.text import Sheet
from isoflop.quantities import format_interval, format_level, format_si

NARROWEST, WIDEST = np.log(1e-9), np.log(1e9)
"""Of ln d_model: a search may ask for less than one parameter."""


@dataclass(frozen=True)
class Scaled:
    """Networks of one shape's proportions at any width: N and FLOPs a token as smooth functions of d_model.

    Blocks grow with d_model^3, since depth grows with width: ``cubic`` of N, ``cubic_products`` of what a token
    multiplies. Embedding and head grow with d_model, attention's two products, ``quadratic``, with its square.
    """

    cubic: float
    cubic_products: float
    linear_params: float
    linear_products: float
    quadratic: float

    @classmethod
    def of(cls, shape: Shape, convention: ParamsConvention) -> Scaled:
        parts, d = count_parts(shape), float(shape.d_model)
        blocks = parts.attention + parts.mlp + parts.experts + parts.router
        ends = {
            ParamsConvention.NON_EMBEDDING: 0,
            ParamsConvention.MATRICES_AND_HEAD: shape.vocab * d,
        }.get(convention, parts.token_embedding + parts.positions + parts.head)
        attention = flops_per_token(shape).exact_causal - 6.0 * (count_params(shape).matrices_and_head - parts.inactive)
        return cls(blocks / d**3, (blocks - parts.inactive) / d**3, ends / d, float(shape.vocab), attention / d**2)

    def params(self, d_model: FloatArray) -> FloatArray:
        return self.cubic * d_model**3 + self.linear_params * d_model

    def flops(self, d_model: FloatArray) -> FloatArray:
        """Training FLOPs a token: products of blocks and head, and attention under a causal mask."""
        products = self.cubic_products * d_model**3 + self.linear_products * d_model
        return 6.0 * products + self.quadratic * d_model**2

    def flops_of_params(self, params: FloatArray) -> FloatArray:
        """The same as a function of N.

        >>> from isoflop.accounting import preset
        >>> llama = Scaled.of(preset("llama3-8b"), ParamsConvention.TOTAL)
        >>> exact = flops_per_token(preset("llama3-8b")).exact_causal
        >>> bool(abs(llama.flops_of_params(np.array(8_030_261_248.0)) / exact - 1) < 1e-4)
        True
        """
        N = np.asarray(params, float)
        log_d = root(lambda at: self.params(np.exp(at)) - N, np.full(N.shape, NARROWEST), WIDEST)
        return self.flops(np.exp(log_d))


@dataclass(frozen=True)
class ExactSection:
    """The optimum of a law with exact FLOPs, for networks of the proportions of ``shape``, and what 6 N D makes of it.

    ``cost_ratio`` is exact FLOPs over 6 N at N*; ``overspent`` what the 6 N D split would spend over the budget, as a
    share, could it be bought.
    """

    law: str
    shape: Shape
    params: float
    tokens: float
    loss: float
    intervals: dict[str, Span] | None
    cost_ratio: float
    overspent: float
    level: float

    name = "exact_flops"

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "proportions": self.shape.to_dict(),
            "params": self.params,
            "tokens": self.tokens,
            "tokens_per_param": self.tokens / self.params,
            "loss": self.loss,
            "intervals": None if self.intervals is None else {k: plain(list(v)) for k, v in self.intervals.items()},
            "flops_per_token_over_six_n": self.cost_ratio,
            "six_nd_split_overspends": self.overspent,
        }

    def sheet(self) -> Sheet:
        lines: list[tuple[str, ...]] = [(self.law, format_si(self.params), format_si(self.tokens), f"{self.loss:.3f}")]
        if self.intervals is not None:
            counts = [f"[{', '.join(map(format_si, self.intervals[name]))}]" for name in ("params", "tokens")]
            lines.append((f"  {format_level(self.level)} interval", *counts, format_interval(*self.intervals["loss"])))
        note = (
            f"A token costs {self.cost_ratio:.3f} times 6 N here; the law's split, which counts 6 N, would spend "
            f"{self.overspent:+.1%} of the budget more."
        )
        s = self.shape
        title = (
            f"With exact FLOPs: {s.architecture.name} proportions, vocabulary {s.vocab}, context {s.context}, causal"
        )
        return Sheet(title, ("law", "parameters", "tokens", "loss"), tuple(lines), (note,))


def cost_of_kind(law: Law, flops: float, kind: str, vocab: int, context: int) -> tuple[Shape, FlopsPerToken]:
    """FLOPs a token as a function of N, for networks proportioned like the best of a kind near N*."""
    shape = architectures(law, flops, kind=kind, vocab=vocab, context=context)[0].shape
    return shape, Scaled.of(shape, law.conventions.params).flops_of_params


def exact_split(law: Law, flops: float, kind: str, vocab: int, context: int, level: float) -> ExactSection:
    """N*, D* and the loss where C is counted product by product.

    >>> import isoflop as iso
    >>> found = exact_split(iso.law("besiroglu2024"), 1e22, "llama", 128256, 8192, 0.9)
    >>> found.tokens < float(iso.law("besiroglu2024").optimum(1e22).tokens)
    True
    """
    shape, cost = cost_of_kind(law, flops, kind, vocab, context)
    best, drawn, plainly = optimum(law, flops, cost), optimum_draws(law, flops, cost), optimum(law, flops)
    spans = None if drawn is None else {name: spread(column, level) for name, column in vars(drawn).items()}
    if spans is not None and drawn is not None:
        low, high = Estimate(best.loss, drawn.loss, of_form(law, flops)).interval(level) or spans["loss"]
        spans["loss"] = float(low), float(high)
    return ExactSection(
        law=law.id,
        shape=shape,
        params=float(best.params),
        tokens=float(best.tokens),
        loss=float(best.loss),
        intervals=spans,
        cost_ratio=float(cost(best.params) / (6 * best.params)),
        overspent=float(cost(plainly.params) * plainly.tokens / flops - 1),
        level=level,
    )

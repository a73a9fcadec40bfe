"""Training and serving paid together: which network reaches a loss at the least cost of both.

Serving costs 2 N FLOPs a token, so demand pays for a smaller network trained longer (Sardana et al., arXiv 2401.00448).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.planning.questions import tokens_on_surface
from isoflop.planning.search import FloatArray, least
from isoflop.planning.surface import Estimate, View, ask, plain, view
from isoflop.planning.text import Sheet
from isoflop.quantities import format_flops, format_si

SMALLEST, LARGEST = -12.0, 2.0
"""ln of N over the compute-optimal N, between which the cheapest network is searched."""
HIGH_RATIO = 1000.0
"""Tokens a parameter beyond which few laws have seen a run."""


@dataclass(frozen=True)
class Demand:
    """What a network will be asked for: tokens read and tokens generated over its life.

    ``samples`` generations of each answer multiply the second. The three utilisations are shares of the same peak in
    training, reading (prefill) and generating (decode); ``price_ratio`` is a device-hour of serving over one of
    training.
    Left alone they count FLOPs and no more.
    """

    prompt_tokens: float = 0.0
    generated_tokens: float = 0.0
    samples: float = 1.0
    training_mfu: float = 1.0
    prefill_mfu: float | None = None
    decode_mfu: float | None = None
    price_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "generated_tokens"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name):g}; give a number of tokens, 0 or more.")
        for name in ("training_mfu", "prefill_mfu", "decode_mfu"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise UsageError(f"{name} is {share:g}, not a share of the peak; write 0.4 for 40 %.")
        if not (self.samples >= 1 and self.price_ratio > 0):
            raise UsageError(f"{self.samples:g} samples at a price ratio of {self.price_ratio:g}: neither can be.")

    @property
    def equivalent_tokens(self) -> float:
        """Served tokens in units of what a token costs when FLOPs alone cost, and at training's price."""
        read = self.prompt_tokens * self.training_mfu / (self.prefill_mfu or self.training_mfu)
        written = self.generated_tokens * self.samples * self.training_mfu / (self.decode_mfu or self.training_mfu)
        return (read + written) * self.price_ratio


@dataclass(frozen=True)
class Lifecycle:
    """The cheapest network over its life, beside the one that training alone would choose, at one loss.

    Costs are in training FLOPs: 6 N D + 2 N x ``served``, the demand's equivalent tokens. ``saving`` is the share of
    the
    baseline's cost that is not spent, ``training_overhead`` what training alone costs more.
    """

    loss: FloatArray
    served: float
    baseline_params: FloatArray
    baseline_tokens: FloatArray
    baseline_cost: FloatArray
    params: Estimate
    tokens: Estimate
    cost: FloatArray
    saving: Estimate
    level: float = 0.9

    name = "lifecycle"

    @property
    def training_overhead(self) -> FloatArray:
        baseline = self.baseline_params * self.baseline_tokens
        return np.asarray(self.params.value * self.tokens.value / baseline - 1)

    def to_dict(self) -> dict[str, Any]:
        facts = {name: plain(value) for name, value in vars(self).items()}
        return {
            **facts,
            "tokens_per_param": plain(np.asarray(self.tokens.value / self.params.value)),
            "training_overhead": plain(self.training_overhead),
        }

    def sheet(self) -> Sheet:
        N, D, saved = float(self.params.value), float(self.tokens.value), float(self.saving.value)
        N0, D0, cost0 = float(self.baseline_params), float(self.baseline_tokens), float(self.baseline_cost)
        lines: list[tuple[str, ...]] = [
            ("training alone", format_si(N0), format_si(D0), f"{D0 / N0:.1f}", format_flops(cost0)),
            ("with serving", format_si(N), format_si(D), f"{D / N:.1f}", format_flops(float(self.cost))),
        ]
        if (spans := (self.params.interval(self.level), self.tokens.interval(self.level)))[0] is not None:
            counts = [
                f"[{format_si(float(lo))}, {format_si(float(hi))}]" for lo, hi in (s for s in spans if s is not None)
            ]
            lines.append((f"  {self.level:.0%} interval", *counts, "", ""))
        between = self.saving.interval(self.level)
        width = "" if between is None else f" [{float(between[0]):.1%}, {float(between[1]):.1%}]"
        notes = [
            f"The same loss, {float(self.loss):.3f}, costs {saved:.1%}{width} less over the network's life, though its "
            f"training costs {float(self.training_overhead):.0%} more."
        ]
        if D / N > HIGH_RATIO:
            notes.append(
                f"{D / N:.0f} tokens a parameter: laws fitted at ordinary ratios overstate the gain there (Sardana "
                "et al.)."
            )
        title = f"Lifecycle: {format_si(self.served)} tokens served (in units of 2 N training FLOPs each)"
        return Sheet(title, ("", "parameters", "tokens", "tokens/param", "cost, FLOPs"), tuple(lines), tuple(notes))


def lifecycle(law: Law, flops: ArrayLike, demand: Demand, *, level: float = 0.9) -> Lifecycle:
    """The network that reaches the loss of the law's optimum at C FLOPs at the least cost of training and serving.

    ``flops`` may be an array of budgets. The baseline is the law's own optimum at C. At the cheapest network the
    elasticities of the loss obey eps_N / eps_D = 1 + served / (3 D). DataError for a law without a surface in N and D.

    >>> from isoflop import laws
    >>> law = laws.law("hoffmann2022")
    >>> found = lifecycle(law, 6 * 13e9 * 617e9, Demand(prompt_tokens=2e12))
    >>> f"{float(found.params.value) / 1e9:.1f}B, {float(found.saving.value):.1%} saved"
    '7.1B, 16.3% saved'
    """
    if not {"params", "tokens"} <= set(law.family.inputs):
        raise DataError(f"the law {law.id} has no loss at any N and D; a lifecycle needs a surface (isoflop laws).")
    C, served = np.asarray(flops, float), demand.equivalent_tokens

    def cheapest(seen: View) -> FloatArray:
        """ln of N over the baseline's."""
        best = seen.best(C)

        def log_cost(shift: FloatArray) -> FloatArray:
            N = best.params * np.exp(shift)
            D = tokens_on_surface(seen, N, best.loss)
            return np.asarray(np.log(N) + np.log(6 * D + 2 * served))

        low = np.broadcast_to(_smallest(seen, best.params, best.loss), np.shape(best.params))
        return least(log_cost, low, np.full(np.shape(best.params), LARGEST))

    def params(seen: View) -> FloatArray:
        return np.asarray(seen.best(C).params * np.exp(cheapest(seen)))

    def tokens(seen: View) -> FloatArray:
        return np.asarray(tokens_on_surface(seen, params(seen), seen.best(C).loss))

    def saving(seen: View) -> FloatArray:
        best, N = seen.best(C), params(seen)
        D = tokens_on_surface(seen, N, best.loss)
        return np.asarray(1 - N * (6 * D + 2 * served) / (best.params * (6 * best.tokens + 2 * served)))

    best = view(law).best(C)
    N, D, saved = ask(law, params, C.ndim), ask(law, tokens, C.ndim), ask(law, saving, C.ndim)
    if not np.all(np.isfinite(N.value)):
        raise DataError(f"the law {law.id} has no cheapest network for {served:.3g} served tokens; ask for fewer.")
    baseline = np.asarray(best.params * (6 * best.tokens + 2 * served))
    cost = np.asarray(N.value * (6 * D.value + 2 * served))
    return Lifecycle(best.loss, served, best.params, best.tokens, baseline, N, D, cost, saved, level)


def _smallest(seen: View, params: FloatArray, loss: FloatArray) -> FloatArray:
    """ln of the smallest network, over N, that reaches the loss on any tokens; just above it, where cost is finite."""
    low, high = np.full(np.shape(params), SMALLEST), np.zeros(np.shape(params))
    for _ in range(40):
        middle = 0.5 * (low + high)
        reaches = np.isfinite(tokens_on_surface(seen, params * np.exp(middle), loss))
        low, high = np.where(reaches, low, middle), np.where(reaches, middle, high)
    return np.asarray(high)


def pass_at_k(alpha: float, beta: float, samples: float) -> float:
    """Problems solved within k samples, as a share, when single-sample rates are Beta: 1 - B(a, b + k) / B(a, b).

    >>> round(pass_at_k(0.2, 2.0, 100), 6)
    0.562755
    """
    if alpha <= 0 or beta <= 0 or samples < 0:
        raise UsageError("Beta's two parameters are positive, and samples 0 or more.")
    log = (
        math.lgamma(beta + samples)
        + math.lgamma(alpha + beta)
        - math.lgamma(alpha + beta + samples)
        - math.lgamma(beta)
    )
    return -math.expm1(log)

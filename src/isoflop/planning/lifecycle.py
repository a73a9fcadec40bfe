"""Training and serving paid together: which network reaches a loss at the least cost of both.

Serving costs 2 N FLOPs a token, so demand pays for a smaller network trained longer (Sardana et al., arXiv 2401.00448).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.planning.data_limited import check_unique, limited
from isoflop.planning.optimum import LARGEST as MOST
from isoflop.planning.questions import tokens_on_surface
from isoflop.planning.search import FloatArray
from isoflop.planning.surface import Estimate, View, ask_all, cheapest_at_loss, facts, is_surface, plain, view
from isoflop.planning.text import Sheet, format_ratio
from isoflop.quantities import format_flops, format_level, format_si, format_usd

HIGH_RATIO = 1000.0
"""Tokens a parameter beyond which few laws have seen a run."""


@dataclass(frozen=True)
class Demand:
    """What a network will be asked for: tokens read and tokens generated over its life.

    ``samples`` generations of each answer multiply the second. The three utilisations are shares of the same peak in
    training, reading (prefill) and generating (decode), the two prices a device-hour of either over one of training.
    Left alone they count FLOPs and no more; ``training_mfu`` left alone is that of the plan's hardware, where it has.
    """

    prompt_tokens: float = 0.0
    generated_tokens: float = 0.0
    samples: float = 1.0
    training_mfu: float | None = None
    prefill_mfu: float | None = None
    decode_mfu: float | None = None
    prefill_price: float = 1.0
    decode_price: float = 1.0

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "generated_tokens"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name):g}; give a number of tokens, 0 or more.")
        for name in ("training_mfu", "prefill_mfu", "decode_mfu"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise UsageError(f"{name} is {share:g}, not a share of the peak; write 0.4 for 40 %.")
        if not 1 <= self.samples < math.inf:
            raise UsageError(f"{self.samples:g} samples of each answer: give 1 or more.")
        for name in ("prefill_price", "decode_price"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name):g}; give a price over training's, as 1.5.")

    @property
    def equivalent_tokens(self) -> float:
        """Served tokens in units of what a token costs when FLOPs alone cost, and at training's price."""
        training = self.training_mfu or 1.0
        read = self.prompt_tokens * training / (self.prefill_mfu or training)
        written = self.generated_tokens * self.samples * training / (self.decode_mfu or training)
        return read * self.prefill_price + written * self.decode_price


@dataclass(frozen=True)
class Lifecycle:
    """The cheapest network over its life, beside the one that training alone would choose, at one loss.

    Costs are in training FLOPs: 6 N D + 2 N x ``served``, the demand's equivalent tokens. ``saving`` is the share of
    the baseline's cost that is not spent, ``training_overhead`` what training alone costs more. ``unique_tokens``
    limits both networks, None for all one could wish; ``usd`` are both costs in dollars, where hardware is known.
    """

    law: str
    loss: FloatArray
    served: float
    baseline_params: FloatArray
    baseline_tokens: FloatArray
    baseline_cost: FloatArray
    params: Estimate
    tokens: Estimate
    cost: FloatArray
    saving: Estimate
    level: float
    unique_tokens: float | None = None
    usd: tuple[float, float] | None = None

    name = "lifecycle"

    @property
    def training_overhead(self) -> FloatArray:
        baseline = self.baseline_params * self.baseline_tokens
        return np.asarray(self.params.value * self.tokens.value / baseline - 1)

    def to_dict(self) -> dict[str, Any]:
        return {
            **facts(self, self.level),
            "tokens_per_param": plain(np.asarray(self.tokens.value / self.params.value)),
            "training_overhead": plain(self.training_overhead),
        }

    def sheet(self) -> Sheet:
        N, D, saved = float(self.params.value), float(self.tokens.value), float(self.saving.value)
        N0, D0, cost0 = float(self.baseline_params), float(self.baseline_tokens), float(self.baseline_cost)
        lines: list[tuple[str, ...]] = [
            ("training alone", format_si(N0), format_si(D0), f"{format_ratio(D0 / N0)}", format_flops(cost0)),
            ("with serving", format_si(N), format_si(D), f"{format_ratio(D / N)}", format_flops(float(self.cost))),
        ]
        if (spans := (self.params.interval(self.level), self.tokens.interval(self.level)))[0] is not None:
            counts = [
                f"[{format_si(float(lo))}, {format_si(float(hi))}]" for lo, hi in (s for s in spans if s is not None)
            ]
            lines.append((f"  {format_level(self.level)} interval", *counts, "", ""))
        between = self.saving.interval(self.level)
        width = "" if between is None else f" [{float(between[0]):.1%}, {float(between[1]):.1%}]"
        more = max(float(self.training_overhead), 0.0)  # rounding may have it just below
        notes = [
            f"The same loss, {float(self.loss):.3f}, costs {max(saved, 0.0):.1%}{width} less over the network's life, "
            f"though its training costs {more:.0%} more."
        ]
        if D / N > HIGH_RATIO:
            notes.append(
                f"{D / N:.0f} tokens a parameter: laws fitted at ordinary ratios overstate the gain there "
                "(Sardana et al.)."
            )
        if self.usd is not None:
            notes.append(
                f"Training and serving: {format_usd(self.usd[0])}, and {format_usd(self.usd[1])} with serving in mind."
            )
        title = f"Lifecycle under {self.law}: {format_si(self.served)} tokens served (each 2 N training FLOPs)"
        if self.unique_tokens is not None:
            title += f", {format_si(self.unique_tokens)} unique tokens to train on"
            epochs = [format_ratio(max(tokens / self.unique_tokens, 1.0)) for tokens in (D0, D)]
            notes.append(f"Epochs: {epochs[0]}, and {epochs[1]} with serving; what repeats cost is in both.")
        return Sheet(title, ("", "parameters", "tokens", "tokens/param", "cost, FLOPs"), tuple(lines), tuple(notes))


def lifecycle(
    law: Law, flops: ArrayLike, demand: Demand, *, unique_tokens: float | None = None, level: float = 0.9
) -> Lifecycle:
    """The network that reaches the loss of the law's optimum at C FLOPs at the least cost of training and serving.

    ``flops`` may be an array of budgets. The baseline is the law's own optimum at C. At the cheapest network the
    elasticities of the loss obey eps_N / eps_D = 1 + served / (3 D). With ``unique_tokens`` baseline and network repeat
    what there is (``data_limited``). DataError for a law without a surface in N and D.

    >>> from isoflop import laws
    >>> law = laws.law("hoffmann2022")
    >>> found = lifecycle(law, 6 * 13e9 * 617e9, Demand(prompt_tokens=2e12))
    >>> f"{float(found.params.value) / 1e9:.1f}B, {float(found.saving.value):.1%} saved"
    '7.1B, 16.3% saved'
    """
    if not is_surface(law):
        raise DataError(f"the law {law.id} has no loss at any N and D; a lifecycle needs a surface (isoflop laws).")
    C, served = np.asarray(flops, float), demand.equivalent_tokens

    if unique_tokens is not None:
        check_unique(law, unique_tokens)

    def under_limit(seen: View) -> View:
        return seen if unique_tokens is None else limited(law, seen, unique_tokens, float(np.median(C)))

    def cheapest(asked: View) -> tuple[FloatArray, FloatArray, FloatArray]:
        """N, D and the saving."""
        seen = under_limit(asked)
        best = seen.best(C)
        N = cheapest_at_loss(partial(tokens_on_surface, seen), best.params, best.loss, served)
        D = tokens_on_surface(seen, N, best.loss)
        return N, D, 1 - N * (6 * D + 2 * served) / (best.params * (6 * best.tokens + 2 * served))

    N, D, saved = ask_all(law, cheapest, C.ndim, searched=unique_tokens is not None)
    if not np.all(np.isfinite(N.value) & (N.value >= 1) & (D.value <= MOST)):
        raise DataError(f"the law {law.id} has no cheapest network for {served:.3g} served tokens; ask for fewer.")
    best = under_limit(view(law)).best(C)
    baseline = np.asarray(best.params * (6 * best.tokens + 2 * served))
    cost = np.asarray(N.value * (6 * D.value + 2 * served))
    return Lifecycle(
        law.id, best.loss, served, best.params, best.tokens, baseline, N, D, cost, saved, level, unique_tokens
    )


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


def samples_for(alpha: float, beta: float, share: float) -> int:
    """The fewest samples with which pass_at_k reaches a share of the problems.

    >>> samples_for(0.2, 2.0, 0.562755)
    100
    """
    if not 0 < share < 1:
        raise UsageError(f"{share:g} is not a share of the problems; write 0.5 for half of them.")
    few, many = 0, 1
    while pass_at_k(alpha, beta, many) < share:
        few, many = many, 2 * many
        if many > MOST:
            raise DataError(f"no number of samples solves {share:.0%} of such problems; ask for fewer.")
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if pass_at_k(alpha, beta, middle) >= share else (middle, many)
    return many

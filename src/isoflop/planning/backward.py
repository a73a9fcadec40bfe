"""Sections of a plan that start from the other end: a loss, a network, its tokens, a measured run, a gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.laws import Law
from isoflop.planning.optimum import refuse_unbuildable
from isoflop.planning.questions import (
    compute_gain,
    flops_at_ratio,
    flops_for_loss,
    optimum_of_loss,
    params_for_loss,
    shift_from_measured,
    tokens_for_loss,
)
from isoflop.planning.surface import Estimate, of_form, plain, view
from isoflop.planning.text import Sheet, format_ratio
from isoflop.planning.valley import Valley
from isoflop.quantities import Quantity, format_flops, format_interval, format_level, format_si

MOST_GAIN = 1e9
WORDS = {"tokens_per_param": "tokens a parameter"}
LEAST_RATIO, MOST_RATIO = 1.0, 2000.0
"""Tokens a parameter outside which hardly any law has seen a run."""


@dataclass(frozen=True)
class Target:
    """What reaches a loss: the least compute (``asked`` is "flops"), or D of given N, or N of given D."""

    law: str
    loss: float
    asked: str
    given: Mapping[str, float]
    answer: Estimate
    flops: float
    level: float

    name = "target"

    def to_dict(self) -> dict[str, Any]:
        return {"law": self.law, "loss": self.loss, **self.given, self.asked: self.answer.to_dict(self.level)}

    def sheet(self) -> Sheet:
        show = format_flops if self.asked == "flops" else format_si
        said = " on ".join(f"{format_si(value)} {WORDS.get(name, name)}" for name, value in self.given.items())
        lines = [(self.asked, show(float(self.answer.value)), _span(self.answer, self.level, show))]
        if self.asked != "flops":
            lines.append(("flops", format_flops(self.flops), ""))
        if "tokens_per_param" in self.given:
            N = (self.flops / (6 * self.given["tokens_per_param"])) ** 0.5
            lines += [("params", format_si(N), ""), ("tokens", format_si(self.flops / (6 * N)), "")]
        notes = ["The interval holds noise alone; an end that is inf is a share of draws that never reach it."]
        return Sheet(
            f"A loss of {self.loss:g} under {self.law}{f', {said}' if said else ''}", (), tuple(lines), tuple(notes)
        )


def _span(estimate: Estimate, level: float, show: Any) -> str:
    edges = estimate.interval(level)
    if edges is None:
        return ""
    shown = [show(float(edge)) if np.isfinite(edge) else "inf" for edge in edges]
    return f"{format_level(level)} [{', '.join(shown)}]"


def target(
    law: Law, loss: float, params: float | None, tokens: float | None, ratio: float | None, level: float
) -> Target:
    """What reaches a loss; DataError where nothing does, UsageError where more than one of N, D and D/N is given."""
    if not (np.isfinite(loss) and loss > 0):
        raise UsageError(f"the loss {loss:g} is no loss: give a positive number such as 2.1.")
    if params is not None and tokens is not None:
        raise UsageError(
            "parameters and tokens give the loss (isoflop predict); leave one out to ask what reaches a loss."
        )
    if ratio is not None:
        if params is not None or tokens is not None:
            raise UsageError("a loss and tokens a parameter give N and D: leave --params and --tokens out.")
        if not (np.isfinite(ratio) and ratio > 0):
            raise UsageError(f"{ratio:g} tokens a parameter cannot be held: give a positive number.")
        found = flops_at_ratio(law, ratio, loss)
        return Target(law.id, loss, "flops", {"tokens_per_param": ratio}, found, float(found.value), level)
    if params is not None:
        found = tokens_for_loss(law, params, loss)
        return Target(law.id, loss, "tokens", {"params": params}, found, 6 * params * float(found.value), level)
    if tokens is not None:
        found = params_for_loss(law, tokens, loss)
        return Target(law.id, loss, "params", {"tokens": tokens}, found, 6 * tokens * float(found.value), level)
    found = flops_for_loss(law, loss)
    return Target(law.id, loss, "flops", {}, found, float(found.value), level)


def budget_of(found: Target) -> Quantity:
    """The compute that a target takes, as a budget."""
    return Quantity(
        found.flops, f"{format_flops(found.flops, 4)} FLOPs, what a loss of {found.loss:g} takes under {found.law}"
    )


@dataclass(frozen=True)
class Fixed:
    """One split of the budget that was given, beside the law's: its loss, and the compute that it wastes."""

    law: str
    params: float
    tokens: float
    loss: Estimate
    wasted: float
    level: float

    name = "fixed"

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "params": self.params,
            "tokens": self.tokens,
            "tokens_per_param": self.tokens / self.params,
            "loss": self.loss.to_dict(self.level),
            "wasted": self.wasted,
        }

    def sheet(self) -> Sheet:
        edges = self.loss.interval(self.level)
        width = "" if edges is None else f" {format_interval(float(edges[0]), float(edges[1]))}"
        line = (
            self.law,
            format_si(self.params),
            format_si(self.tokens),
            format_ratio(self.tokens / self.params),
            f"{float(self.loss.value):.3f}{width}",
        )
        note = f"{self.wasted:.1%} of the compute would not be needed for this loss at the law's own split."
        ratio = self.tokens / self.params
        if not LEAST_RATIO <= ratio <= MOST_RATIO:
            note += f" {ratio:.3g} tokens a parameter is far from any run that laws were fitted on: do not rely on it."
        header = ("law", "parameters", "tokens", "tokens/param", "loss")
        return Sheet("The split that was given", header, (line,), (note,))


def fixed(
    law: Law, flops: float, params: float | None, tokens: float | None, ratio: float | None, level: float
) -> Fixed:
    """C = 6 N D with one of N, D and D/N held; UsageError for more than one of them."""
    held = [value for value in (params, tokens, ratio) if value is not None]
    if len(held) > 1:
        raise UsageError("a budget fixes N D: hold one of --params, --tokens and --tokens-per-param.")
    if not (np.isfinite(held[0]) and held[0] > 0):
        raise UsageError(f"{held[0]:g} cannot be held: give a positive number.")
    N = params if params is not None else flops / (6 * tokens) if tokens is not None else (flops / (6 * held[0])) ** 0.5
    D = flops / (6 * N)
    refuse_unbuildable(law, flops, N, D, held=True)
    loss = Estimate(law.predict(N, D), law.predict_draws(N, D), of_form(law, flops))
    enough = float(optimum_of_loss(view(law), np.asarray(loss.value))[0])
    if not np.isfinite(enough):
        raise DataError(
            f"the law {law.id} has its loss of {float(loss.value):.4g} at no optimum; hold a split nearer its runs."
        )
    return Fixed(law.id, N, D, loss, 1 - enough / flops, level)


@dataclass(frozen=True)
class GainSection:
    """A compute multiplier, and what it is worth at the budget."""

    law: str
    multiplier: float
    equivalent_flops: float
    loss_before: Estimate
    loss: Estimate
    level: float

    name = "gain"

    def to_dict(self) -> dict[str, Any]:
        return {
            "law": self.law,
            "multiplier": self.multiplier,
            "equivalent_flops": self.equivalent_flops,
            "loss_before": self.loss_before.to_dict(self.level),
            "loss": self.loss.to_dict(self.level),
        }

    def sheet(self) -> Sheet:
        before, after = float(self.loss_before.value), float(self.loss.value)
        line = (
            self.law,
            format_flops(self.equivalent_flops),
            f"{before:.3f}",
            f"{after:.3f}",
            f"{after - before:+.3f}",
        )
        note = "Assumes that the gain acts as more compute would, at every split (effective compute, Ho et al. 2024)."
        header = ("law", "equivalent", "loss without", "loss", "change")
        return Sheet(f"A gain of {self.multiplier:g} in compute", header, (line,), (note,))


def gain(law: Law, flops: float, multiplier: float, level: float) -> GainSection:
    """What better data, architecture or optimiser, worth m times the compute, does at a budget."""
    if not 1 / MOST_GAIN <= multiplier <= MOST_GAIN:
        raise UsageError(f"a gain of {multiplier:g}: give a positive factor, as 1.5, of {MOST_GAIN:g} at most.")
    found = compute_gain(law, flops, multiplier)
    return GainSection(law.id, multiplier, float(found.equivalent_flops), found.loss_before, found.loss, level)


@dataclass(frozen=True)
class Measured:
    """The loss at the plan's N* and D*, moved by what the law missed at a run of one's own."""

    law: str
    params: float
    tokens: float
    loss: float
    residual: float
    predicted: float
    added: float
    scaled: float

    name = "measured"

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def sheet(self) -> Sheet:
        lines = (
            ("the law alone", f"{self.predicted:.3f}"),
            ("residual added", f"{self.added:.3f}"),
            ("residual as a factor", f"{self.scaled:.3f}"),
        )
        run = f"{format_si(self.params)} parameters on {format_si(self.tokens)} tokens, loss {self.loss:g}"
        note = (
            f"The law missed that run by {self.residual:+.3f}. Added, the miss is the text's or the tokenizer's and "
            "stays; as a factor, the whole loss is off. One run cannot tell them apart: fit your own law (isoflop fit)."
        )
        return Sheet(f"The loss at N* and D*, from a run of yours ({run})", (), lines, (note,))


def measured(law: Law, run: tuple[float, float, float], params: float, tokens: float) -> Measured:
    """A small run's loss carried to a larger network."""
    found = shift_from_measured(law, run, params, tokens)
    numbers = (float(value) for value in (found.residual, found.predicted, found.added, found.scaled))
    return Measured(law.id, *run, *numbers)


@dataclass(frozen=True)
class ValleySection:
    """Networks around N*, and what they cost."""

    law: str
    valley: Valley
    level: float

    name = "valley"

    def to_dict(self) -> dict[str, Any]:
        return {"law": self.law, **self.valley.to_dict(self.level)}

    def sheet(self) -> Sheet:
        v = self.valley
        columns = zip(v.times_optimum, v.params, v.tokens.value, v.overhead.value, v.wasted.value, strict=True)
        lines = tuple(
            (
                f"{k:g} N*",
                format_si(float(N)),
                format_si(float(D)) if np.isfinite(D) else "-",
                _share(more),
                f"{less:.1%}",
            )
            for k, N, D, more, less in columns
        )
        note = (
            "More compute: for the loss of the optimum. Wasted: of the budget, at the loss that this network has there."
        )
        header = ("network", "parameters", "tokens for the same loss", "more compute", "wasted")
        return Sheet(f"The flat valley under {self.law}", header, lines, (note,))


def _share(value: float) -> str:
    return f"{plain(value):.1%}" if np.isfinite(value) else "never"

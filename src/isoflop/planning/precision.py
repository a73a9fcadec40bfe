"""What fewer bits cost, by Kumar et al.'s law: in training as lost parameters, afterwards as lost loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoflop import laws
from isoflop.conventions import Conventions
from isoflop.errors import UsageError
from isoflop.laws import OMEGA, Law
from isoflop.laws.precision import BITS, SCALES, critical_tokens
from isoflop.planning.recount import VOCAB, recounted
from isoflop.planning.surface import plain
from isoflop.planning.text import Sheet
from isoflop.quantities import format_si

LAW = "kumar2024"
FEWEST, MOST = 1.0, 32.0
FULL = 16.0


@dataclass(frozen=True)
class PrecisionSection:
    """Kumar et al.'s law at a plan's N and D.

    ``effective`` is the share of the parameters that training at so many bits leaves; ``training_loss`` what that adds
    to the loss, in nats per token of theirs, ``post_loss`` what quantising the weights afterwards adds; ``critical``
    the tokens beyond which training on more makes the quantised network worse. None where no bits were asked for.
    ``relative_cost`` is the cost of a token in training by their rule, proportional to the mean bits over sixteen.
    ``params`` is N as they count it, blocks alone, and ``notes`` say where that or the loss could not be made alike.
    """

    params: float

    training_bits: float | None
    post_bits: float | None
    effective: float | None
    training_loss: float | None
    relative_cost: float | None
    post_loss: float | None
    critical: float | None
    notes: tuple[str, ...]

    name = "precision"

    def to_dict(self) -> dict[str, Any]:
        return {"law": LAW, **{name: plain(value) for name, value in vars(self).items()}, "notes": list(self.notes)}

    def sheet(self) -> Sheet:
        lines = []
        if self.effective is not None:
            lines += [
                (f"trained in {self.training_bits:g} bits", f"{self.effective:.3f} of the parameters count"),
                ("", f"loss {self.training_loss:+.4f}, cost of a token {self.relative_cost:.2f} of 16 bits"),
            ]
        if self.critical is not None:
            lines += [
                (f"weights quantised to {self.post_bits:g} bits", f"loss {self.post_loss:+.4f}"),
                ("", f"worse with more training beyond {format_si(self.critical)} tokens"),
            ]
        notes = (
            "Kumar et al. 2024 (arXiv 2411.04330): fitted to networks of 1.7B parameters at most on 26B tokens, and "
            "its authors warn that the constants do not transfer. An order of magnitude, no more.",
            f"N is {format_si(self.params)} parameters of blocks, as they count; losses are in nats per token.",
            *self.notes,
        )
        return Sheet("Precision", (), tuple(lines), notes)


def precision(
    params: float,
    tokens: float,
    *,
    training_bits: float | None = None,
    post_bits: float | None = None,
    conventions: Conventions | None = None,
    vocab: int = VOCAB,
) -> PrecisionSection:
    """What training weights, activations and cache in so many bits, and quantising weights afterwards, would cost.

    ``conventions`` are those of N and of the loss beside which the answer will stand, Kumar et al.'s own where it is
    None; ``vocab`` relates their N to that one.

    >>> found = precision(1e9, 26e9, training_bits=8)
    >>> round(found.effective, 3)
    0.924
    """
    for name, bits in (("training bits", training_bits), ("bits after training", post_bits)):
        if bits is not None and not FEWEST <= bits <= MOST:
            raise UsageError(f"{bits:g} {name}: give a number from {FEWEST:g} to {MOST:g}.")
    law = laws.law(LAW)
    said: tuple[str, ...] = ()
    if conventions is not None:
        params, said = _as_they_count(params, law, conventions, vocab)
    theta = {name: np.asarray(value) for name, value in law.coefficients.items()}
    full = float(law.predict(params, tokens))
    effective = loss = cost = None
    if training_bits is not None:
        effective = float(np.prod([-np.expm1(-training_bits / theta[scale]) for scale in SCALES]))
        loss = float(law.predict(params, tokens, **dict.fromkeys(BITS, training_bits))) - full
        cost = training_bits / FULL
    post = critical = None
    if post_bits is not None:
        post = float(law.predict(params, tokens, post_bits=post_bits)) - full
        critical = float(critical_tokens(theta, np.asarray(params), np.asarray(post_bits)))
    said += _outside(params, law)
    return PrecisionSection(params, training_bits, post_bits, effective, loss, cost, post, critical, said)


def _as_they_count(params: float, law: Law, of: Conventions, vocab: int) -> tuple[float, tuple[str, ...]]:
    """N recounted, how, and what could not be made alike."""
    theirs, said = law.conventions, []
    found = recounted(params, of.params, theirs.params, OMEGA * vocab / VOCAB)
    if found is not None:
        said.append(f"The plan's {format_si(params)} recounted for a vocabulary of {vocab:,} (--vocab for another).")
    elif of.params != theirs.params:
        said.append("How the plan's law counts N is another way or unsaid: N is taken as it stands.")
    if of.loss != theirs.loss:
        unit = str(of.loss).replace("_", " ")
        said.append(f"The plan's losses are in another unit ({unit}): do not add them.")
    return params if found is None else found, tuple(said)


def _outside(params: float, law: Law) -> tuple[str, ...]:
    """Where N lies beyond their networks."""
    assert law.fitted_range.params is not None
    least, most = law.fitted_range.params
    if params > most:
        return (f"That is {params / most:.2g} times their largest network.",)
    return (f"Their smallest network is {least / params:.2g} times as large.",) if params < least else ()

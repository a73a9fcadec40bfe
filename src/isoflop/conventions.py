"""Which parameters, which FLOPs, which loss: the facts without which two tables cannot be compared.

The same runs give N* ∝ C^.64, C^.55 or C^.49 as N leaves out or includes the output head and the
embeddings, which is most of the distance between Kaplan et al. (2020) and Hoffmann et al. (2022);
Pearce & Song (arXiv 2406.12907) and Porian et al. (arXiv 2406.19146) show it in full. So conventions
travel with every table and every law as data, and mixing them is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


class ParamsConvention(StrEnum):
    """What N counts."""

    UNSTATED = "unstated"
    TOTAL = "total"
    """Every trained weight: embeddings, positions, blocks, head (Hoffmann et al. 2022)."""
    NON_EMBEDDING = "non_embedding"
    """Blocks only: no embeddings, no positions, no head (Kaplan et al. 2020)."""
    MATRICES_AND_HEAD = "matrices_and_head"
    """Blocks and head, the weights that cost FLOPs: total less input embeddings and positions."""


class FlopsConvention(StrEnum):
    """How C was counted."""

    UNSTATED = "unstated"
    SIX_ND = "six_nd"
    """C = 6 N D, N as the table's own convention counts it."""
    EXACT_CAUSAL = "exact_causal"
    """Every matrix product, attention only over the positions a causal mask lets through."""
    EXACT_FULL = "exact_full"
    """Every matrix product, attention over the whole square, as nanoGPT and PaLM count it."""


class LossUnit(StrEnum):
    """What one unit of loss is."""

    UNSTATED = "unstated"
    NATS_PER_TOKEN = "nats_per_token"
    NATS_PER_BYTE = "nats_per_byte"
    BITS_PER_BYTE = "bits_per_byte"


_COUNTED = {
    ParamsConvention.UNSTATED: "convention unstated",
    ParamsConvention.TOTAL: "all weights",
    ParamsConvention.NON_EMBEDDING: "blocks only",
    ParamsConvention.MATRICES_AND_HEAD: "blocks and head",
}
_COUNTED_BY = {ParamsConvention.TOTAL: "Hoffmann et al. 2022", ParamsConvention.NON_EMBEDDING: "Kaplan et al. 2020"}


def describe(convention: ParamsConvention) -> str:
    """What N counts, in the words of every table, axis and message.

    >>> describe(ParamsConvention.MATRICES_AND_HEAD)
    'blocks and head'
    """
    return _COUNTED[convention]


def counted_by(convention: ParamsConvention) -> str | None:
    """The paper that is known for counting N so; None where there is none.

    >>> counted_by(ParamsConvention.NON_EMBEDDING)
    'Kaplan et al. 2020'
    """
    return _COUNTED_BY.get(convention)


@dataclass(frozen=True)
class Conventions:
    """The conventions of a table or a law.

    >>> Conventions(params=ParamsConvention.TOTAL).describe()
    'N: total · C: unstated · loss: unstated'
    """

    params: ParamsConvention = ParamsConvention.UNSTATED
    flops: FlopsConvention = FlopsConvention.UNSTATED
    loss: LossUnit = LossUnit.UNSTATED

    def describe(self) -> str:
        return f"N: {self.params} · C: {self.flops} · loss: {self.loss}"

    def to_dict(self) -> dict[str, str]:
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, table: dict[str, str]) -> Conventions:
        return cls(
            params=ParamsConvention(table.get("params", "unstated")),
            flops=FlopsConvention(table.get("flops", "unstated")),
            loss=LossUnit(table.get("loss", "unstated")),
        )


def differences(one: Conventions, other: Conventions) -> tuple[str, ...]:
    """The fields on which both sides state something, and not the same thing."""
    pairs = [(f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(Conventions)]
    return tuple(name for name, a, b in pairs if a != b and "unstated" not in (str(a), str(b)))


def compatible(one: Conventions, other: Conventions) -> bool:
    """Whether numbers under the two conventions may be compared as they stand.

    An unstated convention is compatible with everything: it cannot be checked.

    >>> total, blocks = (Conventions(params=ParamsConvention(p)) for p in ("total", "non_embedding"))
    >>> compatible(total, blocks), compatible(total, Conventions())
    (False, True)
    """
    return not differences(one, other)


def explain(one: Conventions, other: Conventions) -> str:
    """One sentence on what differs; empty when nothing does."""
    return "; ".join(
        f"{name} is {getattr(one, name)} here and {getattr(other, name)} there" for name in differences(one, other)
    )

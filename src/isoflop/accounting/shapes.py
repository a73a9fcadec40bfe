"""The shape of a decoder-only transformer: everything that parameter and FLOP counts depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Shape:
    """A pre-norm decoder with learned positions, no biases, parameter-free norms and an untied head.

    ``layers`` blocks of width ``d_model`` with ``heads`` heads and an MLP of width ``d_ff``; ``vocab``
    tokens; ``context`` positions.
    """

    layers: int
    d_model: int
    heads: int
    d_ff: int
    vocab: int
    context: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

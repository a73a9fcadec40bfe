"""How many parameters a shape has, under each of the conventions that the literature uses."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from isoflop.accounting.shapes import Shape


@dataclass(frozen=True)
class ParamsCount:
    """One network, counted four ways; every number is exact.

    ``embedding`` is token embeddings and learned positions, which cost no FLOPs; ``non_embedding`` is
    the blocks alone (Kaplan et al. 2020); ``matrices_and_head`` is blocks and head, the weights that
    are multiplied; ``total`` is everything (Hoffmann et al. 2022).
    """

    total: int
    non_embedding: int
    embedding: int
    matrices_and_head: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def count_params(shape: Shape) -> ParamsCount:
    """Count the parameters of ``shape``, exact to the unit.

    A block has four d x d matrices for attention and two d x d_ff for the MLP; norms and biases have
    none. The blocks alone are the 12 L d^2 of Kaplan et al. (arXiv 2001.08361, table 1) at d_ff = 4 d.

    >>> count_params(Shape(layers=2, d_model=32, heads=1, d_ff=128, vocab=256, context=128))
    ParamsCount(total=45056, non_embedding=24576, embedding=12288, matrices_and_head=32768)
    """
    blocks = shape.layers * (4 * shape.d_model**2 + 2 * shape.d_model * shape.d_ff)
    head = shape.vocab * shape.d_model
    embedding = (shape.vocab + shape.context) * shape.d_model
    return ParamsCount(
        total=embedding + blocks + head,
        non_embedding=blocks,
        embedding=embedding,
        matrices_and_head=blocks + head,
    )

"""How many parameters a shape has: by part, and under each of the conventions that the literature uses."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from isoflop.accounting.shapes import Experts, LatentAttention, Shape


@dataclass(frozen=True)
class Parts:
    """The weights of one network by what they do, to the unit.

    ``head`` is 0 where the embedding is the head. ``mlp`` holds dense MLPs, ``experts`` all routed and shared experts,
    ``inactive`` those of them that a token does not use. ``biases`` and ``norms`` multiply nothing.
    """

    token_embedding: int
    positions: int
    attention: int
    mlp: int
    experts: int
    router: int
    biases: int
    norms: int
    head: int
    inactive: int

    @property
    def blocks(self) -> int:
        return self.attention + self.mlp + self.experts + self.router + self.biases + self.norms

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class ParamsCount:
    """One network, counted five ways; every number is exact.

    ``total`` is everything (Hoffmann et al. 2022). ``non_embedding`` is the blocks and the last norm (Kaplan et al.
    2020). ``embedding`` is token embeddings and learned positions, which cost no FLOPs. ``matrices_and_head`` is what
    is multiplied: the matrices of the blocks and the head, once even where it is the embedding. ``active`` is the total
    without the experts that a token does not use.
    """

    total: int
    non_embedding: int
    embedding: int
    matrices_and_head: int
    active: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def count_params(shape: Shape) -> ParamsCount:
    """Count the parameters of ``shape``, exact to the unit.

    A plain block has four d x d matrices for attention and two d x d_ff for the MLP: the 12 L d^2 of Kaplan et al.
    (arXiv 2001.08361, table 1) at d_ff = 4 d.

    >>> count_params(Shape(layers=2, d_model=32, heads=1, d_ff=128, vocab=256, context=128))
    ParamsCount(total=45056, non_embedding=24576, embedding=12288, matrices_and_head=32768, active=45056)
    """
    parts = count_parts(shape)
    total = parts.token_embedding + parts.positions + parts.blocks + parts.head
    return ParamsCount(
        total=total,
        non_embedding=parts.blocks,
        embedding=parts.token_embedding + parts.positions,
        matrices_and_head=parts.attention + parts.mlp + parts.experts + parts.router + shape.vocab * shape.d_model,
        active=total - parts.inactive,
    )


def count_parts(shape: Shape) -> Parts:
    """The parameters of ``shape`` by part.

    >>> llama = Shape(2, 64, 4, 172, 1000, 128, kv_heads=2)
    >>> count_parts(llama).attention  # queries and output 64 x 64, keys and values 64 x 32
    24576
    """
    d, layers = shape.d_model, shape.layers
    one_mlp = (3 if shape.architecture.gated else 2) * d
    experts, used = _experts(shape.experts, one_mlp)
    mixtures = shape.mixture_layers
    return Parts(
        token_embedding=shape.vocab * d,
        positions=shape.context * d if shape.architecture.positions == "learned" else 0,
        attention=layers * attention_matrices(shape),
        mlp=(layers - mixtures) * one_mlp * shape.d_ff,
        experts=mixtures * experts,
        router=0 if shape.experts is None else mixtures * shape.experts.count * d,
        biases=_biases(shape),
        norms=_norms(shape),
        head=0 if shape.shares_head else shape.vocab * d,
        inactive=mixtures * (experts - used),
    )


def attention_matrices(shape: Shape) -> int:
    """The weights of one block's attention."""
    d, queries = shape.d_model, shape.heads * shape.head_width
    if shape.latent is not None:
        return _latent(shape.latent, d, shape.heads)
    relative = d * queries if shape.architecture.positions == "relative" else 0
    return 2 * d * queries + 2 * d * shape.key_value_heads * shape.head_width + relative


def _latent(latent: LatentAttention, d: int, heads: int) -> int:
    """Down to the query rank and up to the heads; down to the rank of keys and values, with one rotary key; out."""
    queries = d * latent.query_rank + latent.query_rank * heads * (latent.plain + latent.rotary)
    keys_values = d * (latent.kv_rank + latent.rotary) + latent.kv_rank * heads * (latent.plain + latent.value)
    return queries + keys_values + heads * latent.value * d


def _experts(experts: Experts | None, one_mlp: int) -> tuple[int, int]:
    """The weights of one block's experts: all of them, and those that a token uses."""
    if experts is None:
        return 0, 0
    each = one_mlp * experts.d_ff
    return (experts.count + experts.shared) * each, (experts.top_k + experts.shared) * each


def _biases(shape: Shape) -> int:
    kind = shape.architecture
    queries, keys = shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
    block = 0
    if kind.biases != "none":
        block += queries + 2 * keys
    if kind.biases == "all":
        block += shape.d_model + shape.d_ff + shape.d_model
    if kind.positions == "relative":
        block += 2 * queries
    routers = shape.mixture_layers * shape.experts.count if shape.experts and shape.experts.router_bias else 0
    return shape.layers * block + routers


def _norms(shape: Shape) -> int:
    """The weights of norms: of the blocks, of queries and keys, of latents, and the last one."""
    kind, d = shape.architecture, shape.d_model
    each = {"none": 0, "weight": d, "weight and bias": 2 * d}[kind.norm]
    wide = {
        "none": 0,
        "head": 2 * shape.head_width,
        "all heads": (shape.heads + shape.key_value_heads) * shape.head_width,
    }[kind.qk_norm]
    ranks = 0 if shape.latent is None else shape.latent.query_rank + shape.latent.kv_rank
    return shape.layers * (kind.norms * each + wide + ranks) + each

"""The shape of a decoder-only transformer: everything that parameter and FLOP counts depend on.

A shape is an architecture (what a block is made of) and widths. The architectures of published models differ in a
dozen independent choices, so each is a row of those choices and none has code of its own.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from isoflop.errors import UnknownName, UsageError


@dataclass(frozen=True)
class Architecture:
    """What a block is made of, apart from its widths.

    ``gated``: the MLP has three matrices (SwiGLU, GeGLU), not two. ``biases``: on every matrix of a block, on queries,
    keys and values alone, or nowhere. ``norm``: whether a norm has a weight, a weight and a bias, or neither;
    ``norms`` of width d_model a block. ``qk_norm``: weights on queries and keys, one head wide or all heads wide.
    ``positions``: learned (a table), relative (a d x q matrix and two biases a block, as Gopher's) or none that
    cost parameters (rotary, ALiBi). ``tied``: whether models of this kind share embedding and head unless they say.
    """

    name: str
    gated: bool = False
    biases: Literal["none", "qkv", "all"] = "none"
    norm: Literal["none", "weight", "weight and bias"] = "none"
    norms: int = 2
    qk_norm: Literal["none", "head", "all heads"] = "none"
    positions: Literal["learned", "relative", "none"] = "none"
    tied: bool = False


BUILT_IN = Architecture("built-in", positions="learned")
"""What isoflop trains itself: parameter-free norms, no biases, learned positions, a head of its own."""

_LLAMA = Architecture("llama", gated=True, norm="weight")
_GEMMA = replace(_LLAMA, name="gemma", tied=True)

ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        BUILT_IN,
        Architecture("gpt2", biases="all", norm="weight and bias", positions="learned", tied=True),
        Architecture("neox", biases="all", norm="weight and bias"),
        Architecture("mpt", norm="weight", tied=True),
        Architecture("palm", gated=True, tied=True),
        Architecture("chinchilla", biases="all", positions="relative", tied=True),
        Architecture("nanochat"),
        _LLAMA,
        replace(_LLAMA, name="olmo1", norm="none"),
        replace(_LLAMA, name="olmo2", qk_norm="all heads"),
        replace(_LLAMA, name="qwen2", biases="qkv"),
        replace(_LLAMA, name="qwen3", qk_norm="head"),
        _GEMMA,
        replace(_GEMMA, name="gemma2", norms=4),
        replace(_GEMMA, name="gemma3", norms=4, qk_norm="head"),
        replace(_LLAMA, name="deepseek_v3"),
    )
}


@dataclass(frozen=True)
class Experts:
    """A mixture in place of the MLP: ``count`` routed experts of width ``d_ff``, of which a token uses ``top_k``.

    ``shared`` experts see every token; the first ``dense_layers`` blocks keep the shape's own MLP; ``router_bias`` is
    one number an expert beside the router's matrix.
    """

    count: int
    top_k: int
    d_ff: int
    shared: int = 0
    dense_layers: int = 0
    router_bias: bool = False


@dataclass(frozen=True)
class LatentAttention:
    """DeepSeek's attention through low ranks (arXiv 2405.04434, section 2.1): ranks of queries and of keys with values,
    and the widths of a head: without position, with rotary position (shared by the heads' keys), and of its values."""

    query_rank: int
    kv_rank: int
    plain: int
    rotary: int
    value: int


@dataclass(frozen=True)
class Shape:
    """A decoder: ``layers`` blocks of width ``d_model`` with ``heads`` heads and an MLP of width ``d_ff``.

    ``vocab`` tokens, ``context`` positions. ``kv_heads`` and ``head_dim`` are ``heads`` and d_model / heads unless they
    are given. ``windowed_layers`` of the blocks see the last ``window`` positions only. Without an architecture it is
    the decoder that isoflop trains. Raises UsageError for widths that no network has.

    >>> Shape(layers=12, d_model=768, heads=12, d_ff=3072, vocab=50257, context=1024).head_width
    64
    """

    layers: int
    d_model: int
    heads: int
    d_ff: int
    vocab: int
    context: int
    architecture: Architecture = BUILT_IN
    kv_heads: int | None = None
    head_dim: int | None = None
    tied: bool | None = None
    window: int | None = None
    windowed_layers: int = 0
    experts: Experts | None = None
    latent: LatentAttention | None = None

    def __post_init__(self) -> None:
        named = asdict(self)
        for name in ("layers", "d_model", "heads", "d_ff", "vocab", "context", "kv_heads", "head_dim", "window"):
            if named[name] is not None and named[name] < 1:
                raise UsageError(f"{name} is {named[name]}; a network has at least one.")
        if self.head_dim is None and self.d_model % self.heads:
            raise UsageError(f"d_model {self.d_model} is no multiple of {self.heads} heads; give head_dim, or others.")
        if self.heads % self.key_value_heads:
            raise UsageError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly; give a divisor.")
        if not 0 <= self.windowed_layers <= self.layers or (self.windowed_layers and self.window is None):
            raise UsageError(f"{self.windowed_layers} windowed layers of {self.layers} with a window of {self.window}.")
        if self.experts is not None:
            _check(self.experts, self.layers)

    @property
    def key_value_heads(self) -> int:
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def head_width(self) -> int:
        return self.d_model // self.heads if self.head_dim is None else self.head_dim

    @property
    def shares_head(self) -> bool:
        """Whether embedding and head are one matrix."""
        return self.architecture.tied if self.tied is None else self.tied

    @property
    def mixture_layers(self) -> int:
        return 0 if self.experts is None else self.layers - self.experts.dense_layers

    def to_dict(self) -> dict[str, Any]:
        """What differs from the decoder that isoflop trains, and the six numbers of any."""
        always = ("layers", "d_model", "heads", "d_ff", "vocab", "context")
        facts = {name: getattr(self, name) for name in always}
        if self.architecture != BUILT_IN:
            facts["architecture"] = self.architecture.name
        for name in ("kv_heads", "head_dim", "tied", "window"):
            if getattr(self, name) is not None:
                facts[name] = getattr(self, name)
        if self.windowed_layers:
            facts["windowed_layers"] = self.windowed_layers
        for name in ("experts", "latent"):
            if getattr(self, name) is not None:
                facts[name] = asdict(getattr(self, name))
        return facts


def _check(experts: Experts, layers: int) -> None:
    if not 1 <= experts.top_k <= experts.count:
        raise UsageError(
            f"a token uses {experts.top_k} of {experts.count} experts; top_k lies between 1 and their count."
        )
    if experts.d_ff < 1 or experts.shared < 0 or not 0 <= experts.dense_layers < layers:
        raise UsageError(f"{experts} does not fit {layers} layers.")


def shape_from(table: dict[str, Any]) -> Shape:
    """A shape from plain values, as ``to_dict`` gives them; an architecture goes by its name.

    >>> shape_from({"layers": 2, "d_model": 64, "heads": 2, "d_ff": 172, "vocab": 256, "context": 128,
    ...             "architecture": "llama"}).architecture.gated
    True
    """
    facts = dict(table)
    if "architecture" in facts:
        facts["architecture"] = architecture(facts["architecture"])
    if "experts" in facts:
        facts["experts"] = Experts(**facts["experts"])
    if "latent" in facts:
        facts["latent"] = LatentAttention(**facts["latent"])
    return Shape(**facts)


def architecture(name: str) -> Architecture:
    """The architecture of that name; UnknownName if there is none."""
    if name not in ARCHITECTURES:
        raise UnknownName.among("architecture", name, ARCHITECTURES)
    return ARCHITECTURES[name]


def read_shape(path: str) -> Shape:
    """A shape of a TOML file in the layout of a preset: experts, latent attention and windows as well.

    UsageError, with one sentence, for a file that is none.
    """
    try:
        facts = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the shape {path}: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    _check_facts(Shape, facts, path)
    return shape_from(facts)


TABLES = {"experts": Experts, "latent": LatentAttention}
WORDS = {int: "a whole number", bool: "true or false", str: "a text"}
KINDS: dict[str, type] = {"architecture": str, "tied": bool, "router_bias": bool}
"""What the facts of a shape are, where they are not whole numbers."""


def _check_facts(kind: type[Shape | Experts | LatentAttention], facts: Any, where: str) -> None:
    known = {field.name: field for field in fields(kind)}
    if not isinstance(facts, dict):
        raise UsageError(f"{where} says {facts!r}; write a table with {', '.join(known)}.")
    for name, value in facts.items():
        if name not in known:
            raise UnknownName.among(f"fact of a shape in {where}", name, known)
        if name in TABLES:
            _check_facts(TABLES[name], value, f"{where}, {name},")
        elif type(value) is not KINDS.get(name, int):
            raise UsageError(f"{where} says {name} = {value!r}; write {WORDS[KINDS.get(name, int)]}.")
    missing = [name for name, field in known.items() if field.default is MISSING and name not in facts]
    if missing:
        raise UsageError(f"{where} does not say {', '.join(missing)}; every shape has them.")


GATED_MULTIPLE = 256
USUAL_MLP = {"palm": 4, "gemma": 8, "gemma2": 4, "gemma3": 4}
"""Gated MLPs of another width than 8/3 d_model, as those that were published with such blocks have it."""


def usual_shape(
    kind: Architecture,
    layers: int,
    d_model: int,
    *,
    heads: int | None = None,
    d_ff: int | None = None,
    vocab: int = 50257,
    context: int = 2048,
    **others: Any,
) -> Shape:
    """A shape with what is usual where nothing is said: heads 64 wide (128 from d_model 2048), an MLP of 4 d_model.

    A gated MLP is 8/3 d_model wide, rounded up to a multiple of 256, which keeps its parameters at 8 d_model^2; 4 or 8
    where USUAL_MLP says so. UsageError for a kind whose blocks need more than that.

    >>> usual_shape(architecture("llama"), 32, 4096, vocab=32000).d_ff
    11008
    """
    if kind.name == "deepseek_v3" and not {"experts", "latent"} <= set(others):
        raise UsageError(
            "deepseek_v3 is latent attention and experts, of which nothing is usual: describe them in a shape file "
            "(isoflop count shape.toml), or take blocks of llama."
        )
    width = others.get("head_dim") or (64 if d_model < 2048 else 128)
    if heads is None:
        heads = max(1, d_model // width)
    if d_ff is None:
        gated = -(-8 * d_model // (3 * GATED_MULTIPLE)) * GATED_MULTIPLE
        times = USUAL_MLP.get(kind.name)
        d_ff = times * d_model if times else gated if kind.gated else 4 * d_model
    return Shape(layers, d_model, heads, d_ff, vocab, context, kind, **others)

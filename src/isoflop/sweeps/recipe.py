"""The rules that turn a width and a number of steps into a training run.

A recipe holds everything that is *not* varied in an isoFLOP study, and how what must vary with N, D and
width does so. The numbers of ``SMALL_BYTES`` were measured on bytes of Python source on a CPU; the evidence
stands beside each of them, as validation loss in nats per byte at equal FLOPs, where 0.015 is the
spread between seeds. Those of ``LLAMA_STEP_LAW`` are published ones.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import Shape, architecture, usual_shape
from isoflop.errors import UnknownName, UsageError

SMALLEST_WIDTH, LARGEST_WIDTH = 8, 16_384
"""Far past what a CPU trains: Llama 3 405B is 16,384 wide."""
Schedule = Literal["wsd", "cosine", "linear", "constant"]


@dataclass(frozen=True)
class Rule:
    """A number that follows N, D and the width as powers of them: coefficient * N^params * D^tokens * width^width.

    >>> Rule(0.58, tokens=0.571).at(params=1e9, tokens=2e10, width=2048) // 1000
    441.0
    """

    coefficient: float
    params: float = 0.0
    tokens: float = 0.0
    width: float = 0.0

    def at(self, *, params: float, tokens: float, width: int) -> float:
        # Divided by, not multiplied with: what the recipes so far say of the width is "over".
        return (
            self.coefficient
            * math.pow(params, self.params)
            * math.pow(tokens, self.tokens)
            / math.pow(width, -self.width)
        )


@dataclass(frozen=True)
class Recipe:
    """One way of training at every width, and what is known about it.

    Blocks of ``architecture``: as many as ``layers`` says, or one for each ``aspect`` of width where that is given.
    ``learning_rate`` (of matrices and head), ``embedding_learning_rate`` and ``batch`` (tokens a step) are rules, with
    N the parameters outside the embedding. Warmup is one ``warmup_divisor``-th of the run between ``shortest_warmup``
    and ``longest_warmup``; ``schedule``, ``floor``, ``horizon`` and ``ema`` are OptimiserSpec's. ``measured_minima``
    are pairs (budget in FLOPs, N* with the head counted) of isoFLOP minima, from which the place of the next is
    expected; ``seed_noise`` is the standard deviation of the loss over seeds, in nats per token, None where nobody has
    measured it.
    """

    name: str
    layers: int
    head_width: int
    mlp_ratio: int
    vocab: int
    context: int
    batch: Rule
    learning_rate: Rule
    embedding_learning_rate: Rule
    longest_warmup: int
    decay_fraction: float
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    clip_norm: float
    eval_windows: int
    minimum_steps: int
    ladder: tuple[int, ...]
    measured_minima: tuple[tuple[float, float], ...]
    seed_noise: float | None
    architecture: str = "built-in"
    aspect: int | None = None
    warmup_divisor: int = 20
    shortest_warmup: int = 10
    schedule: Schedule = "wsd"
    floor: float = 0.0
    horizon: int | None = None
    ema: float = 0.0

    def batch_windows(self, *, params: float, tokens: float, width: int) -> int:
        """Windows a step: the whole number nearest to the rule's tokens, at least one."""
        return max(1, round(self.batch.at(params=params, tokens=tokens, width=width) / self.context))

    def heads(self, width: int) -> int:
        """The divisor of ``width`` nearest to one head per ``head_width``; of two as near, the fewer.

        Where positions are rotary, which turn pairs, only heads of an even width.

        >>> [SMALL_BYTES.heads(width) for width in (12, 32, 48, 96, 100)]
        [1, 1, 2, 3, 2]
        """
        wanted = max(1, round(width / self.head_width))
        pairs = 1 if architecture(self.architecture).positions == "learned" else 2
        divisors = (heads for heads in range(1, width + 1) if width % (pairs * heads) == 0)
        return min(divisors, key=lambda heads: abs(heads - wanted))

    def depth(self, width: int) -> int:
        return self.layers if self.aspect is None else max(self.layers, round(width / self.aspect))

    def shape(self, width: int) -> Shape:
        """The shape at ``width``, an even number from 8 to 16,384; another width is a UsageError."""
        if not SMALLEST_WIDTH <= width <= LARGEST_WIDTH or width % 2:
            allowed = f"even numbers from {SMALLEST_WIDTH} to {LARGEST_WIDTH:,}"
            raise UsageError(f"a width of {width} is not one that {self.name} allows: {allowed}.")
        kind = architecture(self.architecture)
        d_ff = None if kind.gated else self.mlp_ratio * width
        return usual_shape(
            kind,
            self.depth(width),
            width,
            heads=self.heads(width),
            d_ff=d_ff,
            vocab=self.vocab,
            context=self.context,
        )

    def params(self, width: int) -> int:
        """N at ``width``: blocks and head, the weights that cost FLOPs.

        >>> SMALL_BYTES.params(32)
        32768
        """
        return count_params(self.shape(width)).matrices_and_head

    def at(self, width: int, tokens: float) -> dict[str, Any]:
        """What the rules follow, at a width and a length; N is counted without embedding and head."""
        return {"params": float(count_params(self.shape(width)).non_embedding), "tokens": tokens, "width": width}

    def warmup_steps(self, steps: int) -> int:
        """A twentieth of the run, at least 10 steps and at most ``longest_warmup``."""
        return min(self.longest_warmup, max(self.shortest_warmup, steps // self.warmup_divisor))

    def decay_steps(self, steps: int) -> int:
        """The last part of the run, over which the learning rate falls linearly to zero."""
        return round(self.decay_fraction * steps)

    def expected_optimum(self, budget: float) -> float:
        """Where the minimum at ``budget`` FLOPs is to be looked for: the log-log line through ``measured_minima``.

        >>> round(SMALL_BYTES.expected_optimum(5e11), -3)
        31000.0
        """
        log_budgets, log_params = zip(*((math.log(c), math.log(n)) for c, n in self.measured_minima), strict=True)
        slope, intercept = statistics.linear_regression(log_budgets, log_params)
        return math.exp(intercept + slope * math.log(budget))


def width_for_params(recipe: Recipe, params: float) -> int:
    """The width whose N (blocks and head) is nearest to ``params``; a forecast run is trained there.

    >>> width_for_params(SMALL_BYTES, 32768)
    32
    """
    # A block of matrices already holds more than width**2 weights, so sqrt(params) is wide enough.
    widest = min(LARGEST_WIDTH, SMALLEST_WIDTH + 4 + math.isqrt(int(params)))
    widths = range(SMALLEST_WIDTH, widest + 1, 2)
    above = bisect.bisect_left(widths, params, key=recipe.params)
    return min(widths[max(above - 1, 0) : above + 1], key=lambda width: abs(recipe.params(width) - params))


SMALL_BYTES = Recipe(
    name="small-bytes-v1",
    layers=2,  # at 1.5e11 FLOPs depth 4 is 0.12 to 0.21 worse and has no interior minimum
    head_width=32,  # heads of 32 rather than 16 save a quarter of the attention's time
    mlp_ratio=4,
    vocab=256,  # bytes: no tokenizer to train, and no vocabulary-wide head to pay for
    context=128,
    batch=Rule(512.0),  # 1024 tokens a step cost 0.13 at small budgets: such runs are limited by steps
    # As 1/width (Yang et al., arXiv 2203.03466); half and twice this are worse by 0.04 to 0.10 at widths 32 and 64.
    learning_rate=Rule(3e-3 * 64, width=-1.0),
    embedding_learning_rate=Rule(2.4e-2),  # the same at every width; at width 32 (depth 4) 2e-2 beats 4e-3 by 0.065
    longest_warmup=200,
    decay_fraction=0.2,  # 1.726 at width 32; half the run 1.729, linear from the start 1.763, cosine 1.776
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-10,
    weight_decay=0.0,  # 0.1 is 0.05 worse: no run repeats its corpus often enough to need it
    clip_norm=1.0,
    eval_windows=1024,  # 131k tokens, the same for every run: paired, their error is 0.0025, well under a seed's
    minimum_steps=20,
    ladder=(8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256),
    measured_minima=((1.5e11, 16.2e3), (5e11, 30.0e3), (1.5e12, 57.1e3)),
    seed_noise=0.015,  # 0.0151 +- 0.0018 on 36 degrees of freedom, new weights on the same text: studies/seed_noise.py
)
"""Depth 2, byte vocabulary, 512 tokens a step: three clean isoFLOP minima on a CPU in minutes."""

LLAMA_STEP_LAW = Recipe(
    name="llama-step-law-v1",
    architecture="llama",
    layers=4,
    aspect=64,  # as wide as 64 layers near 100M parameters, where loss is flat in it (Kaplan et al., figure 5)
    head_width=64,
    mlp_ratio=4,
    vocab=32_768,
    context=2048,
    # Li et al., Step Law (arXiv 2503.04715): both follow N (without embedding) and D.
    batch=Rule(0.58, tokens=0.571),
    learning_rate=Rule(1.79, params=-0.713, tokens=0.307),
    embedding_learning_rate=Rule(1.79, params=-0.713, tokens=0.307),
    longest_warmup=2000,
    decay_fraction=0.2,  # Haegele et al., arXiv 2405.18392
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-8,
    weight_decay=0.1,
    clip_norm=1.0,
    eval_windows=512,
    minimum_steps=200,
    ladder=(256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120),
    # Nobody's measurements with this recipe: Besiroglu et al.'s law (arXiv 2404.10102) at these budgets.
    measured_minima=((1e18, 8.05e7), (1e20, 8.53e8), (1e22, 9.05e9)),
    seed_noise=None,
)
"""Llama's blocks on tokens of a BPE, hyper-parameters by the Step Law: for a GPU, from 1e17 FLOPs on."""

RECIPES = {recipe.name: recipe for recipe in (SMALL_BYTES, LLAMA_STEP_LAW)}
RULES = ("batch", "learning_rate", "embedding_learning_rate")
FIXED = ("name", "measured_minima")
POSITIVE = ("clip_norm", "epsilon", "seed_noise")
BELOW_ONE = ("beta1", "beta2", "ema")
FROM_ZERO = ("weight_decay", "longest_warmup", "shortest_warmup")
LARGEST_COUNT = 2**31
STEEPEST, LARGEST_COEFFICIENT = 5.0, 1e9
"""Of a rule: far past any that was published, and no width or length overflows by it."""


def recipe(name: str, change: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of that name, with some of its fields changed; a rule is a number or a table of its powers.

    UnknownName for a name or a field that there is not; UsageError for a value of another kind. What was changed
    becomes part of the name.

    >>> recipe("small-bytes-v1", {"batch": 1024, "schedule": "cosine"}).name
    'small-bytes-v1 (batch 1024, schedule cosine)'
    """
    if name not in RECIPES:
        raise UnknownName.among("recipe", name, RECIPES)
    base = RECIPES[name]
    if not change:
        return base
    known = {field.name for field in fields(Recipe)} - set(FIXED)
    for key in change:
        if key not in known:
            raise UnknownName.among("field of a recipe", key, known)
    said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in change.items())
    changed = {key: _as(getattr(base, key), key, value) for key, value in change.items()}
    return replace(base, name=f"{name} ({said})", **changed)


def _as(usual: Any, key: str, value: Any) -> Any:
    """The value of a changed field, of the kind that its usual value has, and one that can be trained by."""
    if key in RULES:
        return _rule(key, value)
    if key == "ladder":
        return _ladder(value)
    wanted = (int, float) if isinstance(usual, float) or key == "seed_noise" else int if usual is None else type(usual)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise UsageError(f"the recipe's {key} is changed to {value!r}; give what its usual value is like: {usual!r}.")
    if allowed := _fault(key, value):
        raise UsageError(f"the recipe's {key} is changed to {value!r}; give {allowed}.")
    return value


def _fault(key: str, value: Any) -> str:
    """What a value of the right kind would have to be and is not, or ""."""
    if key == "schedule":
        return "" if value in get_args(Schedule) else f"one of {', '.join(get_args(Schedule))}"
    if isinstance(value, str):
        return ""
    if key in BELOW_ONE:
        return "" if 0 <= value < 1 else "a number from 0 to below 1"
    if key == "floor":
        return "" if 0 <= value <= 1 else "a share from 0 to 1"
    if key == "decay_fraction":
        return "" if 0 < value <= 1 else "a share above 0, at most 1"
    if key in POSITIVE:
        return "" if 0 < value < math.inf else "a positive number"
    if key in FROM_ZERO:
        return "" if 0 <= value < LARGEST_COUNT else "a number from 0 up"
    return "" if 1 <= value < LARGEST_COUNT else "a whole number from 1 up"


def _ladder(value: Any) -> tuple[int, ...]:
    rungs = value if isinstance(value, list) else []
    even = all(isinstance(w, int) and SMALLEST_WIDTH <= w <= LARGEST_WIDTH and w % 2 == 0 for w in rungs)
    if not rungs or not even or rungs != sorted(set(rungs)):
        raise UsageError(
            f"the recipe's ladder is changed to {value!r}; give even widths from {SMALLEST_WIDTH} to "
            f"{LARGEST_WIDTH:,}, each wider than the one before."
        )
    return tuple(rungs)


def _rule(key: str, value: Any) -> Rule:
    table = value if isinstance(value, dict) else {"coefficient": value}
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in table.values())
    if numbers and "coefficient" in table and set(table) <= {f.name for f in fields(Rule)}:
        powers = (power for name, power in table.items() if name != "coefficient")
        if 0 < table["coefficient"] < LARGEST_COEFFICIENT and all(abs(power) <= STEEPEST for power in powers):
            return Rule(**{name: float(one) for name, one in table.items()})
    raise UsageError(
        f"the recipe's {key} is changed to {value!r}; give a positive number below 1e9, or a table such as "
        f"{{coefficient = 0.192, width = -1}} with powers from {-STEEPEST:g} to {STEEPEST:g}."
    )

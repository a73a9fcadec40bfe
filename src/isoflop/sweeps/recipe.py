"""The rules that turn a width and a number of steps into a training run.

A recipe holds everything that is *not* varied in an isoFLOP study, and how what must vary with width
does so. The numbers of ``SMALL_BYTES`` were measured on bytes of Python source on a CPU; the evidence
stands beside each of them, as validation loss in nats per byte at equal FLOPs, where 0.015 is the
spread between seeds.
"""

from __future__ import annotations

import bisect
import math
import statistics
from dataclasses import dataclass

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import Shape
from isoflop.errors import UsageError

SMALLEST_WIDTH, LARGEST_WIDTH = 8, 16_384
"""Far past what a CPU trains: Llama 3 405B is 16,384 wide."""


@dataclass(frozen=True)
class Recipe:
    """One way of training at every width, and what is known about it.

    ``learning_rate_numerator`` over width is the learning rate of matrices and head;
    ``measured_minima`` are pairs (budget in FLOPs, N* with the head counted) of isoFLOP minima found
    with this recipe, from which the place of the next minimum is expected; ``seed_noise`` is the
    standard deviation of the loss over seeds, in nats per token.
    """

    name: str
    layers: int
    head_width: int
    mlp_ratio: int
    vocab: int
    context: int
    batch_windows: int
    learning_rate_numerator: float
    embedding_learning_rate: float
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
    seed_noise: float

    @property
    def batch_tokens(self) -> int:
        return self.batch_windows * self.context

    def heads(self, width: int) -> int:
        """The divisor of ``width`` nearest to one head per ``head_width``; of two as near, the fewer.

        >>> [SMALL_BYTES.heads(width) for width in (12, 32, 48, 96, 100)]
        [1, 1, 2, 3, 2]
        """
        wanted = max(1, round(width / self.head_width))
        divisors = (heads for heads in range(1, width + 1) if width % heads == 0)
        return min(divisors, key=lambda heads: abs(heads - wanted))

    def shape(self, width: int) -> Shape:
        """The shape at ``width``, an even number from 8 to 16,384; another width is a UsageError."""
        if not SMALLEST_WIDTH <= width <= LARGEST_WIDTH or width % 2:
            allowed = f"even numbers from {SMALLEST_WIDTH} to {LARGEST_WIDTH:,}"
            raise UsageError(f"a width of {width} is not one that {self.name} allows: {allowed}.")
        return Shape(self.layers, width, self.heads(width), self.mlp_ratio * width, self.vocab, self.context)

    def params(self, width: int) -> int:
        """N at ``width``: blocks and head, the weights that cost FLOPs.

        >>> SMALL_BYTES.params(32)
        32768
        """
        return count_params(self.shape(width)).matrices_and_head

    def learning_rate(self, width: int) -> float:
        """Peak learning rate of matrices and head, which shrinks as 1/width (Yang et al., arXiv 2203.03466).

        >>> SMALL_BYTES.learning_rate(64)
        0.003
        """
        return self.learning_rate_numerator / width

    def warmup_steps(self, steps: int) -> int:
        """A twentieth of the run, at least 10 steps and at most ``longest_warmup``."""
        return min(self.longest_warmup, max(10, steps // 20))

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
    # Two blocks of matrices already hold more than width**2 weights, so sqrt(params) is wide enough.
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
    batch_windows=4,  # 512 tokens a step; 1024 costs 0.13 at small budgets: such runs are limited by steps
    learning_rate_numerator=3e-3 * 64,  # half and twice this are worse at widths 32 and 64 alike, by 0.04 to 0.10
    embedding_learning_rate=2.4e-2,  # the same at every width; at width 32 (depth 4) 2e-2 beats 4e-3 by 0.065
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

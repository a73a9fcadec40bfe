"""From the points of a design to the specs that a trainer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isoflop.sweeps.design import Cell
from isoflop.sweeps.points import point
from isoflop.sweeps.recipe import Recipe
from isoflop.training.spec import OptimiserSpec, RunSpec

CORPUS_FROM_RUN = "../../corpus"
"""Where a run finds the study's corpus: relative, so that a study survives a move."""

# Of a step on one Sapphire Rapids core: 1.5 ms at width 16, 2.4 at 32, 5.3 at 64, 12 at 128 (this line: 1.7, 2.4,
# 4.7, 13). Small steps are mostly dispatch, so runs of one budget take very different times; only the ratios
# between runs are relied on.
_SECONDS_PER_STEP = 1.3e-3
_SECONDS_PER_FLOP = 8.5e-12


def run_specs(recipe: Recipe, cells: Sequence[Cell], *, seed: int, corpus_digest: str) -> tuple[RunSpec, ...]:
    """One spec for each cell; ``seed`` fixes initial weights and the order of the corpus, the same in all."""
    return tuple(run_spec(recipe, cell, seed=seed, corpus_digest=corpus_digest) for cell in cells)


def run_spec(recipe: Recipe, cell: Cell, *, seed: int, corpus_digest: str) -> RunSpec:
    """The spec of one run. Its id is for people to read; what it says is never read back from it.

    >>> from isoflop.sweeps.recipe import SMALL_BYTES
    >>> spec = run_spec(SMALL_BYTES, Cell(5e11, 32), seed=0, corpus_digest="c0ffee")
    >>> spec.run_id[:-8], spec.tokens
    ('b5e11-d032-s0-', 2034688)
    """
    planned = point(recipe, cell)
    nameless = RunSpec(
        run_id="",
        shape=planned.shape,
        budget=planned.budget,
        steps=planned.steps,
        batch_windows=recipe.batch_windows,
        optimiser=_optimiser(recipe, cell.width, planned.steps),
        seed=seed,
        data_seed=seed,
        corpus=CORPUS_FROM_RUN,
        corpus_digest=corpus_digest,
        eval_windows=recipe.eval_windows,
    )
    budget = f"{cell.budget:.3g}".replace("e+", "e")
    return replace(nameless, run_id=f"b{budget}-d{cell.width:03d}-s{seed}-{nameless.digest()[:8]}")


def _optimiser(recipe: Recipe, width: int, steps: int) -> OptimiserSpec:
    return OptimiserSpec(
        learning_rate=recipe.learning_rate(width),
        embedding_learning_rate=recipe.embedding_learning_rate,
        warmup_steps=recipe.warmup_steps(steps),
        decay_steps=recipe.decay_steps(steps),
        beta1=recipe.beta1,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        clip_norm=recipe.clip_norm,
    )


def predicted_seconds(spec: RunSpec) -> float:
    """How long the run takes on one core of the machine that the constants above were measured on."""
    return _SECONDS_PER_STEP * spec.steps + _SECONDS_PER_FLOP * spec.budget

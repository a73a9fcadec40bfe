"""From a design to a study.toml: every run at the recipe's nearest width, trunks as horizons, repeats as seeds."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from isoflop.errors import UsageError
from isoflop.quantities import format_si
from isoflop.study._init import preview
from isoflop.study._plan import CorpusPlan, RunPlan, StudyPlan
from isoflop.sweeps.designs import Design
from isoflop.sweeps.recipe import Recipe, width_for_params
from isoflop.sweeps.recipe import recipe as named_recipe
from isoflop.training.data import vocabulary

FAR = math.log(1.25)
"""A width whose N is further than this from the run's is no width for it."""


def study_of_design(design: Design, recipe: str, name: str, loss_noise: float | None = None) -> StudyPlan:
    """The plan of a study that makes the runs of a design by a recipe.

    A run gets the width whose N, as the recipe counts it, is nearest to the run's, and its isoFLOP budget where the
    design has one, else as many tokens more or fewer that 6 N D stays. Runs of one trunk become the horizons of one
    row, runs that come to the same its seeds. ``loss_noise`` is the standard deviation of the loss over seeds in nats
    per token, where it was measured. UnknownName for a recipe that there is not, UsageError for a run that the recipe
    cannot train.

    >>> from isoflop.sweeps.designs import of_runs
    >>> twice = of_runs("mine", np.array([33e3, 33e3]), np.array([2e6, 2e6]))
    >>> study_of_design(twice, "small-bytes-v1", "mine").runs
    (RunPlan(width=32, params=None, budget=None, tokens=2014160, horizons=(), seeds=(0, 1), ...
    """
    rules = named_recipe(recipe)
    rows = [*_trunks(design, rules), *_single(design, rules)]
    # Bytes where the recipe is one of bytes, else byte pairs of its vocabulary; which text is the reader's to say.
    unit = "byte" if rules.vocab == vocabulary("byte") else f"bpe:{rules.vocab}"
    corpora = (CorpusPlan(unit=unit),)
    plan = StudyPlan(name=name, recipe=recipe, runs=tuple(rows), loss_noise=loss_noise, corpora=corpora)
    preview(plan)
    return plan


def _single(design: Design, rules: Recipe) -> list[RunPlan]:
    counts: Counter[RunPlan] = Counter()
    for i in np.flatnonzero(_stands_alone(design)):
        width, tokens = _placed(rules, float(design.params[i]), float(design.tokens[i]))
        budget = float(design.budgets[i])
        has_budget = math.isfinite(budget)
        counts[RunPlan(width=width, budget=budget) if has_budget else RunPlan(width=width, tokens=tokens)] += 1
    return [run if count == 1 else replace(run, seeds=tuple(range(count))) for run, count in counts.items()]


def _trunks(design: Design, rules: Recipe) -> list[RunPlan]:
    rows = []
    for trunk in np.unique(design.trunks[~_stands_alone(design)]):
        of = design.trunks == trunk
        placed = [_placed(rules, *pair) for pair in zip(design.params[of].tolist(), design.tokens[of], strict=True)]
        rows.append(RunPlan(width=placed[0][0], horizons=tuple(sorted({tokens for _, tokens in placed}))))
    return rows


def _stands_alone(design: Design) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Runs of no trunk, or alone on theirs."""
    names, count = np.unique(design.trunks, return_counts=True)
    return np.asarray((design.trunks < 0) | np.isin(design.trunks, names[count == 1]))


def _placed(rules: Recipe, params: float, tokens: float) -> tuple[int, int]:
    """The width for a network, and the tokens at which it costs as much as the run of the design."""
    width = width_for_params(rules, params)
    there = rules.params(width)
    if abs(math.log(there / params)) > FAR:
        raise UsageError(
            f"the recipe {rules.name} has no network of {format_si(params)} parameters (the nearest is width {width} "
            f"with {format_si(there)}): choose another recipe (--recipe), or another budget."
        )
    return width, round(float(f"{tokens * params / there:.6g}"))

"""From the runs of a plan to the specs that a trainer reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from isoflop.errors import UsageError
from isoflop.study._plan import CorpusPlan, RunPlan, StudyPlan
from isoflop.sweeps.design import Cell
from isoflop.sweeps.points import cell_of_tokens, point
from isoflop.sweeps.recipe import Recipe, width_for_params
from isoflop.training.spec import Branch, Judged, OptimiserSpec, RunSpec

CORPUS_FROM_RUN = "../../corpus"
"""Where a run finds the study's corpus: relative, so that a study survives a move."""

# Of a step on one Sapphire Rapids core: 1.5 ms at width 16, 2.4 at 32, 5.3 at 64, 12 at 128 (this line: 1.7, 2.4,
# 4.7, 13). Small steps are mostly dispatch, so runs of one budget take very different times; only the ratios
# between runs are relied on.
_SECONDS_PER_STEP = 1.3e-3
_SECONDS_PER_FLOP = 8.5e-12


def planned_specs(plan: StudyPlan, digests: Mapping[str, str]) -> tuple[RunSpec, ...]:
    """One spec for each run and seed of the plan; ``digests`` are its corpora's, by name.

    UsageError, with the number of the run, for one that cannot be made, or that is planned twice.
    """
    specs: dict[str, RunSpec] = {}
    rules = plan.rules()
    for number, run in enumerate(plan.runs, 1):
        try:
            made = list(_specs(rules, plan, run, digests))
        except UsageError as error:
            raise UsageError(f"run {number} of {plan.name}: {error}") from None
        for spec in made:
            if spec.run_id in specs:
                twice = f"run {number} of {plan.name} is planned twice ({spec.run_id})"
                raise UsageError(f"{twice}: a repeat needs another seed, as in seeds = [0, 1].")
            specs[spec.run_id] = spec
    return tuple(specs.values())


def _specs(rules: Recipe, plan: StudyPlan, run: RunPlan, digests: Mapping[str, str]) -> Iterator[RunSpec]:
    width = run.width if run.width is not None else width_for_params(rules, run.params or 0.0)
    corpus = plan.corpus(run.corpus)
    for seed in run.seeds or plan.seeds:
        # The longest of several horizons is the trunk, and trained first; a single length is its own.
        lengths = sorted(run.horizons, reverse=True) or [run.tokens or 0.0]
        cells = [Cell(run.budget, width) if run.budget else cell_of_tokens(rules, width, D) for D in lengths]
        plain = [
            _with_plan(run_spec(rules, cell, seed=seed, corpus_digest=digests[corpus.name]), rules, plan, run, digests)
            for cell in cells
        ]
        yield from [_named(spec) for spec in plain] if len(plain) == 1 else _branched(plain)


def _with_plan(spec: RunSpec, rules: Recipe, plan: StudyPlan, run: RunPlan, digests: Mapping[str, str]) -> RunSpec:
    """The recipe's spec with what the plan says beside the recipe."""
    times = run.learning_rate_times
    optimiser = replace(
        spec.optimiser,
        learning_rate=spec.optimiser.learning_rate * times,
        embedding_learning_rate=spec.optimiser.embedding_learning_rate * times,
    )
    own, parts = plan.corpus(run.corpus), plan.trainer.micro_batches
    if spec.batch_windows % parts:
        raise UsageError(f"its {spec.batch_windows} windows a step do not divide into {parts} micro-batches.")
    others = tuple(
        Judged(corpus.name, _from_run(corpus), digests[corpus.name])
        for corpus in plan.corpora
        if plan.judge_everywhere and corpus.name != own.name
    )
    return replace(
        spec,
        optimiser=optimiser,
        corpus=_from_run(own),
        unique_tokens=None if run.unique_tokens is None else round(run.unique_tokens),
        also_judged=others,
        purpose=run.purpose,
        device=plan.trainer.device,
        precision=plan.trainer.precision,
        compile=plan.trainer.compile,
        micro_batches=plan.trainer.micro_batches,
    )


def _from_run(corpus: CorpusPlan) -> str:
    return f"../../{corpus.folder}"


def _branched(specs: Sequence[RunSpec]) -> Iterator[RunSpec]:
    """The longest run as trunk, and the others as branches that leave its plateau where their own decay begins."""
    longest, *others = specs
    if longest.optimiser.schedule not in ("wsd", "constant") or longest.optimiser.horizon is not None:
        raise UsageError(
            f"its horizons leave a plateau of the learning rate, and the schedule {longest.optimiser.schedule}"
            f"{'' if longest.optimiser.horizon is None else ' with a horizon of its own'} has none that ends with a "
            "run: use wsd, or make a run for each length."
        )
    leaves = [spec.steps - spec.optimiser.decay_steps for spec in others]
    warmup = longest.optimiser.warmup_steps
    plateau = longest.steps - longest.optimiser.decay_steps
    for spec, step in zip(others, leaves, strict=True):
        if (
            spec.batch_windows != longest.batch_windows
            or spec.optimiser.learning_rate != longest.optimiser.learning_rate
        ):
            raise UsageError(
                "its horizons have different batches or learning rates by this recipe, so no trunk serves all."
            )
        if not warmup < step <= plateau:
            raise UsageError(
                f"its horizon of {spec.tokens:,} tokens leaves the trunk at step {step}, outside the plateau."
            )
    trunk = _named(replace(longest, keep=tuple(sorted(leaves))))
    yield trunk
    for spec, step in zip(others, leaves, strict=True):
        optimiser = replace(spec.optimiser, warmup_steps=warmup)
        yield _named(replace(spec, optimiser=optimiser, branch=Branch(trunk.run_id, step)))


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
    spec = RunSpec(
        run_id="",
        shape=planned.shape,
        budget=planned.budget,
        steps=planned.steps,
        batch_windows=planned.batch_windows,
        optimiser=_optimiser(recipe, cell.width, planned.steps, planned.tokens),
        seed=seed,
        data_seed=seed,
        corpus=CORPUS_FROM_RUN,
        corpus_digest=corpus_digest,
        eval_windows=recipe.eval_windows,
    )
    return _named(spec)


def _named(spec: RunSpec) -> RunSpec:
    budget = f"{spec.budget:.3g}".replace("e+", "e")
    return replace(spec, run_id=f"b{budget}-d{spec.shape.d_model:03d}-s{spec.seed}-{spec.digest()[:8]}")


def _optimiser(recipe: Recipe, width: int, steps: int, tokens: float) -> OptimiserSpec:
    at = recipe.at(width, tokens)
    horizon = steps if recipe.horizon is None else recipe.horizon
    if horizon < steps:
        raise UsageError(f"its {steps} steps go on after the schedule's horizon of {horizon}; give a longer horizon.")
    return OptimiserSpec(
        learning_rate=recipe.learning_rate.at(**at),
        embedding_learning_rate=recipe.embedding_learning_rate.at(**at),
        warmup_steps=recipe.warmup_steps(steps),
        decay_steps=recipe.decay_steps(horizon),
        beta1=recipe.beta1,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        clip_norm=recipe.clip_norm,
        schedule=recipe.schedule,
        floor=recipe.floor,
        horizon=recipe.horizon,
        ema=recipe.ema,
    )


def predicted_seconds(spec: RunSpec) -> float:
    """How long the run takes on one core of the machine that the constants above were measured on."""
    left = spec.steps - (spec.branch.step if spec.branch else 0)
    return _SECONDS_PER_STEP * left + _SECONDS_PER_FLOP * spec.budget * left / spec.steps

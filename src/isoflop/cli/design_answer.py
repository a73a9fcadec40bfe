"""What ``isoflop design`` answers: a design, the next run after some, or the playground."""

from __future__ import annotations

import sys
from dataclasses import replace

import typer

from isoflop.cli import design_files as files
from isoflop.cli import design_words as words
from isoflop.cli.design_wish import Wish
from isoflop.errors import UsageError
from isoflop.hardware import read_budget
from isoflop.planning.allocate import find_law
from isoflop.quantities import read_flops
from isoflop.runs import read_runs
from isoflop.sweeps.designed import Designed, design
from isoflop.sweeps.optimal import Terms
from isoflop.sweeps.playground import playground
from isoflop.sweeps.proposed import propose
from isoflop.sweeps.simulate import DRAWS, STUDIES, simulate
from isoflop.sweeps.simulated import Simulated

DEFAULT_LAW = "besiroglu2024"


def answer(wish: Wish) -> str:
    """The answer as text, or as JSON where that is wished."""
    if wish.playground or wish.setting is not None:
        wish.refuse_beside("--playground", "budget", "target", "next_after", "against", "simulate", "study", "output")
        played = playground(**words.read_setting(wish.setting or ""))
        return played.to_json() if wish.json else str(played)
    if wish.target is None:
        raise UsageError("no target: say at which compute the answer is wanted (--target 1e24).")
    return _next(wish, wish.target) if wish.next_after is not None else _design(wish, wish.target)


def _next(wish: Wish, target: str) -> str:
    assert wish.next_after is not None
    wish.refuse_beside("--next", "budget", "against", "simulate", "trunks", "study", "output", "hardware")
    found = propose(
        read_runs(wish.next_after),
        read_flops(target).value,
        None if wish.prior is None else find_law(wish.prior),
        noise=wish.deviation,
        goal=wish.goal,
        ratio=words.read_ratio(wish.ratio),
        largest_run=None if wish.largest_run is None else read_flops(wish.largest_run).value,
        level=wish.level,
        seed=wish.seed,
    )
    return found.to_json() if wish.json else str(found)


def _design(wish: Wish, target: str) -> str:
    if wish.budget is None:
        raise UsageError("no budget: say what all runs may cost together (--budget 1e20).")
    files.check_files(wish.output, wish.study)
    cluster = words.read_cluster(wish.hardware, wish.mfu, wish.usd_per_hour)
    found = _chosen(wish, wish.budget, target)
    if cluster is not None:
        found = replace(found, cost=cluster.cost(found.design.cost))
    text = files.plan_text(found, wish.study, wish.recipe, is_measured=wish.noise is not None)
    if wish.simulate or (wish.studies, wish.approach, wish.draws) != (STUDIES, "3", DRAWS):
        found = replace(found, simulated=_simulated(wish, found))
    written = files.write_files(found, wish.output, wish.study, text)
    return found.to_json() if wish.json else "\n\n".join(filter(None, (str(found), written)))


def _chosen(wish: Wish, budget: str, target: str) -> Designed:
    largest = Terms.largest_run
    if wish.largest_run is not None:
        largest = words.read_largest(wish.largest_run, read_budget(budget).flops)
    overhead = 0.0 if wish.overhead is None else read_flops(wish.overhead).value
    return design(
        budget,
        target,
        find_law(wish.prior or DEFAULT_LAW),
        kind=wish.kind,
        runs=wish.runs,
        noise=wish.deviation,
        goal=wish.goal,
        ratio=words.read_ratio(wish.ratio),
        terms=Terms(sizes=wish.sizes, largest_run=largest, overhead=overhead, shared_trunks=wish.trunks),
        against=wish.against,
        level=wish.level,
        seed=wish.seed,
    )


def _simulated(wish: Wish, found: Designed) -> Simulated:
    if sys.stderr.isatty():
        typer.echo(f"simulating {wish.studies} studies of {len(found.design)} runs ...", err=True)
    return simulate(
        found.design,
        found.law,
        noise=found.noise,
        target=found.target,
        studies=wish.studies,
        approach=words.read_approach(wish.approach),
        level=wish.level,
        draws=wish.draws,
        seed=wish.seed,
    )

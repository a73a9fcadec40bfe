"""``isoflop design``: which runs to make so that the answer at a larger scale is tight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop.cli.design_answer import answer
from isoflop.cli.design_files import RECIPE
from isoflop.cli.design_wish import Wish
from isoflop.cli.wishes import Number, Text
from isoflop.sweeps.designed import OPTIMAL, RUNS
from isoflop.sweeps.optimal import Terms
from isoflop.sweeps.simulate import DRAWS, STUDIES

NEXT = "Instead: the best run to make after these (a table or a study)."


def design(
    budget: Annotated[Text, typer.Option(help='FLOPs of all runs together, or "8xH100 for 2 days".')] = None,
    target: Annotated[Text, typer.Option(help="FLOPs at which the answer is wanted, as 1e24.")] = None,
    kind: Annotated[str, typer.Option(help="optimal, isoflop, ladder, random, space-filling or l-shaped.")] = OPTIMAL,
    runs: Annotated[int, typer.Option(help="How many runs.")] = RUNS,
    noise: Annotated[Text, typer.Option(help="Spread of the loss between seeds, as 0.3%.")] = None,
    prior: Annotated[Text, typer.Option(help="What is known: a published law or a law file.")] = None,
    goal: Annotated[str, typer.Option(help="What to make tight: params (N*), loss, or waste.")] = "params",
    ratio: Annotated[str, typer.Option(help="Tokens per parameter.")] = "5..100",
    sizes: Annotated[int, typer.Option(help="Distinct networks of an optimal design, at least.")] = Terms.sizes,
    largest_run: Annotated[Text, typer.Option(help="The most that one run may cost: 25% or FLOPs.")] = None,
    overhead: Annotated[Text, typer.Option(help="FLOPs that each run costs beside training.")] = None,
    trunks: Annotated[bool, typer.Option("--trunks", help="Lengths of one network branch off one run.")] = False,
    against: Annotated[Text, typer.Option(help="Another kind, to compare with.")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Simulate whole studies, fits and all.")] = False,
    studies: Annotated[int, typer.Option(help="How many.")] = STUDIES,
    approach: Annotated[str, typer.Option(help="What fits them: approach 1, 2, 3 or all.")] = "3",
    draws: Annotated[int, typer.Option(help="Draws of each fit; 0 is twice as fast.")] = DRAWS,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of designs and simulations.")] = 0,
    next_after: Annotated[Path | None, typer.Option("--next", metavar="RUNS", help=NEXT, show_default=False)] = None,
    hardware: Annotated[Text, typer.Option(help="Price the runs on this (isoflop hardware).")] = None,
    mfu: Annotated[Number, typer.Option(help="Share of its dense peak, as 0.4.")] = None,
    usd_per_hour: Annotated[Number, typer.Option("--price", help="US dollars a device-hour.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the runs to this CSV.", show_default=False)
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="Write a study.toml for isoflop sweep.", show_default=False)
    ] = None,
    recipe: Annotated[str, typer.Option(help="Its recipe.")] = RECIPE,
    playground: Annotated[bool, typer.Option("--playground", help="Instead: Weng's extrapolation playground.")] = False,
    setting: Annotated[Text, typer.Option(help='Of it: "region=small decimals=1 bias=100 target=1e15".')] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Choose runs within a budget so that the answer at a larger compute is tight, and say what they will tell.

    Without --prior: Besiroglu et al. (2024); with --next: a fit of those runs.
    """
    typer.echo(answer(Wish(**locals())))  # the options are the wish's fields

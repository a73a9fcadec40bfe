"""``isoflop sweep status`` and ``watch``: where a study stands, and what its runs say of the target so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isoflop import study as studies
from isoflop.cli import study_text as text
from isoflop.cli.columns import count_of
from isoflop.errors import DataError, TableError
from isoflop.quantities import format_flops, format_si, read_flops
from isoflop.runs import read_runs

if TYPE_CHECKING:
    from isoflop.sweeps.so_far import SoFar

Folder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder, or its study.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Target = Annotated[str, typer.Option(help="The budget that the study is for, as 1e24.")]
Within = Annotated[float, typer.Option(help="How wide N*'s interval may be there: its upper end over its lower.")]
Family = Annotated[str, typer.Option(help="The family to fit.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="End the runs that are left once it is.")]


def status(
    study: Folder,
    runs: Annotated[bool, typer.Option("--runs", help="List every run.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Say it again every 2 seconds, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Say where the study stands. Runs by state, FLOPs done, time left, failures and why, checks of the protocol."""
    found = studies.open_study(study)
    say_standing(found, json=json, runs=runs)
    while follow:
        time.sleep(2.0)
        typer.echo()
        say_standing(found, json=json, runs=runs)


def watch(
    study: Folder,
    target: Target,
    within: Within = 2.0,
    family: Family = "chinchilla",
    every: Every = 10.0,
    cancel: Cancel = False,
    json: Json = False,
) -> None:
    """Fit again as results arrive, until N* at the target is known well enough. Then the other runs need not be
    made."""
    from isoflop.sweeps.so_far import SoFar  # fits, whose imports would make every other word to a study wait

    found, budget, seen = studies.open_study(study), read_flops(target).value, -1
    answer = SoFar(0, budget, within, why="no run has ended")
    while True:
        studies.catch_up(found)
        states = found.states()
        left = [state for state in states if not (state.state.is_finished or state.state is studies.State.CANCELLED)]
        ended = len(states) - len(left)
        is_last = not any(state.state.goes_on for state in left)
        if ended != seen and (now := _answer(found, budget, within, family, is_last) if ended else answer):
            seen, answer = ended, now
            typer.echo(dumps(answer.to_dict(), allow_nan=False) if json else _line(answer, len(states)))
            if answer.is_reached:
                told = studies.cancel(found, []) if cancel and left else ()
                typer.echo(_reached(found.folder, len(left), told), err=json)
                return
        if is_last:
            raise DataError(_not_reached(answer, found.folder))
        time.sleep(every)


def _answer(study: studies.Study, budget: float, within: float, family: str, is_last: bool) -> SoFar | None:
    """What the runs say; None where a result is being written at this moment, and the next look will tell."""
    from isoflop.sweeps.so_far import so_far

    try:
        runs = read_runs(study.folder)
    except TableError:
        if is_last:
            raise
        return None
    return so_far(runs, budget, within=within, family=family)


def _line(answer: SoFar, of: int) -> str:
    head = f"{answer.n_runs} of {of} runs"
    if answer.interval is None or answer.params is None:
        return f"{head}: no answer yet: {answer.why}"
    span, target = " to ".join(map(format_si, answer.interval)), format_flops(answer.target)
    wanted = f"{answer.width:.2f} times from end to end, {answer.within:g} wanted"
    return f"{head}: N* at {target} FLOPs {format_si(answer.params)}, {span} ({wanted})"


def _reached(folder: Path, left: int, told: Sequence[studies.RunState]) -> str:
    if told:
        return f"that is narrow enough; {count_of(len(told))} cancelled"
    if left:
        return f"that is narrow enough; isoflop sweep cancel {folder} ends the {count_of(left)} that are left"
    return "that is narrow enough, and all runs have ended"


def _not_reached(answer: SoFar, folder: Path) -> str:
    known = answer.why.rstrip(".") or f"N* is known to {answer.width:.2f} times from end to end, not {answer.within:g}"
    more = f"isoflop design --next {folder} --target {answer.target:.6g} names those that would tell most"
    return f"no run of {folder} is to come, and {known}; {more}."


def say_standing(study: studies.Study, *, json: bool, runs: bool = False) -> None:
    typer.echo(text.standing(studies.standing(study), runs=runs, json=json))

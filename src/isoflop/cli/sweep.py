"""``isoflop sweep``: make the runs of a study, watch them, gather them. A study is a folder with a study.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isoflop import study as studies
from isoflop.cli import study_text as text
from isoflop.cli.arguments import cores
from isoflop.cli.output import say
from isoflop.cli.progress import watch as watch_runs
from isoflop.cli.sweep_look import Folder, Json, say_standing, status, watch
from isoflop.errors import RunsFailed, UsageError
from isoflop.hardware import Cluster, accelerator
from isoflop.runs import write_study_table

HELP = "Make the runs of a study, watch them, gather them. A study is a folder with a study.toml."
sweep = typer.Typer(add_completion=False, rich_markup_mode=None, help=HELP, no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, by the beginning of their names.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show runs, FLOPs, memory, hours and dollars; make nothing.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Runs at a time on this machine, else one a core.", show_default=False)
]
Hardware = Annotated[str | None, typer.Option(help="Price runs on this, one device each (isoflop hardware).")]
Mfu = Annotated[float | None, typer.Option(help="Share of its dense peak, as 0.4.", show_default=False)]
UsdPerHour = Annotated[float | None, typer.Option("--price", help="US dollars a device-hour.", show_default=False)]


@sweep.command()
def init(
    study: Folder,
    dry_run: DryRun = False,
    workers: Workers = None,
    hardware: Hardware = None,
    mfu: Mfu = None,
    usd_per_hour: UsdPerHour = None,
    json: Json = False,
) -> None:
    """Make the folder of every run that study.toml plans. After an edit, again: it adds runs and changes none."""
    made = None if dry_run else studies.init_study(study)
    file = study / studies.STUDY if study.is_dir() else study
    specs = made.specs() if made else studies.preview(studies.read_plan(file))
    cluster = None if hardware is None else Cluster(accelerator(hardware), None, mfu, price_usd_per_hour=usd_per_hour)
    priced = studies.price(specs, workers or cores(), cluster)
    checks = studies.protocol([studies.RunState(spec, studies.State.PENDING) for spec in specs])
    typer.echo(text.preview(priced, checks, made, json=json))


@sweep.command()
def run(
    study: Folder,
    workers: Workers = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this run; may be given again.")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop all at the first run that fails.")] = False,
    executor: Annotated[str | None, typer.Option(help="Another than study.toml says, as local or slurm.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave the runs with the engine and come back.")] = False,
    json: Json = False,
) -> None:
    """Train every run that has no result. The same command goes on after any interruption."""
    found = studies.open_study(study)
    plan, chosen = found.plan(), found.chosen(only) if only else None
    again = f"isoflop sweep retry {found.folder} clears them for another try"
    limit = plan.trainer.timeout_hours
    manner = studies.Manner(retry=False, fail_fast=fail_fast, detach=detach, timeout_hours=limit, again=again)
    trainer, count = studies.trainer_of(plan.trainer, plan.executor), workers or cores()
    if workers is not None:
        studies.refuse_workers(executor or plan.executor.kind)
    try:
        with (
            watch_runs(count) as progress,
            studies.executor_for(plan.executor, found.folder, count, executor or "", tell=say) as place,
        ):
            studies.run_study(found, place, runs=chosen, on_progress=progress, trainer=trainer, manner=manner)
    except RunsFailed:  # the others are there
        say_standing(found, json=json)
        raise
    say_standing(found, json=json)


sweep.command()(status)
sweep.command()(watch)


@sweep.command()
def collect(
    study: Folder,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The table, else STUDY/runs.csv.")] = None,
    json: Json = False,
) -> None:
    """Write the runs that have ended as one table. Failed ones are in it with their reason, and fits leave them out."""
    found = studies.open_study(study)
    table = out or found.folder / "runs.csv"
    if table.suffix != ".csv":
        raise UsageError(f"{table} would not be read again as CSV; name it something.csv.")
    studies.catch_up(found)
    write_study_table(found.folder, table)
    typer.echo(text.as_json({"schema": text.SCHEMA, "table": str(table)}) if json else str(table))


@sweep.command()
def retry(study: Folder, names: Names = None, json: Json = False) -> None:
    """Have failed or cancelled runs tried again. The next ``run`` does it; a run that diverged must be named."""
    told = studies.retry(studies.open_study(study), names or [])
    typer.echo(text.told(told, "cleared; isoflop sweep run tries again", json=json))


@sweep.command()
def cancel(study: Folder, names: Names = None, json: Json = False) -> None:
    """End runs, and leave them so. All that have not ended, or those named; a running study sees it in seconds."""
    told = studies.cancel(studies.open_study(study), names or [], tell=say)
    typer.echo(text.told(told, "cancelled; isoflop sweep retry takes it back", json=json))

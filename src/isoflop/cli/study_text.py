"""A study as ``isoflop sweep`` says it: what its runs will take, where they stand, what of its protocol bends a law."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Any

from isoflop.cli.columns import count_of, duration, table
from isoflop.quantities import format_flops, format_si, format_usd
from isoflop.study import Check, Preview, Priced, RunState, Standing, State, Study

SCHEMA = "isoflop.sweep/1"
SHOWN = 20
"""Runs in a preview before it says how many more there are."""


def preview(priced: Preview, checks: Sequence[Check], made: Study | None, *, json: bool) -> str:
    """What the runs of a study will take, as a person or a script reads it."""
    return as_json(_preview_as_dict(priced, checks)) if json else _preview_as_text(priced, checks, made)


def standing(now: Standing, *, runs: bool, json: bool) -> str:
    """Where a study stands, as a person or a script reads it."""
    return as_json(now.to_dict(runs=runs)) if json else _standing_as_text(now, runs=runs)


def as_json(table: dict[str, Any]) -> str:
    return dumps(table, indent=2, allow_nan=False)


def _preview_as_dict(priced: Preview, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "n_runs": len(priced.runs),
        "flops": priced.flops,
        "hours": priced.hours,
        "cost_usd": priced.usd,
        "workers": priced.workers,
        "where": priced.where,
        "notes": list(priced.notes),
        "runs": [
            {"run_id": run.spec.run_id, "params": run.params, "tokens": run.spec.tokens, "flops": run.flops}
            | {"memory_bytes": run.memory, "hours": run.hours, "cost_usd": run.usd}
            for run in priced.runs
        ],
        "checks": [{"code": check.code, "ok": check.ok, "message": check.message} for check in checks],
    }


def _preview_as_text(priced: Preview, checks: Sequence[Check], made: Study | None) -> str:
    """What the runs will take, the first of them in a table, and the checks of the protocol."""
    head = f"{count_of(len(priced.runs))}, {format_flops(priced.flops)} FLOPs in all"
    cost = "" if priced.usd is None else f", {format_usd(priced.usd)}"
    taken = f"about {duration(3600 * priced.hours)} on {priced.workers} {priced.where}"
    lines = [f"{head}, {taken}{cost}", *priced.notes, ""]
    rows = [("run", "N", "D", "FLOPs", "memory", "time"), *map(_preview_row, priced.runs[:SHOWN])]
    lines += table(rows, left=1)
    if len(priced.runs) > SHOWN:
        lines.append(f"... and {len(priced.runs) - SHOWN} more (--json has all)")
    lines += ["", *map(str, checks)]
    if made:
        lines += ["", f"made in {made.folder}; next: isoflop sweep run {made.folder}"]
    return "\n".join(lines)


def _preview_row(run: Priced) -> tuple[str, ...]:
    return (
        run.spec.run_id,
        format_si(run.params),
        format_si(run.spec.tokens),
        format_flops(run.flops),
        f"{run.memory / 2**30:.1f} GiB" if run.memory > 2**28 else f"{run.memory / 2**20:.0f} MiB",
        duration(3600 * run.hours),
    )


def _standing_as_text(now: Standing, *, runs: bool) -> str:
    """Runs by state, the work left, failures with their reasons, the runs where they are asked for, the protocol."""
    counts = ", ".join(f"{count} {str(state).replace('_', ' ')}" for state, count in now.counts.items())
    share = now.flops / now.flops_planned if now.flops_planned else 0.0
    left = "" if not now.core_seconds_left else f", about {duration(now.core_seconds_left)} of one core left"
    idle = "nobody watches the study" if now.engine else "the study is not running"
    running = "the study is running" if now.is_running else idle
    lines = [
        f"{now.name}: {count_of(len(now.runs))}: {counts or 'none'}",
        f"{share:.0%} of {format_flops(now.flops_planned)} FLOPs{left}; {running}",
    ]
    lines += [f"{count_of(now.in_engine)} with {now.engine}"] if now.engine else []
    lines += [f"{now.silent} does not answer: what its nodes have put down is all that is known"] if now.silent else []
    if now.executor.price_usd_per_hour:
        to_go = now.usd(now.process_hours_left)
        to_come = "" if to_go is None else f", about {format_usd(to_go)} to go"
        lines.append(f"{format_usd(now.usd(now.process_hours) or 0.0)} so far{to_come}")
    if bad := [run for run in now.runs if run.state.has_failed or run.state is State.DIVERGED or run.reason]:
        rows = [(run.run_id, str(run.state).replace("_", " "), run.reason) for run in bad[:SHOWN]]
        lines += ["", *table(rows, left=3)]
        if len(bad) > SHOWN:
            lines.append(f"... and {len(bad) - SHOWN} more (--json has all)")
    if runs:
        lines += ["", *table([("run", "state", "done", "loss", "time"), *map(_standing_row, now.runs)], left=2)]
    return "\n".join([*lines, "", *map(str, now.checks)]).rstrip()


def _standing_row(run: RunState) -> tuple[str, ...]:
    loss = "" if run.loss is None else f"{run.loss:.4f}"
    return run.run_id, str(run.state).replace("_", " "), f"{run.step / run.steps:.0%}", loss, duration(run.seconds)


def told(runs: Sequence[RunState], what: str, *, json: bool) -> str:
    """Whom a word went to, in a sentence, or their names."""
    if json:
        return as_json({"schema": SCHEMA, "runs": [run.run_id for run in runs]})
    if not runs:
        return "nothing to do: no run here calls for it"
    more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
    return f"{', '.join(run.run_id for run in runs[:5])}{more} {'is' if len(runs) == 1 else 'are'} {what}"

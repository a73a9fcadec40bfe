"""What ``isoflop quickstart`` found, as text for a person and as an object for a script."""

from __future__ import annotations

from shlex import quote
from typing import Any

from isoflop.conventions import counted_by, describe
from isoflop.fitting import CountingRow, Forecast
from isoflop.quantities import format_estimate, format_flops, format_interval, format_level, format_si
from isoflop.quickstart import Findings
from isoflop.study import State

SCHEMA = "isoflop.quickstart/1"


def as_dict(findings: Findings) -> dict[str, Any]:
    """The object that ``--json`` prints: both fits, the counting table, the forecast and its outcome."""
    run = findings.forecast_run
    return {
        "schema": SCHEMA,
        "report": str(findings.report),
        "frontier": findings.frontier.to_dict(),
        "surface": findings.surface.to_dict(),
        "counting": [
            {"convention": str(row.convention), "a": {"value": row.a, "interval": row.a_interval}}
            | {"b": {"value": row.b, "interval": row.b_interval}}
            for row in findings.counting
        ],
        "forecast": None if findings.forecast is None else findings.forecast.to_dict(),
        "forecast_run": None if run is None else {"run_id": run.run_id, "state": str(run.state)},
        "runs_changed": findings.runs_changed,
        "outcome": None if findings.outcome is None else findings.outcome.to_dict(),
    }


def as_text(findings: Findings) -> str:
    """Both fits, the exponents by count, the forecast against its outcome, and what to do next."""
    parts = [findings.frontier.summary(), findings.surface.summary()]
    if findings.counting:
        parts.append("\n".join(["N* ∝ C^a, the same runs counted three ways", *map(_counted, findings.counting)]))
    if findings.forecast is not None:
        parts.append("\n".join([*_forecast(findings.forecast), *_test(findings)]))
    elif findings.forecast_run is not None:
        parts.append(_too_late(findings.forecast_run.run_id))
    return "\n\n".join([*parts, _next(findings)])


def _counted(row: CountingRow) -> str:
    whose = counted_by(row.convention)
    counted = describe(row.convention) + (f" ({whose})" if whose else "")
    return f"  {counted:<36} a = {format_estimate(row.a, row.a_interval)}"


def _forecast(forecast: Forecast) -> list[str]:
    return [
        f"Forecast for {format_flops(forecast.flops)} FLOPs, {forecast.times_largest_budget:.3g} times the largest "
        f"budget, written {forecast.made_at}",
        f"  N* {format_si(forecast.params)} {_span(forecast.params_interval)}   D* {format_si(forecast.tokens)} "
        f"{_span(forecast.tokens_interval)}   loss {format_estimate(forecast.loss, forecast.loss_interval)}",
        f"  one run at {format_si(forecast.run_params)} parameters should end in "
        f"{format_interval(*forecast.run_interval)} ({format_level(forecast.level)})",
    ]


def _test(findings: Findings) -> list[str]:
    """How the forecast's test came out, and what it can show."""
    lines = []
    run, outcome = findings.forecast_run, findings.outcome
    if findings.runs_changed:
        lines.append("  the runs have changed since it was written; it stands as it was, and so is judged")
    if outcome is not None:
        word = "inside" if outcome.inside else "OUTSIDE"
        lines.append(f"  it ended at {outcome.loss:.3f}: {word} the interval, forecast off by {outcome.error:+.1%}")
    elif run is not None and run.state is State.DIVERGED:
        lines.append(f"  that run, {run.run_id}, diverged: it has no loss, so the forecast stands untested")
    return [
        *lines,
        "  the interval holds the noise between seeds and what is not known of E, not the error of the form, so",
        "  expect more misses than its level says; one run tests the loss, not N*",
    ]


def _too_late(run_id: str) -> str:
    return (
        f"No forecast: its test, {run_id}, has ended and forecast.json is gone; one written now would come after it. "
        f"Remove runs/{run_id} to forecast and test anew."
    )


def _span(interval: tuple[float, float]) -> str:
    return f"[{', '.join(map(format_si, interval))}]"


def _next(findings: Findings) -> str:
    law, runs = quote(str(findings.out / "law.toml")), quote(str(findings.out / "runs.csv"))
    lines = ["Next:"]
    if findings.frontier.fitted is not None:
        target = format_flops(10 * findings.frontier.runs.flops.max())
        lines.append(f"  isoflop plan {target} --law {law}    what ten times the compute would buy")
    lines += [
        f"  isoflop fit {runs} --where \"purpose == 'sweep'\" --approach all    the fits again, with your options",
        "  isoflop quickstart --out large --budgets 1.5e11,5e11,1.5e12,5e12,1.5e13    two decades of compute",
        f"Report: {findings.report}",
    ]
    return "\n".join(lines)

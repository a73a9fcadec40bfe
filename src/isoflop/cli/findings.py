"""What ``isoflop quickstart`` found, as text for a person and as an object for a script."""

from __future__ import annotations

from typing import Any

from isoflop.fitting import CountingRow, Forecast, Outcome
from isoflop.quantities import format_estimate, format_flops, format_interval, format_si
from isoflop.quickstart import Findings

SCHEMA = "isoflop.quickstart/1"
COUNTED = {
    "non_embedding": "blocks only (Kaplan's count)",
    "matrices_and_head": "blocks and head",
    "total": "all parameters (Chinchilla's count)",
}


def as_dict(findings: Findings) -> dict[str, Any]:
    """The object that ``--json`` prints: both fits, the counting table, the forecast and its outcome."""
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
        "outcome": None if findings.outcome is None else findings.outcome.to_dict(),
    }


def as_text(findings: Findings) -> str:
    """Both fits, the exponents by count, the forecast against its outcome, and what to do next."""
    parts = [findings.frontier.summary(), findings.surface.summary()]
    if findings.counting:
        parts.append("\n".join(["N* ∝ C^a, the same runs counted three ways", *map(_counted, findings.counting)]))
    if findings.forecast is not None:
        parts.append(_forecast(findings.forecast, findings.outcome))
    return "\n\n".join([*parts, _next(findings)])


def _counted(row: CountingRow) -> str:
    return f"  {COUNTED[row.convention]:<36} a = {format_estimate(row.a, row.a_interval)}"


def _forecast(forecast: Forecast, outcome: Outcome | None) -> str:
    lines = [
        f"Forecast for {format_flops(forecast.flops)} FLOPs, {forecast.times_largest_budget:.3g} times the largest "
        f"budget, written {forecast.made_at}",
        f"  N* {format_si(forecast.params)} {_span(forecast.params_interval)}   D* {format_si(forecast.tokens)} "
        f"{_span(forecast.tokens_interval)}   loss {format_estimate(forecast.loss, forecast.loss_interval)}",
        f"  one run at {format_si(forecast.run_params)} parameters should end in "
        f"{format_interval(*forecast.run_interval)} ({forecast.level:.0%})",
    ]
    if outcome is not None:
        word = "inside" if outcome.inside else "OUTSIDE"
        lines.append(f"  it ended at {outcome.loss:.3f}: {word} the interval, forecast off by {outcome.error:+.1%}")
    return "\n".join(lines)


def _span(interval: tuple[float, float]) -> str:
    return f"[{', '.join(map(format_si, interval))}]"


def _next(findings: Findings) -> str:
    out = findings.out
    lines = ["Next:"]
    if findings.frontier.fitted is not None:
        target = format_flops(10 * findings.frontier.runs.flops.max())
        lines.append(f"  isoflop plan {target} --law {out / 'law.toml'}    what ten times the compute would buy")
    lines += [
        f"  isoflop fit {out / 'runs.csv'} --approach all    the fits again, with options of your own",
        "  isoflop quickstart --out large --budgets 1.5e11,5e11,1.5e12,5e12,1.5e13    two decades of compute",
        f"Report: {findings.report}",
    ]
    return "\n".join(lines)

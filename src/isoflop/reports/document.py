"""The report without a page: as an object for scripts, and as Markdown that pastes well into an issue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isoflop.quantities import format_estimate, format_flops, format_interval, format_level, format_value
from isoflop.reports.answers import answers, decision_line, status
from isoflop.reports.axes import conventions_sentence
from isoflop.reports.checklist import checklist
from isoflop.reports.evidence import Evidence
from isoflop.reports.rounding import count_with_interval

SCHEMA = "isoflop.report/1"


def as_object(evidence: Evidence) -> dict[str, Any]:
    """The object that ``isoflop report --json`` prints; what these runs cannot carry is null."""
    lines = checklist(evidence)

    def part(name: str) -> Any:
        found, _ = evidence.seek(name)
        return None if found is None else found.to_dict()

    counting, _ = evidence.seek("counting")
    return {
        "schema": SCHEMA,
        "title": evidence.title,
        "target_flops": evidence.target,
        "status": status(evidence, lines),
        "decision": decision_line(evidence),
        "answers": {one.asks: one.says for one in answers(evidence, lines)},
        "plan": part("plan"),
        "fit": evidence.approaches.to_dict(),
        "backtest": part("backtest"),
        "specification": part("specification"),
        "counting": [
            {"convention": str(row.convention), "a": row.a, "a_interval": row.a_interval} for row in counting or ()
        ],
        "forecast": None if evidence.forecast is None else evidence.forecast.to_dict(),
        "outcome": None if evidence.outcome is None else evidence.outcome.to_dict(),
        "checklist": [{"asks": line.asks, "state": str(line.state), "says": line.says} for line in lines],
        "provenance": dict(evidence.provenance),
    }


def as_markdown(evidence: Evidence) -> str:
    """Verdict, the five answers, tables and the checklist; names out of the data cannot break a table or act."""
    lines = checklist(evidence)
    fit = evidence.leading
    how = f"{status(evidence, lines)}, {format_level(evidence.wanted.level)} intervals"
    parts = [
        f"## {_plain(evidence.title)}",
        f"**{_plain(decision_line(evidence))}** ({how})",
        "\n".join(f"- **{one.asks}** {_plain(one.says)}" for one in answers(evidence, lines)),
    ]
    if evidence.profiles.minima:
        parts.append(_minima(evidence))
    if fit.fitted is not None:
        parts.append(_coefficients(evidence))
    found, _ = evidence.seek("backtest")
    if found is not None:
        header = ("fitted up to", "runs above", "jump", "error", "inside")
        rows = [
            (
                format_flops(split.fitted_up_to),
                str(split.judged),
                f"{split.jump:g}x",
                f"{split.relative_error:.2%}",
                f"{split.hit_rate:.0%}",
            )
            for split in found.splits
        ]
        parts.append("### Backtests\n\n" + _table(header, rows))
    marks = {"met": "x", "missing": " ", "not applicable": "x"}
    parts.append(
        "### Checklist\n\n"
        + "\n".join(f"- [{marks[line.state]}] {line.asks} ({line.state}): {_plain(line.says)}" for line in lines)
    )
    parts.append("### Provenance\n\n" + _table(("what", "value"), list(evidence.provenance.items())))
    parts.append(_plain(conventions_sentence(evidence.runs)))
    return "\n\n".join(parts) + "\n"


def _minima(evidence: Evidence) -> str:
    rows = []
    for found in evidence.profiles.minima:
        at = format_flops(found.flops)
        if not found.interior:
            rows.append((at, f"{len(found.used)} of {len(found.rows)}", f"refused: {found.reason}", "", ""))
            continue
        N = count_with_interval(found.params_opt, found.params_interval)
        D = count_with_interval(found.tokens_opt, found.tokens_interval)
        loss = format_estimate(found.loss_min, found.loss_interval)
        rows.append((at, f"{len(found.used)} of {len(found.rows)}", N, D, loss))
    return "### IsoFLOP minima\n\n" + _table(("C", "runs", "N*", "D*", "loss"), rows)


def _coefficients(evidence: Evidence) -> str:
    fit = evidence.leading
    rows = []
    for name, value in fit.law.coefficients.items():
        span = fit.intervals.get(name)
        rows.append((name, format_value(value, span), "" if span is None else format_interval(*span)))
    notes = "\n".join(
        f"- {'caution' if note.cautions else 'note'}: {_plain(note.message)}" for note in fit.verdict.notes
    )
    head = f"### The law\n\n`{fit.law.family.formula}` (approach {fit.approach}, {fit.verdict.describe()})\n\n"
    return head + _table(("coefficient", "value", "interval"), rows) + (f"\n\n{notes}" if notes else "")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A line of text that Markdown shows as it is written."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>|~#@" else letter for letter in " ".join(text.split()))
    # Nobody is called, and nothing linked, by the name of a run.
    return escaped.replace("\\@", "@\u200b").replace("://", ":\u200b//")

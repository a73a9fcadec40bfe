"""The sections of the report, in a doubter's order: seen, fitted, extrapolated, doubted, counted, checked, whence."""

from __future__ import annotations

from isoflop.reports import tables
from isoflop.reports.axes import conventions_sentence
from isoflop.reports.checklist import Line
from isoflop.reports.evidence import Evidence
from isoflop.reports.sections._section import Section, quiet
from isoflop.reports.sections.observed import envelope, frontier, notes, profiles
from isoflop.reports.sections.surface import coefficients, contours, residuals
from isoflop.reports.sections.trust import checklist, counting, extrapolation, forecast, specification

__all__ = ["Section", "notes", "sections"]


def sections(evidence: Evidence, lines: tuple[Line, ...]) -> list[Section]:
    """Every section; one that these runs cannot carry says why."""
    return [
        profiles(evidence),
        frontier(evidence),
        envelope(evidence),
        contours(evidence),
        extrapolation(evidence),
        *([forecast(evidence)] if evidence.forecast else []),
        residuals(evidence),
        coefficients(evidence),
        specification(evidence),
        counting(evidence),
        _runs(evidence),
        checklist(lines),
        Section("provenance", "Provenance", tables.provenance_table(evidence.provenance)),
    ]


def _runs(evidence: Evidence) -> Section:
    runs = evidence.runs
    body = (
        quiet(conventions_sentence(runs))
        + tables.runs_table(runs)
        + tables.dropped_table(runs, evidence.aside, evidence.provenance.get("rows chosen by", ""))
    )
    return Section("runs", "Runs", body)

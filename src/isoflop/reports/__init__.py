"""Runs as one page that can be looked at, trusted and argued with, offline."""

from isoflop.reports.document import as_markdown, as_object
from isoflop.reports.evidence import Evidence, Wanted, gather
from isoflop.reports.page import render, write_report
from isoflop.reports.svg import figure_svg

__all__ = [
    "Evidence",
    "Wanted",
    "as_markdown",
    "as_object",
    "figure_svg",
    "gather",
    "render",
    "write_report",
]

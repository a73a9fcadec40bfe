"""A study as one page that can be looked at, trusted and argued with, offline."""

from isoflop.reports.page import StudyPage, render, write_report
from isoflop.reports.svg import isoflop_svg

__all__ = ["StudyPage", "isoflop_svg", "render", "write_report"]

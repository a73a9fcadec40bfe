"""Figures on paper: our plotly dicts drawn by matplotlib, to scale, with text as text."""

from isoflop.reports.printed.sheet import printed

__all__ = ["printed"]

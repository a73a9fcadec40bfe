"""From runs to a law: approaches 2 and 3, their uncertainty, their verdicts, and forecasts."""

from isoflop.fitting.counting import CountingRow, counting_row
from isoflop.fitting.fit import Approaches, fit, fit_all
from isoflop.fitting.forecast import Forecast, Outcome, forecast, judge, with_outcome
from isoflop.fitting.result import Fit, Minimum, Note, Verdict

__all__ = [
    "Approaches",
    "CountingRow",
    "Fit",
    "Forecast",
    "Minimum",
    "Note",
    "Outcome",
    "Verdict",
    "counting_row",
    "fit",
    "fit_all",
    "forecast",
    "judge",
    "with_outcome",
]

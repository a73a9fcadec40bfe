"""From runs to a law: approaches 2 and 3, their uncertainty, their verdicts, and forecasts."""

from isoflop.fitting.backtest import Backtest, Split, backtest, extrapolated
from isoflop.fitting.compare import Compared, Comparison, compare
from isoflop.fitting.counting import CountingRow, counting_row
from isoflop.fitting.fit import Approaches, fit, fit_all
from isoflop.fitting.forecast import Forecast, Outcome, forecast, judge, with_outcome
from isoflop.fitting.result import Fit, Minimum, Note, Verdict
from isoflop.fitting.specification import Specification, SpecificationCurve, specification_curve

__all__ = [
    "Approaches",
    "Backtest",
    "Compared",
    "Comparison",
    "CountingRow",
    "Fit",
    "Forecast",
    "Minimum",
    "Note",
    "Outcome",
    "Specification",
    "SpecificationCurve",
    "Split",
    "Verdict",
    "backtest",
    "compare",
    "counting_row",
    "extrapolated",
    "fit",
    "fit_all",
    "forecast",
    "judge",
    "specification_curve",
    "with_outcome",
]

"""From runs to a law: approaches 1, 2 and 3, their uncertainty, their verdicts, and forecasts."""

from isoflop.fitting.approaches import Approaches, fit_all
from isoflop.fitting.backtest import Backtest, Split, backtest, extrapolated
from isoflop.fitting.compare import Compared, Comparison, compare
from isoflop.fitting.counting import CountingRow, counting_row
from isoflop.fitting.fit import Asked, fit
from isoflop.fitting.forecast import Forecast, Outcome, forecast, judge, with_outcome
from isoflop.fitting.pooled import Pooled, pooled
from isoflop.fitting.profile import Profile, profile
from isoflop.fitting.result import Fit, Minimum, Note, Verdict
from isoflop.fitting.specification import Specification, SpecificationCurve, specification_curve

__all__ = [
    "Approaches",
    "Asked",
    "Backtest",
    "Compared",
    "Comparison",
    "CountingRow",
    "Fit",
    "Forecast",
    "Minimum",
    "Note",
    "Outcome",
    "Pooled",
    "Profile",
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
    "pooled",
    "profile",
    "specification_curve",
    "with_outcome",
]

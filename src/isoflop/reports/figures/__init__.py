"""The figures: each one function from plain data to a plain plotly dict.

Nothing is computed here but laws and parabolas at the points of a drawing.
"""

from isoflop.reports.figures.approaches import approaches_figure
from isoflop.reports.figures.coefficients import forest_figure, pairs_figure
from isoflop.reports.figures.counting import exponents_figure
from isoflop.reports.figures.curves import TrainingCurve, training_curves_figure
from isoflop.reports.figures.envelope import envelope_figure
from isoflop.reports.figures.extrapolation import fan_figure
from isoflop.reports.figures.forecast import forecast_figure
from isoflop.reports.figures.frontier import loss_figure, optimum_figure
from isoflop.reports.figures.marks import Figure
from isoflop.reports.figures.profiles import isoflop_figure
from isoflop.reports.figures.residuals import quantiles_figure, residuals_figure
from isoflop.reports.figures.specification import specification_figure
from isoflop.reports.figures.surface import contours_figure

__all__ = [
    "Figure",
    "TrainingCurve",
    "approaches_figure",
    "contours_figure",
    "envelope_figure",
    "exponents_figure",
    "fan_figure",
    "forecast_figure",
    "forest_figure",
    "isoflop_figure",
    "loss_figure",
    "optimum_figure",
    "pairs_figure",
    "quantiles_figure",
    "residuals_figure",
    "specification_figure",
    "training_curves_figure",
]

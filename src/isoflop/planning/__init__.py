"""Questions to a law: how a budget is best split, and how sure the answer is."""

from isoflop.planning.allocate import DEFAULT_LAWS, find_law, plan
from isoflop.planning.lifecycle import Demand, pass_at_k, samples_for
from isoflop.planning.many import Plans, plans
from isoflop.planning.predict import Prediction, predict
from isoflop.planning.questions import flops_for_loss
from isoflop.planning.result import Intervals, Plan, PlanRow
from isoflop.planning.sections import Asked

__all__ = [
    "DEFAULT_LAWS",
    "Asked",
    "Demand",
    "Intervals",
    "Plan",
    "PlanRow",
    "Plans",
    "Prediction",
    "find_law",
    "flops_for_loss",
    "pass_at_k",
    "plan",
    "plans",
    "predict",
    "samples_for",
]

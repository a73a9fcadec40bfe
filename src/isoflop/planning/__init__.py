"""Questions to a law: how a budget is best split, and how sure the answer is."""

from isoflop.planning.allocate import DEFAULT_LAWS, plan
from isoflop.planning.result import Intervals, Plan, PlanRow

__all__ = ["DEFAULT_LAWS", "Intervals", "Plan", "PlanRow", "plan"]

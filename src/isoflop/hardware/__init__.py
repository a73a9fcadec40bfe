"""Accelerators, and what compute costs on them: hours, dollars, energy, carbon; budgets that name them."""

from __future__ import annotations

from isoflop.hardware._accelerator import Accelerator, Price, Source, Utilisation
from isoflop.hardware._catalogue import accelerator, accelerators, is_accelerator, read_accelerator
from isoflop.hardware.cost import Cluster, Cost, implied_utilisation
from isoflop.hardware.expression import Budget, read_budget

__all__ = [
    "Accelerator",
    "Budget",
    "Cluster",
    "Cost",
    "Price",
    "Source",
    "Utilisation",
    "accelerator",
    "accelerators",
    "implied_utilisation",
    "is_accelerator",
    "read_accelerator",
    "read_budget",
]

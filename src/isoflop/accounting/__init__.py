"""What a network costs: its parameters and its FLOPs, counted exactly from its shape."""

from isoflop.accounting.flops import FlopsPerToken, flops_per_token
from isoflop.accounting.params import ParamsCount, count_params
from isoflop.accounting.shapes import Shape

__all__ = ["FlopsPerToken", "ParamsCount", "Shape", "count_params", "flops_per_token"]

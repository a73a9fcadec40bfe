"""What a network costs: its parameters, FLOPs and memory, counted from its shape."""

from isoflop.accounting.count import Account, count_network, list_networks, named_or_described
from isoflop.accounting.flops import (
    FlopsPerToken,
    Recompute,
    flops_per_token,
    hardware_flops_per_token,
    hoffmann_flops_per_token,
)
from isoflop.accounting.memory import (
    PRECISIONS,
    ActivationMemory,
    Precision,
    StateMemory,
    activation_memory,
    kv_cache,
    state_memory,
)
from isoflop.accounting.params import ParamsCount, Parts, count_params, count_parts
from isoflop.accounting.presets import preset, presets
from isoflop.accounting.shapes import (
    ARCHITECTURES,
    Architecture,
    Experts,
    LatentAttention,
    Shape,
    architecture,
    read_shape,
    shape_from,
    usual_shape,
)

__all__ = [
    "ARCHITECTURES",
    "PRECISIONS",
    "Account",
    "ActivationMemory",
    "Architecture",
    "Experts",
    "FlopsPerToken",
    "LatentAttention",
    "ParamsCount",
    "Parts",
    "Precision",
    "Recompute",
    "Shape",
    "StateMemory",
    "activation_memory",
    "architecture",
    "count_network",
    "count_params",
    "count_parts",
    "flops_per_token",
    "hardware_flops_per_token",
    "hoffmann_flops_per_token",
    "kv_cache",
    "list_networks",
    "named_or_described",
    "preset",
    "presets",
    "read_shape",
    "shape_from",
    "state_memory",
    "usual_shape",
]

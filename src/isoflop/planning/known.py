"""Well-known networks beside a law: under- or overtrained, by how much, at what utilisation."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from isoflop.accounting import Shape, count_params, flops_per_token, preset
from isoflop.conventions import ParamsConvention, describe
from isoflop.hardware import accelerator, implied_utilisation
from isoflop.laws import Law
from isoflop.planning.optimum import optimum
from isoflop.planning.questions import optimum_of_loss
from isoflop.planning.recount import active
from isoflop.planning.surface import view
from isoflop.planning.text import Sheet, format_ratio
from isoflop.quantities import format_flops, format_si


@dataclass(frozen=True)
class Known:
    """A network that was trained: N (active), D, and the device-hours that were reported, where they were.

    ``read`` is false for tokens and hours that are remembered and were not seen in a source.
    """

    id: str
    shape: Shape
    params: int
    tokens: float
    read: bool
    exact_flops_per_token: float
    accelerator: str | None
    device_hours: float | None
    note: str

    @property
    def flops(self) -> float:
        """6 N D."""
        return 6.0 * self.params * self.tokens

    @property
    def mfu(self) -> float | None:
        """What 6 N D in the reported hours implies: restarts and evaluation are in the hours."""
        if self.device_hours is None or self.accelerator is None:
            return None
        return implied_utilisation(self.flops, self.device_hours, accelerator(self.accelerator))

    @property
    def exact_mfu(self) -> float | None:
        """The same with every product counted, attention causal."""
        if self.mfu is None:
            return None
        return self.mfu * self.exact_flops_per_token / (6.0 * self.params)


@cache
def known_networks() -> tuple[Known, ...]:
    """The networks of known_networks.toml, oldest first.

    >>> [one.id for one in known_networks()][:3]
    ['gpt3-175b', 'gopher-280b', 'chinchilla-70b']
    """
    text = (resources.files(__package__) / "known_networks.toml").read_text(encoding="utf-8")
    return tuple(_known(name, facts) for name, facts in tomllib.loads(text).items())


def _known(name: str, facts: dict[str, Any]) -> Known:
    shape = preset(name)
    return Known(
        id=name,
        shape=shape,
        params=count_params(shape).active,
        tokens=facts["tokens"],
        read=facts["read"],
        exact_flops_per_token=flops_per_token(shape).exact_causal,
        accelerator=facts.get("accelerator"),
        device_hours=facts.get("device_hours"),
        note=facts.get("note", ""),
    )


@dataclass(frozen=True)
class Placed:
    """A known network under a law: its D/N over the optimum's at its compute, and the compute that its split wastes.

    ``params`` are the active ones as the law counts them, and D/N and 6 N D are of these.
    """

    known: Known
    params: float
    optimal_params: float
    ratio_over_optimal: float
    loss: float
    wasted: float

    @property
    def flops(self) -> float:
        """6 N D."""
        return 6.0 * self.params * self.known.tokens

    @property
    def trained(self) -> str:
        """Near the optimum within a factor of two in D/N, which wastes a per cent or so."""
        if 0.5 <= self.ratio_over_optimal <= 2:
            return "near optimal"
        return "overtrained" if self.ratio_over_optimal > 2 else "undertrained"

    def to_dict(self) -> dict[str, Any]:
        one = self.known
        return {
            "id": one.id,
            "params": one.params,
            "params_counted": self.params,
            "tokens": one.tokens,
            "read": one.read,
            "flops": self.flops,
            "tokens_per_param": one.tokens / self.params,
            "ratio_over_optimal": self.ratio_over_optimal,
            "trained": self.trained,
            "loss": self.loss,
            "wasted": self.wasted,
            "mfu": one.mfu,
            "exact_mfu": one.exact_mfu,
            "note": one.note,
        }


def place(law: Law) -> tuple[Placed, ...]:
    """Every known network under a law with a surface in N and D, its active parameters counted as the law counts them.

    >>> from isoflop import laws
    >>> found = {one.known.id: one.trained for one in place(laws.law("besiroglu2024"))}
    >>> found["gpt3-175b"], found["chinchilla-70b"], found["llama3-8b"]
    ('undertrained', 'near optimal', 'overtrained')
    """
    networks = known_networks()
    N = np.array([float(active(one.shape, law.conventions.params)) for one in networks])
    D = np.array([one.tokens for one in networks])
    C = 6 * N * D
    best, loss = optimum(law, C), law.predict(N, D)
    enough = optimum_of_loss(view(law), loss)[0]
    ratio = (D / N) / (best.tokens / best.params)
    columns = zip(networks, N, best.params, ratio, loss, 1 - enough / C, strict=True)
    return tuple(Placed(one, *(float(value) for value in rest)) for one, *rest in columns)


@dataclass(frozen=True)
class KnownSection:
    """Every known network under one law."""

    law: str
    counted: ParamsConvention
    placed: tuple[Placed, ...]

    name = "known_networks"

    def to_dict(self) -> dict[str, Any]:
        return {"law": self.law, "networks": [one.to_dict() for one in self.placed]}

    def sheet(self) -> Sheet:
        header = ("network", "parameters", "tokens", "tokens/param", "C", "x optimal", "wasted", "MFU", "")
        lines = tuple(_cells(one) for one in self.placed)
        notes = (
            f"C is 6 N D, N the active parameters as the law counts them ({describe(self.counted)}); x optimal is D/N "
            "over that of the law's optimum at that C; wasted is the share of C that the optimum would not have needed "
            "for the loss. Overtraining is wasted on training and saved on serving.",
            "MFU is 6 N D, N all active parameters, over the reported device-hours at the dense bf16 peak. "
            "? is remembered, not read in a source.",
        )
        return Sheet(f"Known networks under {self.law}", header, lines, notes)


def _cells(one: Placed) -> tuple[str, ...]:
    known = one.known
    mark = "" if known.read else "?"
    return (
        known.id + mark,
        format_si(one.params),
        format_si(known.tokens),
        format_ratio(known.tokens / one.params),
        format_flops(one.flops),
        f"{one.ratio_over_optimal:.2g}",
        f"{one.wasted:.0%}",
        "-" if known.mfu is None else f"{known.mfu:.2f}",
        one.trained,
    )

"""The processes that train one run together, seen from one of them; here the usual case, one alone.

``training.ranks`` has the other. Whatever could differ from rank to rank is said here: which part of the work is
whose, who may write, and what all must agree on before any of them goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Agreed:
    """What all ranks know after a step: its loss, why to stop if so, and whether the state is to be saved now."""

    loss: float
    reason: str | None
    save: bool


class Group:
    """Rank ``rank`` of ``size``; ``local_rank`` counts on its own node, and is None for a process alone."""

    rank: int = 0
    size: int = 1
    local_rank: int | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This rank's part of ``count`` things in a row; parts differ by one at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def average(self, tensor: Tensor) -> None:
        """Turn ``tensor`` into its mean over the ranks, in place; the same bits on all of them."""

    def sum(self, tensor: Tensor) -> None:
        """Turn ``tensor`` into its sum over the ranks, in place; the same bits on all of them."""

    def agree(self, loss: float, reason: str | None, save: bool) -> Agreed:
        """The mean of the ranks' losses, a reason to stop if any has one, and whether the leader would save."""
        return Agreed(loss, reason, save)

    def lead(self, action: Callable[[], object]) -> None:
        """Do ``action`` on the leading rank alone. All wait for it, and what it raises on purpose all raise."""
        action()

    def told(self, fact: bool) -> bool:
        """The leader's view of ``fact``: a file may reach one node's eyes before another's."""
        return fact


ALONE = Group()

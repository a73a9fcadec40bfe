"""A run on several ranks, as torchrun starts them: DDP, or FSDP2 by way of ``training.sharded``.

Weights and gradient are one flat buffer each, so data parallelism is one all-reduce a step, and needs no
DistributedDataParallel: its buckets gather many small gradients into few, which is done here already. What it has
beside is overlap with the backward pass, which this leaves out: worth something on GPUs with slow links between them.

What steers the run (losses, stops, who has written what) goes over gloo, by processors: it waits for no device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from isoflop.errors import IsoflopError, UsageError
from isoflop.training.attempt import Attempt
from isoflop.training.group import Agreed, Group
from isoflop.training.loop import train
from isoflop.training.run import Run, Training
from isoflop.training.spec import RunSpec, read_spec


class Ranks(Group):
    """The process group that is initialised, seen from this rank."""

    def __init__(self, local_rank: int, control: dist.ProcessGroup | None) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.local_rank = local_rank
        self._control = control

    def average(self, tensor: Tensor) -> None:
        self.sum(tensor)
        tensor.div_(self.size)

    def sum(self, tensor: Tensor) -> None:
        dist.all_reduce(tensor)

    def agree(self, loss: float, reason: str | None, save: bool) -> Agreed:
        """One small all-reduce; the reasons themselves are exchanged only where there is one."""
        votes = torch.tensor([loss, reason is not None, save and self.leads], dtype=torch.float64)
        dist.all_reduce(votes, group=self._control)
        total, stops, saves = votes.tolist()
        if stops:
            reasons: list[str | None] = [None] * self.size
            dist.all_gather_object(reasons, reason, group=self._control)
            reason = next(one for one in reasons if one is not None)
        return Agreed(total / self.size, reason, saves > 0)

    def lead(self, action: Callable[[], object]) -> None:
        error = None
        if self.leads:
            try:
                action()
            except IsoflopError as raised:
                error = raised
        told = [None if error is None else (str(error), error.exit_code)]
        dist.broadcast_object_list(told, group=self._control)
        if error is not None:
            raise error
        if told[0] is not None:
            raise _from_the_leader(*told[0])

    def told(self, fact: bool) -> bool:
        view = torch.tensor([fact])
        dist.broadcast(view, 0, group=self._control)
        return bool(view)


def _from_the_leader(sentence: str, exit_code: int) -> IsoflopError:
    error = IsoflopError(sentence)
    error.exit_code = exit_code
    return error


@contextmanager
def joined(spec: RunSpec) -> Iterator[Ranks]:
    """Meet the other ranks of the run, by torchrun's environment, and part from them when all is well."""
    local_rank, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    cuda = spec.device == "cuda"
    if cuda and here > torch.cuda.device_count():
        raise UsageError(
            f"run {spec.run_id} was started with {here} ranks on this node, and PyTorch sees "
            f"{torch.cuda.device_count()} CUDA devices here; start as many ranks as there are devices."
        )
    if cuda:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if cuda else "gloo")
    yield Ranks(local_rank, dist.new_group(backend="gloo") if cuda else None)
    # Not where an error is on its way: the others may be in the middle of a collective, and torchrun ends them.
    dist.destroy_process_group()


def train_together(attempt: Attempt, kind: type[Training] = Run) -> None:
    """Train the run in ``attempt.folder`` on the ranks that torchrun has started, this process being one."""
    with joined(read_spec(attempt.folder)) as ranks:
        train(attempt, ranks, kind)

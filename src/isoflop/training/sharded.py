"""A run whose weights, gradient and moments are divided among the ranks: FSDP2 (extra ``train``, under torchrun).

Every parameter is cut along its first dimension, a piece a rank; a block's are gathered when it is computed. No rank
ever holds the whole, beside one parameter at a time, and the leading rank's processor when the state is saved.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from isoflop.accounting.params import count_params
from isoflop.accounting.shapes import Shape
from isoflop.errors import UsageError
from isoflop.training import decoder, model
from isoflop.training.attempt import Attempt
from isoflop.training.checkpoint import Progress, Read, restore
from isoflop.training.data import Corpus
from isoflop.training.group import Group
from isoflop.training.optim import adamw, rates_and_decays
from isoflop.training.ranks import train_together
from isoflop.training.run import Training, share_of_newest
from isoflop.training.spec import OptimiserSpec, RunSpec

Pieces = dict[str, Tensor]
"""This rank's piece of every parameter, a DTensor, by the names of ``model.layout``."""


class _Part(nn.Module):
    """Parameters by name. On the meta device: what they are is filled in when they are cut."""

    def __init__(self, shape: Shape, sizes: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.shape = shape
        for name, size in sizes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(size, device="meta")))

    def own(self) -> dict[str, Tensor]:
        return dict(self.named_parameters(recurse=False))


class Block(_Part):
    def forward(self, x: Tensor, turn: decoder.Turn | None) -> Tensor:
        return decoder.block(x, self.shape, self.own(), turn)


class Decoder(_Part):
    """``decoder.loss`` as a module, for FSDP2 gathers what a module computes with."""

    def __init__(self, shape: Shape) -> None:
        sizes = model.layout(shape)
        super().__init__(shape, {name: size for name, size in sizes.items() if "." not in name})
        blocks: list[dict[str, tuple[int, ...]]] = [{} for _ in range(shape.layers)]
        for name, size in sizes.items():
            if "." in name:
                _, i, part = name.split(".")
                blocks[int(i)][part] = size
        self.blocks = nn.ModuleList(Block(shape, block) for block in blocks)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        x, turn = decoder.embedded(self.own(), self.shape, inputs)
        x = x.float()  # the residual stream, as autocast has it on one process
        for block in self.blocks:
            x = block(x, turn)
        return decoder.cross_entropy(decoder.logits(self.own(), self.shape, x), targets)


class ShardedRun(Training):
    """Each rank has a piece of every parameter, and of its moments and running mean."""

    sharded = True

    def __init__(self, spec: RunSpec, corpus: Corpus, device: torch.device, group: Group) -> None:
        super().__init__(spec, corpus, device, group)
        if spec.compile:
            raise UsageError(
                f"run {spec.run_id} is to be compiled, and a sharded run is not: set compile = false under [trainer]."
            )
        self._bfloat16 = spec.precision == "bfloat16"
        self._module = _cut(Decoder(spec.shape), device, group.size, self._bfloat16)
        self._pieces: Pieces = dict(self._module.named_parameters())
        for name, weight in model.initial_by_name(spec.shape, spec.seed):
            self._fill(self._pieces[name], weight)
        self._mean: Pieces = {}
        if spec.optimiser.ema:
            self._mean = {name: torch.zeros_like(piece.detach()) for name, piece in self._pieces.items()}
        self._optimiser = _AdamW(spec.optimiser, spec.shape, self._pieces, group)

    def _fill(self, piece: Tensor, whole: Tensor) -> None:
        """Take this rank's piece of a parameter: as torch.chunk cuts, the last ranks' may be smaller, or empty."""
        rows = -(-len(whole) // self.group.size)
        mine = whole[self.group.rank * rows :][:rows]
        _here(piece).copy_(mine)

    def _parts(self) -> dict[str, Pieces]:
        mean = {"mean": self._mean} if self._mean else {}
        return {
            "weights": self._pieces,
            "first_moment": self._optimiser.first_moment,
            "second_moment": self._optimiser.second_moment,
            **mean,
        }

    def tensors(self) -> dict[str, Tensor]:
        return {name: self._whole(pieces) for name, pieces in self._parts().items()}

    def judged(self) -> Tensor:
        return self._whole(self._mean or self._pieces)

    @torch.no_grad()
    def _whole(self, pieces: Pieces) -> Tensor:
        """The flat buffer at the leading rank's processor; one parameter at a time passes through the devices."""
        flat = torch.empty(count_params(self.spec.shape).total if self.group.leads else 0)
        views = model.named_views(flat, self.spec.shape) if self.group.leads else {}
        for name, piece in pieces.items():
            whole = piece.full_tensor() if isinstance(piece, DTensor) else piece
            if self.group.leads:
                views[name].copy_(whole)
        return flat

    def restore(self, path: Path, spec_digest: str) -> Progress:
        def fill(read: Read) -> None:
            for name, pieces in self._parts().items():
                start = 0
                for parameter, size in model.layout(self.spec.shape).items():
                    end = start + int(np.prod(size))
                    self._fill(pieces[parameter], read(name, start, end).view(size))
                    start = end

        return restore(path, spec_digest, fill)

    def _gradient(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> float:
        parts = self.spec.micro_batches
        if len(inputs) % parts:
            raise UsageError(f"{len(inputs)} windows a rank's step do not divide into {parts} micro-batches.")
        total = torch.zeros((), device=self.device)
        for some in zip(np.split(inputs, parts), np.split(targets, parts), strict=True):
            batch = [torch.from_numpy(np.ascontiguousarray(tokens)).to(self.device) for tokens in some]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16):
                loss = self._module(*batch) / parts
            loss.backward()  # FSDP2 leaves the mean over the ranks
            total += loss.detach()
        return float(total)

    def _update(self, step: int, factor: float) -> None:
        self._optimiser.update(step, factor)
        for name, mean in self._mean.items():
            _here(mean).lerp_(_here(self._pieces[name]), share_of_newest(self.spec.optimiser.ema, step))

    def _judge(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self._exchange_for_mean()
        loss: Tensor = self._module(inputs, targets)
        self._exchange_for_mean()
        return loss

    def _exchange_for_mean(self) -> None:
        """Put the running mean in the weights' place, and these in its own; a second time undoes it."""
        for name, mean in self._mean.items():
            weights, kept = _here(self._pieces[name]), _here(mean).clone()
            _here(mean).copy_(weights)
            weights.copy_(kept)


class _AdamW:
    """``optim.AdamW`` over pieces: each number's update is its own affair, only the gradient's norm is everybody's."""

    def __init__(self, spec: OptimiserSpec, shape: Shape, pieces: Pieces, group: Group) -> None:
        self._spec = spec
        self._pieces = pieces
        self._group = group
        self.first_moment: Pieces = {name: torch.zeros_like(piece.detach()) for name, piece in pieces.items()}
        self.second_moment: Pieces = {name: torch.zeros_like(piece.detach()) for name, piece in pieces.items()}
        embeddings, vectors = ("tokens", "positions"), model.vectors(shape)
        matrices = [name for name in pieces if name not in embeddings and name not in vectors]
        here = [[name for name in names if name in pieces] for names in (embeddings, vectors, matrices)]
        self._names = [[name for name in names if _here(pieces[name]).numel()] for names in here]

    @torch.no_grad()
    def update(self, step: int, factor: float) -> None:
        """Make step ``step`` (from 0) with both learning rates times ``factor``, and let the gradient go."""
        gradient = {name: _here(piece.grad) for name, piece in self._pieces.items() if piece.grad is not None}
        self._clip(list(gradient.values()))
        for names, (rate, decay) in zip(self._names, rates_and_decays(self._spec), strict=True):
            if names:
                parts = (self._pieces, gradient, self.first_moment, self.second_moment)
                adamw(self._spec, [[_here(part[n]) for n in names] for part in parts], step, rate * factor, decay)
        for piece in self._pieces.values():
            piece.grad = None

    def _clip(self, gradient: list[Tensor]) -> None:
        squares = torch.stack(torch._foreach_norm(gradient)).square().sum()
        self._group.sum(squares)
        torch._foreach_mul_(gradient, (self._spec.clip_norm / squares.sqrt()).clamp(max=1.0))


def _here(piece: Tensor) -> Tensor:
    """The numbers of a piece that this rank has."""
    return (piece.to_local() if isinstance(piece, DTensor) else piece).detach()


def _cut(whole: Decoder, device: torch.device, ranks: int, bfloat16: bool) -> Decoder:
    """Have FSDP2 cut the blocks, then what is left; gradients are averaged in float32 whatever is computed in.

    In bfloat16 the weights are gathered so, which halves the traffic. The residual stream stays in float32 as under
    autocast, so inputs of blocks are not cast; unlike there, embeddings and vectors are rounded before their use.
    """
    mesh = init_device_mesh(device.type, (ranks,))
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bfloat16 else None, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for block in whole.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(whole, mesh=mesh, mp_policy=policy)
    whole.to_empty(device=device)
    return whole


def train_sharded(attempt: Attempt) -> None:
    """``train_together`` with the weights divided among the ranks."""
    train_together(attempt, ShardedRun)

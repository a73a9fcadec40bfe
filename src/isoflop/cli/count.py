"""``isoflop count``: parameters, FLOPs and memory of a network."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from isoflop.accounting import count_network, list_networks, named_or_described


class Kept(StrEnum):
    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"


def count(
    network: Annotated[
        str | None,
        typer.Argument(metavar="SHAPE", help="A well-known network, as llama3-8b, or a TOML.", show_default=False),
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Name the well-known networks.")] = False,
    arch: Annotated[str | None, typer.Option(help="Its blocks are as this one's: gpt2 (default), llama, ...")] = None,
    layers: Annotated[int | None, typer.Option(help="Blocks.", show_default=False)] = None,
    d_model: Annotated[int | None, typer.Option(help="Width.", show_default=False)] = None,
    heads: Annotated[int | None, typer.Option(help="Heads; 64 or 128 wide without it.", show_default=False)] = None,
    kv_heads: Annotated[int | None, typer.Option(help="Heads of keys and values (GQA).", show_default=False)] = None,
    head_dim: Annotated[int | None, typer.Option(help="Width of a head.", show_default=False)] = None,
    d_ff: Annotated[int | None, typer.Option(help="Width of the MLP; 4 or 8/3 d_model.", show_default=False)] = None,
    vocab: Annotated[int | None, typer.Option(help="Tokens it knows (50257).", show_default=False)] = None,
    context: Annotated[int | None, typer.Option(help="Positions; also of a preset.", show_default=False)] = None,
    tied: Annotated[bool | None, typer.Option("--tied/--untied", help="Embedding and head are one matrix.")] = None,
    experts: Annotated[int | None, typer.Option(help="Experts in place of the MLP.", show_default=False)] = None,
    top_k: Annotated[int | None, typer.Option(help="Experts that a token uses.", show_default=False)] = None,
    devices: Annotated[int, typer.Option(help="Devices that share the training state.")] = 1,
    stage: Annotated[int, typer.Option(help="ZeRO's stage: 0 copies all, 3 (FSDP) shards all.")] = 0,
    precision: Annotated[str, typer.Option(help="bf16, bf16_fp32_gradients, fp32 or fp8.")] = "bf16",
    sequences: Annotated[int, typer.Option(help="Sequences in memory at once, on each device.")] = 1,
    recompute: Annotated[Kept, typer.Option(help="What the backward pass computes again.")] = Kept.SELECTIVE,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count a network: parameters under every convention, FLOPs per token, memory."""
    if list_all:
        typer.echo(list_networks())
        return
    given = {
        "layers": layers,
        "d_model": d_model,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": head_dim,
        "d_ff": d_ff,
        "vocab": vocab,
        "context": context,
        "tied": tied,
        "experts": experts,
        "top_k": top_k,
    }
    shape = named_or_described(network, arch, {name: value for name, value in given.items() if value is not None})
    counted = count_network(
        shape, devices=devices, stage=stage, precision=precision, sequences=sequences, recompute=recompute.value
    )
    typer.echo(counted.to_json() if json else str(counted))

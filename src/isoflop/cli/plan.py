"""``isoflop plan``: what one law, or several, advise for a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.planning import DEFAULT_LAWS, Asked
from isoflop.planning import plan as plan_budget


def plan(
    budget: Annotated[
        str,
        typer.Argument(
            metavar="BUDGET",
            help='"1e24", "64xH100 for 30 days", "$2M at $2.10 per H100-hour", "10 EFLOP/s for 64 days".',
            show_default=False,
        ),
    ],
    law: Annotated[
        list[str] | None,
        typer.Option(help="A published law (isoflop laws) or a law file; may be given again.", show_default=False),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9,
    hardware: Annotated[str | None, typer.Option(help="Time, price and energy on this (isoflop hardware).")] = None,
    devices: Annotated[int | None, typer.Option(help="How many of it.", show_default=False)] = None,
    mfu: Annotated[float | None, typer.Option(help="Share of its dense peak, as 0.4.", show_default=False)] = None,
    dtype: Annotated[str | None, typer.Option(help="Number format of training: bf16, fp8.")] = None,
    price: Annotated[float | None, typer.Option(help="US dollars a device-hour.", show_default=False)] = None,
    architecture: Annotated[str | None, typer.Option(help="Whole networks of this kind near N*, as llama.")] = None,
    vocab: Annotated[int, typer.Option(help="Their vocabulary.")] = Asked.vocab,
    context: Annotated[int, typer.Option(help="Their context.")] = Asked.context,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Split a compute budget between parameters and tokens.

    Without --law: Besiroglu et al. (2024), beside what Hoffmann et al. (2022) printed.
    """
    asked = Asked(
        hardware=hardware,
        devices=devices,
        mfu=mfu,
        dtype=dtype,
        price_usd_per_hour=price,
        architecture=architecture,
        vocab=vocab,
        context=context,
    )
    answer = plan_budget(law or DEFAULT_LAWS, budget, level=level, asked=asked)
    typer.echo(answer.to_json() if json else str(answer))

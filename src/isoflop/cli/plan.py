"""``isoflop plan``: what one law, or several, advise for a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.cli.families import Own, named_law
from isoflop.cli.wishes import Number, Shown, Text, read_demand, read_measured, read_power
from isoflop.planning import DEFAULT_LAWS, Asked
from isoflop.planning import plan as plan_budget
from isoflop.quantities import read_params, read_tokens

BUDGETS = '"1e24", "64xH100 for 30 days", "$2M at $2.10 per H100-hour", "10 EFLOP/s for 64 days".'

Laws = Annotated[
    list[str] | None,
    typer.Option(help="A published law (isoflop laws) or a law file; may be given again.", show_default=False),
]


def plan(
    budget: Annotated[str | None, typer.Argument(metavar="BUDGET", help=BUDGETS, show_default=False)] = None,
    law: Laws = None,
    family: Own = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9,
    target_loss: Annotated[Number, typer.Option(help="Instead of a budget: what reaches this loss?")] = None,
    params: Annotated[Text, typer.Option(help="Hold N, as in 7B.")] = None,
    tokens: Annotated[Text, typer.Option(help="Hold D, as in 2T.")] = None,
    tokens_per_param: Annotated[Number, typer.Option(help="Hold D/N.")] = None,
    hardware: Annotated[Text, typer.Option(help="Time, price, energy on this (isoflop hardware) or a TOML.")] = None,
    devices: Annotated[int | None, typer.Option(help="How many of it.", show_default=False)] = None,
    mfu: Annotated[Number, typer.Option(help="Share of its dense peak, as 0.4.")] = None,
    dtype: Annotated[Text, typer.Option(help="Number format of training: bf16, fp8.")] = None,
    price: Annotated[Number, typer.Option(help="US dollars a device-hour.")] = None,
    power: Annotated[Text, typer.Option(help='As "pue=1.1 grid=0.2 share=0.8 watts=650": energy, carbon.')] = None,
    architecture: Annotated[Text, typer.Option(help="Whole networks of this kind near N*, as llama.")] = None,
    vocab: Annotated[int | None, typer.Option(help="Their vocabulary (128256).", show_default=False)] = None,
    context: Annotated[int | None, typer.Option(help="Their context (8192).", show_default=False)] = None,
    exact_flops: Annotated[bool, typer.Option("--exact-flops", help="Split again with exact FLOPs a token.")] = False,
    inference_tokens: Annotated[Text, typer.Option(help="Tokens read while serving: the lifecycle.")] = None,
    generated_tokens: Annotated[Text, typer.Option(help="Tokens generated while serving.")] = None,
    serving: Annotated[Text, typer.Option(help='As "samples=8 train=0.4 read=0.4 write=0.02 price_write=2".')] = None,
    unique_tokens: Annotated[Text, typer.Option(help="Tokens that there are, as in 300B: epochs.")] = None,
    training_bits: Annotated[Number, typer.Option(help="Bits in training (Kumar et al.).")] = None,
    post_bits: Annotated[Number, typer.Option(help="Bits that weights are quantised to afterwards.")] = None,
    gain: Annotated[Number, typer.Option(help="A compute multiplier, as of better data.")] = None,
    measured: Annotated[Text, typer.Option(help='A run of yours, "1B,20B,2.62": its miss is carried over.')] = None,
    show: Annotated[list[Shown] | None, typer.Option(help="Also show this; may be given again.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Split a compute budget between parameters and tokens; further options ask the first law.

    Without --law: Besiroglu et al. (2024), beside what Hoffmann et al. (2022) printed.
    """
    asked = Asked(
        hardware=hardware,
        devices=devices,
        mfu=mfu,
        dtype=dtype,
        price_usd_per_hour=price,
        power=read_power(power),
        architecture=architecture,
        vocab=vocab,
        context=context,
        exact_flops=exact_flops,
        target_loss=target_loss,
        params=None if params is None else read_params(params).value,
        tokens=None if tokens is None else read_tokens(tokens).value,
        tokens_per_param=tokens_per_param,
        demand=read_demand(inference_tokens, generated_tokens, serving),
        unique_tokens=None if unique_tokens is None else read_tokens(unique_tokens).value,
        training_bits=training_bits,
        post_bits=post_bits,
        multiplier=gain,
        measured=None if measured is None else read_measured(measured),
        show=frozenset(map(str, show or ())),
    )
    answer = plan_budget([named_law(one, family) for one in law or DEFAULT_LAWS], budget, level=level, asked=asked)
    typer.echo(answer.to_json() if json else str(answer))

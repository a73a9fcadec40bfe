"""``isoflop plan``: what one law, or several, advise for a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from isoflop.planning import DEFAULT_LAWS
from isoflop.planning import plan as plan_budget


def plan(
    budget: Annotated[
        str,
        typer.Argument(metavar="BUDGET", help='"1e24", "3640 PF-days", "10 EFLOP/s for 64 days".', show_default=False),
    ],
    law: Annotated[
        list[str] | None,
        typer.Option(help="A published law (isoflop laws) or a law file; may be given again.", show_default=False),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.9,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Split a compute budget between parameters and tokens.

    Without --law: Besiroglu et al. (2024), beside what Hoffmann et al. (2022) printed.
    """
    answer = plan_budget(law or DEFAULT_LAWS, budget, level=level)
    typer.echo(answer.to_json() if json else str(answer))

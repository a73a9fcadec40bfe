"""The description of the API: made from the operations themselves, so that it cannot say anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from isoflop.web.operations import Operation, refusal

ABOUT = (
    "The questions that the page of isoflop serve asks. Answers with a schema of their own (isoflop.plan/1 and others) "
    'are what the commands print with --json. What is refused is refused as {"error": one sentence}.'
)


GUARD = {
    "401": refusal("The server was started with a token, which is missing or wrong."),
    "403": refusal("The question comes from the page of another site."),
    "421": refusal("The server is asked for by a name that is not its own."),
}


def describe(operations: Iterable[Operation], others: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.1 for the operations and for the paths that are described by hand."""
    paths = {one.path: one.to_openapi() for one in operations} | dict(others)
    for methods in paths.values():
        for asked in methods.values():
            asked["responses"] |= GUARD
    return {
        "openapi": "3.1.0",
        "info": {"title": "isoflop", "version": version("isoflop"), "description": ABOUT},
        "paths": paths,
    }

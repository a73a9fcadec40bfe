"""The description of the API: made from the operations themselves, so that it cannot say anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from isoflop.web.operations import Operation

ABOUT = (
    "The questions that the page of isoflop serve asks. Answers with a schema of their own (isoflop.plan/1 and others) "
    'are what the commands print with --json. What is refused is refused as {"error": one sentence}.'
)


def describe(operations: Iterable[Operation], others: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.1 for the operations and for the paths that are described by hand."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "isoflop", "version": version("isoflop"), "description": ABOUT},
        "paths": {one.path: one.to_openapi() for one in operations} | dict(others),
    }

"""Whatever is asked of the API, in or out of its own description, is answered or refused: never a 500."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from isoflop.web.api import Shown
from isoflop.web.app import application

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def read_description() -> schemathesis.BaseSchema:
    config = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
    return schemathesis.openapi.from_asgi("/openapi.json", application(Shown(), host="testserver"), config=config)


schema = read_description()


@pytest.fixture(autouse=True, scope="module")
def denormals() -> Iterator[None]:
    """A trainer that an earlier test ran in this process has switched them off, and hypothesis draws them."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(True)


@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_asked_breaks_it(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS)


def test_the_description_is_itself_valid() -> None:
    schema.validate()


@pytest.mark.parametrize("path", ["/api/plan", "/api/tables", "/api/playgrounds/emergence"])
def test_the_description_holds_the_paths(path: str) -> None:
    assert path in schema.raw_schema["paths"]

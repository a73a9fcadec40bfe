"""What a question of the API is: one object each, from which both its route and its description are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isoflop.errors import IsoflopError, UsageError
from isoflop.web.parameters import Parameter, read_query

Schema = Mapping[str, Any]
ERROR: Schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
LONGEST_SENTENCE = 600
"""Characters of an error: a table of strangers may have a header of megabytes, and it is quoted."""


class NotHere(UsageError):
    """What was asked for by its place in the address is not there."""


@dataclass(frozen=True)
class Operation:
    """A question that is asked with GET and answered with JSON.

    ``answer`` takes the values of ``parameters`` and of ``place`` (those in the path) by name, and runs in a thread, so
    that a long answer keeps nobody waiting. ``schema`` describes the answer.
    """

    path: str
    says: str
    answer: Callable[[Mapping[str, Any]], Any]
    schema: Schema
    parameters: tuple[Parameter, ...] = ()
    place: tuple[Parameter, ...] = ()

    @property
    def route(self) -> Route:
        return Route(self.path, self._respond, methods=["GET"], name=self.path)

    async def _respond(self, request: Request) -> Response:
        try:
            settings = read_query(self.parameters, request.query_params.multi_items())
            for one in self.place:
                settings[one.name] = _in_path(one, request.path_params[one.name])
            body = await run_in_threadpool(lambda: _encoded(self.answer(settings)))
        except IsoflopError as error:
            return refused(error)
        return _unless_known(request, body)

    def to_openapi(self) -> dict[str, Any]:
        """The operation as OpenAPI describes it."""
        asked = [one.to_openapi() for one in self.parameters]
        asked += [{**one.to_openapi(), "in": "path", "required": True} for one in self.place]
        answers = {"200": {"description": "The answer.", "content": {"application/json": {"schema": self.schema}}}}
        answers |= {"422": refusal("A parameter cannot be read, or the law cannot answer.")}
        if self.place:
            answers["404"] = refusal("There is none of that name.")
        return {"get": {"summary": self.says, "parameters": asked, "responses": answers}}


def refusal(says: str) -> dict[str, Any]:
    """An answer that refuses, as OpenAPI describes it."""
    return {"description": says, "content": {"application/json": {"schema": ERROR, "example": {"error": "..."}}}}


def refused(error: IsoflopError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """What went wrong, in one sentence."""
    sentence = str(error)
    if len(sentence) > LONGEST_SENTENCE:
        sentence = sentence[:LONGEST_SENTENCE] + " …"
    return JSONResponse({"error": sentence}, 404 if isinstance(error, NotHere) else 422, headers=headers)


def _in_path(one: Parameter, text: str) -> Any:
    try:
        return one.read(str(text))
    except UsageError as error:
        raise NotHere(str(error)) from None


def _encoded(answer: Any) -> bytes:
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _unless_known(request: Request, body: bytes) -> Response:
    """The answer, or a word that it is still the one that the browser has."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)

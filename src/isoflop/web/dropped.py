"""Tables that are dropped on the page: read, checked, fitted and reported in memory; nothing of them is written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from secrets import token_hex
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from isoflop.errors import IsoflopError, TableError, UsageError
from isoflop.quantities import read_flops
from isoflop.reports import Wanted, gather, render
from isoflop.reports.evidence import check_target
from isoflop.runs import Runs, parse_table, read_runs, runs_of
from isoflop.web.operations import NotHere, refusal, refused
from isoflop.web.parameters import Parameter, read_query
from isoflop.web.security import REPORT_POLICY

KEPT = 8
LARGEST = 32 * 2**20
"""Bytes of a table that is dropped."""
MOST_ROWS = 20_000
"""Runs of a table here: its report takes as long as anybody waits before a page, and others wait for their turn."""
LONGEST_CELL = 200
"""Characters of a cell that are kept."""
NEEDED = ("params", "tokens", "loss")
POST = (
    Parameter("name", "The file's name; what it ends in says how it is read: .csv, .tsv or .jsonl.", required=True,
              example="runs.csv"),
    *(Parameter(name, f"The column that holds {name}, where it is called otherwise.", example=name) for name in NEEDED),
    Parameter("target", "The budget that the report is to ask about, in FLOPs.", example="1e24"),
    Parameter("draws", "Draws of every fit; fewer are quicker and rougher.", "integer", low=100, high=4000,
              example=400),
)  # fmt: skip
POLICY = {"content-security-policy": REPORT_POLICY}
"""Of a report and of its refusal: the page shows either in a frame."""


@dataclass(frozen=True)
class Table:
    """A table that was read, and its report, which takes seconds and is made when it is first asked for."""

    id: str
    name: str
    runs: Runs
    wanted: Wanted

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "n_runs": len(self.runs), "report": f"/api/tables/{self.id}/report"}

    @cached_property
    def report(self) -> str:
        return render(gather(self.runs, self.wanted, title=self.name))


@dataclass
class Tables:
    """The last few tables, the newest last; one is worked on at a time."""

    kept: OrderedDict[str, Table] = field(default_factory=OrderedDict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def keep(self, table: Table) -> Table:
        """Keep a table; the oldest goes."""
        self.kept[table.id] = table
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return table

    def open(self, path: Path) -> Table:
        """Read a file of this machine, which the server was started for."""
        if len(self.kept) == KEPT:
            raise UsageError(f"{path} is one table too many: the page keeps {KEPT}; start it with those that matter.")
        runs = read_runs(path)
        _refuse_long(str(path), len(runs))
        return self.keep(_table(path.name, runs))

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/tables", self._list, methods=["GET"]),
            Route("/api/tables", self._drop, methods=["POST"]),
            Route("/api/tables/{id}/report", self._report, methods=["GET"]),
        ]

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"tables": [one.to_dict() for one in self.kept.values()]})

    async def _report(self, request: Request) -> Response:
        found = self.kept.get(request.path_params["id"])
        if found is None:
            gone = NotHere(f"no such table; the last {KEPT} are kept, until the server ends: drop it again.")
            return refused(gone, POLICY)
        try:
            await self._make(found)
        except IsoflopError as error:
            return refused(error, POLICY)
        return HTMLResponse(found.report, headers=POLICY | {"cache-control": "no-store"})

    async def _drop(self, request: Request) -> Response:
        try:
            asked = read_query(POST, request.query_params.multi_items())
        except IsoflopError as error:
            return refused(error)
        content = await _body(request)
        if content is None:
            return JSONResponse(
                {"error": f"the page reads tables of up to {LARGEST // 2**20} MB: isoflop report reads more."}, 413
            )
        try:
            found = await run_in_threadpool(_read, asked, content)
            if isinstance(found, dict):
                return JSONResponse(found)
            await self._make(found)  # here, that what cannot be asked of the table is refused
        except IsoflopError as error:
            return refused(error)
        return JSONResponse(self.keep(found).to_dict(), 201)

    async def _make(self, table: Table) -> None:
        """Make a report, one at a time; one that is there waits for nobody."""
        if "report" not in vars(table):
            async with self.turn:
                await run_in_threadpool(lambda: table.report)


async def _body(request: Request) -> bytes | None:
    """What was sent, None where it is too much: counted as it comes, for a header may lie."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)


def _read(asked: Mapping[str, Any], content: bytes) -> Table | dict[str, Any]:
    """The table that was sent; or which columns are to be named, and those that there are."""
    name = PurePath(asked["name"]).name
    raw = parse_table(_decoded(name, content), name, LONGEST_CELL)
    mapped = {ours: asked[ours] for ours in NEEDED if asked[ours] is not None}
    missing = [ours for ours in NEEDED if ours not in raw.columns and ours not in mapped]
    if missing:
        says = f"{name} has no column called {' or '.join(missing)}: say which one holds it."
        return {"missing": missing, "columns": [column[:200] for column in list(raw.columns)[:500]], "says": says}
    _refuse_long(name, len(raw.rows))
    return _table(name, runs_of(raw, mapped), asked["target"], asked["draws"])


def _refuse_long(name: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise TableError(
            f"{name} has {rows:,} rows, and the page reports on up to {MOST_ROWS:,}: isoflop report reads it."
        )


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None


def _table(name: str, runs: Runs, target: str | None = None, draws: int | None = None) -> Table:
    wanted = Wanted(target=None if target is None else read_flops(target).value, draws=draws)
    check_target(wanted)
    return Table(token_hex(8), name, runs, wanted)


def described() -> dict[str, Any]:
    """The paths of tables as OpenAPI describes them."""
    table = {"type": "object", "required": ["id", "name", "n_runs", "report"]}
    unclear = {"type": "object", "required": ["missing", "columns", "says"]}
    body = {"text/csv": {"schema": {"type": "string"}, "example": "params,tokens,loss\n1e8,2e9,3.1\n"}}
    answers = {
        "200": {"description": "Columns are to be named.", "content": {"application/json": {"schema": unclear}}},
        "201": {"description": "Read, fitted and reported.", "content": {"application/json": {"schema": table}}},
        "413": refusal(f"More than {LARGEST // 2**20} MB."),
        "422": refusal("The table cannot be read or fitted."),
    }
    post = {"summary": "Read, check, fit and report a table.", "parameters": [one.to_openapi() for one in POST]}
    listed = {"type": "object", "required": ["tables"]}
    get = {"200": {"description": "The tables.", "content": {"application/json": {"schema": listed}}}}
    place = Parameter("id", "A table's id.", example="0123456789abcdef").to_openapi() | {"in": "path", "required": True}
    page = {"200": {"description": "The report.", "content": {"text/html": {"schema": {"type": "string"}}}}}
    return {
        "/api/tables": {
            "get": {"summary": "The tables that are kept.", "responses": get},
            "post": {**post, "requestBody": {"required": True, "content": body}, "responses": answers},
        },
        "/api/tables/{id}/report": {
            "get": {
                "summary": "The report of a table, one page.",
                "parameters": [place],
                "responses": page | {"404": refusal("No such table."), "422": refusal("The table cannot be fitted.")},
            }
        },
    }

"""The API: what can be asked, and of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isoflop import laws
from isoflop.hardware import accelerators
from isoflop.study import STUDY, open_study
from isoflop.web import dropped, live, planner
from isoflop.web.dropped import Tables
from isoflop.web.live import Watched, list_studies, one_study
from isoflop.web.openapi import describe
from isoflop.web.operations import Operation
from isoflop.web.parameters import Parameter
from isoflop.web.playgrounds import PLAYGROUNDS, Control, Playground


@dataclass(frozen=True)
class Shown:
    """What the server was started for, and what is dropped on it meanwhile."""

    studies: tuple[Watched, ...] = ()
    tables: Tables = field(default_factory=Tables)

    @property
    def first_page(self) -> str:
        """The page that such a server is for."""
        return "studies" if self.studies else "tables" if self.tables.kept else ""


def shown_of(paths: Sequence[Path]) -> Shown:
    """Studies to watch and tables to report on, by what each path is; UsageError for what is neither."""
    folders = [path for path in paths if path.is_dir() or path.name == STUDY]
    shown = Shown(tuple(Watched(open_study(path)) for path in folders))
    for path in paths:
        if path not in folders:
            shown.tables.open(path)
    return shown


def api_routes(shown: Shown) -> list[Route]:
    """The routes of the API, and of its description."""
    asked = operations(shown)
    described = describe(asked, dropped.described())

    async def openapi(_: Request) -> Response:
        return JSONResponse(described)

    return [*(one.route for one in asked), *shown.tables.routes, Route("/openapi.json", openapi)]


def operations(shown: Shown) -> list[Operation]:
    """Every question that is asked with GET and answered with JSON."""
    return [
        Operation(
            "/api/plan",
            "How a budget is best spent, by one law or several: parameters, tokens, loss, with intervals.",
            planner.answer_plan,
            _object("schema", "budget", "plans", "level", "notes", "headline", "sheets"),
            planner.PLAN,
        ),
        Operation(
            "/api/predict",
            "The loss of N parameters on D tokens under a law.",
            planner.answer_predict,
            _object("schema", "law", "params", "tokens", "loss", "interval"),
            planner.PREDICT,
        ),
        Operation("/api/laws", "The published laws, rules and records.", _laws, _object("schema", "laws")),
        Operation("/api/hardware", "The accelerators: peaks, memory, power, prices.", _hardware, _object("schema")),
        Operation(
            "/api/studies",
            "The studies that the server was started for.",
            lambda _: list_studies(shown.studies),
            _object("studies"),
        ),
        Operation(
            "/api/studies/{n}",
            "Where a study stands: what isoflop sweep status --json prints, the losses as they fall, a refit.",
            lambda settings: one_study(shown.studies, settings),
            _object("schema", "name", "states", "runs", "figures", "refit", "said"),
            live.STUDY,
            (live.NUMBER,),
        ),
        Operation("/api/playgrounds", "The playgrounds and their controls.", _playgrounds, _object("playgrounds")),
        *(_playground(name, one) for name, one in PLAYGROUNDS.items()),
    ]


def _object(*required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required)}


def _laws(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": "isoflop.laws/1", "laws": [laws.facts(laws.entry(name)) for name in laws.entries()]}


def _hardware(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": "isoflop.hardware/1", "accelerators": [one.to_dict() for one in accelerators().values()]}


def _playgrounds(_: Mapping[str, Any]) -> dict[str, Any]:
    return {"playgrounds": [one.to_dict() for one in PLAYGROUNDS.values()]}


def _playground(name: str, one: Playground) -> Operation:
    def answer(settings: Mapping[str, Any]) -> dict[str, Any]:
        return one.ask(settings).to_dict()

    controls = tuple(map(_parameter, one.controls))
    schema = _object("numbers", "sentence", "figures")
    return Operation(f"/api/playgrounds/{name}", f"{one.title}: {one.sentences[0]}", answer, schema, controls)


def _parameter(control: Control) -> Parameter:
    name, label, usual = control.name, control.label, control.default
    if control.choices:
        return Parameter(name, label, default=usual, choices=control.choices, example=usual)
    return Parameter(name, label, "number", usual, low=control.low, high=control.high, example=usual)

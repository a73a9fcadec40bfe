"""The planner: one function from plain settings to what the page shows, with the sums of ``isoflop plan``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from isoflop import laws
from isoflop.accounting import ARCHITECTURES
from isoflop.hardware import accelerators
from isoflop.laws import Law
from isoflop.planning import Asked, Demand, Plan, Prediction, plan, predict
from isoflop.planning.text import Sheet, format_ratio
from isoflop.quantities import format_interval, format_si, read_params, read_tokens
from isoflop.web.frontiers import frontier_figures
from isoflop.web.parameters import Parameter

SPLITTING = tuple(name for name in laws.entries() if laws.kind(laws.entry(name)) in ("loss_and_split", "split"))
"""The published laws that split a budget."""
WITH_LOSS = tuple(name for name in laws.catalogue() if {"params", "tokens"} == set(laws.law(name).family.inputs))
"""Those that give a loss for N and D."""
USUAL = ("besiroglu2024", "hoffmann2022", "kaplan2020")
LEVEL = Parameter(
    "level", "Level of the intervals: 0.9 holds nine of ten.", "number", 0.9, low=0.5, high=0.99, example=0.9
)
PLAN = (
    Parameter(
        "budget",
        "Compute for training: FLOPs, or hardware for a time, or money on hardware.",
        required=True,
        example="1e24",
    ),
    Parameter("law", "Published laws to ask; the first answers further questions.", default=USUAL[:2],
              choices=SPLITTING, many=True, example=["besiroglu2024"]),
    LEVEL,
    Parameter("hardware", "Price the budget on this accelerator; not where the budget names hardware itself.",
              choices=tuple(accelerators()), example="h100-sxm"),
    Parameter("devices", "How many devices.", "integer", low=1, high=10_000_000, example=512),
    Parameter("mfu", "Share of the dense peak that training reaches.", "number", low=0.001, high=1, example=0.4),
    Parameter("price", "US dollars a device-hour.", "number", low=0, high=10_000, example=2.5),
    Parameter("inference_tokens", "Tokens read while serving, over the network's life.", example="2T"),
    Parameter("unique_tokens", "Tokens of text that there are; more are repeats.", example="300B"),
    Parameter("architecture", "Find whole networks of this kind near N*.", choices=tuple(ARCHITECTURES),
              example="llama"),
    Parameter("vocab", "Their vocabulary.", "integer", low=1, high=10_000_000, example=128256),
    Parameter("context", "Their context in tokens.", "integer", low=1, high=10_000_000, example=8192),
    Parameter("figures", "Whether figures are wanted too.", default="yes", choices=("yes", "no"), example="no"),
)  # fmt: skip
PREDICT = (
    Parameter("law", "The law to ask.", default=USUAL[0], choices=WITH_LOSS, example="besiroglu2024"),
    Parameter("params", "Parameters N.", required=True, example="70B"),
    Parameter("tokens", "Training tokens D.", required=True, example="1.4T"),
    LEVEL,
)


@cache
def published(name: str) -> Law:
    """A published law; read once, for its draws are thousands of numbers."""
    return laws.law(name)


def answer_plan(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What ``isoflop plan --json`` prints, with the same as ``headline``, ``sheets`` and ``notes`` for the eye, and
    ``figures``.

    ``settings`` hold every parameter of PLAN. Raises UsageError and DataError, one sentence each.
    """
    asked_laws = [published(name) for name in settings["law"]]
    found = plan(asked_laws, settings["budget"], level=settings["level"], asked=_asked(settings))
    answer = found.to_dict() | {"headline": _headline(found), "sheets": _sheets(found)}
    if settings["figures"] == "yes":
        answer["figures"] = frontier_figures(asked_laws, found)
    return answer


def answer_predict(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What ``isoflop predict --json`` prints."""
    N, D = read_params(settings["params"]).value, read_tokens(settings["tokens"]).value
    found: Prediction = predict(published(settings["law"]), N, D, settings["level"])
    return found.to_dict()


def _asked(settings: Mapping[str, Any]) -> Asked:
    served, unique = settings["inference_tokens"], settings["unique_tokens"]
    return Asked(
        hardware=settings["hardware"],
        devices=settings["devices"],
        mfu=settings["mfu"],
        price_usd_per_hour=settings["price"],
        architecture=settings["architecture"],
        vocab=settings["vocab"],
        context=settings["context"],
        demand=None if served is None else Demand(read_tokens(served).value),
        unique_tokens=None if unique is None else read_tokens(unique).value,
    )


def _headline(found: Plan) -> list[dict[str, str]]:
    """The first law's answer: each number as it is read, and its interval."""
    row, spans = found.rows[0], found.rows[0].intervals
    N, D, ratio = format_si(row.params), format_si(row.tokens), format_ratio(row.tokens_per_param)
    said = [
        _number("parameters N*", N, None if spans is None else _span(spans.params)),
        _number("training tokens D*", D, None if spans is None else _span(spans.tokens)),
        _number("tokens per parameter", ratio, None),
    ]
    if row.loss is not None:
        loss = None if spans is None else format_interval(*spans.loss).strip("[]").replace(", ", " to ")
        said.append(_number("loss", f"{row.loss:.3f}", loss))
    return said


def _number(label: str, value: str, interval: str | None) -> dict[str, str]:
    return {"label": label, "value": value, "interval": interval or ""}


def _span(span: tuple[float, float]) -> str:
    return " to ".join(map(format_si, span))


def _sheets(found: Plan) -> dict[str, dict[str, Any]]:
    """The laws side by side with all notes, then every section by its name, as the command line lays them out."""
    side, *asked, last = found.sheets()
    sheets = {"laws": replace(side, notes=last.notes)}
    sheets |= zip((section.name for section in found.sections), asked, strict=True)
    return {name: _plain(sheet) for name, sheet in sheets.items()}


def _plain(sheet: Sheet) -> dict[str, Any]:
    lines = [[cell.strip() for cell in line] for line in sheet.lines]
    return {"title": sheet.title, "header": list(sheet.header), "lines": lines, "notes": list(sheet.notes)}

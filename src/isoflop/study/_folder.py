"""A study's folder: ``study.toml`` with the design, ``corpus/``, and ``runs/<id>/``, one folder to a run."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.study._lock import is_supervised
from isoflop.study._states import RunState, read_state
from isoflop.training.spec import RunSpec, read_spec

SCHEMA = "isoflop.study/1"
STUDY = "study.toml"


@dataclass(frozen=True)
class StudyFacts:
    """What holds for every run of a study.

    ``loss_noise`` is the standard deviation of the loss over seeds, in nats per token, that a fit of
    the runs should reckon with: a study of one seed cannot measure it.
    """

    name: str
    recipe: str
    seed: int
    corpus_digest: str
    loss_noise: float


@dataclass(frozen=True)
class Study:
    """A study on disk. It holds nothing but the folder: what has been done is read from there."""

    folder: Path

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @property
    def corpus_folder(self) -> Path:
        return self.folder / "corpus"

    def run_folder(self, run_id: str) -> Path:
        return self.runs_folder / run_id

    def add(self, spec: RunSpec) -> None:
        """Make the run's folder and its ``spec.json``; a run that is there already stays as it is."""
        folder = self.run_folder(spec.run_id)
        if (folder / "spec.json").exists():
            if read_spec(folder).digest() != spec.digest():
                raise UsageError(f"{folder / 'spec.json'} describes another training than this design does; remove it.")
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "spec.json", json.dumps(spec.to_dict(), indent=1) + "\n")

    def specs(self) -> tuple[RunSpec, ...]:
        """The specs of all runs, by budget and width."""
        specs = (read_spec(path.parent) for path in self.runs_folder.glob("*/spec.json"))
        return tuple(sorted(specs, key=lambda spec: (spec.budget, spec.shape.d_model, spec.run_id)))

    def states(self) -> tuple[RunState, ...]:
        """Where each run stands, in the order of ``specs``."""
        supervised = is_supervised(self.folder)
        return tuple(read_state(self.run_folder(spec.run_id), spec, supervised=supervised) for spec in self.specs())


def create_study(folder: Path, specs: Sequence[RunSpec], facts: StudyFacts) -> Study:
    """Write down the design and the spec of every run.

    Repeating it with the same design only fills in what a kill left out; with another design it is a
    UsageError that says what differs. ``study.toml`` records the design; later runs (``Study.add``)
    are in their folders alone.
    """
    design = _design(specs, facts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STUDY).exists():
            _refuse_another(folder, design)
        else:
            write_atomic(folder / STUDY, _to_toml(design))
        study = Study(folder)
        for spec in specs:
            study.add(spec)
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None
    return study


def open_study(folder: Path) -> Study:
    """The study in ``folder``; UsageError when there is none."""
    if not (folder / STUDY).is_file():
        raise UsageError(f"{folder} holds no study: there is no {STUDY} in it.")
    _read_design(folder)
    return Study(folder)


def _design(specs: Iterable[RunSpec], facts: StudyFacts) -> dict[str, Any]:
    cells = [{"run_id": spec.run_id, "budget": spec.budget, "width": spec.shape.d_model} for spec in specs]
    cells.sort(key=lambda cell: (cell["budget"], cell["width"], cell["run_id"]))
    return {"schema": SCHEMA, **asdict(facts), "cells": cells}


def _to_toml(design: dict[str, Any]) -> str:
    """TOML for this one schema; a JSON string or number is a TOML one too."""

    def lines(table: dict[str, Any]) -> str:
        return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())

    head = {key: value for key, value in design.items() if key != "cells"}
    return lines(head) + "".join(f"\n[[cells]]\n{lines(cell)}" for cell in design["cells"])


def _read_design(folder: Path) -> dict[str, Any]:
    try:
        design = tomllib.loads((folder / STUDY).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{folder / STUDY} is no TOML: {error}.") from None
    if design.get("schema") != SCHEMA:
        raise UsageError(f"{folder / STUDY} says schema {design.get('schema')!r}; this isoflop reads {SCHEMA!r}.")
    return design


def _refuse_another(folder: Path, design: dict[str, Any]) -> None:
    there = _read_design(folder)
    clauses = [
        f"{key} is {there.get(key)!r} there and {value!r} here"
        for key, value in design.items()
        if key != "cells" and there.get(key) != value
    ]
    if not clauses and there.get("cells") != design["cells"]:
        clauses = [f"its grid is {_grid(there.get('cells', []))} there and {_grid(design['cells'])} here"]
    if clauses:
        raise UsageError(f"{folder} holds another study: {'; '.join(clauses)}; choose another --out.")


def _grid(cells: Iterable[dict[str, Any]]) -> str:
    """A grid in a few words: each budget with its widths."""
    widths: dict[float, list[str]] = {}
    for cell in cells:
        widths.setdefault(cell["budget"], []).append(str(cell["width"]))
    return ", ".join(f"{budget:.3g} at widths {' '.join(some)}" for budget, some in widths.items())

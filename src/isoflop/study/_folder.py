"""A study's folder: ``study.toml`` with the design, ``corpus/``, and ``runs/<id>/``, one folder to a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from isoflop.errors import UnknownName, UsageError
from isoflop.files import write_atomic
from isoflop.study._lock import is_supervised
from isoflop.study._plan import STUDY, RunPlan, StudyPlan, plan_to_toml, read_plan
from isoflop.study._states import RunState, read_state
from isoflop.training.spec import RunSpec, read_spec

WRITES_AT_A_TIME = 8
"""Files that are forced to the disk at the same moment share its wait: 0.4 ms each for eight, 4 ms for one alone."""


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

    def plan(self) -> StudyPlan:
        """What its study.toml says."""
        return read_plan(self.folder / STUDY)

    def run_folder(self, run_id: str) -> Path:
        return self.runs_folder / run_id

    def add(self, spec: RunSpec) -> None:
        """Make the run's folder and its ``spec.json``; a run that is there already stays as it is."""
        folder = self.run_folder(spec.run_id)
        if (folder / "spec.json").exists():
            if read_spec(folder).digest() != spec.digest():
                raise UsageError(
                    f"{folder / 'spec.json'} describes another training than this design does; remove that folder."
                )
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "spec.json", json.dumps(spec.to_dict(), indent=1) + "\n")

    def add_all(self, specs: Iterable[RunSpec]) -> None:
        """``add`` each of them, several at a time: almost all of the time goes into waiting for the disk."""
        with ThreadPoolExecutor(WRITES_AT_A_TIME) as threads:
            for _ in threads.map(self.add, specs):
                pass

    def specs(self) -> tuple[RunSpec, ...]:
        """The specs of all runs, by budget and width."""
        specs = (read_spec(path.parent) for path in self.runs_folder.glob("*/spec.json"))
        return tuple(sorted(specs, key=lambda spec: (spec.budget, spec.shape.d_model, spec.run_id)))

    def states(self, *, own: bool | None = None) -> tuple[RunState, ...]:
        """Where each run stands, in the order of ``specs``; ``own`` says whether a command of one's own trains them, as
        the plan does where it is left out."""
        supervised = is_supervised(self.folder)
        own = bool(self.plan().trainer.command) if own is None else own
        specs = self.specs()
        if not specs:
            raise UsageError(f"{self.folder} has no runs yet: say isoflop sweep init {self.folder} first.")
        return tuple(read_state(self.run_folder(s.run_id), s, supervised=supervised, own=own) for s in specs)

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """The ids of the runs that are named, by a whole id or the beginning of one; UnknownName for a name of none."""
        known = [spec.run_id for spec in self.specs()]
        chosen: list[str] = []
        for name in names:
            found = [run_id for run_id in known if run_id == name or run_id.startswith(name)]
            if not found or not name:  # an empty variable of a shell is no word for all of them
                raise UnknownName(f"{self.folder} has no run called {name!r}; isoflop sweep status --runs lists them.")
            chosen += found
        return tuple(dict.fromkeys(chosen))


def create_study(folder: Path, plan: StudyPlan, specs: Sequence[RunSpec]) -> Study:
    """Write down the plan, and the spec of every run.

    Repeating it with the same plan only fills in what a kill left out; with another plan it is a
    UsageError that says what differs. ``study.toml`` records the plan; later runs (``Study.add``)
    are in their folders alone.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STUDY).exists():
            _refuse_another(folder, plan)
        else:
            write_atomic(folder / STUDY, plan_to_toml(plan))
        study = Study(folder)
        study.add_all(specs)
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None
    return study


def open_study(path: Path) -> Study:
    """The study in a folder, or that of a study.toml; UsageError when there is none."""
    folder = path.parent if path.name == STUDY else path
    if not (folder / STUDY).is_file():
        raise UsageError(f"{folder} holds no study: there is no {STUDY} in it.")
    study = Study(folder)
    study.plan()
    return study


def _refuse_another(folder: Path, plan: StudyPlan) -> None:
    there = read_plan(folder / STUDY)
    # Where the text is pinned by its digest, it does not matter what the folder it came from is called.
    alike = ("runs", "executor", "corpora") if plan.corpus_digest else ("runs", "executor")
    clauses = [
        f"{field.name} is {getattr(there, field.name)!r} there and {getattr(plan, field.name)!r} here"
        for field in fields(StudyPlan)
        if field.name not in alike and getattr(there, field.name) != getattr(plan, field.name)
    ]
    if not clauses and set(map(repr, there.runs)) != set(map(repr, plan.runs)):
        clauses = [f"its grid is {_grid(there.runs)} there and {_grid(plan.runs)} here"]
    if clauses:
        raise UsageError(f"{folder} holds another study: {'; '.join(clauses)}; choose another --out.")


def _grid(runs: Iterable[RunPlan]) -> str:
    """A grid in a few words: each budget with its widths."""
    widths: dict[float, list[str]] = {}
    for run in runs:
        widths.setdefault(run.budget or 0.0, []).append(str(run.width))
    return ", ".join(f"{budget:.3g} at widths {' '.join(some)}" for budget, some in widths.items())

"""From a study.toml to a study on disk: its corpora, and the folder and spec of every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isoflop.errors import UsageError
from isoflop.study._folder import Study
from isoflop.study._plan import STANDARD_LIBRARY, STUDY, CorpusPlan, StudyPlan, read_plan
from isoflop.study._specs import planned_specs
from isoflop.study._trainer import own_trainer
from isoflop.training.data import HUB, Corpus, build_corpus, check_text
from isoflop.training.spec import RunSpec, check_trained

UNBUILT = "unbuilt"


def init_study(path: Path) -> Study:
    """Build the corpora of a study.toml beside it and make the folder and spec of every run; say it again at will.

    ``path`` is a study.toml, or the folder that holds one. What is there stays: runs that were added to the file since
    are added, and a run whose spec would now be another is a UsageError. A study with a trainer of its own builds no
    corpus: that trainer knows its text.
    """
    file = path / STUDY if path.is_dir() else path
    plan = read_plan(file)
    preview(plan)
    folder = file.parent
    corpora = {} if plan.trainer.command else {corpus.name: _build(folder, corpus) for corpus in plan.corpora}
    digests = {corpus.name: corpora[corpus.name].digest if corpora else "" for corpus in plan.corpora}
    first = plan.corpora[0].name
    if plan.corpus_digest and digests[first] != plan.corpus_digest:
        raise UsageError(
            f"{file} pins the corpus {plan.corpus_digest[:12]}, and what was built is {digests[first][:12]}: the text "
            "is another (the standard library differs between Pythons); take the corpus_digest out to use this one."
        )
    specs = planned_specs(plan, digests)
    places = {corpus.folder: corpora[corpus.name] for corpus in plan.corpora if corpora}
    for spec in specs if corpora else ():
        check_text(spec, next(built for place, built in places.items() if spec.corpus.endswith(f"/{place}")))
    study = Study(folder)
    _refuse_changed(file, study, specs)
    try:
        study.add_all(specs)
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None
    return study


def preview(plan: StudyPlan) -> tuple[RunSpec, ...]:
    """The runs that a plan makes, before any corpus is there; UsageError for what cannot be made."""
    has_own = bool(plan.trainer.command)
    specs = planned_specs(plan, dict.fromkeys((corpus.name for corpus in plan.corpora), "" if has_own else UNBUILT))
    if has_own:
        own_trainer(plan.trainer.command)
    for spec in () if has_own else specs:
        check_trained(spec.shape)
    return specs


def _build(folder: Path, corpus: CorpusPlan) -> Corpus:
    source: Path | str | None = folder / corpus.source
    if corpus.source == STANDARD_LIBRARY:
        source = None
    elif corpus.source.startswith(HUB):
        source = corpus.source
    try:
        return build_corpus(folder / corpus.folder, source, unit=corpus.unit, column=corpus.column, base=folder)
    except OSError as error:
        raise UsageError(f"the study folder {folder} cannot be written ({error.strerror}); choose another.") from None


def _refuse_changed(file: Path, study: Study, planned: Sequence[RunSpec]) -> None:
    """UsageError where a run is there that the plan now has otherwise: its law would mix two protocols."""
    there = {spec.run_id: spec for spec in study.specs()}
    names = {spec.run_id for spec in planned}
    left_behind = {_place(spec): spec for spec in there.values() if spec.run_id not in names}
    for spec in planned:
        other = left_behind.get(_place(spec))
        if spec.run_id not in there and other is not None:
            raise UsageError(
                f"{file} now plans another training at {_place(spec)[0]} than {other.run_id}, which is there: "
                f"{_difference(other, spec)}; take the change back, or give it a study of its own."
            )


def _place(spec: RunSpec) -> tuple[object, ...]:
    """What makes two runs the same point of a design, however they are trained: its name without the digest first."""
    leaves = spec.branch.step if spec.branch else 0
    return spec.run_id.rpartition("-")[0], spec.purpose, Path(spec.corpus).name, spec.unique_tokens, spec.steps, leaves


def _difference(there: RunSpec, here: RunSpec) -> str:
    """The first few facts in which two specs differ."""
    one, other = ({**spec.to_dict(), **spec.to_dict()["optimiser"]} for spec in (there, here))
    names = [
        name for name in {**one, **other} if name not in ("optimiser", "run_id") and one.get(name) != other.get(name)
    ]
    return ", ".join(f"{name} is {one.get(name)!r} there and {other.get(name)!r} here" for name in names[:3])

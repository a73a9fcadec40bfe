"""From a study.toml to a study on disk: its corpora, and the folder and spec of every run."""

from __future__ import annotations

from pathlib import Path

from isoflop.errors import UsageError
from isoflop.study._folder import Study
from isoflop.study._plan import STANDARD_LIBRARY, STUDY, CorpusPlan, StudyPlan, read_plan
from isoflop.study._specs import planned_specs
from isoflop.study._trainer import own_trainer
from isoflop.training.data import HUB, Corpus, build_corpus, check_text
from isoflop.training.spec import RunSpec

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
    study.add_all(specs)
    return study


def preview(plan: StudyPlan) -> tuple[RunSpec, ...]:
    """The runs that a plan makes, before any corpus is there; UsageError for what cannot be made."""
    if plan.trainer.command:
        own_trainer(plan.trainer.command)
    return planned_specs(plan, {corpus.name: UNBUILT for corpus in plan.corpora})


def _build(folder: Path, corpus: CorpusPlan) -> Corpus:
    source: Path | str | None = folder / corpus.source
    if corpus.source == STANDARD_LIBRARY:
        source = None
    elif corpus.source.startswith(HUB):
        source = corpus.source
    return build_corpus(folder / corpus.folder, source, unit=corpus.unit, column=corpus.column, base=folder)

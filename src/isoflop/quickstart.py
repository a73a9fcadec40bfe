"""The whole loop in one call: a study on this machine, a law, a forecast put to the test, a report.

Nothing here is particular to a quick start but the defaults; it is the order in which the parts of
isoflop are meant to be used. Every step finds what an earlier call has left and goes on from there.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from isoflop.conventions import ParamsConvention
from isoflop.errors import RunsFailed, UsageError
from isoflop.executors import LocalExecutor
from isoflop.files import remove_leftovers, write_atomic
from isoflop.fitting import CountingRow, Fit, Forecast, Outcome, counting_row, fit, forecast, judge
from isoflop.laws import write_law
from isoflop.reports.page import StudyPage, write_report
from isoflop.runs import Runs, read_runs, with_convention
from isoflop.study import RunState, Study, StudyFacts, create_study, run_spec, run_specs, run_study
from isoflop.sweeps.design import QUICKSTART_BUDGETS, Cell, isoflop_grid
from isoflop.sweeps.recipe import SMALL_BYTES, width_for_params
from isoflop.training.data import Corpus, build_corpus
from isoflop.training.spec import FORECAST, RunSpec

RECIPE = SMALL_BYTES
FORECAST_TIMES = 3.0
"""The forecast's budget over the largest of the grid: half a decade beyond the data, 90 CPU seconds."""
CLOCKS = ("seconds", "tokens_per_second", "finished_at")
"""Columns that differ when the same study is run again."""
CONVENTIONS = (ParamsConvention.NON_EMBEDDING, ParamsConvention.MATRICES_AND_HEAD, ParamsConvention.TOTAL)

Progress = Callable[[tuple[RunState, ...]], None]


@dataclass(frozen=True)
class Quickstart:
    """What to run. ``text`` None trains on this Python's standard library; ``widths`` None lets the recipe choose."""

    out: Path
    budgets: tuple[float, ...] = QUICKSTART_BUDGETS
    widths: tuple[int, ...] | None = None
    text: Path | None = None
    seed: int = 0
    workers: int = 1
    verify: bool = True


@dataclass(frozen=True, eq=False)
class Findings:
    """What came of it: both fits, the exponents by counting convention, the forecast and its outcome."""

    out: Path
    runs: Runs
    frontier: Fit
    surface: Fit
    counting: tuple[CountingRow, ...]
    forecast: Forecast | None
    outcome: Outcome | None

    @property
    def report(self) -> Path:
        return self.out / "report.html"


def quickstart(wanted: Quickstart, on_progress: Progress | None = None) -> Findings:
    """Run the study in ``wanted.out``, or what is left of it, and write everything that comes of it there.

    Writes runs.csv, law.toml, forecast.json, outcome.json and report.html beside the study. When the
    fit is refused, or runs failed, what can be written is.
    """
    study, corpus = prepare(wanted)
    try:
        _train(study, wanted.workers, on_progress)
    except RunsFailed:
        # The others are there, and worth a table; the law waits until all are.
        if any((folder / "result.json").exists() for folder in study.runs_folder.iterdir()):
            read_runs(study.folder).write_csv(wanted.out / "runs.csv")
        raise
    swept = _swept(study)
    frontier = fit(swept, "frontier", approach=2, seed=wanted.seed)
    predicted, outcome = None, None
    if wanted.verify and frontier.draws_n:
        predicted, spec = _predict(study, corpus, frontier, wanted)
        outcome = _verify(study, predicted, spec, wanted.workers, on_progress)
    return _write(study, corpus, wanted, frontier, predicted, outcome)


def prepare(wanted: Quickstart) -> tuple[Study, Corpus]:
    """The corpus and the study on disk; the same call again finds both."""
    _check_writable(wanted.out)
    cells = isoflop_grid(RECIPE, wanted.budgets, widths=wanted.widths)
    corpus = build_corpus(wanted.out / "corpus", wanted.text)
    specs = run_specs(RECIPE, cells, seed=wanted.seed, corpus_digest=corpus.digest)
    facts = StudyFacts(
        name="quickstart",
        recipe=RECIPE.name,
        seed=wanted.seed,
        corpus_digest=corpus.digest,
        loss_noise=RECIPE.seed_noise,
    )
    return create_study(wanted.out, specs, facts), corpus


def expected_forecast(wanted: Quickstart) -> RunSpec | None:
    """About the run that will test the forecast, known before anything was fitted: for estimates of time."""
    if not wanted.verify:
        return None
    budget = FORECAST_TIMES * max(wanted.budgets)
    width = width_for_params(RECIPE, RECIPE.expected_optimum(budget))
    return run_spec(RECIPE, Cell(budget, width), seed=wanted.seed, corpus_digest="")


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        write_atomic(out / ".writable", "")
        (out / ".writable").unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}; choose another --out.") from None


def _train(study: Study, workers: int, on_progress: Progress | None) -> None:
    with LocalExecutor(workers) as executor:
        run_study(study, executor, on_progress=on_progress)


def _swept(study: Study) -> Runs:
    """The runs of the grid, without the clocks: the same study run again has the same digest."""
    return _without_clocks(read_runs(study.folder, where="purpose == 'sweep'"))


def _without_clocks(runs: Runs) -> Runs:
    return replace(runs, columns={name: column for name, column in runs.columns.items() if name not in CLOCKS})


def _predict(study: Study, corpus: Corpus, frontier: Fit, wanted: Quickstart) -> tuple[Forecast, RunSpec]:
    """The forecast on disk if it was made from these very runs, else a new one, written before anything is trained."""
    budget = FORECAST_TIMES * max(wanted.budgets)
    width = width_for_params(RECIPE, float(frontier.law.optimum(budget).params))
    spec = run_spec(RECIPE, Cell(budget, width), seed=wanted.seed, corpus_digest=corpus.digest)
    spec = replace(spec, purpose=FORECAST)
    path = study.folder / "forecast.json"
    if path.exists():
        written = Forecast.from_dict(json.loads(path.read_text(encoding="utf-8")))
        if written.runs_digest == frontier.runs.digest():
            return written, spec
    made = forecast(frontier, budget, RECIPE.params(width), seed=wanted.seed)
    write_atomic(path, json.dumps(made.to_dict(), indent=2) + "\n")
    return made, spec


def _verify(
    study: Study, predicted: Forecast, spec: RunSpec, workers: int, on_progress: Progress | None
) -> Outcome | None:
    """Train the forecast run and compare; None when it diverged."""
    study.add(spec)
    _train(study, workers, on_progress)
    result = json.loads((study.run_folder(spec.run_id) / "result.json").read_text(encoding="utf-8"))
    if result["loss"] is None:
        return None
    outcome = judge(predicted, spec.run_id, result["loss"])
    write_atomic(study.folder / "outcome.json", json.dumps(outcome.to_dict(), indent=2) + "\n")
    return outcome


def _write(
    study: Study,
    corpus: Corpus,
    wanted: Quickstart,
    frontier: Fit,
    predicted: Forecast | None,
    outcome: Outcome | None,
) -> Findings:
    swept = frontier.runs
    everything = read_runs(study.folder)
    everything.write_csv(wanted.out / "runs.csv")
    if frontier.fitted is not None:
        write_law(frontier.fitted, wanted.out / "law.toml")
    findings = Findings(
        out=wanted.out,
        runs=everything,
        frontier=frontier,
        surface=fit(swept, "chinchilla", approach=3, seed=wanted.seed),
        counting=_count(swept, wanted.seed),
        forecast=predicted,
        outcome=outcome,
    )
    page = StudyPage(
        title="isoFLOP study",
        runs=everything,
        frontier=frontier,
        surface=findings.surface,
        counting=findings.counting,
        forecast=predicted,
        outcome=outcome,
        provenance=_provenance(everything, corpus, wanted),
    )
    write_report(page, findings.report)
    return findings


def _count(swept: Runs, seed: int) -> tuple[CountingRow, ...]:
    """The exponents under each way of counting N that gives a law."""
    fits = (fit(with_convention(swept, convention), "frontier", approach=2, seed=seed) for convention in CONVENTIONS)
    return tuple(counting_row(each) for each in fits if each.fitted is not None)


def _provenance(runs: Runs, corpus: Corpus, wanted: Quickstart) -> dict[str, str]:
    def seen(name: str) -> str:
        return ", ".join(sorted({str(value) for value in runs.columns[name].tolist()}))

    return {
        "isoflop": version("isoflop"),
        "recipe": f"{RECIPE.name}: depth {RECIPE.layers}, {RECIPE.batch_tokens} tokens a step, warmup-stable-decay",
        "corpus": f"{corpus.source}, {corpus.files} files, {corpus.train_tokens / 1e6:.1f} MB to train on",
        "corpus digest (SHA-256)": corpus.digest,
        "seed": str(wanted.seed),
        "seed noise": f"{RECIPE.seed_noise} nats per byte, measured by studies/seed_noise.py",
        "PyTorch": seen("torch"),
        "processor": f"{platform.machine()}, {seen('cpu_capability')}, {seen('threads')} thread a run",
        "Python": platform.python_version(),
        "FLOPs": "every matrix product, forward and backward, attention causal",
        "loss": f"nats per byte on {RECIPE.eval_windows * RECIPE.context:,} held-out bytes, the same for every run",
        "runs digest (SHA-256, without clocks)": _without_clocks(runs).digest(),
    }

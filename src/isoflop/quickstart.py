"""The whole loop in one call: a study on this machine, a law, a forecast put to the test, a report.

Nothing here is particular to a quick start but the defaults; it is the order in which the parts of
isoflop are meant to be used. Every step finds what an earlier call has left and goes on from there.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from isoflop.conventions import ParamsConvention
from isoflop.errors import DataError, RunsFailed, UsageError
from isoflop.executors import LocalExecutor
from isoflop.files import read_object, remove_leftovers, write_atomic
from isoflop.fitting import CountingRow, Fit, Forecast, Outcome, counting_row, fit, forecast, judge, with_outcome
from isoflop.laws import write_law
from isoflop.reports import Evidence, Wanted, write_report
from isoflop.runs import Runs, read_runs, with_convention, write_study_table
from isoflop.study import (
    CorpusPlan,
    Progress,
    RunPlan,
    RunState,
    State,
    Study,
    StudyPlan,
    create_study,
    planned_specs,
    run_spec,
    run_study,
)
from isoflop.sweeps.design import QUICKSTART_BUDGETS, Cell, isoflop_grid
from isoflop.sweeps.points import point
from isoflop.sweeps.recipe import SMALL_BYTES, width_for_params
from isoflop.training.data import Corpus, build_corpus
from isoflop.training.spec import FORECAST, SWEEP, RunSpec

RECIPE = SMALL_BYTES
FORECAST_FILE = "forecast.json"
FORECAST_TIMES = 3.0
"""The forecast's budget over the largest of the grid: half a decade beyond the data, 90 CPU seconds."""
FEWEST_BUDGETS, FEWEST_NETWORKS = 2, 3
"""Below this no line can be drawn through the minima, and no minimum through the losses."""
CLOCKS = ("seconds", "tokens_per_second", "finished_at")
"""Columns that differ when the same study is run again."""
CONVENTIONS = (ParamsConvention.NON_EMBEDDING, ParamsConvention.MATRICES_AND_HEAD, ParamsConvention.TOTAL)


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
    """What came of it: both fits, the exponents by counting convention, the forecast and its outcome.

    ``forecast_run`` is where the run that tests the forecast stands, None before it was begun; ``outcome``
    is None until it has a loss.
    """

    out: Path
    runs: Runs
    frontier: Fit
    surface: Fit
    counting: tuple[CountingRow, ...]
    forecast: Forecast | None
    forecast_run: RunState | None = None
    outcome: Outcome | None = None

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def runs_changed(self) -> bool:
        """Whether the runs are no longer those that the forecast was made from."""
        return self.forecast is not None and self.forecast.runs_digest != self.frontier.runs.digest()


def quickstart(wanted: Quickstart, on_progress: Progress | None = None) -> Findings:
    """Run the study in ``wanted.out``, or what is left of it, and write everything that comes of it there.

    Writes runs.csv, law.toml, forecast.json and report.html beside the study before the forecast is put
    to the test, and outcome.json and the report again after. RunsFailed when runs failed, with all kept
    and written that can be; DataError when no run of the sweep ended with a loss. A fit that is refused
    is an answer too: then there is a report, and no law.
    """
    study, corpus = prepare(wanted)
    sweep = [spec.run_id for spec in study.specs() if spec.purpose == SWEEP]
    try:
        _train(study, sweep, wanted.workers, on_progress)
    finally:
        # Whatever stopped the others, these are there, and worth a table; the law waits until all are.
        if any(state.state.is_finished for state in study.states()):
            write_study_table(study.folder, wanted.out / "runs.csv")
    findings, test = _fitted(study, corpus, wanted)
    before = _write(findings, corpus, wanted)
    if test is None or findings.forecast is None or _is_finished(findings.forecast_run):
        return findings
    study.add(test)
    try:
        _train(study, [*sweep, test.run_id], wanted.workers, on_progress)
    except RunsFailed as failed:
        there = f"the law, the forecast and the report so far are in {wanted.out}"
        raise RunsFailed(f"{str(failed).removesuffix('.')}; {there}.") from None
    findings = _as_tested(findings, study, test)
    _write(findings, corpus, wanted, before)
    return findings


def prepare(wanted: Quickstart) -> tuple[Study, Corpus]:
    """The corpus and the study on disk; the same call again finds both.

    What can be seen to be wrong beforehand is refused, with UsageError or DataError, before any folder is made.
    """
    cells = _cells(wanted)
    _check_trainer()
    _check_writable(wanted.out)
    corpus = build_corpus(wanted.out / "corpus", wanted.text)
    plan = StudyPlan(
        name="quickstart",
        recipe=RECIPE.name,
        runs=tuple(RunPlan(width=cell.width, budget=cell.budget) for cell in cells),
        seeds=(wanted.seed,),
        loss_noise=RECIPE.seed_noise,
        corpus_digest=corpus.digest,
        corpora=(CorpusPlan() if wanted.text is None else CorpusPlan(source=str(wanted.text)),),
    )
    study = create_study(wanted.out, plan, planned_specs(plan, {"corpus": corpus.digest}))
    remove_leftovers(study.folder)
    return study, corpus


def expected_forecast(wanted: Quickstart) -> RunSpec | None:
    """About the run that is still to test the forecast, known before anything was fitted: for estimates of time.

    UsageError, as in ``prepare``, for what cannot be run.
    """
    _cells(wanted)
    if not wanted.verify or (wanted.out / "outcome.json").exists():
        return None
    budget = FORECAST_TIMES * max(wanted.budgets)
    return _forecast_run(budget, RECIPE.expected_optimum(budget), seed=wanted.seed, corpus_digest="")


def _cells(wanted: Quickstart) -> tuple[Cell, ...]:
    """The grid, once everything about it that can be seen to be wrong beforehand has been refused."""
    _check_numbers(wanted)
    cells = isoflop_grid(RECIPE, wanted.budgets, widths=wanted.widths)
    for cell in cells:
        point(RECIPE, cell)  # refuses a budget too small for its widths
    return cells


def _check_numbers(wanted: Quickstart) -> None:
    if wanted.workers < 1:
        raise UsageError(f"{wanted.workers} workers can run nothing; give at least 1.")
    if wanted.seed < 0:
        raise UsageError(f"a seed of {wanted.seed} was asked for; give a whole number from 0 up.")
    budgets = len(set(wanted.budgets))
    if budgets < FEWEST_BUDGETS:
        raise UsageError(f"a law needs {FEWEST_BUDGETS} budgets or more, and there is {budgets}; add to --budgets.")
    if wanted.widths is not None and (widths := len(set(wanted.widths))) < FEWEST_NETWORKS:
        raise UsageError(f"a minimum needs {FEWEST_NETWORKS} widths or more, and there are {widths}; add to --widths.")


def _check_trainer() -> None:
    if find_spec("torch") is None or find_spec("safetensors") is None:
        raise UsageError("training needs PyTorch, which is not installed here; pip install 'isoflop[train]' adds it.")


def _check_writable(out: Path) -> None:
    """Try it with a nameless file in the nearest folder that is there."""
    try:
        nearest = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        with TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}; choose another --out.") from None


def _train(study: Study, runs: Sequence[str], workers: int, on_progress: Progress | None) -> None:
    with LocalExecutor(workers) as executor:
        run_study(study, executor, runs=runs, on_progress=on_progress)


def _fitted(study: Study, corpus: Corpus, wanted: Quickstart) -> tuple[Findings, RunSpec | None]:
    """What the runs that are there say, and the run that is to test it."""
    swept = _swept(study)
    frontier = fit(swept, "frontier", approach=2, seed=wanted.seed)
    predicted, test = _predict(study, corpus, frontier, wanted)
    findings = Findings(
        out=wanted.out,
        runs=read_runs(study.folder),
        frontier=frontier,
        surface=fit(swept, "chinchilla", approach=3, seed=wanted.seed),
        counting=_count(swept, wanted.seed),
        forecast=predicted,
    )
    return (findings if test is None else _as_tested(findings, study, test)), test


def _swept(study: Study) -> Runs:
    """The runs of the grid, without the clocks: the same study run again has the same digest."""
    swept = [state for state in study.states() if state.spec.purpose == SWEEP]
    if all(state.state is State.DIVERGED for state in swept):
        raise DataError(
            f"all {len(swept)} runs in {study.folder} diverged, so there is no loss to fit a law to; try another "
            "--seed or other --widths."
        )
    return _without_clocks(read_runs(study.folder, where="purpose == 'sweep'"))


def _without_clocks(runs: Runs) -> Runs:
    return replace(runs, columns={name: column for name, column in runs.columns.items() if name not in CLOCKS})


def _predict(study: Study, corpus: Corpus, frontier: Fit, wanted: Quickstart) -> tuple[Forecast | None, RunSpec | None]:
    """The forecast, on disk before the run that tests it is begun, and that run; none where none is wanted.

    A forecast on disk stands if it was made from these very runs. It also stands, whatever is wanted and
    whatever has become of the runs, once its test has ended: nothing written after that would be a
    forecast. So there is none when the test has ended and the forecast is gone.
    """

    def test_of(flops: float, params: float) -> RunSpec:
        return _forecast_run(flops, params, seed=wanted.seed, corpus_digest=corpus.digest)

    if (written := _written_forecast(study.folder)) is not None:
        test = test_of(written.flops, written.run_params)
        is_of_these_runs = written.runs_digest == frontier.runs.digest()
        if _is_finished(_state(study, test)) or (wanted.verify and is_of_these_runs):
            return written, test
    if not wanted.verify or not frontier.draws_n:
        return None, None
    budget = FORECAST_TIMES * max(wanted.budgets)
    test = test_of(budget, float(frontier.law.optimum(budget).params))
    if _is_finished(_state(study, test)):
        return None, test
    made = forecast(frontier, budget, RECIPE.params(test.shape.d_model), seed=wanted.seed)
    write_atomic(study.folder / FORECAST_FILE, json.dumps(made.to_dict(), indent=2) + "\n")
    return made, test


def _written_forecast(folder: Path) -> Forecast | None:
    """The forecast that an earlier call has written down; None where there is none."""
    path = folder / FORECAST_FILE
    if not path.exists():
        return None
    remedy = "restore it, or delete it to forecast anew"
    table = read_object(path, remedy)
    try:
        return Forecast.from_dict(table)
    except (KeyError, UsageError) as error:
        raise UsageError(f"{path} is no forecast that can be read ({error}); {remedy}.") from None


def _forecast_run(flops: float, params: float, *, seed: int, corpus_digest: str) -> RunSpec:
    """The run that tests a forecast: all of the budget, at the width nearest to ``params``."""
    cell = Cell(flops, width_for_params(RECIPE, params))
    return replace(run_spec(RECIPE, cell, seed=seed, corpus_digest=corpus_digest), purpose=FORECAST)


def _state(study: Study, spec: RunSpec) -> RunState | None:
    return next((state for state in study.states() if state.run_id == spec.run_id), None)


def _is_finished(state: RunState | None) -> bool:
    return state is not None and state.state.is_finished


def _as_tested(findings: Findings, study: Study, test: RunSpec) -> Findings:
    """The findings with what is there of the run that tests the forecast: nothing yet, a loss, or none for ever."""
    state = _state(study, test)
    findings = replace(findings, runs=read_runs(study.folder), forecast_run=state, outcome=None)
    if findings.forecast is None or state is None or state.state is not State.DONE or state.loss is None:
        return findings
    outcome = judge(findings.forecast, test.run_id, state.loss)
    frontier = with_outcome(findings.frontier, findings.forecast, outcome)
    return replace(findings, outcome=outcome, frontier=frontier)


def _write(findings: Findings, corpus: Corpus, wanted: Quickstart, before: Evidence | None = None) -> Evidence:
    """Everything that can be made again from the runs; a file of an earlier call that no longer holds goes.

    Of the evidence ``before`` the forecast's test, what that cannot have changed is not worked out again.
    """
    out = findings.out
    write_study_table(out, out / "runs.csv")
    if findings.frontier.fitted is None:
        (out / "law.toml").unlink(missing_ok=True)
    else:
        write_law(findings.frontier.fitted, out / "law.toml")
    if findings.outcome is None:
        (out / "outcome.json").unlink(missing_ok=True)
    else:
        write_atomic(out / "outcome.json", json.dumps(findings.outcome.to_dict(), indent=2) + "\n")
    evidence = _evidence(findings, corpus, wanted, before)
    write_report(evidence, findings.report)
    return evidence


def _evidence(findings: Findings, corpus: Corpus, wanted: Quickstart, before: Evidence | None) -> Evidence:
    """What the report knows: the fits as the command prints them, profiles first."""
    kept = {} if before is None else before.found("envelope", "backtest", "specification", "likelihood")
    found = kept | {"profiles": findings.frontier, "leading": findings.frontier, "surface": findings.surface}
    return Evidence(
        title="isoFLOP study",
        runs=findings.runs,
        fitted=findings.frontier.runs,
        wanted=Wanted(seed=wanted.seed),
        forecast=findings.forecast,
        outcome=findings.outcome,
        provenance=_provenance(findings.runs, corpus, wanted),
        known=found | ({"counting": findings.counting} if findings.counting else {}),
    )


def _count(swept: Runs, seed: int) -> tuple[CountingRow, ...]:
    """The exponents under each way of counting N that gives a law."""
    fits = (fit(with_convention(swept, convention), "frontier", approach=2, seed=seed) for convention in CONVENTIONS)
    return tuple(counting_row(each) for each in fits if each.fitted is not None)


def _provenance(runs: Runs, corpus: Corpus, wanted: Quickstart) -> dict[str, str]:
    def seen(name: str) -> str:
        values = set(runs.columns[name].tolist())
        return ", ".join(sorted(f"{value:g}" if isinstance(value, float) else value for value in values))

    return {
        "isoflop": version("isoflop"),
        "recipe": f"{RECIPE.name}: depth {RECIPE.layers}, "
        f"{RECIPE.batch.coefficient:.0f} tokens a step, warmup-stable-decay",
        "corpus": f"{corpus.source}, {corpus.files} files, {corpus.train_tokens / 1e6:.1f} MB to train on",
        "corpus digest (SHA-256)": corpus.digest,
        "seed": str(wanted.seed),
        "seed noise": f"{RECIPE.seed_noise} nats per byte, measured by studies/seed_noise.py",
        "PyTorch": seen("torch"),
        "processor": f"{platform.machine()}, {seen('cpu_capability')}, threads a run: {seen('threads')}",
        "Python": platform.python_version(),
        "FLOPs": "every matrix product, forward and backward, attention causal",
        "loss": f"nats per byte on {RECIPE.eval_windows * RECIPE.context:,} held-out bytes, the same for every run",
        "runs digest (SHA-256, without clocks)": _without_clocks(runs).digest(),
    }

"""What a report says of runs whose truth was planted, and what each line of the checklist needs to be met."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
from isoflop.errors import DataError
from isoflop.fitting import Backtest, Note, Specification, SpecificationCurve, Split, Verdict
from isoflop.laws import law
from isoflop.quantities import format_si
from isoflop.reports import Evidence, Wanted, as_markdown, as_object, gather
from isoflop.reports.answers import answers, decision_line, status
from isoflop.reports.axes import conventions_sentence
from isoflop.reports.checklist import LINES, Line, State, checklist
from isoflop.runs import DroppedRun, Runs

TRUTH = law("besiroglu2024")
PARTS = ("surface", "profiles", "envelope", "plan", "backtest", "specification", "likelihood")
STATED = Conventions(ParamsConvention.TOTAL, FlopsConvention.SIX_ND, LossUnit.NATS_PER_TOKEN)


def planted(noise: float = 0.003, budgets: int = 7, **columns: object) -> Runs:
    """Seven networks at each of several budgets, losses of Besiroglu et al.'s surface with noise."""
    rng = np.random.default_rng(3)
    C = np.repeat(np.geomspace(1e18, 1e21, budgets), 7)
    N = TRUTH.optimum(C).params * np.tile(np.geomspace(1 / 6, 6, 7), budgets)
    D = C / 6 / N
    loss = TRUTH.predict(N, D) * np.exp(noise * rng.standard_normal(C.size))
    names = {name: np.full(C.size, value) for name, value in columns.items()}
    return Runs(N, D, loss, C, columns={**names, "budget": C}, conventions=STATED)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return gather(planted(), Wanted(target=1e22, draws=100), title="Planted")


@pytest.fixture(scope="module")
def lines(evidence: Evidence) -> dict[str, Line]:
    return {line.asks: line for line in checklist(evidence)}


def test_the_decision_is_the_truth_within_its_noise(evidence: Evidence) -> None:
    best, row = TRUTH.optimum(1e22), evidence.decision
    low, high = row.intervals.params
    assert abs(np.log(row.params / float(best.params))) < np.log(high / low)
    assert high / low < 2
    assert row.loss == pytest.approx(float(best.loss), rel=0.01)
    assert format_si(row.params) in decision_line(evidence)


def test_the_five_questions_are_answered_by_their_numbers(evidence: Evidence) -> None:
    said = {one.asks: one.says for one in answers(evidence, checklist(evidence))}
    assert len(said) == 5
    held = evidence.backtest.splits
    split = max((one for one in held if one.jump <= 15), key=lambda one: one.jump)
    assert f"{split.relative_error:.2%}" in said["How sure is that?"]
    assert "1.0 decades beyond the largest run" in said["How sure is that?"]
    assert f"{evidence.surface.residual:.2%}" in said["Why?"]
    assert "No row was left out" in said["What was excluded?"]
    low, high = evidence.specification.spread
    assert f"from {format_si(low)} to {format_si(high)}" in said["How would this be wrong?"]


def test_no_light_is_green_where_an_essential_line_is_missing(evidence: Evidence) -> None:
    lines = checklist(evidence)
    settled = tuple(replace(line, state=State.MET) for line in lines)
    sound = replace(evidence.leading, verdict=replace(evidence.leading.verdict, status="ok"))
    calm = replace(evidence, known={"leading": sound})
    assert status(calm, settled) == "ok"
    for k, line in enumerate(lines):
        one_missing = (*settled[:k], replace(line, state=State.MISSING), *settled[k + 1 :])
        assert status(calm, one_missing) == ("caution" if line.essential else "ok")
    assert sum(line.essential for line in lines) == 8
    far = replace(calm, wanted=Wanted(target=1e24, draws=100))
    assert status(far, settled) == "caution"


@pytest.mark.parametrize(
    ("asks", "runs", "state", "says"),
    [
        ("What N, C and the loss count", planted(), State.MET, "N counts parameters: all weights"),
        (
            "What N, C and the loss count",
            replace(planted(), conventions=Conventions()),
            State.MISSING,
            "params_convention, flops_convention, loss_unit",
        ),
        ("Unique tokens and epochs", planted(), State.MISSING, "unique_tokens"),
        ("Unique tokens and epochs", planted(unique_tokens=1e12), State.MET, "epochs up to"),
        ("Shape of the networks", planted(layers=12.0), State.MET, "layers"),
        ("Shape of the networks", planted(), State.MISSING, "which networks"),
        ("Data and tokenizer", planted(dataset="c4"), State.MET, "dataset"),
        ("Learning rate, batch and schedule of each run", planted(schedule="cosine"), State.MET, "schedule"),
        ("Every run, failed ones too", planted(), State.MISSING, "finished runs only"),
        ("Every run, failed ones too", planted(state="done"), State.MET, "49 runs and 0 left out"),
        ("Noise between seeds", planted(loss_noise=0.006), State.MET, "0.006"),
        ("A design that varies N, D and C", planted(), State.MET, "3.0 decades"),
    ],
)
def test_a_line_is_met_or_missing_by_what_the_table_holds(asks: str, runs: Runs, state: State, says: str) -> None:
    found = gather(runs, Wanted(draws=0))
    (line,) = (Line(name, *answer(found)) for name, answer in LINES if name == asks)
    assert (line.state, says in line.says) == (state, True), line.says


def test_lines_that_the_fits_decide(evidence: Evidence, lines: dict[str, Line]) -> None:
    for asks in ("A certificate of the minimum", "Held out by scale, beside simple rivals", "Form and objective"):
        assert lines[asks].state is State.MET, lines[asks].says
    assert lines["A tolerance said before the runs were made"].state is State.MISSING
    assert lines["A forecast registered before its test"].state is State.MISSING
    assert lines["Downstream tasks: signal, chance floor, joint error"].state is State.NOT_APPLICABLE


def test_a_tolerance_is_held_against_the_interval(evidence: Evidence) -> None:
    low, high = evidence.decision.intervals.params
    found = {name: getattr(evidence, name) for name in PARTS}
    for within, state in ((1.01 * high / low, State.MET), (0.99 * high / low, State.MISSING)):
        asked = replace(evidence, wanted=replace(evidence.wanted, within=within), known=found)
        (line,) = (one for one in checklist(asked) if one.asks.startswith("A tolerance"))
        assert line.state is state


def test_one_ray_in_n_and_d_is_a_design_that_says_nothing() -> None:
    C = np.geomspace(1e18, 1e21, 12)
    N = np.sqrt(C / 6 / 20)
    ray = Runs(N, 20 * N, TRUTH.predict(N, 20 * N), C)
    found = {line.asks: line for line in checklist(gather(ray, Wanted(draws=0)))}
    assert found["A design that varies N, D and C"].state is State.MISSING
    assert found["Agreement of approaches 1, 2 and 3"].state is State.NOT_APPLICABLE


def test_the_object_and_the_page_tell_one_story(evidence: Evidence) -> None:
    table = json.loads(json.dumps(as_object(evidence), allow_nan=False))
    assert next(iter(table)) == "schema"
    assert table["plan"]["plans"][0]["params"] == evidence.decision.params
    assert table["fit"]["allocation"]["a"]["value"] == evidence.leading.allocation[0]
    assert len(table["checklist"]) == len(checklist(evidence))


def test_markdown_shows_hostile_names_as_they_are_written() -> None:
    runs = planted().take([0, 1, 2])
    hostile = Evidence("<img src=x> | @everyone `rm`", runs, runs, Wanted(draws=0), provenance={"a|b": "[x](http://y)"})
    said = as_markdown(hostile)
    assert "\\<img src=x\\> \\| @\u200beveryone \\`rm\\`" in said
    assert "| a\\|b | \\[x\\](http:\u200b//y) |" in said
    rows = [line for line in said.splitlines() if line.startswith("|")]
    tables = [row.replace("\\|", "").count("|") for row in rows]
    assert len(set(tables)) <= 3


def test_a_large_table_says_what_was_sampled() -> None:
    small = planted()
    rows = np.tile(np.arange(len(small)), 42)
    large = gather(small.take(rows), Wanted(seed=5))
    assert large.draws == 200
    assert len(large.sample) == 300
    assert large.sampled == "On 300 runs of the 2,058, drawn at random (seed 5)."


def test_what_was_left_out_is_counted_with_its_reason(evidence: Evidence) -> None:
    runs = planted()
    chosen, aside = runs.parted("budget > 2e18")
    probes = tuple(DroppedRun(row, f"p{row}", "a probe") for row in (3, 5))
    found = {name: getattr(evidence, name) for name in PARTS}
    kept = replace(chosen, dropped=probes)
    part = Evidence("Part", kept, kept, aside=aside, provenance={"rows chosen by": "budget"}, known=found)
    (said,) = (one.says for one in answers(part, ()) if one.asks == "What was excluded?")
    assert said.startswith(f"2 rows because a probe; {len(aside)} rows not among budget")
    assert len(chosen) + len(aside) == len(runs)


def test_a_budget_below_the_runs_is_no_green_answer(evidence: Evidence) -> None:
    settled = tuple(replace(line, state=State.MET) for line in checklist(evidence))
    sound = replace(evidence.leading, verdict=replace(evidence.leading.verdict, status="ok"))
    known = {name: getattr(evidence, name) for name in PARTS if name != "plan"}
    low = replace(evidence, wanted=Wanted(target=1e12, draws=100), known={"leading": sound, **known})
    assert status(low, settled) == "caution"
    (said,) = (one.says for one in answers(low, settled) if one.asks == "How sure is that?")
    assert "6.0 decades below the smallest run" in said


def test_published_splits_are_those_of_the_plan(evidence: Evidence) -> None:
    (said,) = (one.says for one in answers(evidence, ()) if one.asks == "What do I train?")
    for row in evidence.plan.rows[1:]:
        assert f"{row.law} {row.tokens / row.params:.3g}" in said


BAD_SPLIT = Split(8.0, 1e20, 40, 9, 2.0, (1.9, 2.1), 2.5, 0.2, None, False, 0.1, 0.5, {"best": 0.2, "line": 0.3})


@pytest.mark.parametrize(
    ("asks", "part", "planted"),
    [
        ("Held out by scale, beside simple rivals", "backtest", lambda e: Backtest("", 0.9, (BAD_SPLIT,))),
        (
            "The answer under other defensible choices",
            "specification",
            lambda e: SpecificationCurve(
                1e22,
                tuple(Specification("huber", 1e-3, "total", 0.0, None, 49, N, 2.0) for N in (1e9, 3e9)),
            ),
        ),
        (
            "Residuals without a pattern",
            "surface",
            lambda e: replace(e.surface, verdict=Verdict("caution", (Note("residual_trend", "they follow D"),))),
        ),
        ("A certificate of the minimum", "surface", lambda e: replace(e.surface, converged=False)),
        (
            "Joint uncertainty, and profiles beside it",
            "leading",
            lambda e: replace(e.leading, fitted=replace(e.leading.law, draws=None)),
        ),
        (
            "The answer with its interval and what a miss wastes",
            "leading",
            lambda e: replace(e.leading, fitted=replace(e.leading.law, draws=None)),
        ),
        (
            "Agreement of approaches 1, 2 and 3",
            "profiles",
            lambda e: replace(
                e.profiles,
                fitted=replace(e.profiles.law, coefficients={**e.profiles.law.coefficients, "a": 0.9}),
            ),
        ),
    ],
)
def test_an_essential_line_is_missing_where_its_part_is_bad(
    evidence: Evidence, asks: str, part: str, planted: Callable[[Evidence], object]
) -> None:
    found = {name: getattr(evidence, name) for name in (*PARTS, "leading") if (part, name) != ("leading", "plan")}
    bad = replace(evidence, known=found | {part: planted(evidence)})
    (line,) = (Line(name, *answer(bad)) for name, answer in LINES if name == asks)
    assert line.state is State.MISSING, line.says


def test_what_is_not_to_be_had_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refused(*_: object, **__: object) -> None:
        asked.append(1)
        raise DataError("not to be had.")

    monkeypatch.setattr("isoflop.reports.evidence.backtest", refused)
    few = gather(planted(), Wanted(draws=0))
    assert [few.seek("backtest") for _ in range(3)] == [(None, "not to be had.")] * 3
    assert len(asked) == 1


def test_how_far_six_nd_is_from_a_count_is_said() -> None:
    N, D = np.array([1e6, 2e6, 4e6]), np.full(3, 1e8)
    counted = Runs(
        N,
        D,
        np.array([3.0, 2.9, 2.8]),
        6 * N * D * [1.4, 1.2, 1.1],
        conventions=replace(STATED, flops=FlopsConvention.EXACT_CAUSAL),
    )
    assert conventions_sentence(counted).endswith("the C of the runs is 1.10 to 1.40 times that.")
    assert "6 N D" not in conventions_sentence(Runs(N, D, np.array([3.0, 2.9, 2.8])))

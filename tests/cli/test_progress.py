"""How a study is watched: plain lines where stderr is no terminal, a table where it is one."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from isoflop.cli import progress
from isoflop.study import RunState, State, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.spec import FORECAST

SPECS = run_specs(SMALL_BYTES, [Cell(5e11, width) for width in (16, 24, 32)], seed=0, corpus_digest="c0ffee")
TEST = replace(run_specs(SMALL_BYTES, [Cell(1.5e12, 48)], seed=0, corpus_digest="c0ffee")[0], purpose=FORECAST)
BEFORE = tuple(RunState(spec, State.PENDING) for spec in SPECS)
DURING = (
    RunState(SPECS[0], State.DONE, SPECS[0].steps, 1.75, 20.0, 1e5),
    RunState(SPECS[1], State.RUNNING, SPECS[1].steps // 2, 2.5, 10.0, 98765.4),
    RunState(SPECS[2], State.FAILED, reason="killed by signal 9"),
)
AFTER = tuple(RunState(spec, State.DONE, spec.steps, 1.5, 20.0, 1e5) for spec in SPECS)


def test_lines_are_one_for_each_run_that_begins_or_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watch(workers=2, then=TEST) as on_progress:
        for states in (BEFORE, DURING, DURING, AFTER):
            on_progress(states)
    out, err = capsys.readouterr()
    assert out == ""
    done, running, failed, *ended = err.splitlines()
    assert done.startswith(
        f"{SPECS[0].run_id}  done  loss 1.7500  (1 of 3 runs finished, a forecast run to come, about "
    )
    assert running.startswith(f"{SPECS[1].run_id}  running  (")
    assert failed.startswith(f"{SPECS[2].run_id}  failed  killed by signal 9  (")
    assert [line.split()[:2] for line in ended] == [[spec.run_id, "done"] for spec in SPECS[1:]]


def test_the_forecast_run_is_counted_once_it_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watch(workers=2, then=TEST) as on_progress:
        on_progress((*AFTER, RunState(TEST, State.PENDING)))
    assert "3 of 4 runs finished, about " in capsys.readouterr().err


def test_what_had_ended_before_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watch(workers=2) as on_progress:
        on_progress((AFTER[0], *BEFORE[1:]))
        on_progress((*AFTER[:2], BEFORE[2]))
        on_progress(AFTER)
    going_on, *lines = capsys.readouterr().err.splitlines()
    assert going_on.startswith("going on: 1 of 3 runs finished, about ")
    assert [line.split()[:2] for line in lines] == [[spec.run_id, "done"] for spec in SPECS[1:]]
    with progress.watch(workers=2) as on_progress:
        on_progress(AFTER)
        on_progress(AFTER)
    assert capsys.readouterr().err == "going on: 3 of 3 runs finished\n"


MANY = run_specs(SMALL_BYTES, [Cell(5e11, width) for width in range(8, 108, 4)], seed=0, corpus_digest="c0ffee")


def lines_of(states: tuple[RunState, ...], width: int, height: int) -> list[str]:
    """What one drawing of the table puts on a terminal of this size."""
    console = Console(file=io.StringIO(), force_terminal=True, no_color=True, width=width, height=height)
    caption = "10 of 25 runs finished, a forecast run to come, about 12 min 34 s left"
    table = progress._table(states, caption, height - progress.LINES_BESIDE_RUNS)
    return ["".join(segment.text for segment in line).rstrip() for line in console.render_lines(table, pad=False)]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (80, 10), (100, 30)])
def test_a_table_is_never_taller_than_its_terminal(width: int, height: int) -> None:
    states = (
        *(RunState(spec, State.DONE, spec.steps, 1.5, 20.0, 1e5) for spec in MANY[:10]),
        RunState(MANY[10], State.FAILED, reason="MemoryError: " + "a long story " * 20),
        *(RunState(spec, State.PENDING) for spec in MANY[11:23]),
        *(RunState(spec, State.RUNNING, spec.steps // 2, 2.5, 10.0, 98765.4) for spec in MANY[23:]),
    )
    lines = lines_of(states, width, height)
    assert len(lines) < height  # the cursor stands on the line below
    rows = [line for line in lines if line.startswith("b5e11-")]
    if height == 30:
        assert len(rows) == 25
        assert not any("and " in line for line in lines)
    else:
        assert [line.split()[2] for line in rows[:2]] == ["running", "running"]
        assert "98," in rows[0]
        assert any(line.startswith("and ") and line.endswith(" pending") for line in lines)
        counts = next(line for line in lines if line.startswith("and "))
        assert len(rows) + sum(int(word) for word in counts.split() if word.isdigit()) == 25


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_shows_a_table_of_all_runs(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, no_color=True, width=width, height=40)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", -1.0)
    with progress.watch(workers=2, then=TEST) as on_progress:
        on_progress(DURING)
        during = screen.getvalue()
        on_progress(AFTER)
    last = screen.getvalue()[len(during) :]
    for spec in SPECS:
        assert spec.run_id[:12] in during
        assert spec.run_id[:12] in last
    assert "50%" in during
    assert "98,765" in during
    assert "1.7500" in during
    assert "1 of 3 runs finished, a forecast run to come, about " in " ".join(during.split())
    assert last.count("100%") >= 3
    if width > 100:
        assert "failed: killed by signal 9" in during


def test_the_table_is_not_drawn_at_every_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=120))
    with progress.watch(workers=2) as on_progress:
        on_progress(DURING)
        drawn = len(screen.getvalue())
        on_progress(DURING)
        assert len(screen.getvalue()) == drawn
        on_progress(AFTER)  # the end is always drawn
        assert len(screen.getvalue()) > drawn


@pytest.mark.parametrize("state", State)
def test_a_table_has_a_place_for_every_state(state: State) -> None:
    """A long study on a low terminal, one of whose runs is in this state; what is not shown is counted."""
    states = (*(RunState(spec, State.DONE, spec.steps, 1.5, 20.0, 1e5) for spec in MANY[1:]), RunState(MANY[0], state))
    lines = lines_of(states, 80, 10)
    assert any(line.startswith(MANY[0].run_id) and str(state) in line for line in lines) or any(
        line.startswith("and ") and f" {state}" in line for line in lines
    )

"""Scheduling, resuming, failing and interrupting, with a trainer that obeys the contract and trains nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.errors import RunsFailed, UsageError
from isoflop.executors import LocalExecutor
from isoflop.study import RunState, State, Study, Trainer, predicted_seconds, run_study, time_left
from isoflop.study._lock import LEASE_SECONDS, is_supervised, supervise
from isoflop.study._states import SECONDS_BESIDE_STEPS
from isoflop.training.spec import RunSpec

Specs = tuple[RunSpec, ...]
MakeStudy = Callable[..., Study]
Starts = Callable[[Study], list[tuple[str, int, int]]]

SUPERVISOR = """
import sys
from pathlib import Path
from isoflop.errors import IsoflopError
from isoflop.executors import LocalExecutor
from isoflop.study import Trainer, open_study, run_study
try:
    with LocalExecutor(workers=2) as executor:
        run_study(open_study(Path(sys.argv[1])), executor, trainer=Trainer(tuple(sys.argv[2:])))
except IsoflopError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def supervisor(study: Study, trainer: Trainer) -> subprocess.Popen[str]:
    """``run_study`` in a process of its own."""
    arguments = [sys.executable, "-c", SUPERVISOR, str(study.folder), *trainer.command]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(study: Study, trainer: Trainer) -> tuple[RunState, ...]:
    with LocalExecutor(workers=2) as executor:
        return run_study(study, executor, trainer=trainer)


def wait_until(condition: Callable[[], object], patience_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)


def results(study: Study) -> list[Path]:
    return list(study.runs_folder.glob("*/result.json"))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_runs_are_trained_the_longest_first(
    make_study: MakeStudy, specs: Specs, fake_trainer: Trainer, starts: Starts
) -> None:
    study = make_study()
    with LocalExecutor(workers=1) as executor:
        states = run_study(study, executor, trainer=fake_trainer)
    assert [state.state for state in states] == [State.DONE] * 6
    assert [state.loss for state in states] == [1 + 1 / spec.shape.d_model for spec in specs]
    longest_first = sorted(specs, key=predicted_seconds, reverse=True)
    assert starts(study) == [(spec.run_id, 1, 0) for spec in longest_first]


def test_a_finished_study_starts_nothing(make_study: MakeStudy, fake_trainer: Trainer, starts: Starts) -> None:
    study = make_study()
    first = finish(study, fake_trainer)
    before = starts(study)
    assert finish(study, fake_trainer) == first
    assert starts(study) == before


def test_only_the_named_runs_are_seen_to(
    make_study: MakeStudy, specs: Specs, fake_trainer: Trainer, starts: Starts
) -> None:
    study = make_study(crash=[specs[0].run_id])
    named = [specs[1].run_id, specs[4].run_id]
    with LocalExecutor(workers=2) as executor:
        states = run_study(study, executor, runs=named, trainer=fake_trainer)
    assert [(state.run_id, state.state) for state in states] == [(run_id, State.DONE) for run_id in named]
    assert {run_id for run_id, _, _ in starts(study)} == set(named)


def test_progress_shows_runs_begin_and_end(make_study: MakeStudy, fake_trainer: Trainer) -> None:
    study = make_study(seconds_per_step=0.005)
    seen: list[tuple[RunState, ...]] = []
    with LocalExecutor(workers=2) as executor:
        states = run_study(study, executor, on_progress=seen.append, trainer=fake_trainer)
    assert seen[-1] == states
    running = [sum(state.state is State.RUNNING for state in snapshot) for snapshot in seen]
    assert max(running) == 2
    some = [state for snapshot in seen for state in snapshot if state.state is State.RUNNING and state.step > 0]
    assert some
    assert all(state.step < state.steps or state.loss == 5 / state.steps for state in some)


def test_a_crash_is_named_kept_apart_and_tried_again(
    make_study: MakeStudy, specs: Specs, fake_trainer: Trainer, starts: Starts
) -> None:
    crashing, killed = specs[1].run_id, specs[3].run_id
    study = make_study(crash=[crashing], kill=[killed])
    with pytest.raises(RunsFailed) as caught:
        finish(study, fake_trainer)
    sentence = str(caught.value)
    assert sentence.startswith("2 of 6 runs failed: ")
    assert f"{crashing} (ValueError: the fake trainer was told to crash)" in sentence
    assert f"{killed} (killed by signal 9 (SIGKILL" in sentence
    assert [state.state for state in study.states()].count(State.DONE) == 4
    assert {s.run_id: s.state for s in study.states() if s.state.has_failed} == {
        crashing: State.FAILED,
        killed: State.KILLED,
    }

    states = finish(study, fake_trainer)
    assert {state.state for state in states} == {State.DONE}
    assert {(run_id, attempt) for run_id, attempt, _ in starts(study) if attempt > 1} == {(crashing, 2), (killed, 2)}


def test_a_run_stopped_from_outside_is_named_and_goes_on(
    make_study: MakeStudy, specs: Specs, fake_trainer: Trainer, starts: Starts
) -> None:
    study = make_study(stop=[specs[0].run_id])
    with pytest.raises(RunsFailed, match=rf"1 of 6 runs have no result: {specs[0].run_id} \(stopped from outside\)"):
        finish(study, fake_trainer)
    assert study.states()[0].state is State.STOPPED
    finish(study, fake_trainer)
    run_id, attempt, begun_at = starts(study)[-1]
    assert (run_id, attempt, begun_at) == (specs[0].run_id, 2, specs[0].steps // 2)


def test_a_trainer_that_leaves_no_result_has_failed(make_study: MakeStudy) -> None:
    study = make_study()
    with pytest.raises(RunsFailed, match=r"6 of 6 runs failed: .*it ended without a result\), 3 more;"):
        finish(study, Trainer((sys.executable, "-c", "pass")))


def test_ctrl_c_keeps_the_state_and_the_same_command_goes_on(
    make_study: MakeStudy, fake_trainer: Trainer, starts: Starts
) -> None:
    study = make_study(seconds_per_step=0.01)
    process = supervisor(study, fake_trainer)
    wait_until(lambda: results(study))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    _, stderr = process.communicate(timeout=30)
    finished = len(results(study))
    assert process.returncode == 130
    assert stderr == (
        f"interrupted with {finished} of 6 runs finished; the state is kept in {study.folder}, "
        "and the same command goes on.\n"
    )
    assert 1 <= finished < 6
    assert not any("Traceback" in path.read_text() for path in study.runs_folder.glob("*/stderr.log"))
    stopped = [state for state in study.states() if state.state is State.STOPPED]
    assert len(stopped) in (1, 2)

    before = {path: path.stat().st_mtime_ns for path in results(study)}
    known = len(starts(study))
    finish(study, fake_trainer)
    assert len(results(study)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before
    begun_at = {run_id: step for run_id, _, step in starts(study)[known:]}
    assert all(begun_at[state.run_id] == state.step for state in stopped)
    assert len(begun_at) == 6 - finished


def test_kill_9_of_the_supervisor_frees_the_lock_and_its_orphans_end(
    make_study: MakeStudy, fake_trainer: Trainer, starts: Starts
) -> None:
    study = make_study(seconds_per_step=0.01)
    process = supervisor(study, fake_trainer)
    wait_until(lambda: results(study))
    process.kill()
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in results(study)}
    states = finish(study, fake_trainer)
    assert {state.state for state in states} == {State.DONE}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    trained_twice = {run_id for run_id, attempt, _ in starts(study) if attempt == 2} & {p.parent.name for p in before}
    assert not trained_twice


def test_an_orphan_is_fenced_off_by_the_next_attempt(
    make_study: MakeStudy, specs: Specs, fake_trainer: Trainer
) -> None:
    """An attempt that outlives its supervisor (on a cluster it may) must not publish after its successor began."""
    study = make_study(seconds_per_step=0.01)
    slow = study.run_folder(specs[0].run_id)
    (slow / "attempts").mkdir()
    (slow / "attempts" / "0001.json").write_text("{}")
    orphan = subprocess.Popen([*fake_trainer.command, str(slow), "--attempt", "1"])
    wait_until((slow / "metrics.jsonl").exists)
    states = finish(study, fake_trainer)
    assert orphan.wait(timeout=10) == 75
    assert {state.state for state in states} == {State.DONE}
    assert json.loads((slow / "result.json").read_text())["attempt"] == 2


def test_a_second_supervisor_is_refused(make_study: MakeStudy, fake_trainer: Trainer) -> None:
    study = make_study(seconds_per_step=0.05)
    process = supervisor(study, fake_trainer)
    wait_until(lambda: list(study.runs_folder.glob("*/metrics.jsonl")))
    with pytest.raises(UsageError, match=f"process {process.pid} is already running the study"):
        finish(study, fake_trainer)
    assert State.RUNNING in {state.state for state in study.states()}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert State.RUNNING not in {state.state for state in study.states()}


def test_jobs_do_not_inherit_the_lock(make_study: MakeStudy, specs: Specs, fake_trainer: Trainer) -> None:
    """A job that ignores its supervisor's death must not keep the study locked."""
    study = make_study()
    sleeper = Trainer((sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"))
    process = supervisor(study, sleeper)
    log = study.run_folder(max(specs, key=predicted_seconds).run_id) / "stdout.log"
    wait_until(lambda: log.exists() and log.read_text())
    process.kill()
    process.communicate()
    sleepers = [int(path.read_text()) for path in study.runs_folder.glob("*/stdout.log") if path.read_text()]
    try:
        assert any(map(alive, sleepers))
        with supervise(study.folder):
            pass
    finally:
        for pid in sleepers:
            os.kill(pid, signal.SIGKILL)


def test_the_lock_of_another_hosts_process_is_judged_by_its_age(tmp_path: Path) -> None:
    """As on a network file system, whose server stamps files: no lock of the system's is asked for."""
    lock = tmp_path / "study.lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 7, "born": "1", "token": "t"}))
    assert is_supervised(tmp_path)
    with pytest.raises(UsageError, match="process 7 on elsewhere is already running the study"), supervise(tmp_path):
        pass
    long_ago = time.time() - LEASE_SECONDS - 1
    os.utime(lock, (long_ago, long_ago))
    assert not is_supervised(tmp_path)
    with supervise(tmp_path):
        assert is_supervised(tmp_path)
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_take_over_a_dead_ones_lock_and_one_has_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from isoflop.study._lock import supervise\n"
        "from isoflop.errors import UsageError\n"
        "folder = Path(sys.argv[1])\n"
        "while not (folder / 'go').exists(): time.sleep(0.001)\n"
        "try:\n"
        "    with supervise(folder): print('mine', flush=True); time.sleep(1.5)\n"
        "except UsageError: pass\n"
    )
    (tmp_path / "study.lock").write_text(json.dumps({"host": socket.gethostname(), "pid": 1, "born": "", "token": "t"}))
    words = [sys.executable, "-c", code, str(tmp_path)]
    contenders = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    time.sleep(1.0)
    (tmp_path / "go").touch()
    assert "".join(one.communicate(timeout=30)[0] for one in contenders) == "mine\n"


def test_time_left_scales_the_prediction_by_what_was_seen(specs: Specs) -> None:
    def three_times(spec: RunSpec, share: float = 1.0) -> float:
        """Seconds for ``share`` of the run on a machine three times slower than predicted."""
        return 3 * share * predicted_seconds(spec)

    pending = [RunState(spec, State.PENDING) for spec in specs[:3]]
    assert time_left(pending, workers=2) is None
    done = RunState(specs[3], State.DONE, specs[3].steps, 1.5, seconds=three_times(specs[3]))
    assert time_left([done], workers=2) == 0.0
    start = SECONDS_BESIDE_STEPS
    longest, middle, shortest = sorted((three_times(spec) + start for spec in specs[:3]), reverse=True)
    assert time_left([*pending, done], workers=1) == pytest.approx(longest + middle + shortest)
    assert time_left([*pending, done], workers=2) == pytest.approx(max(longest, middle + shortest))
    half = RunState(specs[0], State.RUNNING, specs[0].steps // 2, 2.0, seconds=three_times(specs[0], 0.5))
    assert time_left([half], workers=1) == pytest.approx(three_times(specs[0], 0.5) + start)
    then = three_times(specs[4]) + start
    assert time_left([half], workers=2, then=specs[4]) == pytest.approx(three_times(specs[0], 0.5) + start + then)

"""Failures as states, commands of one's own, timeouts, cancelling, trying again, branches that wait."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isoflop.errors import RunsFailed, UsageError
from isoflop.executors import LocalExecutor
from isoflop.runs import read_runs
from isoflop.study import (
    Manner,
    RunPlan,
    RunState,
    State,
    Study,
    StudyPlan,
    Trainer,
    cancel,
    create_study,
    own_trainer,
    planned_specs,
    protocol,
    retry,
    run_study,
    standing,
)
from isoflop.training.spec import RunSpec, branch_file

LEAVE = Manner(retry=False, again="isoflop sweep retry clears them")
Specs = tuple[RunSpec, ...]


def python(code: str) -> Trainer:
    return own_trainer([sys.executable, "-c", verbatim(code), "{run_id}", "{params}", "{attempt}"])


def verbatim(code: str) -> str:
    """Code for a command, in which a brace is a placeholder's unless it is doubled."""
    return code.replace("{", "{{").replace("}", "}}")


def run(study: Study, trainer: Trainer, manner: Manner = LEAVE) -> tuple[RunState, ...]:
    with LocalExecutor(workers=2, grace_seconds=1.0) as executor:
        return run_study(study, executor, trainer=trainer, manner=manner)


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study()


SAYS_LOSS = "import json, sys; json.dump({'loss': 1 + 1 / float(sys.argv[2])}, open('result.json', 'w'))"


def test_any_command_may_train(study: Study, specs: Specs) -> None:
    states = run(study, python(SAYS_LOSS))
    assert {state.state for state in states} == {State.DONE}
    runs = read_runs(study.folder)
    assert runs.loss == pytest.approx(1 + 1 / runs.params)
    assert sorted(runs.tokens) == sorted(spec.tokens for spec in specs)
    assert str(runs.conventions.loss) == "nats_per_token"


def written(text: str) -> str:
    """Code that leaves this as its result."""
    return f"open('result.json', 'w').write({text!r})"


ENDINGS = {
    "crash": ("raise ValueError('no such layer')", State.FAILED, "ValueError: no such layer"),
    "colours": ("sys.exit('\\x1b[31mred\\x1b[0m')", State.FAILED, "red"),
    "a long story": ("sys.exit('x' * 4000)", State.FAILED, "x" * 296 + " ..."),
    "code": ("sys.exit(7)", State.FAILED, "exit code 7"),
    "memory": ("raise MemoryError('8 GiB')", State.OUT_OF_MEMORY, "MemoryError: 8 GiB"),
    "cuda": ("sys.exit('torch.OutOfMemoryError: CUDA out of memory')", State.OUT_OF_MEMORY, "CUDA out of memory"),
    "kill": ("os.kill(os.getpid(), 9)", State.KILLED, "killed by signal 9 (SIGKILL"),
    "nothing": ("pass", State.FAILED, "it ended without a result.json"),
    "torn": ("open('result.json', 'w').write('{')", State.FAILED, "holds no JSON object"),
    "no loss": ("open('result.json', 'w').write('{}')", State.FAILED, 'has no "loss"'),
    "a word": ("open('result.json', 'w').write('{\"loss\": \"low\"}')", State.FAILED, "'low', which is no number"),
    "negative": ("open('result.json', 'w').write('{\"loss\": -1}')", State.FAILED, "a loss is positive"),
    "diverged": ("open('result.json', 'w').write('{\"loss\": NaN}')", State.DIVERGED, ""),
    "null": ("open('result.json', 'w').write('{\"loss\": null}')", State.DIVERGED, ""),
    "failed after a result": (f"{SAYS_LOSS}; sys.exit('late')", State.FAILED, "late"),
    "no count": ("open('result.json', 'w').write('{\"loss\": 3, \"tokens\": \"1B\"}')", State.FAILED, "tokens = '1B'"),
    "no table": ("open('result.json', 'w').write('{\"loss\": 3, \"params\": 7}')", State.FAILED, "not a table"),
    "no unit": ("open('result.json', 'w').write('{\"loss\": 3, \"loss_unit\": \"nats\"}')", State.FAILED, "there are"),
    "a schema": ("open('result.json', 'w').write('{\"loss\": 3, \"schema\": \"x\"}')", State.FAILED, "schema = 'x'"),
    "nan tokens": (written('{"loss": 3, "tokens": NaN}'), State.FAILED, "tokens = nan"),
    "endless flops": (written('{"loss": 3, "flops": Infinity}'), State.FAILED, "flops = inf"),
    "huge tokens": (
        written('{"loss": 3, "tokens": 1000000000000000000000000000000000000000000000000000000000000}'),
        State.FAILED,
        "positive and finite",
    ),
    "unique in words": (written('{"loss": 3, "unique_tokens": "zz"}'), State.FAILED, "unique_tokens = 'zz'"),
    "unique below 0": (written('{"loss": 3, "unique_tokens": -3}'), State.FAILED, "unique_tokens = -3"),
    "half a step": (written('{"loss": 3, "steps": 1.5}'), State.FAILED, "steps are whole"),
    "a count in words": (
        written('{"loss": 3, "params": {"matrices_and_head": "abc"}}'),
        State.FAILED,
        "no positive number",
    ),
    "a count below 0": (
        written('{"loss": 3, "params": {"matrices_and_head": -5}}'),
        State.FAILED,
        "no positive number",
    ),
    "losses in words": (written('{"loss": 3, "loss_on": 3}'), State.FAILED, "not a table"),
    "isoflop's schema": (written('{"loss": 3, "schema": "isoflop.result/1"}'), State.FAILED, "leave that out"),
    "isoflop's words": (
        written('{"loss": 3, "schema": "isoflop.result/1", "state": "foo", "steps": 3, "seconds": 1}'),
        State.FAILED,
        "leave that out",
    ),
    "slow": ("import time; time.sleep(60)", State.TIMED_OUT, "ended after its limit of 8.33e-5 hours"),
}


@pytest.mark.parametrize(("code", "state", "reason"), ENDINGS.values(), ids=ENDINGS.keys())
def test_each_way_to_end_is_a_state_with_its_reason(
    study: Study, specs: Specs, code: str, state: State, reason: str
) -> None:
    """One run ends so, the others well; all are in the table, and the one is left alone until it is asked for."""
    bad = specs[2].run_id
    trainer = python(f"import os, sys\nif sys.argv[1] == {bad!r}:\n    {code}\nelse:\n    {SAYS_LOSS}")
    manner = Manner(retry=False, timeout_hours=0.3 / 3600) if state is State.TIMED_OUT else LEAVE
    if state is State.DIVERGED:
        run(study, trainer, manner)
    else:
        with pytest.raises(RunsFailed, match="1 of 6 runs failed"):
            run(study, trainer, manner)
    (ended,) = (one for one in study.states() if one.run_id == bad)
    assert ended.state is state
    assert reason in ended.reason
    runs = read_runs(study.folder)
    assert len(runs) == 5
    assert [(drop.run_id, str(state) in drop.reason) for drop in runs.dropped] == [(bad, True)]
    assert standing(study).counts[state] == 1


def test_a_result_is_not_read_while_it_is_written(study: Study, specs: Specs) -> None:
    """A command writes its result as it likes: half of one, for longer than two looks at it."""
    halves = (
        "import json, sys, time; text = json.dumps({'loss': 3.5, 'state': 'mine'}); file = open('result.json', 'w')\n"
        "for half in (text[:9], text[9:]): file.write(half); file.flush(); time.sleep(0.3)"
    )
    states = run(study, python(halves))
    assert {(state.state, state.loss) for state in states} == {(State.DONE, 3.5)}


def test_a_result_counts_though_its_command_was_killed_behind_it(study: Study) -> None:
    states = run(
        study,
        python(
            "import os, pathlib; pathlib.Path('result.json').write_text('{\"loss\": 3.5}'); os.kill(os.getpid(), 9)"
        ),
    )
    assert {state.state for state in states} == {State.DONE}


def test_half_a_result_that_a_kill_left_is_made_again(study: Study, specs: Specs) -> None:
    (study.run_folder(specs[0].run_id) / "result.json").write_text('{"lo')
    (study.run_folder(specs[1].run_id) / "metrics.jsonl").write_text('{"my_step": 3}\nno JSON\n')
    assert {state.state for state in run(study, python(SAYS_LOSS))} == {State.DONE}


def test_what_failed_is_left_until_it_is_asked_for(study: Study, specs: Specs) -> None:
    bad = specs[0].run_id
    with pytest.raises(RunsFailed, match="isoflop sweep retry clears them"):
        run(study, python(f"import sys\nif sys.argv[1] == {bad!r}: sys.exit('no')\n{SAYS_LOSS}"))
    with pytest.raises(RunsFailed, match=r"1 of 6 runs failed: .*\(no\)"):
        run(study, python(SAYS_LOSS))
    assert [state.run_id for state in retry(study, [])] == [bad]
    assert {state.state for state in run(study, python(SAYS_LOSS))} == {State.DONE}


def test_what_an_orphan_writes_over_a_result_changes_nothing(study: Study, specs: Specs) -> None:
    states = run(study, python(SAYS_LOSS))
    for spec in specs:
        (study.run_folder(spec.run_id) / "result.json").write_text('{"loss": 99}')
    assert study.states(own=True) == states
    assert run(study, python(SAYS_LOSS)) == states
    assert max(read_runs(study.folder).loss) < 2


def test_what_an_orphan_writes_after_a_newer_attempt_failed_is_no_result(study: Study, specs: Specs) -> None:
    bad = specs[0].run_id
    folder = study.run_folder(bad)
    with pytest.raises(RunsFailed):
        run(study, python(f"import sys\nif sys.argv[1] == {bad!r}: sys.exit('no')\n{SAYS_LOSS}"))
    (folder / "result.json").write_text('{"loss": 99}')
    with pytest.raises(RunsFailed, match=r"1 of 6 runs failed: .*\(no\)"):
        run(study, python(SAYS_LOSS))
    retry(study, [])
    assert max(state.loss or 99 for state in run(study, python(SAYS_LOSS))) < 2
    assert json.loads((folder / "refused-0001.json").read_text()) == {"loss": 99}


def test_a_run_that_diverged_is_tried_again_by_name_alone(study: Study, specs: Specs) -> None:
    bad = specs[0].run_id
    diverge = "open('result.json', 'w').write('{\"loss\": null}')"
    run(study, python(f"import sys\nif sys.argv[1] == {bad!r}: {diverge}\nelse: {SAYS_LOSS}"))
    assert not retry(study, [])
    assert [state.run_id for state in retry(study, [bad])] == [bad]
    kept = json.loads((study.run_folder(bad) / "diverged-0001.json").read_text())
    assert (kept["state"], kept["attempt"]) == ("diverged", 1)
    assert {state.state for state in run(study, python(SAYS_LOSS))} == {State.DONE}


def test_fail_fast_stops_the_others(study: Study) -> None:
    code = "import sys, time\nif sys.argv[3] == '1': time.sleep(0.2); sys.exit('no')"
    with pytest.raises(RunsFailed):
        run(study, python(code), Manner(fail_fast=True))
    counts = standing(study).counts
    assert counts[State.PENDING] >= 2
    assert counts[State.FAILED] <= 4


def test_cancel_ends_what_runs_and_leaves_it(study: Study, specs: Specs) -> None:
    slow = specs[-1].run_id
    trainer = python(f"import sys, time\nif sys.argv[1] == {slow!r}: time.sleep(60)\n{SAYS_LOSS}")
    threading.Timer(1.0, cancel, (study, [slow])).start()
    began = time.monotonic()
    states = run(study, trainer)
    assert time.monotonic() - began < 30
    assert {state.run_id: state.state for state in states}[slow] is State.CANCELLED
    assert sum(state.state is State.DONE for state in states) == 5
    run(study, trainer)  # leaves it
    assert [state.run_id for state in retry(study, [slow])] == [slow]
    assert {state.state for state in run(study, python(SAYS_LOSS))} == {State.DONE}


def test_cancel_before_the_start(study: Study) -> None:
    assert len(cancel(study, [])) == 6
    assert {state.state for state in run(study, python(SAYS_LOSS))} == {State.CANCELLED}
    assert not list(study.runs_folder.glob("*/attempts"))


def test_names_may_be_cut_short_and_must_be_of_some_run(study: Study, specs: Specs) -> None:
    assert study.chosen(["b1e09"]) == tuple(spec.run_id for spec in specs[:3])
    with pytest.raises(UsageError, match="has no run called 'b7e09'"):
        cancel(study, ["b7e09"])


def test_a_result_that_the_supervisor_did_not_live_to_read_is_taken(study: Study, specs: Specs) -> None:
    folder = study.run_folder(specs[0].run_id)
    (folder / "attempts").mkdir()
    (folder / "attempts" / "0001.json").write_text("{}")
    (folder / "result.json").write_text('{"loss": 3.25, "seconds": 12}')
    assert study.states(own=True)[0].state is State.PENDING
    states = run(study, python(SAYS_LOSS))
    assert (states[0].loss, states[0].seconds) == (3.25, 12)
    assert len(list((folder / "attempts").iterdir())) == 1


def test_an_orphan_is_ended_before_its_successor_starts(study: Study, specs: Specs, tmp_path: Path) -> None:
    """kill -9 of the supervisor leaves a command that knows nothing of isoflop running."""
    log = tmp_path / "log"
    work = f"open({str(log)!r}, 'a').write(f'{{os.getpid()}} {{sys.argv[1]}}\\n')"
    slow = f"import os, sys, time; {work}; time.sleep(60)"
    code = (
        "import sys\nfrom pathlib import Path\nfrom isoflop.executors import LocalExecutor\n"
        "from isoflop.study import open_study, own_trainer, run_study\n"
        "with LocalExecutor(workers=2) as executor:\n"
        "    run_study(open_study(Path(sys.argv[1])), executor, trainer=own_trainer(sys.argv[2:]))"
    )
    words = [
        sys.executable,
        "-c",
        code,
        str(study.folder),
        sys.executable,
        "-c",
        verbatim(slow),
        "{run_id}",
    ]
    supervisor = subprocess.Popen(words)
    while not log.exists() or len(log.read_text().splitlines()) < 2:
        time.sleep(0.02)
    supervisor.kill()
    supervisor.wait()
    orphans = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert all(map(is_alive, orphans))
    assert {state.state for state in run(study, python(SAYS_LOSS), Manner())} == {State.DONE}
    assert not any(map(is_alive, orphans))


def is_alive(pid: int) -> bool:
    """Whether it runs; what has ended and has nobody to be told so (a zombie) does not."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(listed.strip()) and not listed.startswith("Z")


def test_a_placeholder_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="no placeholder called 'parms'; did you mean 'params'"):
        own_trainer(["train", "--n={parms}"])
    with pytest.raises(UsageError, match=r"write \{\{ for a brace itself"):
        own_trainer(["train", "{"])
    for odd in ("{params:zz}", "{params!q}", "{params:{foo}}", "{params:>9}"):
        with pytest.raises(UsageError, match=r"write \{params\} alone, without : or !"):
            own_trainer(["train", odd])


def branched(tmp_path: Path) -> Study:
    plan = StudyPlan("branched", "small-bytes-v1", (RunPlan(width=8, horizons=(2e5, 1e5)),))
    return create_study(tmp_path / "branched", plan, planned_specs(plan, {"corpus": "c0ffee"}))


def test_a_branch_starts_when_its_trunk_has_come_there(tmp_path: Path) -> None:
    study = branched(tmp_path)
    trunk, branch = (next(s for s in study.specs() if bool(s.branch) == b) for b in (False, True))
    keep = branch_file(trunk.keep[0])
    code = (
        f"import json, os, sys, time\nif sys.argv[1] == {trunk.run_id!r}: time.sleep(0.3); "
        f"open({keep!r}, 'w'); time.sleep(0.3)\n"
        f"else: assert os.path.exists(os.path.join('..', {trunk.run_id!r}, {keep!r}))\n{SAYS_LOSS}"
    )
    assert {state.state for state in run(study, python(code))} == {State.DONE}
    assert branch.branch is not None


def test_a_branch_whose_trunk_failed_says_so(tmp_path: Path) -> None:
    study = branched(tmp_path)
    with pytest.raises(RunsFailed, match=r"has not come to step"):
        run(study, python("import sys; sys.exit('no')"))


def test_the_protocol_is_checked_with_and_without_losses(study: Study, specs: Specs) -> None:
    """The planned runs are of 23 to 116 steps, ten of them warmup; the fake loss falls with width: edges."""
    codes = {check.code: check.ok for check in protocol(study.states())}
    assert codes == {"warmup": False, "horizon": True, "learning_rate": False}
    run(study, python(SAYS_LOSS))
    (edge,) = (check for check in protocol(study.states()) if check.code == "edge")
    assert "1e9 FLOPs at width 16" in edge.message


def test_a_learning_rate_that_is_not_the_best_of_its_probes_is_named(tmp_path: Path) -> None:
    rows = [RunPlan(width=w, budget=2e9) for w in (8, 16)]
    rows += [RunPlan(width=w, budget=2e9, learning_rate_times=t, purpose="probe") for w in (8, 16) for t in (0.5, 2.0)]
    plan = StudyPlan("probed", "small-bytes-v1", tuple(rows))
    study = create_study(tmp_path / "probed", plan, planned_specs(plan, {"corpus": "c0ffee"}))
    for state in study.states():
        loss = 2.0 if state.spec.purpose == "sweep" else 2.1
        if state.spec.shape.d_model == 16 and state.spec.optimiser.learning_rate > 0.02:
            loss = 1.9
        facts = {"steps": 1, "seconds": 1.0, "tokens_per_second": 1.0}
        (study.run_folder(state.run_id) / "result.json").write_text(
            json.dumps({"state": "done", "loss": loss, **facts})
        )
    (check,) = (check for check in protocol(study.states()) if check.code == "learning_rate")
    assert not check.ok
    assert "at width 16 the loss is 2.100 at 0.006, 2.000 at 0.012, 1.900 at 0.024" in check.message
    assert "at width 8" not in check.message


def test_what_was_cancelled_is_in_the_table_with_or_without_a_failure(study: Study, specs: Specs) -> None:
    failed, left = specs[0].run_id, specs[1].run_id
    cancel(study, [left])
    with pytest.raises(RunsFailed):
        run(study, python(f"import sys\nif sys.argv[1] == {failed!r}: sys.exit('no')\n{SAYS_LOSS}"))
    cancel(study, [failed])
    assert standing(study).counts == {State.DONE: 4, State.CANCELLED: 2}
    runs = read_runs(study.folder)
    assert len(runs) == 4
    assert {(one.run_id, "'cancelled'" in one.reason) for one in runs.dropped} == {(failed, True), (left, True)}


def test_the_time_of_a_command_is_that_of_a_clock_beside_it(study: Study) -> None:
    began = time.monotonic()
    states = run(study, python(f"import time; time.sleep(0.4); {SAYS_LOSS}"))
    most = time.monotonic() - began
    assert all(0.4 <= state.seconds <= most for state in states)
    assert all(state.tokens_per_second == pytest.approx(state.spec.tokens / state.seconds) for state in states)


METRICS = {
    "no end of steps": ('{"step":1e999,"tokens":5,"loss":2,"seconds":1}', 0, None),
    "diverging": ('{"step":3,"tokens":5,"loss":NaN,"seconds":1}', 3, None),
    "past the end": ('{"step":999999,"tokens":5,"loss":2,"seconds":1}', -1, 2.0),
    "back in time": ('{"step":3,"tokens":5,"loss":2,"seconds":-1}', 0, None),
}


@pytest.mark.parametrize(("line", "step", "loss"), METRICS.values(), ids=METRICS.keys())
def test_a_command_may_log_what_it_likes(study: Study, specs: Specs, line: str, step: int, loss: float | None) -> None:
    (study.run_folder(specs[0].run_id) / "metrics.jsonl").write_text(line + "\n")
    state = study.states(own=True)[0]
    assert (state.step, state.loss) == (specs[0].steps if step < 0 else step, loss)
    json.dumps(standing(study).to_dict(runs=True), allow_nan=False)
    assert {one.state for one in run(study, python(SAYS_LOSS))} == {State.DONE}


def test_what_was_begun_and_left_is_stopped(study: Study, specs: Specs) -> None:
    with pytest.raises(RunsFailed, match="stopped from outside"):
        run(study, python("import sys; sys.exit(75)"))
    assert {state.state for state in study.states(own=True)} == {State.STOPPED}


def test_a_copy_of_an_attempt_is_none(study: Study, specs: Specs) -> None:
    attempts = study.run_folder(specs[0].run_id) / "attempts"
    attempts.mkdir()
    for name in ("0001.json", "0001 (copy).json"):
        (attempts / name).write_text("{}")
    assert len(study.states()) == 6

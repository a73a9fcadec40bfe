"""``isoflop sweep`` from the outside: what it prints, writes and exits with."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isoflop.cli.main import run
from isoflop.study import open_study
from isoflop.study._lock import supervise
from isoflop.training.spec import read_spec

WIDTHS = (8, 12, 16, 24)
BUDGETS = (1e10, 2e10, 4e10, 8e10)
INSTANT = ["sh", "-c", "echo '{{\"loss\": 3.5}}' > result.json"]
"""A trainer that is done at once."""
AT_WORK = [sys.executable, "-c", "from isoflop.cli.main import main; main()", "sweep"]


def write_study(folder: Path, command: list[str] = INSTANT, extra: str = "", widths: tuple[int, ...] = (8, 12)) -> Path:
    folder.mkdir(exist_ok=True)
    head = 'schema = "isoflop.study/1"\nname = "mine"\nrecipe = "small-bytes-v1"\n'
    grid = f"[grid]\nbudgets = [1e10]\nwidths = {list(widths)}\n"
    (folder / "study.toml").write_text(f"{head}{extra}{grid}[trainer]\ncommand = {json.dumps(command)}\n")
    return folder


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refusal puts on stderr."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_dry_run_shows_all_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study), "--dry-run", "--json", "--hardware", "H100", "--price", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "isoflop.sweep/1"
    assert said["n_runs"] == len(said["runs"]) == 2
    assert said["flops"] == pytest.approx(sum(one["flops"] for one in said["runs"]))
    assert said["cost_usd"] == pytest.approx(2 * sum(one["hours"] for one in said["runs"]))
    assert all(one["memory_bytes"] > 0 for one in said["runs"])
    assert [path.name for path in study.iterdir()] == ["study.toml"]


def test_init_may_be_said_again_and_adds_what_the_file_has_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    before = contents(study)
    assert run(["sweep", "init", str(study / "study.toml")]) == 0
    assert contents(study) == before
    write_study(study, widths=(8, 12, 16))
    assert run(["sweep", "init", str(study)]) == 0
    after = contents(study)
    assert len([name for name in after if name.endswith("spec.json")]) == 3
    assert {name: after[name] for name in before if name != "study.toml"} == {
        name: seen for name, seen in before.items() if name != "study.toml"
    }


def test_a_run_that_is_planned_otherwise_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    write_study(study, extra="[change]\nweight_decay = 0.5\n")
    before = contents(study)
    capsys.readouterr()
    assert run(["sweep", "init", str(study)]) == 2
    assert "weight_decay is 0.0 there and 0.5 here; take the change back" in sentence(capsys)
    assert contents(study) == before


def test_run_status_and_collect_of_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    capsys.readouterr()
    assert run(["sweep", "run", str(study), "--workers", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["states"], said["failed"], said["is_running"]) == ({"done": 2}, [], False)
    assert said["flops"] == said["flops_planned"]
    assert run(["sweep", "collect", str(study)]) == 0
    assert capsys.readouterr().out == f"{study / 'runs.csv'}\n"
    before = contents(study)
    assert run(["sweep", "run", str(study)]) == 0
    assert {name: seen for name, seen in contents(study).items() if name != "study.lock"} == {
        name: seen for name, seen in before.items() if name != "study.lock"
    }


def test_a_study_with_failures_ends_with_4_and_keeps_them_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sh", "-c", 'if test {d_model} = 8; then echo "no such layer" >&2; exit 3; fi; ' + INSTANT[2]]
    study = write_study(tmp_path / "study", command)
    assert run(["sweep", "init", str(study)]) == 0
    for _ in range(2):  # the second time tries nothing again, and says so again
        capsys.readouterr()
        assert run(["sweep", "run", str(study)]) == 4
        assert "1 of 2 runs failed" in capsys.readouterr().err
    assert run(["sweep", "collect", str(study)]) == 0
    with (study / "runs.csv").open(newline="") as file:
        rows = {row["d_model"]: row for row in csv.DictReader(file)}
    assert (rows["8"]["state"], rows["8"]["reason"], rows["8"]["loss"]) == ("failed", "no such layer", "")
    assert (rows["12"]["state"], rows["12"]["loss"]) == ("done", "3.5")
    assert rows["8"]["tokens"] > "0"
    capsys.readouterr()
    assert run(["sweep", "status", str(study)]) == 0
    assert "failed  no such layer" in capsys.readouterr().out
    assert run(["sweep", "retry", str(study)]) == 0
    assert "is cleared; isoflop sweep run tries again" in capsys.readouterr().out
    write_study(study)  # the command is mended: it is no part of a run's spec
    assert run(["sweep", "run", str(study)]) == 0


def planted(folder: Path) -> Path:
    """A study of 16 runs that lie on a law, but for one that diverged and one that failed."""
    study = write_study(folder)
    text = (study / "study.toml").read_text().replace("[1e10]", str(list(BUDGETS)))
    (study / "study.toml").write_text(text.replace("[8, 12]", str(list(WIDTHS))))
    assert run(["sweep", "init", str(study)]) == 0
    folders = sorted(path.parent for path in study.glob("runs/*/spec.json"))
    for number, place in enumerate(folders):
        spec = read_spec(place)
        params = 12 * 2 * spec.shape.d_model**2 + 256 * spec.shape.d_model
        loss = 1.5 + 40 * params**-0.5 + 300 * spec.tokens**-0.5
        (place / "result.json").write_text(json.dumps({"loss": None if number == 3 else loss}))
    (folders[7] / "result.json").unlink()
    return study


def test_fits_leave_out_what_has_no_loss_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = planted(tmp_path / "study")
    toml = (study / "study.toml").read_text()
    (study / "study.toml").write_text(toml.replace(json.dumps(INSTANT), '["sh", "-c", "kill -9 $$"]'))
    assert run(["sweep", "run", str(study)]) == 4  # the one without a result; the others are completed as they are
    assert run(["sweep", "collect", str(study)]) == 0
    dropped = []
    for source in (study, study / "runs.csv"):
        capsys.readouterr()
        assert run(["fit", str(source), "--json", "--draws", "200"]) in (0, 3)
        said = json.loads(capsys.readouterr().out)
        assert said["n_runs"] == 14
        dropped.append(sorted(f"{one['run_id']} {one['reason']}" for one in said["runs_dropped"]))
    assert dropped[0] == dropped[1]
    assert len(dropped[0]) == 2
    assert any("diverged" in one for one in dropped[0])
    assert any("killed" in one for one in dropped[0])


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*AT_WORK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, pattern: str) -> None:
    deadline = time.monotonic() + 30
    while not list(path.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_ends_a_run_with_130_and_the_state_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", ["sleep", "60"])
    assert run(["sweep", "init", str(study)]) == 0
    process = start("run", str(study), "--workers", "1")
    wait_for(study, "runs/*/process.json")
    capsys.readouterr()
    assert run(["sweep", "run", str(study)]) == 2  # a second supervisor
    assert f"process {process.pid} is already running the study" in sentence(capsys)
    assert run(["sweep", "retry", str(study)]) == 2
    assert "is being run; stop it with Ctrl-C first" in sentence(capsys)
    assert run(["sweep", "status", str(study)]) == 0
    assert "1 running" in capsys.readouterr().out
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("isoflop: interrupted with 0 of 2 runs finished; the state is kept")
    assert "Traceback" not in err
    assert run(["sweep", "status", str(study)]) == 0
    assert "is not running" in capsys.readouterr().out
    write_study(study)
    assert run(["sweep", "run", str(study)]) == 0


def test_following_ends_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    process = start("status", str(study), "--follow")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert first == "mine: 2 runs: 2 pending\n"
    assert process.returncode == 130
    assert len(err.splitlines()) == 1


def test_cancel_reaches_a_study_that_is_being_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study", ["sh", "-c", f"if test {{d_model}} = 8; then sleep 60; fi; {INSTANT[2]}"])
    assert run(["sweep", "init", str(study)]) == 0
    process = start("run", str(study), "--workers", "2")
    (slow,) = (spec.run_id for spec in open_study(study).specs() if spec.shape.d_model == 8)
    wait_for(study, f"runs/{slow}/process.json")
    assert run(["sweep", "cancel", str(study), slow[:12]]) == 0
    process.communicate(timeout=30)
    assert process.returncode == 0
    capsys.readouterr()
    assert run(["sweep", "status", str(study), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["states"] == {"done": 1, "cancelled": 1}


def test_a_study_goes_on_where_it_was_moved_to(tmp_path: Path) -> None:
    study = write_study(tmp_path / "here")
    assert run(["sweep", "init", str(study)]) == 0
    (first, second) = (spec.run_id for spec in open_study(study).specs())
    assert run(["sweep", "run", str(study), "--only", first]) == 0
    shutil.move(study, tmp_path / "there")
    before = contents(tmp_path / "there" / "runs" / first)
    assert run(["sweep", "run", str(tmp_path / "there")]) == 0
    assert contents(tmp_path / "there" / "runs" / first) == before
    assert (tmp_path / "there" / "runs" / second / "result.json").exists()
    assert not (tmp_path / "here").exists()


WRONG = {
    "no folder": (["sweep", "run", "nowhere"], "nowhere holds no study"),
    "no file": (["sweep", "init", "nowhere"], "cannot read nowhere"),
    "no run": (["sweep", "cancel", "study", "b7"], "has no run called 'b7'"),
    "no run to run": (["sweep", "run", "study", "--only", "b7"], "has no run called 'b7'"),
    "no workers": (["sweep", "run", "study", "--workers", "0"], "--workers"),
    "an empty name": (["sweep", "cancel", "study", ""], "has no run called ''"),
    "no hardware": (["sweep", "init", "study", "--hardware", "H1000"], "H1000"),
    "no CSV": (["sweep", "collect", "study", "-o", "runs.parquet"], "name it something.csv"),
    "nothing to collect": (["sweep", "collect", "study"], "has no run with a result yet"),
    "no command": (["sweep", "resume", "study"], "resume"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["sweep", "init", str(write_study(Path("study")))]) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert run(words) in (2, 3)
    assert said in sentence(capsys)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in the way here stops an administrator too, whom permissions do not."""
    study = write_study(tmp_path / "study")
    (study / "runs").write_text("a file")
    assert run(["sweep", "init", str(study)]) == 2
    assert "study cannot be written" in sentence(capsys)
    (study / "runs").unlink()
    assert run(["sweep", "init", str(study)]) == 0
    (study / "study.lock").mkdir()
    capsys.readouterr()
    assert run(["sweep", "retry", str(study)]) == 2
    (study / "study.lock").rmdir()
    assert run(["sweep", "run", str(study)]) == 0
    capsys.readouterr()
    assert run(["sweep", "collect", str(study), "-o", str(tmp_path / "nowhere" / "runs.csv")]) in (2, 3)
    assert "runs.csv cannot be written (No such file or directory)" in sentence(capsys)


@pytest.mark.parametrize("name", ["spec.json", "failure.json", "cancelled.json"])
def test_files_of_a_run_that_are_broken_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    (next(study.glob("runs/*")) / name).write_text("[1, 2")
    for command in ("status", "run"):
        capsys.readouterr()
        assert run(["sweep", command, str(study)]) == 2
        assert f"{name} is not whole" in sentence(capsys)


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_study_that_was_never_initialised_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", command, str(study)]) == 2
    assert "has no runs yet: say isoflop sweep init" in sentence(capsys)


def test_a_study_that_is_locked_by_this_process_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "study")
    assert run(["sweep", "init", str(study)]) == 0
    capsys.readouterr()
    with supervise(study):
        assert run(["sweep", "run", str(study)]) == 2
    assert f"process {os.getpid()} is already running" in sentence(capsys)


def test_every_word_to_a_study_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "trainers" / "own", study)
    assert run(["sweep", "init", str(study)]) == 0
    assert run(["sweep", "run", str(study)]) == 4
    failed = "b2e10-d016-s0-7de1267e"
    for words, facts in (
        (["collect"], {"table": str(study / "runs.csv")}),
        (["retry"], {"runs": [failed]}),
        (["cancel"], {"runs": [failed]}),
        (["cancel"], {"runs": []}),
    ):
        capsys.readouterr()
        assert run(["sweep", *words, str(study), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"schema": "isoflop.sweep/1", **facts}


def test_cost_so_far_and_to_go_is_by_the_hours_of_all_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three equal runs took an hour each, on two processes at $3: $12, and $6 to go."""
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.toml").write_text(
        'schema = "isoflop.study/1"\nname = "dear"\nrecipe = "small-bytes-v1"\nseeds = [0, 1, 2]\n'
        '[trainer]\ncommand = ["sh", "-c", "echo \'{{\\"loss\\": 3, \\"seconds\\": 3600}}\' > result.json"]\n'
        "[executor]\nprocesses = 2\nprice_usd_per_hour = 3\n[[runs]]\nwidth = 8\nbudget = 1e9\n"
    )
    assert run(["sweep", "init", str(study)]) == 0
    names = [spec.run_id for spec in open_study(study).specs()]
    assert run(["sweep", "run", str(study), "--only", names[0], "--only", names[1]]) == 0
    capsys.readouterr()
    assert run(["sweep", "status", str(study)]) == 0
    assert "$12.00 so far, about $6.00 to go" in capsys.readouterr().out
    assert run(["sweep", "status", str(study), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["process_hours"], said["cost_usd"]) == (4.0, 12.0)
    assert said["cost_usd_left"] == pytest.approx(6.0, rel=0.01)
    assert run(["sweep", "cancel", str(study)]) == 0  # what nobody will make costs nothing
    capsys.readouterr()
    assert run(["sweep", "status", str(study), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["cost_usd"], said["cost_usd_left"], said["core_seconds_left"]) == (12.0, 0.0, 0.0)


def test_where_a_study_stands_is_said_without_what_only_fits_need(tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "trainers" / "own", study)
    assert run(["sweep", "init", str(study)]) == 0
    code = "import sys; from isoflop.cli.main import run; run(sys.argv[1:]); sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code, "sweep", "status", str(study)], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_keeps_the_state_as_ctrl_c_does(tmp_path: Path, number: signal.Signals) -> None:
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.toml").write_text(
        'schema = "isoflop.study/1"\nname = "slow"\nrecipe = "small-bytes-v1"\n'
        '[trainer]\ncommand = ["sleep", "60"]\n[[runs]]\nwidth = 8\nbudget = 1e9\n'
    )
    assert run(["sweep", "init", str(study)]) == 0
    process = subprocess.Popen([sys.executable, "-m", "isoflop", "sweep", "run", str(study)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(study.glob("runs/*/process.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "interrupted with 0 of 1 runs finished; the state is kept" in stderr

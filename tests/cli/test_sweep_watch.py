"""``isoflop sweep watch``: fits again as results arrive, says when the target is known, and ends the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import isoflop as iso
from isoflop.cli.main import run
from isoflop.study import open_study

LAW = iso.law("besiroglu2024")
TRAINER = """
import json, sys
import isoflop as iso
N, D = float(sys.argv[1]), float(sys.argv[2])
json.dump({"loss": float(iso.law("besiroglu2024").predict(N, D))}, open("result.json", "w"))
"""
STUDY = """
schema = "isoflop.study/1"
name = "planted"
recipe = "small-bytes-v1"
[trainer]
command = ["{python}", "{{study_dir}}/train.py", "{{params}}", "{{tokens}}"]
[grid]
budgets = [1e12, 4e12, 1.6e13]
widths = [16, 32, 64, 96]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    import sys

    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "train.py").write_text(TRAINER)
    (folder / "study.toml").write_text(STUDY.format(python=sys.executable))
    assert run(["sweep", "init", str(folder)]) == 0
    return folder


def test_it_ends_the_rest_once_the_planted_answer_is_narrow(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [spec.run_id for spec in open_study(study).specs() if spec.budget < 1e13]
    assert run(["sweep", "run", str(study), *(word for name in small for word in ("--only", name))]) == 0
    capsys.readouterr()
    assert run(["sweep", "watch", str(study), "--target", "1e15", "--within", "1.3", "--cancel", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["n_runs"], said["is_reached"]) == ("isoflop.watch/1", 8, True)
    assert said["params"] == pytest.approx(float(LAW.optimum(1e15).params), rel=0.01)  # the losses are without noise
    assert run(["sweep", "status", str(study)]) == 0
    assert "8 done, 4 cancelled" in capsys.readouterr().out


def test_too_few_runs_are_no_answer_yet_and_no_more_to_come_is_exit_3(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [spec.run_id for spec in open_study(study).specs()]
    assert run(["sweep", "run", str(study), "--only", names[0], "--only", names[1]]) == 0
    assert run(["sweep", "cancel", str(study)]) == 0
    capsys.readouterr()
    assert run(["sweep", "watch", str(study), "--target", "1e15"]) == 3
    out, err = capsys.readouterr()
    assert "2 of 12 runs: no answer yet: " in out
    assert "no run of" in err
    assert "isoflop design --next" in err


def test_an_interval_of_no_width_is_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(study / "runs" / open_study(study).specs()[-1].run_id)
    assert run(["sweep", "run", str(study)]) == 0
    capsys.readouterr()
    assert run(["sweep", "watch", str(study), "--target", "1e15", "--within", "0.5"]) == 2
    assert "its upper end over its lower" in capsys.readouterr().err

"""``isoflop design``: what it prints, writes and hands on, and one sentence for each wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoflop as iso
from isoflop.cli.main import run
from isoflop.quantities import format_flops

ASKED = ["design", "--budget", "1e20", "--target", "1e24", "--kind", "isoflop", "--runs", "15"]


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    law = iso.law("besiroglu2024")
    N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(4e9, 2e10, 4)))
    noisy = np.exp(0.003 * np.random.default_rng(0).standard_normal(N.size))
    iso.Runs(N, D, law.predict(N, D) * noisy).write_csv(tmp_path / "runs.csv")
    return tmp_path / "runs.csv"


def test_an_optimal_design_with_all_its_terms(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["design", "--budget", "1e20", "--target", "1e24", "--runs", "12", "--noise", "0.5%", "--goal", "loss"]
    words += ["--ratio", "3..300", "--sizes", "5", "--largest-run", "2e19", "--overhead", "1e17"]
    found = answer([*words, "--against", "ladder", "--hardware", "H100", "--price", "2"], capsys)
    assert found["schema"] == "isoflop.design/1"
    assert found["noise"] == pytest.approx(0.005)
    assert found["cost_flops"] + found["overhead_flops"] <= 1e20 * (1 + 1e-9)
    assert found["overhead_flops"] == pytest.approx(12 * 1e17)
    assert max(row["flops"] for row in found["runs"]) <= 2e19 * (1 + 1e-9)
    assert len({row["params"] for row in found["runs"]}) >= 5
    assert found["against"]["kind"] == "ladder"
    assert found["hardware"]["cost_usd"] == pytest.approx(2 * found["hardware"]["gpu_hours"])


def test_simulated_studies_are_in_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--noise", ".003", "--simulate", "--studies", "6", "--draws", "0", "--approach", "all"]
    found = answer([*ASKED, *words], capsys)["simulated"]
    assert set(found["approaches"]) == {"1", "2", "3"}
    assert found["studies"] == 6
    assert found["approaches"]["1"]["verdicts"]["refused"] == 1.0
    assert run([*ASKED, *words]) == 0
    assert "6 simulated studies of 15 runs" in capsys.readouterr().out


def test_a_study_that_sweep_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, runs = tmp_path / "study.toml", tmp_path / "runs.csv"
    words = [*ASKED, "--noise", "0.3%", "--study", str(study), "-o", str(runs)]
    assert run(words) == 0
    assert f"isoflop sweep init {study} --dry-run" in capsys.readouterr().out
    assert run(words) == 0  # the same again writes the same
    capsys.readouterr()
    assert answer(["sweep", "init", str(study), "--dry-run"], capsys)["n_runs"] == 15
    assert len(runs.read_text().splitlines()) == 16
    assert "loss_noise" in study.read_text()


def test_a_prior_of_ones_own(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = table.with_name("law.toml")
    assert run(["fit", str(table), "--draws", "200", "-o", str(law)]) == 0
    capsys.readouterr()
    assert answer([*ASKED, "--prior", str(law)], capsys)["law"] == "chinchilla-fit"


def test_the_next_run(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["design", "--next", str(table), "--target", "1e24"]
    found = answer(words, capsys)
    assert found["kind"] == "next"
    assert found["law"] == "chinchilla-fit"
    assert answer([*words, "--prior", "besiroglu2024", "--largest-run", "1e19"], capsys)["law"] == "besiroglu2024"
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("Next: ")


def test_the_playground(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["design", "--playground", "--setting", "region=small decimals=4 bias=-100 target=1e15"]
    found = answer([*words], capsys)
    assert found["schema"] == "isoflop.design/1"
    assert found["target"]["error"] == pytest.approx(0.145, abs=0.002)  # T41
    assert run(["design", "--playground"]) == 0
    assert "error +0.0009" in capsys.readouterr().out


WRONG = [
    (["--target", "1e24"], 2, "no budget"),
    (["--budget", "1e20"], 2, "no target"),
    (["--budget", "1e3", "--target", "1e24"], 2, "which are none"),
    (["--budget", "1e20", "--target", "1e19"], 2, "no more than the 1e20"),
    (["--budget", "-1", "--target", "1e24"], 2, "negative"),
    (["--budget", "1e20", "--target", "1e24", "--kind", "isoflp"], 2, "did you mean 'isoflop'"),
    (["--budget", "1e20", "--target", "1e24", "--noise", "some"], 2, "'some' is no share"),
    (["--budget", "1e20", "--target", "1e24", "--ratio", "wide"], 2, "'wide' is no range"),
    (["--budget", "1e20", "--target", "1e24", "--prior", "llama3_2024"], 3, "needs a law of the loss"),
    (["--budget", "1e20", "--target", "1e24", "--prior", "none.toml"], 2, "no law file"),
    (["--budget", "1e20", "--target", "1e24", "-o", "no/such/x.csv"], 2, "does not exist"),
    (["--budget", "1e20", "--target", "1e24", "-o", "x.toml"], 2, "ends in .csv"),
    (["--budget", "1e20", "--target", "1e24", "--study", "x.csv"], 2, "ends in .toml"),
    (["--budget", "1e20", "--target", "1e24", "--kind", "isoflop", "--study", "there.toml"], 2, "is there already"),
    (["--budget", "1e20", "--target", "1e24", "--kind", "isoflop", "--recipe", "small-bytes-v1"], 2, "--study"),
    (["--budget", "1e20", "--target", "1e24", "--price", "2"], 2, "name it (--hardware H100)"),
    (["--budget", "1e20", "--target", "1e24", "--kind", "isoflop", "--simulate", "--approach", "9"], 2, "approach 9"),
    (["--next", "runs.csv", "--budget", "1e20", "--target", "1e24"], 2, "--budget has no part"),
    (["--next", "none.csv", "--target", "1e24"], 2, "none.csv"),
    (["--next", "two.csv", "--target", "1e24"], 3, "give a prior"),
    (["--playground", "--target", "1e24"], 2, "--target has no part"),
    (["--setting", "decimals=few"], 2, "'few' is no number"),
    (["--setting", "size=small"], 2, "NAME=VALUE"),
    (["--setting", "region=tiny"], 2, "no region of the fit called 'tiny'"),
]


@pytest.mark.parametrize(("words", "code", "message"), WRONG)
def test_wrong_input_is_one_sentence(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.toml").write_text("mine")
    Path("two.csv").write_text("params,tokens,loss\n1e8,2e9,3.1\n2e8,1e9,3.0\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(["design", *words]) == code
    seen = capsys.readouterr()
    assert seen.out == ""
    assert message in seen.err
    assert len(seen.err.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_study_says_what_its_runs_cost_more_than_the_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dry run of the study is the second count; the noise of bytes is the one measured on them, under ln 256."""
    monkeypatch.chdir(tmp_path)
    words = "design --budget 1e13 --target 1e17 --noise 0.3% --kind optimal --study sm.toml --recipe small-bytes-v1"
    assert run(words.split()) == 0
    said = capsys.readouterr().out
    assert "loss_noise = 0.015\n" in Path("sm.toml").read_text()
    assert run(["sweep", "init", "sm.toml", "--dry-run", "--json"]) == 0
    flops = json.loads(capsys.readouterr().out)["flops"]
    assert flops > 1.01e13
    assert f"cost {format_flops(flops)} FLOPs, 19% more than the 9.99e12 of 6 N D" in said

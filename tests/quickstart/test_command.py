"""``isoflop quickstart`` at the terminal: text, JSON, exit codes, and the commands that it names at the end."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isoflop.cli.main import run

if TYPE_CHECKING:
    from conftest import PlantedExecutor


@pytest.fixture
def words(tmp_path: Path, text: Path) -> list[str]:
    """The command, for a folder whose name a shell would split."""
    return ["quickstart", "--out", str(tmp_path / "my study"), "--text", str(text)]


@pytest.mark.usefixtures("planted")
def test_json_is_all_there_is_on_stdout(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    table = json.loads(out)
    assert next(iter(table)) == "schema"
    assert table["schema"] == "isoflop.quickstart/1"
    assert table["frontier"]["schema"] == table["surface"]["schema"] == "isoflop.fit/1"
    assert [row["convention"] for row in table["counting"]] == ["non_embedding", "matrices_and_head", "total"]
    assert table["forecast"]["schema"] == "isoflop.forecast/1"
    assert table["forecast_run"]["state"] == "done"
    assert table["outcome"]["inside"] is True
    assert Path(table["report"]).exists()
    assert err.count("\n") == 16  # one line for each run that ended
    assert run([*words, "--json"]) == 0
    out_again, err = capsys.readouterr()
    assert out_again == out
    assert err == "going on: 15 of 15 runs finished\n"


@pytest.mark.usefixtures("planted")
def test_text_names_commands_that_work_as_they_stand(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    text = capsys.readouterr().out
    assert text.startswith("Frontier fit (approach 2, isoFLOP profiles): usable")
    assert "blocks only (Kaplan et al. 2020)" in text
    assert "Forecast for 4.5e12 FLOPs, 3 times the largest budget" in text
    assert "inside the interval" in text
    assert "one run tests the loss, not N*" in text
    commands = [line.split("    ")[0] for line in text.splitlines() if line.startswith("  isoflop ")]
    plan, fit, _ = (shlex.split(command)[1:] for command in commands)
    assert run([*plan, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plans"][0]["law"] == "frontier-fit"
    assert run([*fit, "--draws", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_runs"] == 15


def test_a_refused_law_exits_3_with_its_reasons(
    words: list[str], planted: PlantedExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    planted.truth["N_P"] = 1.0
    assert run(words) == 3
    assert "the smallest" in capsys.readouterr().out


@pytest.mark.parametrize(("fate", "code", "said"), [("diverged", 3, "all 15 runs"), ("failed", 4, "15 of 15 runs")])
def test_runs_without_a_loss_are_one_sentence(
    words: list[str], planted: PlantedExecutor, capsys: pytest.CaptureFixture[str], fate: str, code: int, said: str
) -> None:
    planted.fate = lambda spec: fate
    assert run(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("isoflop: ")
    assert said in last


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--workers 0", "0 workers"),
        ("--seed -1", "a seed of -1"),
        ("--budgets 5e11", "2 budgets or more"),
        ("--widths 16,32", "3 widths or more"),
        ("--widths 16,wide", "not a list of whole numbers"),
        ("--budgets 5e11,many", "'many'"),
        ("--budgets ,", "budget"),
        ("--budgets 1e5,1e6", "at 1e+05 FLOPs"),
        ("--out=", "--out is empty"),
        ("--widths 16,32,10000", "buy 0 steps at width 10000"),
        ("--text nowhere", "no folder or file nowhere"),
    ],
)
def test_wrong_input_is_one_sentence_and_makes_nothing(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, options: str, named: str
) -> None:
    assert run([*words, *options.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("isoflop: ")
    assert err.count("\n") == 1
    assert named in err
    assert list(tmp_path.iterdir()) == []

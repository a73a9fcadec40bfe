"""``isoflop report`` as a person and a script call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isoflop.cli.main import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart" / "runs.csv"
TWO = "params,tokens,loss\n1e8,2e9,3.1\n2e8,1e9,3.0\n"
SWEEP = ["--where", "purpose == 'sweep' and d_model < 100", "--draws", "0", "--params-column", "params_total"]


def test_a_page_is_written_and_its_decision_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert run(["report", str(EXAMPLE), "-o", str(page), *SWEEP, "--title", "Mine", "--target", "2e13", "--json"]) == 0
    said = capsys.readouterr()
    table = json.loads(said.out)
    assert list(table)[:2] == ["schema", "title"]
    assert (table["schema"], table["title"], table["target_flops"]) == ("isoflop.report/1", "Mine", 2e13)
    html = page.read_text(encoding="utf-8")
    assert "<h1>Mine</h1>" in html
    assert table["decision"].split(" parameters")[0] in html
    assert str(page) in said.err


def test_markdown_goes_to_stdout_or_to_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, page = tmp_path / "two.csv", tmp_path / "report.md"
    table.write_text(TWO)
    assert run(["report", str(table), "-o", str(page)]) == 3
    capsys.readouterr()
    assert run(["report", str(table), "--format", "md"]) == 3
    without_command = [line for line in page.read_text(encoding="utf-8").splitlines() if "| command |" not in line]
    assert [line for line in capsys.readouterr().out.splitlines() if "| command |" not in line] == without_command
    assert without_command[0].endswith("/two.csv")
    assert "No decision from 2 runs" in without_command[2]


def test_runs_without_a_law_have_a_page_all_the_same_and_exit_3(tmp_path: Path) -> None:
    table = tmp_path / "two.csv"
    table.write_text(TWO)
    page = tmp_path / "report.html"
    assert run(["report", str(table), "-o", str(page)]) == 3
    assert "No decision from 2 runs" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "a page needs a file: give one with -o report.html, or --format md"),
        ("-o report.txt", "give a name that ends in .html"),
        ("-o report.html --format md", "give a name that ends in .md"),
        ("-o nowhere/report.html", "nowhere does not exist"),
        ("--format md --within 0.5", "--within 0.5 is no ratio above 1"),
        ("--format md --target much", "much"),
        ("--format md --target 64xH100", "64xH100"),
        ("--format md --family chinchila", "did you mean 'chinchilla'"),
        ("--format md --level 2", "a level of 2 was asked for"),
        ("--format md --draws 3", "3 draws were asked for"),
        ("--format md --group nothing", "nothing"),
        ("--format pdf", "'pdf'"),
    ],
)
def test_wrong_words(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", str(EXAMPLE), *words.split()]) == 2
    seen = capsys.readouterr()
    assert said in seen.err
    assert len(seen.err.splitlines()) == 1
    assert seen.out == ""
    assert list(tmp_path.iterdir()) == []

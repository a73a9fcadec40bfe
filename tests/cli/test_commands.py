"""The commands on good input: results on stdout, JSON that scripts rely on, exit codes."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoflop.cli.main import run
from isoflop.laws import catalogue


def answer(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert run([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Forty runs of a known Chinchilla law with a little noise, at five budgets."""
    rng = np.random.default_rng(1)
    C = np.repeat(np.geomspace(1e18, 1e21, 5), 8)
    N = np.sqrt(C / 120) * np.tile(np.geomspace(1 / 6, 6, 8), 5)
    D = C / (6 * N)
    loss = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(0.002 * rng.standard_normal(40))
    lines = [
        "n,tokens,loss,split",
        *(f"{n},{d},{v},{'ab'[i % 8 == 0]}" for i, (n, d, v) in enumerate(zip(N, D, loss, strict=True))),
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_plan_gives_the_three_published_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table = answer(["plan", "5.76e23"], capsys)
    assert [(row["law"], round(row["params"] / 1e9, 2)) for row in table["plans"]] == [
        ("besiroglu2024", 72.25),
        ("hoffmann2022", 40.36),
        ("hoffmann2022_rounded", 32.19),
    ]


def test_plan_takes_laws_in_the_order_asked(capsys: pytest.CaptureFixture[str]) -> None:
    table = answer(["plan", "1 PF-day", "--law", "hoffmann2022", "--law", "besiroglu2024"], capsys)
    assert [row["law"] for row in table["plans"]] == ["hoffmann2022", "besiroglu2024"]
    assert table["budget"]["flops"] == 8.64e19


def test_laws(capsys: pytest.CaptureFixture[str]) -> None:
    table = answer(["laws"], capsys)
    assert table["schema"] == "isoflop.laws/1"
    assert {law["id"] for law in table["laws"]} > set(catalogue())
    assert run(["laws", "hoffmann2022"]) == 0
    page = capsys.readouterr().out
    # The constants that the paper's TeX source carries, not the rounded ones of its equation 10.
    for digits in ("0.33917084", "0.2849083", "2203.15556"):
        assert digits in page


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"isoflop {version('isoflop')}\n"


def test_no_words_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Usage: isoflop" in capsys.readouterr().out


def test_fit_writes_a_law_that_plan_reads(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = planted.with_name("law.toml")
    words = ["fit", str(planted), "--params-column", "n", "--draws", "200", "-o", str(law)]
    table = answer(words, capsys)
    assert table["schema"] == "isoflop.fit/1"
    assert table["n_runs"] == 40
    a = table["allocation"]["a"]
    assert a["interval"][0] <= 0.37 / 0.72 <= a["interval"][1]
    (row,) = answer(["plan", "1e22", "--law", str(law)], capsys)["plans"]
    lo, hi = row["intervals"]["params"]
    G = (0.35 * 480 / (0.37 * 2100)) ** (1 / 0.72)
    assert lo <= G * (1e22 / 6) ** (0.37 / 0.72) <= hi


@pytest.mark.parametrize("approach", ["2", "3", "all"])
def test_every_approach_answers(planted: Path, approach: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", str(planted), "--params-column", "n", "--draws", "100", "--approach", approach]
    table = answer(words, capsys)
    assert table["verdict"]["status"] in ("ok", "caution")
    assert ("budgets" in table) == (approach == "2")
    assert ("approaches" in table) == (approach == "all")


def test_where_selects_rows(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", str(planted), "--params-column", "n", "--draws", "0", "--where", "split == 'a' and n > 0"]
    assert answer(words, capsys)["n_runs"] == 35


def test_strict_exits_5_when_there_is_a_caution(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", str(planted), "--params-column", "n", "--draws", "0"]
    status = answer(words, capsys)["verdict"]["status"]
    assert status == "caution"  # without draws there are no intervals
    assert run([*words, "--strict"]) == 5
    out, err = capsys.readouterr()
    assert "Chinchilla fit" in out
    assert err.startswith("isoflop: --strict: the verdict is usable, with")


def test_the_golden_fit(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = str(shared_data / "chinchilla_epoch" / "runs.csv")
    table = answer(["fit", runs, "--where", "epoch_outlier_excluded == False", "--draws", "0"], capsys)
    assert table["n_runs"] == 240
    assert table["objective"]["value"] == pytest.approx(0.0010182740178, rel=1e-9)

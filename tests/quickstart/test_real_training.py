"""Once with nothing planted: transformers trained on this CPU, from the command to the report."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from isoflop.cli.main import run

pytest.importorskip("torch", reason="the trainer needs torch (pip install isoflop[train])")


def test_a_tiny_study_from_the_command_to_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    words = [
        "quickstart",
        "--out",
        str(out),
        "--budgets",
        "2e10,4e10",
        "--widths",
        "8,12,24",
        "--workers",
        "2",
        "--json",
    ]
    code = run(words)
    printed = capsys.readouterr()
    table = json.loads(printed.out)
    # Which verdict such small runs get depends on the processor's rounding; what follows from it does not.
    refused = table["frontier"]["verdict"]["status"] == "refused"
    assert code == (3 if refused else 0)
    assert (out / "law.toml").exists() != refused
    assert len(table["frontier"]["budgets"]) == 2
    assert (table["forecast"] is None) == refused
    results = [json.loads(path.read_text()) for path in sorted(out.glob("runs/*/result.json"))]
    assert len(results) == 6 if refused else 7
    for result in results:
        assert 1.5 < result["loss"] < math.log(256)  # it has learnt, and it has not seen the answers
    best = [min(r["loss"] for r in results if r["run_id"].startswith(budget)) for budget in ("b2e10", "b4e10")]
    assert best[1] < best[0]
    assert "verdict" in (out / "report.html").read_text(encoding="utf-8")

    stamps = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    runs_csv = (out / "runs.csv").read_bytes()
    assert run(words) == code
    assert json.loads(capsys.readouterr().out) == table
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")} == stamps
    assert (out / "runs.csv").read_bytes() == runs_csv

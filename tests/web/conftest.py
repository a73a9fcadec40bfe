"""The page without a network between: the application itself, a planted table, a study in the middle of its runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from isoflop.study import RunPlan, Study, StudyPlan, create_study, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.web.api import Shown
from isoflop.web.app import application
from isoflop.web.live import Watched

HERE = "http://127.0.0.1:8000"
CELLS = tuple(Cell(budget, width) for budget in (1e9, 2e9) for width in (8, 12, 16))
DONE_STEPS, RUNNING_STEPS = 20, 3


def planted_csv(
    budgets: tuple[float, ...] = (1e18, 1e19), header: str = "params,tokens,loss", rows: int | None = None
) -> str:
    """Four networks a budget around the optimum of E = 1.8, A = 480, B = 2100, alpha = .35, beta = .37; the first
    ``rows`` of them where not all are wanted."""
    table = [header]
    for C in budgets:
        for factor in (0.25, 0.6, 1.6, 4.0):
            N = 0.08 * C**0.5 * factor
            D = C / (6 * N)
            table.append(f"{N:.6g},{D:.6g},{1.8 + 480 * N**-0.35 + 2100 * D**-0.37:.6f}")
    return "\n".join(table if rows is None else table[: rows + 1]) + "\n"


def make_study(folder: Path) -> Study:
    """Six runs that have not begun."""
    specs = run_specs(SMALL_BYTES, CELLS, seed=0, corpus_digest="c0ffee")
    runs = tuple(RunPlan(width=cell.width, budget=cell.budget) for cell in CELLS)
    return create_study(folder, StudyPlan("mine", SMALL_BYTES.name, runs, corpus_digest="c0ffee"), specs)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Six runs: the first is done, the second has written a few lines, the others have not begun."""
    study = make_study(tmp_path / "study")
    first, second = (study.run_folder(spec.run_id) for spec in study.specs()[:2])
    write_metrics(first, DONE_STEPS)
    write_metrics(second, RUNNING_STEPS)
    result = {"state": "done", "loss": 2.5, "steps": DONE_STEPS, "seconds": 36.0, "tokens_per_second": 512.0}
    (first / "result.json").write_text(json.dumps(result))
    return study


def write_metrics(folder: Path, steps: int) -> None:
    lines = [{"step": k, "tokens": 512 * k, "loss": 5 / k, "seconds": 0.1 * k} for k in range(1, steps + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def watching(study: Study) -> TestClient:
    return TestClient(application(Shown((Watched(study),))), base_url=HERE)


@pytest.fixture(scope="session")
def client() -> TestClient:
    return TestClient(application(Shown()), base_url=HERE)

"""A study whose training is planted: every run ends at once, with the loss that a known frontier gives."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from isoflop import fitting
from isoflop.accounting.flops import flops_per_token
from isoflop.accounting.params import count_params
from isoflop.errors import DataError
from isoflop.executors import Job, JobReport, Status
from isoflop.quickstart import Quickstart
from isoflop.training.spec import RunSpec, read_spec

# N* = 3e4 (C / 5e11)^.55, where the recipe looks for it; L* = .4 + 1.3 (C / 5e11)^-.16; profiles like the real ones.
TRUTH = {"P": 5e11, "N_P": 3e4, "a": 0.55, "E": 0.4, "R_P": 1.3, "gamma": 0.16, "curvature": 0.14}


def planted_loss(spec: RunSpec, truth: dict[str, float]) -> float:
    N = count_params(spec.shape).matrices_and_head
    times = flops_per_token(spec.shape).exact_causal * spec.tokens / truth["P"]
    missed = np.log(N / (truth["N_P"] * times ** truth["a"]))
    return float(truth["E"] + truth["R_P"] * times ** -truth["gamma"] + truth["curvature"] * missed**2)


@dataclass
class PlantedExecutor:
    """Ends jobs as ``fate`` says: "done", "diverged" or "failed"; ``before`` is called with each run's spec."""

    truth: dict[str, float] = field(default_factory=lambda: dict(TRUTH))
    fate: Callable[[RunSpec], str] = lambda spec: "done"
    before: Callable[[RunSpec], None] = lambda spec: None
    trained: list[str] = field(default_factory=list)
    reports: dict[Job, JobReport] = field(default_factory=dict)
    parent_pid: None = None
    name: str = "planted"
    outlives_client: bool = False

    def earlier(self, id: str) -> None:
        return None

    def settle(self, job: Job) -> None:
        assert job in self.reports

    def submit(self, job: Job) -> None:
        spec = read_spec(job.folder)
        self.before(spec)
        self.trained.append(spec.run_id)
        fate = self.fate(spec)
        if fate == "failed":
            self.reports[job] = JobReport(Status.FAILED, 1, "Traceback\nMemoryError: planted")
        else:
            loss = planted_loss(spec, self.truth) if fate == "done" else None
            (job.folder / "result.json").write_text(json.dumps(result(spec, fate, loss)))
            self.reports[job] = JobReport(Status.DONE, 0)

    def status(self, job: Job) -> JobReport:
        return self.reports[job]

    def cancel(self, job: Job) -> None:
        raise AssertionError("nothing here is ever under way")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def result(spec: RunSpec, state: str, loss: float | None) -> dict[str, object]:
    flops = flops_per_token(spec.shape)
    return {
        "schema": "isoflop.result/1",
        "run_id": spec.run_id,
        "state": state,
        "params": count_params(spec.shape).to_dict(),
        "tokens": spec.tokens,
        "steps": spec.steps,
        "flops": flops.exact_causal * spec.tokens,
        "loss": loss,
        "corpus_digest": spec.corpus_digest,
        "spec_digest": spec.digest(),
        "torch": "2.13.0",
        "cpu_capability": "planted",
        "threads": 1,
        "seconds": 2.0,
        "tokens_per_second": spec.tokens / 2,
        "finished_at": "2026-01-01T00:00:00+00:00",
    }


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> PlantedExecutor:
    """The executor of every quick start in the test; fits make few draws, since none of this is about them."""
    executor = PlantedExecutor()
    monkeypatch.setattr("isoflop.quickstart.LocalExecutor", lambda workers: executor)
    monkeypatch.setattr("isoflop.quickstart.find_spec", lambda name: name)
    monkeypatch.setattr("isoflop.quickstart.fit", partial(fitting.fit, draws=200))
    return executor


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One and a half megabytes of words in no order, as 30 files."""
    folder = tmp_path_factory.mktemp("text")
    source = random.Random(0)
    words = ["".join(source.choices("etaoinshrdlu", k=source.randint(1, 9))) for _ in range(500)]
    for i in range(30):
        (folder / f"{i:02d}.txt").write_text(" ".join(source.choices(words, k=9000)))
    return folder


@pytest.fixture
def wanted(tmp_path: Path, text: Path) -> Quickstart:
    return Quickstart(out=tmp_path / "study", text=text)


@pytest.fixture(autouse=True)
def light_reports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a report fits again and again takes seconds, and is tested with the report; the real training has it all."""
    if request.path.name == "test_real_training.py":
        return

    def refused(*_: object, **__: object) -> None:
        raise DataError("left out in tests of the loop.")

    for part in ("specification_curve", "profile", "backtest"):
        monkeypatch.setattr(f"isoflop.reports.evidence.{part}", refused)

"""What the marks of a batch say: here, how long its jobs have been at work."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from isoflop.executors import Job
from isoflop.executors._batch import Batch, make_batch


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """One job, ``a``."""
    return make_batch(tmp_path, [Job("a", 1, ("true",), tmp_path / "a")], [[0]])


def stamp(batch: Batch, mark: str, at: float) -> None:
    os.utime(batch.folder / "marks" / mark, (at, at))


def test_how_long_a_job_is_at_work_is_told_by_the_clock_that_stamps_its_marks(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.claim_start(0)
    now = time.time
    stamp(batch, "0.1.started", now() - 100)
    monkeypatch.setattr(time, "time", lambda: now() + 3600)  # this machine's clock is an hour ahead of the server's
    assert batch.seconds_at_work({"a"})["a"] == pytest.approx(100, abs=30)
    assert batch.seconds_at_work()["a"] == 0
    assert sorted(path.name for path in batch.folder.iterdir()) == ["batch.json", "marks"]

"""What the marks of a batch say: here, how long its jobs have been at work."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from isoflop.executors import Job
from isoflop.executors._batch import Batch, Ended, make_batch


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


@pytest.mark.parametrize(("seconds", "took"), [(7.5, 7.5), (None, 40.0)], ids=["as its node said", "by the dates"])
def test_how_long_a_start_took_is_what_its_node_put_down(batch: Batch, seconds: float | None, took: float) -> None:
    batch.claim_start(0)
    batch.note_ended(0, 1, Ended(0, seconds=seconds))
    stamp(batch, "0.1.started", 1000.0)
    stamp(batch, "0.1.ended", 1040.0)
    assert batch.seconds_at_work() == {"a": took}


def test_an_end_that_an_older_isoflop_put_down_is_read(batch: Batch) -> None:
    old = {"exit_code": 0, "stderr_tail": "", "said": "", "cancelled": False, "cause": None}
    batch.claim_start(0)
    (batch.folder / "marks" / "0.1.ended").write_text(json.dumps(old))
    assert batch.ended(0, 1) == Ended(0)


def test_all_starts_count_but_one_that_was_lost_without_a_word(batch: Batch) -> None:
    for start, (began, ended) in enumerate([(1000.0, 1040.0), (2000.0, None), (3000.0, 3002.5)], start=1):
        assert batch.claim_start(0) == start
        stamp(batch, f"0.{start}.started", began)
        if ended is not None:
            batch.note_ended(0, start, Ended(0))
            stamp(batch, f"0.{start}.ended", ended)
    assert batch.seconds_at_work() == {"a": 42.5}
    assert batch.seconds_at_work({"a"}) == {"a": 42.5}  # the newest has ended

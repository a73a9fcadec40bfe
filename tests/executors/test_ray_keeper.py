"""The keeper of a study's tasks, with a Ray that is played; what a real one does is in tests/engines."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from isoflop.executors import Job
from isoflop.executors._batch import Batch, make_batch
from isoflop.executors._gang import Gang
from isoflop.executors.ray import Ray, _Keeper


class PlayedRay:
    """Asks the keeper here, and remembers whether it was killed."""

    was_killed = False

    def get(self, answer: Any, timeout: float) -> Any:
        return answer

    def kill(self, keeper: Any) -> None:
        self.was_killed = True


def closes(folder: Path, *waiting: str) -> bool:
    """Whether a client of the study that lets go ends the keeper, which has a task of each batch that waits."""
    keeper = _Keeper()
    for name in waiting:
        keeper._tasks[name, 0] = gang = Gang.__new__(Gang)
        gang.code = Future()
    engine = Ray.__new__(Ray)
    engine._ray, engine._folder, engine._began_here = PlayedRay(), folder, False
    engine._keeper = SimpleNamespace(is_idle=SimpleNamespace(remote=keeper.is_idle))
    engine.close()
    return bool(engine._ray.was_killed)


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    return make_batch(tmp_path, [Job("a", 1, ("true",), tmp_path / "a")], [[0]])


def test_a_keeper_outlives_a_client_that_lets_go_while_another_submits(batch: Batch) -> None:
    folder = batch.folder.parent
    assert not closes(folder, batch.name)
    batch.close()
    assert closes(folder, batch.name)
    assert not closes(folder, batch.name, "unknown")


def test_a_keeper_of_nothing_but_what_was_given_up_is_ended(batch: Batch) -> None:
    name, folder = batch.name, batch.folder.parent
    batch.give_up()
    assert closes(folder, name)

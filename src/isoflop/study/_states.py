"""Where a run stands, read from its folder, and how long the rest of a study may take."""

from __future__ import annotations

import heapq
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from isoflop.attempts import newest_attempt
from isoflop.errors import UsageError
from isoflop.executors import NOTE, works_in
from isoflop.files import read_object
from isoflop.study._specs import predicted_seconds
from isoflop.training.spec import RunSpec

RESULT = "result.json"
PUBLISHED = "published.json"
"""The result of a trainer of somebody's own, completed: no trainer writes here, so that no orphan of one can."""
RESULT_SCHEMA = "isoflop.result/1"
METRICS = "metrics.jsonl"
FAILURE = "failure.json"
CANCELLED = "cancelled.json"
TRY_AGAIN = "delete it, and the same command trains this run again"

SECONDS_BESIDE_STEPS = 1.5
"""What a run takes besides its steps: to start Python and torch, and to be judged on the validation windows."""

_TAIL_BYTES = 4096
_COUNTED: dict[str, Callable[[Any], float]] = {"step": int, "tokens": float, "loss": float, "seconds": float}


class State(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    """Nothing has been trained yet."""
    QUEUED = "queued"
    """With an engine, which has not begun it."""
    RUNNING = "running"
    DONE = "done"
    DIVERGED = "diverged"
    """Finished, with a loss that is no number."""
    FAILED = "failed"
    """Its newest attempt crashed."""
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"
    """A signal from outside ended it, as that of a machine going down."""
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    """Begun, and nobody is at it now; the next call goes on from its checkpoint."""
    WAITING = "waiting"
    """A branch whose trunk has not come to where it leaves."""

    @property
    def is_finished(self) -> bool:
        return self in (State.DONE, State.DIVERGED)

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a result, for a reason that trying again may not remove."""
        return self in (State.FAILED, State.OUT_OF_MEMORY, State.KILLED, State.TIMED_OUT)

    @property
    def goes_on(self) -> bool:
        """Whether a study that is run again sees to it without being asked to."""
        return self in (State.PENDING, State.QUEUED, State.STOPPED, State.KILLED, State.WAITING, State.RUNNING)


@dataclass(frozen=True)
class RunState:
    """Where one run stands. ``loss`` is the validation loss of a finished run and the latest training
    loss of another; ``seconds`` is the time spent training, over all attempts."""

    spec: RunSpec
    state: State
    step: int = 0
    loss: float | None = None
    seconds: float = 0.0
    tokens_per_second: float | None = None
    reason: str = ""

    @property
    def run_id(self) -> str:
        return self.spec.run_id

    @property
    def steps(self) -> int:
        return self.spec.steps


def read_state(folder: Path, spec: RunSpec, *, supervised: bool, own: bool = False) -> RunState:
    """Where the run in ``folder`` stands; ``supervised`` says whether somebody is running the study, ``own`` whether a
    command of somebody's own trains it, which may be writing its result at this moment."""
    for name in (PUBLISHED, RESULT):
        is_own = own or name == PUBLISHED
        result = _read_if_whole(folder / name) if is_own else _read(folder / name)
        if result is not None and (_is_completed(result, spec) if is_own else not _is_bare(result)):
            return _finished(spec, result, folder / name)
    line = _last_line(folder / METRICS)
    if (cancelled := _read(folder / CANCELLED)) is not None:
        return _under_way(spec, State.CANCELLED, line, str(cancelled.get("reason", "")))
    if (failure := _read(folder / FAILURE)) is not None and failure.get("attempt") == newest_attempt(folder):
        state = next((one for one in State if one == failure.get("state")), State.FAILED)
        return _under_way(spec, state, line, str(failure.get("reason", "")))
    if line is None:  # a trainer of somebody's own may work without a word of its steps
        begun = State.STOPPED if (folder / NOTE).exists() else State.PENDING
        return RunState(spec, State.RUNNING if supervised and works_in(folder) else begun)
    return _under_way(spec, State.RUNNING if supervised else State.STOPPED, line)


def was_seen_to_fail(folder: Path) -> bool:
    """Whether the newest attempt was seen to end without a result: one that appears afterwards is not its own."""
    failure = _read(folder / FAILURE) or {}
    return failure.get("exit_code") is not None and failure.get("attempt") == newest_attempt(folder)


def _is_bare(result: dict[str, Any]) -> bool:
    """Whether a result is what a trainer of somebody's own has written, and the study has not completed yet."""
    return "schema" not in result and "state" not in result and "loss" in result


def _is_completed(result: dict[str, Any], spec: RunSpec) -> bool:
    """Whether the study has read and completed what a trainer of somebody's own wrote, who writes what he likes."""
    own = {"run_id": spec.run_id, "schema": RESULT_SCHEMA}
    clocks = all(isinstance(result.get(name), int | float) for name in ("steps", "seconds"))
    is_whole = clocks and {"loss", "tokens_per_second", "spec_digest", "attempt"} <= set(result)
    return own.items() <= result.items() and is_whole and result.get("state") in (State.DONE, State.DIVERGED)


def time_left(states: Sequence[RunState], workers: int, *, then: RunSpec | None = None) -> float | None:
    """Seconds until all that goes on is finished with ``workers`` jobs at a time; None before any speed was seen.

    The predicted times are scaled by what the steps taken so far really took; the rest is laid out
    longest first, as ``run_study`` does. ``then`` is a run that starts when all others have ended.
    """
    predicted = {state.run_id: predicted_seconds(state.spec) for state in states}
    seen = sum(predicted[state.run_id] * state.step / state.steps for state in states)
    spent = sum(state.seconds for state in states)
    if not seen or not spent:
        return None
    slowness = spent / seen
    left = [
        slowness * predicted[state.run_id] * (1 - state.step / state.steps) + SECONDS_BESIDE_STEPS
        for state in states
        if state.state.goes_on
    ]
    last = slowness * predicted_seconds(then) + SECONDS_BESIDE_STEPS if then else 0.0
    return makespan(left, workers) + last


def makespan(durations: Sequence[float], workers: int) -> float:
    """When the last of the jobs ends, the longest going first to whoever is free."""
    ends = [0.0] * workers
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


def _under_way(spec: RunSpec, state: State, line: dict[str, Any] | None, reason: str = "") -> RunState:
    if line is None:
        return RunState(spec, state, reason=reason)
    speed = line["tokens"] / line["seconds"] if line["seconds"] else None
    return RunState(spec, state, min(line["step"], spec.steps), line["loss"], line["seconds"], speed, reason)


def _finished(spec: RunSpec, result: dict[str, Any], path: Path) -> RunState:
    try:
        state, speed = State(result["state"]), result["tokens_per_second"]
        return RunState(spec, state, result["steps"], result["loss"], result["seconds"], speed)
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path} is no result of a run ({error}); {TRY_AGAIN}.") from None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_object(path, TRY_AGAIN)
    except FileNotFoundError:
        return None


def _read_if_whole(path: Path) -> dict[str, Any] | None:
    try:
        return _read(path)
    except UsageError:
        return None


def _last_line(path: Path) -> dict[str, Any] | None:
    """The last whole line of a JSONL file that is being written: what follows the last newline may be torn. None where
    it says nothing of steps: a trainer of somebody's own writes what it likes."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            whole = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    try:
        line = json.loads(whole[-1])
        counts: dict[str, Any] = {name: _COUNTED[name](line[name]) for name in _COUNTED}
    except (IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    if not all(0 <= counts[name] < math.inf for name in ("step", "tokens", "seconds")):
        return None
    return {**counts, "loss": counts["loss"] if math.isfinite(counts["loss"]) else None}

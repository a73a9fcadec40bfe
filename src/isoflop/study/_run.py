"""Getting the runs of a study done: submit what has no result, watch, and say what came of it."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from isoflop.errors import Interrupted, RunsFailed
from isoflop.executors import Executor, Job, JobReport, Status
from isoflop.files import write_atomic
from isoflop.study._folder import Study
from isoflop.study._lock import supervise
from isoflop.study._specs import predicted_seconds
from isoflop.study._states import FAILURE, RESULT, RunState, State, read_state
from isoflop.training.spec import ATTEMPTS, newest_attempt

TRAINER = (sys.executable, "-m", "isoflop.training")
"""The command that trains a run; the run's folder, ``--attempt N`` and ``--parent PID`` are appended."""

_POLL_SECONDS = 0.1
_STOPPED_CODE = 75
"""EX_TEMPFAIL: the trainer was stopped after a checkpoint, and the next attempt goes on from there."""

Progress = Callable[[tuple[RunState, ...]], None]


def run_study(
    study: Study,
    executor: Executor,
    *,
    runs: Collection[str] | None = None,
    on_progress: Progress | None = None,
    command: Sequence[str] = TRAINER,
) -> tuple[RunState, ...]:
    """Train every run that has no result, the longest first, and return where the runs stand.

    ``runs`` names the runs to see to; without it, all of the study. ``on_progress`` is called with their
    states before any has begun, and then several times a second. Ctrl-C stops the jobs after a checkpoint
    and is raised as Interrupted; RunsFailed names the runs that did not finish, with the others kept.
    Either way the next call goes on. UsageError when another process runs this study.
    """
    with supervise(study.folder):
        watch = _Watch(study, executor, tuple(command), runs)
        try:
            watch.submit()
            if on_progress:
                on_progress(watch.states())
            while watch.refresh():
                if on_progress:
                    on_progress(watch.states())
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            watch.stop()
            finished = sum(state.state.is_finished for state in watch.states())
            raise Interrupted(
                f"interrupted with {finished} of {len(watch.states())} runs finished; the state is kept in "
                f"{study.folder}, and the same command goes on."
            ) from None
    states = watch.states()
    if on_progress:
        on_progress(states)
    _raise_for_unfinished(states)
    return states


class _Watch:
    """The runs of one ``run_study`` call: what has been submitted, and each run's state as last seen.

    Only runs that are under way are read again, so that a poll costs little in a study of thousands.
    """

    def __init__(
        self, study: Study, executor: Executor, command: tuple[str, ...], runs: Collection[str] | None
    ) -> None:
        self._study = study
        self._executor = executor
        self._command = command
        self._states = {state.run_id: state for state in study.states() if runs is None or state.run_id in runs}
        self._jobs: dict[str, Job] = {}

    def states(self) -> tuple[RunState, ...]:
        return tuple(self._states.values())

    def submit(self) -> None:
        unfinished = [state.spec for state in self._states.values() if not state.state.is_finished]
        for spec in sorted(unfinished, key=predicted_seconds, reverse=True):
            job = self._job(spec.run_id)
            self._jobs[spec.run_id] = job
            self._executor.submit(job)
            self._states[spec.run_id] = replace(self._states[spec.run_id], state=State.PENDING, reason="")

    def refresh(self) -> bool:
        """Read again what may have changed; whether any job is still to end."""
        for run_id, job in list(self._jobs.items()):
            report = self._executor.status(job)
            if report.status is Status.QUEUED:
                continue
            if report.status.is_final:
                del self._jobs[run_id]
            self._states[run_id] = self._state(job, report)
        return bool(self._jobs)

    def stop(self) -> None:
        """Cancel all, those that still wait first so that nothing new starts, and see every job end."""
        for job in reversed(self._jobs.values()):
            self._executor.cancel(job)
        while self.refresh():
            time.sleep(_POLL_SECONDS)

    def _job(self, run_id: str) -> Job:
        """The next attempt at a run. Its number is what fences off an earlier attempt that still lives."""
        folder = self._study.run_folder(run_id).absolute()
        attempt = _claim_attempt(folder)
        parent = self._executor.parent_pid
        ending = () if parent is None else ("--parent", str(parent))
        return Job(run_id, attempt, (*self._command, str(folder), "--attempt", str(attempt), *ending), folder)

    def _state(self, job: Job, report: JobReport) -> RunState:
        """A run's state from its folder, after writing there how its job ended if no result came of it."""
        spec = self._states[job.id].spec
        failed = report.status in (Status.DONE, Status.FAILED) and report.exit_code != _STOPPED_CODE
        if failed and not (job.folder / RESULT).exists():
            reason = _last_words(report)
            failure = {"attempt": job.attempt, "exit_code": report.exit_code, "reason": reason}
            write_atomic(job.folder / FAILURE, json.dumps(failure) + "\n")
        state = read_state(job.folder, spec, supervised=not report.status.is_final)
        begun = state.state is State.PENDING and report.status is Status.RUNNING
        return replace(state, state=State.RUNNING) if begun else state


def _claim_attempt(folder: Path) -> int:
    """Make the file of the next attempt, whose number nobody else can then have."""
    attempts = folder / ATTEMPTS
    attempts.mkdir(exist_ok=True)
    facts = {"host": socket.gethostname(), "supervisor": os.getpid(), "submitted_at": datetime.now(UTC).isoformat()}
    number = newest_attempt(folder) + 1
    with (attempts / f"{number:04d}.json").open("x") as file:
        file.write(json.dumps({"schema": "isoflop.attempt/1", "attempt": number, **facts}) + "\n")
    return number


def _last_words(report: JobReport) -> str:
    """Why a job failed: the signal that killed it, or the last line of its stderr (of a traceback, the
    exception), or else how it exited."""
    if report.exit_code is not None and report.exit_code < 0:
        return f"killed by signal {-report.exit_code}"
    lines = report.stderr_tail.strip().splitlines()
    if lines:
        return lines[-1].strip().removeprefix("isoflop: ")
    if report.status is Status.DONE:
        return "it ended without a result"
    return f"exit code {report.exit_code}"


def _raise_for_unfinished(states: Sequence[RunState]) -> None:
    unfinished = [state for state in states if not state.state.is_finished]
    if not unfinished:
        return
    named = [f"{state.run_id} ({state.reason or 'stopped from outside'})" for state in unfinished[:3]]
    if len(unfinished) > 3:
        named.append(f"{len(unfinished) - 3} more")
    raise RunsFailed(
        f"{len(unfinished)} of {len(states)} runs failed: {', '.join(named)}; the other "
        f"{len(states) - len(unfinished)} are kept, and the same command tries these again."
    )

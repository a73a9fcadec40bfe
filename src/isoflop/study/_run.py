"""Getting the runs of a study done: submit what has no result, watch, and say what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from isoflop.attempts import belongs, claim_attempt, newest_attempt
from isoflop.errors import Interrupted, RunsFailed, UsageError
from isoflop.executors import GRACE_SECONDS, Executor, Job, JobReport, Status, end_orphan, left_in
from isoflop.study._ends import put_down, settle
from isoflop.study._folder import WRITES_AT_A_TIME, Study
from isoflop.study._lock import supervise
from isoflop.study._specs import predicted_seconds
from isoflop.study._states import CANCELLED, RESULT, RunState, State, read_state, was_seen_to_fail
from isoflop.study._trainer import BUILT_IN, Trainer, complete
from isoflop.training.spec import RunSpec, branch_file

_POLL_SECONDS = 0.1
_POLL_SECONDS_OF_ENGINES = 1.0
_SECONDS_BETWEEN_LOOKS = 2.0
"""How often the folders of all runs under way are searched for a word from ``isoflop sweep cancel``."""

Progress = Callable[[tuple[RunState, ...]], None]


@dataclass(frozen=True)
class Manner:
    """How a study is run: whether runs that failed before are tried again, whether the first that fails ends it,
    whether to come back as soon as all is submitted, and what to say that tries failed ones again."""

    retry: bool = True
    fail_fast: bool = False
    detach: bool = False
    timeout_hours: float | None = None
    again: str = "the same command tries these again"


AS_USUAL = Manner()


def run_study(
    study: Study,
    executor: Executor,
    *,
    runs: Collection[str] | None = None,
    on_progress: Progress | None = None,
    trainer: Trainer = BUILT_IN,
    manner: Manner = AS_USUAL,
) -> tuple[RunState, ...]:
    """Train every run that has no result, and return where the runs stand.

    ``runs`` names the runs to see to; without it, all of the study. On this machine the longest go first, so that all
    ends early; to an engine the cheapest, so that there is soon something to look at. ``on_progress`` is called with
    their states before any has begun, and then several times a second. Ctrl-C is raised as Interrupted: here it stops
    the jobs after a checkpoint, and leaves those of an engine where they are. RunsFailed names the runs that did not
    finish, with the others kept. Either way the next call goes on, and finds the jobs that the engine has. UsageError
    when another process runs this study, or another engine has jobs of it.
    """
    if manner.detach and not executor.outlives_client:
        raise UsageError(f"jobs of the {executor.name} executor end with this command; give an engine, or stay.")
    with supervise(study.folder):
        if left := settle(study, trainer, besides=executor.name):
            raise UsageError(_with_another(left, study))
        watch = _Watch(study, executor, trainer, manner, runs)
        try:
            watch.submit()
            if on_progress:
                on_progress(watch.states())
            if manner.detach:
                return watch.states()
            while watch.refresh():
                if on_progress:
                    on_progress(watch.states())
                if manner.fail_fast and watch.has_failed:
                    watch.stop()
                    break
                time.sleep(_POLL_SECONDS_OF_ENGINES if executor.outlives_client else _POLL_SECONDS)
        except KeyboardInterrupt:
            if executor.outlives_client:
                raise Interrupted(watch.left_behind()) from None
            watch.stop()
            finished = sum(state.state.is_finished for state in watch.states())
            raise Interrupted(
                f"interrupted with {finished} of {len(watch.states())} runs finished; the state is kept in "
                f"{study.folder}, and the same command goes on."
            ) from None
    states = watch.states()
    if on_progress:
        on_progress(states)
    _raise_for_unfinished(states, manner)
    return states


class _Watch:
    """The runs of one ``run_study`` call: what has been submitted, and each run's state as last seen.

    Only runs that are under way are read again, so that a poll costs little in a study of thousands.
    """

    def __init__(
        self, study: Study, executor: Executor, trainer: Trainer, manner: Manner, runs: Collection[str] | None
    ) -> None:
        self._study = study
        self._executor = executor
        self._trainer = trainer
        self._manner = manner
        self._states = {
            state.run_id: state for state in study.states(own=trainer.is_own) if runs is None or state.run_id in runs
        }
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, RunSpec] = {}
        self._since: dict[str, float] = {}
        self._timed_out: set[str] = set()
        self._looked = time.monotonic()
        self._threads = ThreadPoolExecutor(WRITES_AT_A_TIME, thread_name_prefix="isoflop-study")
        self.has_failed = False

    def states(self) -> tuple[RunState, ...]:
        return tuple(self._states.values())

    def submit(self) -> None:
        """Submit what is to be done; a branch waits until its trunk has come to where it leaves."""
        for state in [state for state in self._states.values() if not state.state.is_finished]:
            self._take_up(state)
        if self._trainer.is_own:
            unsettled = [s for s in self._states.values() if not s.state.is_finished and s.run_id not in self._jobs]
            for state in self._threads.map(self._settled, unsettled):
                self._states[state.run_id] = state
        unfinished = [state.spec for state in self._states.values() if self._is_wanted(state)]
        for spec in sorted(unfinished, key=predicted_seconds, reverse=not self._executor.outlives_client):
            self._waiting[spec.run_id] = spec
            self._set(spec.run_id, State.WAITING if spec.branch else State.PENDING)
        self._submit_ready()

    def _take_up(self, state: RunState) -> None:
        """See to the job that an earlier client submitted for a run: it goes on, or its end is put down."""
        job = self._executor.earlier(state.run_id)
        if job is None:
            return
        if not belongs(job.folder, job.attempt):  # the run was begun again since, elsewhere
            self._executor.settle(job)
            return
        report = self._executor.status(job)
        if not report.status.is_final:
            self._jobs[job.id] = job
        state = self._state(job, report)
        queued = report.status is Status.QUEUED
        self._states[job.id] = replace(state, state=State.QUEUED) if queued else state

    def left_behind(self) -> str:
        """What is said of jobs that stay with an engine."""
        return (
            f"interrupted; {len(self._jobs)} runs stay with {self._executor.name}: the same command watches "
            f"them again, and isoflop sweep cancel {self._study.folder} ends them."
        )

    def refresh(self) -> bool:
        """Read again what may have changed; whether any job is still to end."""
        self._look_for_cancellations()
        reports = [(job, self._executor.status(job)) for job in self._jobs.values()]
        seen = [(job, report) for job, report in reports if report.status is not Status.QUEUED]
        for job, report in seen:
            if report.status.is_final:
                del self._jobs[job.id]
            else:
                self._watch_the_clock(job)
        # Several at a time: what has ended is put down on the disk, and that is waiting for it.
        for state in self._threads.map(self._state, *zip(*seen, strict=True)) if seen else ():
            self._states[state.run_id] = state
            self.has_failed |= state.state.has_failed
        self._submit_ready()
        return bool(self._jobs)

    def stop(self) -> None:
        """Cancel all, those that still wait first so that nothing new starts, and see every job end."""
        self._waiting.clear()
        for job in reversed(self._jobs.values()):
            self._executor.cancel(job)
        while self.refresh():
            time.sleep(_POLL_SECONDS)

    def _is_wanted(self, state: RunState) -> bool:
        if state.state.is_finished or state.state is State.CANCELLED or state.run_id in self._jobs:
            return False
        return self._manner.retry or state.state.goes_on

    def _settled(self, state: RunState) -> RunState:
        """What came of a command of one's own whose supervisor was killed: it may still work, or have left a result.

        It is ended before its result is looked for: one that came to its end a moment later would be made twice.
        """
        folder = self._study.run_folder(state.run_id)
        end_orphan(folder, GRACE_SECONDS)
        if was_seen_to_fail(folder):
            return state
        left = left_in(folder, RESULT)
        if left is not None and not complete(folder, state.spec, newest_attempt(folder), left):
            return read_state(folder, state.spec, supervised=False, own=True)
        return state

    def _submit_ready(self) -> None:
        # Trunks first: an engine is given their branches at once, to begin when they are done.
        for run_id, spec in sorted(self._waiting.items(), key=lambda waiting: waiting[1].branch is not None):
            ready = self._is_ready(spec)
            if ready is None:
                continue
            del self._waiting[run_id]
            if ready:
                job = self._job(spec)
                self._jobs[run_id] = job
                self._executor.submit(job)
                self._set(run_id, State.QUEUED if self._executor.outlives_client else State.PENDING)

    def _is_ready(self, spec: RunSpec) -> bool | None:
        """Whether a run can start: None for not yet, False where its trunk has ended without coming there."""
        if spec.branch is None:
            return True
        trunk = spec.branch.trunk
        if self._has_left(spec):
            return True
        if trunk in self._jobs and self._executor.outlives_client:
            return True
        if trunk in self._jobs or trunk in self._waiting:
            return None
        self._set(spec.run_id, State.WAITING, f"its trunk {trunk} has not come to step {spec.branch.step}")
        return False

    def _set(self, run_id: str, state: State, reason: str = "") -> None:
        self._states[run_id] = replace(self._states[run_id], state=state, reason=reason)

    def _watch_the_clock(self, job: Job) -> None:
        """End a job that takes longer than the study allows."""
        limit, now = self._manner.timeout_hours, time.monotonic()
        began = self._since.setdefault(job.id, now)
        if limit is not None and now - began > 3600 * limit and job.id not in self._timed_out:
            self._timed_out.add(job.id)
            self._executor.cancel(job)

    def _look_for_cancellations(self) -> None:
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        for job in self._jobs.values():
            if (job.folder / CANCELLED).exists():
                self._executor.cancel(job)
        for run_id in [r for r in self._waiting if (self._study.run_folder(r) / CANCELLED).exists()]:
            del self._waiting[run_id]
            self._set(run_id, State.CANCELLED)
        self._looked = time.monotonic()

    def _job(self, spec: RunSpec) -> Job:
        """The next attempt at a run. Its number is what fences off an earlier attempt that still lives."""
        folder = self._study.run_folder(spec.run_id).absolute()
        attempt = claim_attempt(folder, {"executor": self._executor.name})
        words = self._trainer.words(spec, folder, self._executor.parent_pid)
        trunk = self._jobs.get(spec.branch.trunk) if spec.branch else None
        after = (trunk.key,) if trunk and not self._has_left(spec) else ()
        leaves = RESULT if self._trainer.is_own else ""
        return Job(spec.run_id, attempt, words, folder, after, self._trainer.nodes, leaves)

    def _has_left(self, spec: RunSpec) -> bool:
        """Whether what a branch goes on from is there."""
        assert spec.branch is not None
        return (self._study.run_folder(spec.branch.trunk) / branch_file(spec.branch.step)).exists()

    def _state(self, job: Job, report: JobReport) -> RunState:
        """A run's state from its folder, after writing there how its job ended if no result came of it."""
        spec = self._states[job.id].spec
        if report.status.is_final:
            limit = self._manner.timeout_hours if job.id in self._timed_out else None
            put_down(job, spec, report, is_own=self._trainer.is_own, limit_hours=limit)
            self._executor.settle(job)
        state = read_state(job.folder, spec, supervised=not report.status.is_final, own=self._trainer.is_own)
        if report.reason and not state.reason and not state.state.is_finished:
            state = replace(state, reason=report.reason)
        begun = state.state in (State.PENDING, State.STOPPED) and report.status is Status.RUNNING
        return replace(state, state=State.RUNNING) if begun else state


def _with_another(left: Mapping[str, str], study: Study) -> str:
    """Why a study is not run while another engine has jobs of it: a run would be made twice at a time."""
    engine, count = Counter(left.values()).most_common(1)[0]
    return (
        f"{count} runs of {study.folder} are with {engine}: isoflop sweep run --executor {engine} goes on with them, "
        "and isoflop sweep cancel ends them."
    )


def _raise_for_unfinished(states: Sequence[RunState], manner: Manner) -> None:
    asked = [state for state in states if state.state is not State.CANCELLED]
    unfinished = [state for state in asked if not state.state.is_finished]
    if not unfinished:
        return
    named = [f"{state.run_id} ({_why(state)})" for state in unfinished[:3]]
    if len(unfinished) > 3:
        named.append(f"{len(unfinished) - 3} more")
    ended = "failed" if all(state.state.has_failed for state in unfinished) else "have no result"
    raise RunsFailed(
        f"{len(unfinished)} of {len(states)} runs {ended}: {', '.join(named)}; the other "
        f"{len(states) - len(unfinished)} are kept, and {manner.again}."
    )


def _why(state: RunState) -> str:
    if state.reason:
        return state.reason
    return "not begun" if state.state in (State.PENDING, State.WAITING) else "stopped from outside"

"""What came of jobs that have ended, put down in the folders of their runs, by whoever holds the study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing

from isoflop.attempts import STOPPED_CODE, belongs, newest_attempt
from isoflop.errors import UsageError
from isoflop.executors import Job, JobReport, Status, left_in
from isoflop.files import write_atomic
from isoflop.study._executors import engines_with_jobs, observers
from isoflop.study._failure import failure_of
from isoflop.study._folder import Study
from isoflop.study._lock import is_supervised, supervise
from isoflop.study._states import FAILURE, RESULT, read_state
from isoflop.study._trainer import Trainer, complete, planned_facts, trainer_of
from isoflop.training.spec import RunSpec, read_spec


def put_down(job: Job, spec: RunSpec, report: JobReport, *, is_own: bool, limit_hours: float | None = None) -> None:
    """Write down what came of a job that has ended: complete the result of a command of one's own (``is_own``), or say
    why there is none. ``limit_hours`` is the time that it took all of, None where it did not."""
    lacking = "it ended without a result"
    killed = report.exit_code is not None and report.exit_code < 0
    if is_own and (report.status is Status.DONE or killed):  # a result is the last that is written
        # Seen at its end where it was to leave one: what is in the folder by now may be an orphan's.
        left = report.left if job.leaves else left_in(job.folder, RESULT)
        lacking = complete(job.folder, spec, newest_attempt(job.folder), left)
        if not lacking:
            return
    ended = report.status in (Status.DONE, Status.FAILED) and report.exit_code != STOPPED_CODE
    if not (ended or limit_hours is not None) or ((job.folder / RESULT).exists() and not is_own):
        return
    table = {
        "attempt": newest_attempt(job.folder),
        "exit_code": report.exit_code,
        **failure_of(report, lacking, limit_hours),
        "planned": planned_facts(spec),
    }
    write_atomic(job.folder / FAILURE, json.dumps(table) + "\n")
    if (job.folder / RESULT).exists():  # no result of a job that failed, and kept for its author to look at
        (job.folder / RESULT).rename(job.folder / f"refused-{newest_attempt(job.folder):04d}.json")


def settle(study: Study, trainer: Trainer | None = None, besides: str = "") -> Mapping[str, str]:
    """Put down the ends of all jobs that came to theirs with engines while nobody watched, ``besides`` one engine; who
    says this holds the study. Returns the runs whose jobs have not ended, each with its engine."""
    under_way: dict[str, str] = {}
    if not engines_with_jobs(study.folder, besides):
        return under_way
    plan = study.plan()
    trainer = trainer or trainer_of(plan.trainer, plan.executor)
    for engine in observers(plan.executor, study.folder, besides):
        for job in engine.unsettled():
            if not belongs(job.folder, job.attempt):  # the run was begun again since, elsewhere
                engine.settle(job)
            elif (report := engine.status(job)).status.is_final:
                spec = read_spec(job.folder)
                # A client that died before it settled may have put it down.
                if not read_state(job.folder, spec, supervised=False, own=trainer.is_own).state.is_finished:
                    put_down(job, spec, report, is_own=trainer.is_own)
                engine.settle(job)
            else:
                under_way[job.id] = engine.name
    return under_way


def catch_up(study: Study) -> None:
    """``settle`` where some job has ended and nobody holds the study: who runs it does the same."""
    if not engines_with_jobs(study.folder) or is_supervised(study.folder):
        return
    # Closed at the first that has ended, where the generator stops halfway with an engine in hand.
    with closing(observers(study.plan().executor, study.folder)) as engines:
        if not any(engine.status(job).status.is_final for engine in engines for job in engine.unsettled()):
            return
    try:
        with supervise(study.folder):
            settle(study)
    except UsageError:
        if not is_supervised(study.folder):
            raise

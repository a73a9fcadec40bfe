"""What a person tells a study while it runs or rests: leave these runs, try those again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from isoflop.attempts import newest_attempt
from isoflop.errors import UsageError
from isoflop.files import write_atomic
from isoflop.study._ends import catch_up, settle
from isoflop.study._executors import observers
from isoflop.study._folder import Study
from isoflop.study._lock import is_supervised, supervise
from isoflop.study._states import CANCELLED, FAILURE, PUBLISHED, RESULT, RunState, State, was_seen_to_fail
from isoflop.study._trainer import planned_facts


def cancel(
    study: Study, names: Sequence[str], *, tell: Callable[[str], None] = lambda text: None
) -> tuple[RunState, ...]:
    """Have the runs that are named, or all that have not ended, ended and left; the runs that this was said to.

    A study that is being run sees the word within seconds, and stops the jobs after a checkpoint. Jobs that are with an
    engine are ended there, whether or not somebody watches them; ``tell`` is told where it does not answer.
    """
    chosen = set(study.chosen(names)) if names else None
    catch_up(study)  # what has ended by now is not cancelled
    ended = (State.DONE, State.DIVERGED, State.CANCELLED)
    told = [s for s in study.states() if s.state not in ended and (chosen is None or s.run_id in chosen)]
    word = {"reason": "cancelled", "at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        for state in told:
            facts = {**word, "planned": planned_facts(state.spec)}
            write_atomic(study.run_folder(state.run_id) / CANCELLED, json.dumps(facts) + "\n")
    except OSError as error:
        raise UsageError(f"the study folder {study.folder} cannot be written ({error.strerror}).") from None
    for engine in observers(study.plan().executor, study.folder):
        for job in filter(None, (engine.earlier(state.run_id) for state in told)):
            engine.cancel(job)
        engine.flush()
        if not engine.answers:
            tell(
                f"{engine.name} does not answer and was not told: a run that is under way ends all the same, by the "
                "word in its folder, and one that is queued ends when it is begun."
            )
    catch_up(study)
    return tuple(told)


def retry(study: Study, names: Sequence[str]) -> tuple[RunState, ...]:
    """Clear what keeps the runs that are named, or all that failed or were cancelled, from being run again.

    A run that diverged is tried again only by its name: the same spec diverges again, unless the machine was at fault.
    Its result is kept beside, under the number of its attempt. UsageError while the study is being run, or an engine
    still has one of them.
    """
    chosen = set(study.chosen(names))
    if is_supervised(study.folder):
        raise UsageError(f"the study in {study.folder} is being run; stop it with Ctrl-C first, or wait.")
    with supervise(study.folder):
        under_way = settle(study)
        told = [state for state in study.states() if _is_meant(state, chosen)]
        if kept := [state for state in told if state.run_id in under_way]:
            raise UsageError(_is_with(kept, under_way[kept[0].run_id], study.folder))
        for state in told:
            folder = study.run_folder(state.run_id)
            if state.state is State.DIVERGED:
                _put_aside(folder, "diverged")
            elif was_seen_to_fail(folder):  # what is there has come later, and not of the attempt that failed
                _put_aside(folder, "refused")
            (folder / CANCELLED).unlink(missing_ok=True)
            (folder / FAILURE).unlink(missing_ok=True)
    return tuple(told)


def _put_aside(folder: Path, why: str) -> None:
    """Keep a result beside, under the number of its attempt: as it was published, else as its trainer wrote it."""
    for name in (RESULT, PUBLISHED):
        if (folder / name).exists():
            (folder / name).replace(folder / f"{why}-{newest_attempt(folder):04d}.json")


def _is_with(kept: Sequence[RunState], engine: str, folder: Path) -> str:
    named = ", ".join(state.run_id for state in kept[:3]) + (f" and {len(kept) - 3} more" if len(kept) > 3 else "")
    said = f"{named} {'is' if len(kept) == 1 else 'are'} with {engine}"
    if all(state.state is State.CANCELLED for state in kept):
        return f"{said}, which is still ending {'it' if len(kept) == 1 else 'them'}; say this again in a moment."
    return f"{said}; say isoflop sweep cancel {folder} {kept[0].run_id} first, or wait for the end."


def _is_meant(state: RunState, chosen: set[str]) -> bool:
    if chosen:
        return state.run_id in chosen and state.state is not State.DONE
    return state.state.has_failed or state.state is State.CANCELLED

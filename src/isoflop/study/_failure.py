"""Why a job ended without a result: one state and one sentence, from how it exited and the end of its stderr."""

from __future__ import annotations

import re
import signal

from isoflop.executors import Cause, JobReport, Status
from isoflop.quantities import format_number
from isoflop.study._states import State

# What trainers of this world say when memory runs out: Python, PyTorch, CUDA, JAX, the C library.
_NO_MEMORY = ("out of memory", "outofmemory", "memoryerror", "cannot allocate memory", "resource_exhausted")

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What a terminal would obey rather than print."""
LONGEST_REASON = 300
"""In characters; stderr.log has all."""

_OF_CAUSE = {
    Cause.NODE_LOST: State.KILLED,
    Cause.PREEMPTED: State.KILLED,
    Cause.OUT_OF_MEMORY: State.OUT_OF_MEMORY,
    Cause.TIME_LIMIT: State.TIMED_OUT,
    Cause.NEVER_STARTS: State.WAITING,
}


def failure_of(report: JobReport, lacking: str, limit_hours: float | None) -> dict[str, str]:
    """The state and the reason that are put down; ``lacking`` is what is missing where the job said it was done,
    ``limit_hours`` the time that it took all of, None where it did not.

    >>> found = failure_of(JobReport(Status.FAILED, 1, "Traceback\\nMemoryError: no 8 GB"), "", None)
    >>> str(found["state"]), found["reason"]
    ('out_of_memory', 'MemoryError: no 8 GB')
    >>> failure_of(JobReport(Status.FAILED, -9), "", None)["reason"]
    'killed by signal 9 (SIGKILL, which a system out of memory sends too)'
    """
    if limit_hours is not None:
        said = f"ended after its limit of {format_number(limit_hours, 3)} hours"
        return {"state": State.TIMED_OUT, "reason": said}
    if report.cause is not None:
        return {"state": _OF_CAUSE[report.cause], "reason": report.reason}
    if report.exit_code is not None and report.exit_code < 0:
        return {"state": State.KILLED, "reason": _killed_by(-report.exit_code)}
    if report.status is Status.DONE:
        return {"state": State.FAILED, "reason": lacking}
    last = _last_line(report.stderr_tail)
    if any(word in last.lower() for word in _NO_MEMORY):
        return {"state": State.OUT_OF_MEMORY, "reason": last}
    return {"state": State.FAILED, "reason": last or f"exit code {report.exit_code}"}


def _killed_by(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"killed by signal {number}"
    beside = ", which a system out of memory sends too" if name == "SIGKILL" else ""
    return f"killed by signal {number} ({name}{beside})"


def _last_line(text: str) -> str:
    """The last line that says something: of a traceback, the exception."""
    lines = [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    said = lines[-1].removeprefix("isoflop: ") if lines else ""
    return said if len(said) <= LONGEST_REASON else f"{said[: LONGEST_REASON - 4]} ..."

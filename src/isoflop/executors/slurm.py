"""Jobs through Slurm: job arrays, requeued by Slurm, watched by ``squeue`` and, where there is accounting,
``sacct``."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from isoflop.errors import UsageError
from isoflop.executors._batch import Batch
from isoflop.executors._engine import AS_USUAL, EngineExecutor, Manners, Phase, Task, Word
from isoflop.executors._executor import Cause, mebibytes

SCRIPT = "script.sh"
_SECONDS_TO_ANSWER = 60.0
# Of the shell that submits, a job sees these and nothing else.
_EXPORTED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ")
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "RESIZING"}
_CAUSES = {
    "NODE_FAIL": (Cause.NODE_LOST, "the node failed"),
    "BOOT_FAIL": (Cause.NODE_LOST, "the node did not boot"),
    "PREEMPTED": (Cause.PREEMPTED, "preempted"),
    "OUT_OF_MEMORY": (Cause.OUT_OF_MEMORY, "out of memory"),
    "TIMEOUT": (Cause.TIME_LIMIT, "ended at the time limit"),
    "DEADLINE": (Cause.TIME_LIMIT, "ended at the deadline"),
}
_NEVER = "DependencyNeverSatisfied"
# Options of sbatch that are set here, each with the key that is to be given instead.
_SET_HERE = {
    **dict.fromkeys(
        ("array", "job-name", "chdir", "output", "open-mode", "export", "dependency", "parsable", "wrap"), ""
    ),
    # A batch that sbatch waits for, or that is with another cluster's queue, would be taken for lost.
    **dict.fromkeys(("ntasks", "ntasks-per-node", "wait", "clusters"), ""),
    **{"nodes": "[executor] nodes", "cpus-per-task": "cpus", "signal": "warn_seconds"},
    **{"requeue": "requeue", "no-requeue": "requeue"},
    **{name: name for name in ("partition", "account", "qos", "time")},
}
_SHORT = {
    **{"a": "array", "J": "job-name", "D": "chdir", "o": "output", "d": "dependency", "n": "ntasks", "N": "nodes"},
    **{"c": "cpus-per-task", "p": "partition", "A": "account", "q": "qos", "t": "time"},
    **{"W": "wait", "M": "clusters"},
}
_NO_SUCH_JOB = "Invalid job id"
"""What ``scancel`` says of a job that has ended."""
_GONE = Word(Phase.GONE)
_FAILED = "Slurm: its batch script failed before the run began; its log, task-N.log beside the batch, says why"


@dataclass(frozen=True)
class SlurmSettings:
    """What ``sbatch`` is asked for, a job; ``""`` and 0 leave Slurm's own defaults.

    ``time`` is in Slurm's words, as "2:00:00"; ``warn_seconds`` before it a job is
    asked to stop after a checkpoint, and is requeued. ``tasks_at_once`` caps how many run at a time. ``extra`` are
    further ``#SBATCH`` options, ``setup`` lines of shell before the trainer starts, as "module load cuda",
    ``environment`` variables for it.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    time: str = ""
    cpus: int = 1
    gpus: int = 0
    memory_gib: float = 0.0
    tasks_at_once: int = 0
    requeue: bool = True
    warn_seconds: int = 120
    extra: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, metadata={"values": "variables"})


def seconds_of(time: str) -> float | None:
    """A limit in sbatch's words, in seconds, infinite where it asks for none; None for what is none of them.

    >>> seconds_of("90"), seconds_of("2:30:00"), seconds_of("1-12"), seconds_of("UNLIMITED"), seconds_of("soon")
    (5400.0, 9000.0, 129600.0, inf, None)
    """
    if time.upper() in ("UNLIMITED", "INFINITE"):
        return float("inf")
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
    if found is None:
        return None
    days, *parts = (int(part) if part else None for part in found.groups())
    first, second, third = (part or 0 for part in parts)
    if days is not None or parts[2] is not None:
        seconds = 86400.0 * (days or 0) + 3600.0 * first + 60.0 * second + third
    else:
        seconds = 60.0 * first + second
    return seconds or float("inf")  # a limit of zero is none


class Slurm:
    """The Slurm whose commands are on the PATH, as an ``Engine``. UsageError where there is none."""

    name = "slurm"
    only_writes = False

    def __init__(self, settings: SlurmSettings) -> None:
        if shutil.which("sbatch") is None:
            raise UsageError("there is no Slurm here: sbatch is not on the PATH; run this on a login node.")
        limit = seconds_of(settings.time) if settings.time else float("inf")
        if limit is None:
            raise UsageError(f'[slurm] time is {settings.time!r}; write it as sbatch does, as in "2:00:00" or "1-12".')
        if settings.requeue and limit <= settings.warn_seconds:
            raise UsageError(
                f"[slurm] a job of {limit:.0f} s would be warned {settings.warn_seconds} s before its end, at once, "
                "and be requeued for ever; give it more time, or fewer warn_seconds."
            )
        _refuse_own(settings)
        self._settings = settings
        self.requeue = ("scontrol", "requeue", "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}")

    @cached_property
    def _configuration(self) -> dict[str, str]:
        shown = _ask(["scontrol", "show", "config"])
        if shown.returncode:
            raise UsageError(f"Slurm does not answer: {_sentence(shown.stderr)}.")
        pairs = (line.partition("=") for line in shown.stdout.splitlines())
        return {key.strip(): value.strip() for key, _, value in pairs}

    @property
    def tasks_at_most(self) -> int:
        # MaxArraySize is one more than the largest number that a task may have.
        return max(1, int(self._configuration.get("MaxArraySize", "1001")) - 1)

    @property
    def _has_accounting(self) -> bool:
        kind = self._configuration.get("AccountingStorageType", "")
        return kind not in ("", "(null)", "accounting_storage/none") and shutil.which("sacct") is not None

    def hand_over(self, batch: Batch, after: Sequence[tuple[Batch, int]]) -> None:
        (batch.folder / SCRIPT).write_text(script(batch, self._settings))
        awaited = [f"{(one.submitted() or {})['job_id']}_{task}" for one, task in after]
        dependency = [f"--dependency=afterok:{':'.join(awaited)}"] if awaited else []
        words = ["sbatch", "--parsable", f"--job-name={_job_name(batch)}", f"--chdir={batch.folder}", *dependency]
        answer = _ask([*words, str(batch.folder / SCRIPT)])
        if answer.returncode:
            raise UsageError(f"sbatch refused the runs: {_sentence(answer.stderr)}.")
        number, _, cluster = answer.stdout.strip().partition(";")
        batch.note_submitted({"job_id": int(number), "cluster": cluster})

    def recover(self, batch: Batch) -> bool:
        queue = self._queue()
        if queue is None:
            raise UsageError(
                "Slurm does not answer, and runs may be with it already; say this again when squeue works."
            )
        for job in queue:
            if job["name"] == _job_name(batch):
                batch.note_submitted({"job_id": _array(job)})
                return True
        for number, *_ in self._accounts(["--name", _job_name(batch)]):
            batch.note_submitted({"job_id": int(number.partition("_")[0])})
            return True
        if any(marks.starts for marks in batch.marks().values()):
            batch.note_submitted({"job_id": 0})  # it came, ran and is forgotten
            return True
        return False

    def look(self, batches: Sequence[Batch]) -> Mapping[Task, Word] | None:
        queue = self._queue()
        if queue is None:
            return None
        numbers = {(batch.submitted() or {}).get("job_id", 0): batch for batch in batches}
        words: dict[Task, Word] = {}
        never_began: dict[Task, Word] = {}
        for job in queue:
            of = numbers.get(_array(job))
            # After a controller lost its state, numbers begin anew: the name is what tells batches apart.
            if of is not None and job["name"] == _job_name(of):
                words |= {(of.name, task): _word(job) for task in _tasks(job)}
                if not _tasks(job):  # the array itself: what waited has been ended, and has no row of its own
                    never_began |= {(of.name, task): _word(job) for task in range(len(of.tasks))}
        missing = {n for n, b in numbers.items() if n and any((b.name, t) not in words for t in range(len(b.tasks)))}
        if missing:
            for number, state, nodes, name in self._accounts(["--jobs", ",".join(map(str, sorted(missing)))]):
                array, _, task = number.partition("_")
                if task.isdigit() and name == _job_name(batch := numbers[int(array)]):
                    words.setdefault((batch.name, int(task)), _word_of(state, nodes=nodes))
        return never_began | words

    def end(self, batch: Batch, tasks: Collection[int]) -> bool:
        # Only what bears the batch's name: the number may be somebody else's by now. ``scancel --name`` is no way to
        # ask for that: given one task of an array that waits, 22.05 ends them all.
        words = self.look([batch])
        if words is None:
            return False
        there = [task for task in tasks if words.get((batch.name, task), _GONE).phase is not Phase.GONE]
        if not there:
            return True
        number = (batch.submitted() or {})["job_id"]
        answer = _ask(["scancel", f"{number}_[{','.join(map(str, there))}]"])
        return answer.returncode == 0 or _NO_SUCH_JOB in answer.stderr

    def close(self) -> None:
        """Nothing to let go of: every question was a command of its own."""

    def _queue(self) -> list[dict[str, Any]] | None:
        """All jobs of this user that the controller remembers, ended ones for some minutes among them; None where it
        does not answer."""
        answer = _ask(["squeue", "--json", "--me", "--states=all"], SLURM_BITSTR_LEN="0")
        if answer.returncode:
            return None
        try:
            said = json.loads(answer.stdout)
            jobs: list[dict[str, Any]] = said["jobs"]
        except (ValueError, KeyError):
            return None
        # With no controller there, 22.05 exits with 0 and lists no jobs, and only this says so.
        return None if said.get("errors") else jobs

    def _accounts(self, which: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
        """(number, state, nodes, name) of array tasks from accounting, the newest start of each; none where there is
        none."""
        if self._has_accounting:
            words = ["sacct", "-X", "-n", "-P", "-S", "now-30days", "-o", "JobID,State,NodeList,JobName", *which]
            for line in _ask(words).stdout.splitlines():
                number, state, nodes, name = line.split("|", 3)
                yield number, state, nodes, name


def slurm_executor(
    folder: Path, settings: SlurmSettings, manners: Manners = AS_USUAL, *, observes: bool = False
) -> EngineExecutor:
    """An executor that submits to Slurm; ``folder``, for its batches, lies where all nodes see it."""
    return EngineExecutor(Slurm(settings), folder, manners, observes=observes)


def _refuse_own(settings: SlurmSettings) -> None:
    """UsageError where ``extra`` has an option that the batch script sets itself, in whatever way sbatch takes it."""
    own = {
        **_SET_HERE,
        **({"gres": "gpus"} if settings.gpus else {}),
        **({"mem": "memory_gib"} if settings.memory_gib else {}),
    }
    for line in settings.extra:
        for word in line.split():
            name = word.lstrip("-").partition("=")[0]
            if word.startswith("--"):  # sbatch takes the beginning of an option's name too
                name = next((one for one in own if name and one.startswith(name)), "")
            else:
                name = _SHORT.get(name[:1], "") if word.startswith("-") else ""
            if name in own:
                do = f"give {own[name]} instead" if own[name] else "leave it out"
                raise UsageError(f"[slurm] extra has {line!r}, and --{name} is set by isoflop; {do}.")


def script(batch: Batch, settings: SlurmSettings) -> str:
    """The batch script: an array with a task for each of the batch's."""
    cap = f"%{settings.tasks_at_once}" if settings.tasks_at_once else ""
    asked = {
        "array": f"0-{len(batch.tasks) - 1}{cap}",
        **({"nodes": batch.nodes, "ntasks-per-node": 1} if batch.nodes > 1 else {}),
        "output": "task-%a.log",
        "open-mode": "append",
        "export": ",".join(_EXPORTED),
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "time": settings.time,
        "cpus-per-task": settings.cpus,
        "gres": f"gpu:{settings.gpus}" if settings.gpus else "",
        "mem": f"{mebibytes(settings.memory_gib)}M" if settings.memory_gib else "",
        "signal": f"B:USR1@{settings.warn_seconds}" if settings.requeue and settings.time else "",
    }
    lines = [f"--{name}={value}" for name, value in asked.items() if value not in ("", 0)]
    lines += ["--requeue" if settings.requeue else "--no-requeue", *settings.extra]
    threads = [f"export {name}={settings.cpus}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")]
    variables = [f"export {name}={shlex.quote(value)}" for name, value in settings.environment.items()]
    node = shlex.join([sys.executable, "-m", "isoflop.executors.node", str(batch.folder)])
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {line}" for line in lines),
            *threads,
            *variables,
            *settings.setup,
            *([_followers(node, batch.nodes, settings.cpus)] if batch.nodes > 1 else []),
            # The batch's own process, so that Slurm's signals come to it.
            f'exec {node} "$SLURM_ARRAY_TASK_ID"',
            "",
        ]
    )


def _followers(node: str, nodes: int, cpus: int) -> str:
    """The command that starts the node's program on all nodes but the first, which begin when that does and end with
    the batch's own process. Each node's rank is that of its task, from 1.

    Each has the whole environment of this script: else srun, told so by the batch's own --export, would leave out what
    the script has set.
    """
    shape = f"--nodes={nodes - 1} --ntasks={nodes - 1} --ntasks-per-node=1 --cpus-per-task={cpus}"
    program = f'exec {node} "$SLURM_ARRAY_TASK_ID" "$((SLURM_PROCID + 1))"'
    return f"srun --export=ALL --relative=1 {shape} --kill-on-bad-exit=0 --input=none bash -c {shlex.quote(program)} &"


def _job_name(batch: Batch) -> str:
    return f"isoflop-{batch.name}"


def _array(job: Mapping[str, Any]) -> int:
    return _set(job["array_job_id"]) or _set(job["job_id"]) or 0


def _tasks(job: Mapping[str, Any]) -> Collection[int]:
    """The array tasks that a row of the queue stands for: one, or those that still wait, in one row; none once these
    have been ended.

    >>> list(_tasks({"array_task_string": "0,3-5%2", "array_task_id": None}))
    [0, 3, 4, 5]
    >>> _tasks({"array_task_string": "", "array_task_id": {"set": False, "number": 0}})
    ()
    """
    waiting = job.get("array_task_string") or ""
    if not waiting:
        task = _set(job.get("array_task_id"))
        return () if task is None else (task,)
    spans = re.findall(r"(\d+)(?:-(\d+))?(?::(\d+))?", waiting.partition("%")[0])
    return [task for a, b, step in spans for task in range(int(a), int(b or a) + 1, int(step or 1))]


def _set(value: Any) -> int | None:
    """A number as Slurm's JSON has it: plain to 22.05, an object with "number" since 23.02; None for none."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set", True) else None
    return None if value is None else int(value)


def _word(job: Mapping[str, Any]) -> Word:
    states = job["job_state"]
    flags = states if isinstance(states, list) else [states]
    return _word_of(*flags, reason=str(job.get("state_reason") or ""), nodes=str(job.get("nodes") or ""))


def _word_of(*states: str, reason: str = "", nodes: str = "") -> Word:
    """Slurm's states of a job in the words of an engine.

    >>> _word_of("NODE_FAIL", nodes="n2").reason
    'Slurm: the node failed (n2)'
    """
    names = {state.split()[0].upper() for state in states if state}
    if reason == _NEVER:
        return Word(Phase.WAITING, Cause.NEVER_STARTS, "Slurm: what it waits for has failed (DependencyNeverSatisfied)")
    if names & _WAITING:
        said = reason if reason not in ("", "None", "Priority", "Resources") else ""
        return Word(Phase.WAITING, reason=f"Slurm: {said}" if said else "")
    if names & _RUNNING:
        return Word(Phase.RUNNING)
    if "CANCELLED" in names:
        return Word(Phase.GONE, is_cancelled=True, reason="Slurm: cancelled")
    for name in names & set(_CAUSES):
        cause, said = _CAUSES[name]
        return Word(Phase.GONE, cause, f"Slurm: {said}{f' ({nodes})' if nodes else ''}")
    return Word(Phase.GONE, reason=_FAILED if "FAILED" in names else "")


def _ask(words: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask one of Slurm's commands; one that hangs has not answered."""
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS_TO_ANSWER,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(words), 1, "", f"{words[0]} has not answered in a minute")


def _sentence(stderr: str) -> str:
    """What a command of Slurm says is wrong, without its own name in front."""
    lines = [line.partition("error: ")[2] or line for line in stderr.splitlines() if line.strip()]
    return "; ".join(lines).rstrip(".") or "it did not say why"

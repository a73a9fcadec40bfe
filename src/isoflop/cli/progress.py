"""How a study is watched: a live table on a terminal, a line per event elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from isoflop.quantities import format_flops
from isoflop.study import Progress, RunState, State, time_left
from isoflop.training.spec import RunSpec

REFRESH_SECONDS = 0.5
STYLES = {State.DONE: "green", State.RUNNING: "bold", State.FAILED: "red", State.DIVERGED: "red"}


@contextmanager
def watch(workers: int, then: RunSpec | None = None) -> Iterator[Progress]:
    """A callback for ``run_study``; ``then`` is a run still to come, counted in the time left."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(workers, then)
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        yield _Table(live, workers, then)


class Lines:
    """One plain line whenever a run begins or ends."""

    def __init__(self, workers: int, then: RunSpec | None) -> None:
        self._workers = workers
        self._then = then
        self._seen: dict[str, State] = {}

    def __call__(self, states: tuple[RunState, ...]) -> None:
        for state in states:
            before = self._seen.get(state.run_id)
            self._seen[state.run_id] = state.state
            if before != state.state and not (before is None and state.state is State.PENDING):
                print(self._line(state, states), file=sys.stderr, flush=True)

    def _line(self, state: RunState, states: tuple[RunState, ...]) -> str:
        loss = f"  loss {state.loss:.4f}" if state.state is State.DONE and state.loss is not None else ""
        reason = f"  {state.reason}" if state.reason else ""
        return f"{state.run_id}  {state.state}{loss}{reason}  ({_overall(states, self._workers, self._then)})"


class _Table:
    """All runs in a table that is drawn again a few times a second."""

    def __init__(self, live: Live, workers: int, then: RunSpec | None) -> None:
        self._live = live
        self._workers = workers
        self._then = then
        self._drawn = 0.0

    def __call__(self, states: tuple[RunState, ...]) -> None:
        finished = all(state.state.is_finished for state in states)
        if finished or time.monotonic() - self._drawn > REFRESH_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(_table(states, _overall(states, self._workers, self._then)), refresh=True)


def _table(states: tuple[RunState, ...], caption: str) -> Table:
    table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in ("run", "FLOPs", "state", "done", "loss", "tokens/s"):
        table.add_column(name, justify="left" if name in ("run", "state") else "right")
    for state in states:
        table.add_row(
            state.run_id,
            format_flops(state.spec.budget),
            f"{state.state}{': ' + state.reason if state.reason else ''}",
            f"{state.step / state.steps:.0%}",
            "" if state.loss is None else f"{state.loss:.4f}",
            "" if state.tokens_per_second is None else f"{state.tokens_per_second:,.0f}",
            style=STYLES.get(state.state, "dim"),
        )
    return table


def _overall(states: tuple[RunState, ...], workers: int, then: RunSpec | None) -> str:
    """Runs finished, and the time left for all, the run still to come among them."""
    finished = sum(state.state.is_finished for state in states)
    known = {state.spec.purpose for state in states}
    to_come = then if then is not None and then.purpose not in known else None
    seconds = time_left(states, workers, then=to_come)
    left = "" if seconds is None or not seconds else f", about {_duration(seconds)} left"
    return f"{finished} of {len(states)} runs{' and a forecast run' if to_come else ''} finished{left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

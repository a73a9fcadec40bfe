"""How a study is watched: a live table on a terminal, a line per event elsewhere. Always on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from isoflop.cli.columns import duration
from isoflop.cli.output import say
from isoflop.quantities import format_flops
from isoflop.study import Progress, RunState, State, time_left
from isoflop.training.spec import RunSpec

REFRESH_SECONDS = 0.5
FAILURES = tuple(state for state in State if state.has_failed or state is State.DIVERGED)
STYLES = {State.DONE: "green", State.RUNNING: "bold", **dict.fromkeys(FAILURES, "red")}
UNBEGUN = (State.WAITING, State.QUEUED, State.PENDING)
WORTH_A_LOOK = (State.RUNNING, *FAILURES, State.STOPPED, State.CANCELLED, State.DONE, *UNBEGUN)
"""Which runs are shown first where a terminal has no room for all of them; every state is one of these."""
LINES_BESIDE_RUNS = 4
"""Of a terminal's height: the header, the caption on two lines at worst, and the cursor's own line."""


@contextmanager
def watch(workers: int, then: RunSpec | None = None) -> Iterator[Progress]:
    """A callback for ``run_study``; ``then`` is a run still to come, counted in the time left."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(workers, then)
        return
    # A table taller than the terminal could not be drawn over: every drawing would stay in the scrollback.
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield _Table(live, workers, then)


class Lines:
    """One plain line whenever a run begins or ends, and one for all that had ended before."""

    def __init__(self, workers: int, then: RunSpec | None) -> None:
        self._workers = workers
        self._then = then
        self._seen: dict[str, State] = {}
        self._is_new = True

    def __call__(self, states: tuple[RunState, ...]) -> None:
        if self._is_new:
            self._is_new = False
            self._seen = {state.run_id: state.state for state in states if state.state.is_finished}
            if self._seen:
                say(f"going on: {_overall(states, self._workers, self._then)}")
            return
        if changed := [state for state in states if self._has_changed(state)]:
            overall = _overall(states, self._workers, self._then)  # once: it looks at every run of the study
            say("\n".join(f"{_line(state)}  ({overall})" for state in changed))

    def _has_changed(self, state: RunState) -> bool:
        """Whether a run has begun or ended since it was last asked about."""
        before, self._seen[state.run_id] = self._seen.get(state.run_id), state.state
        return before != state.state and not (before is None and state.state in (State.PENDING, State.QUEUED))


def _line(state: RunState) -> str:
    loss = f"  loss {state.loss:.4f}" if state.state is State.DONE and state.loss is not None else ""
    return f"{state.run_id}  {state.state}{loss}{state.reason and '  ' + state.reason}"


class _Table:
    """All runs in a table that is drawn again a few times a second."""

    def __init__(self, live: Live, workers: int, then: RunSpec | None) -> None:
        self._live, self._workers, self._then = live, workers, then
        self._drawn = 0.0

    def __call__(self, states: tuple[RunState, ...]) -> None:
        if time.monotonic() - self._drawn > REFRESH_SECONDS or all(state.state.is_finished for state in states):
            self._drawn = time.monotonic()
            room, caption = self._live.console.size.height, _overall(states, self._workers, self._then)
            self._live.update(_table(states, caption, room - LINES_BESIDE_RUNS), refresh=True)


def _table(states: Sequence[RunState], caption: str, room: int) -> Table:
    """The runs, one on a line: all in their order where there is room, else those that are running first."""
    if len(states) > room:
        by_worth = sorted(states, key=lambda state: WORTH_A_LOOK.index(state.state))
        states, others = by_worth[: max(room - 1, 1)], by_worth[max(room - 1, 1) :]
        counts = Counter(str(state.state) for state in others).items()
        caption = f"and {', '.join(f'{count} {state}' for state, count in counts)}\n{caption}"
    table = Table(caption=caption, caption_justify="left", box=None, pad_edge=False, header_style="dim")
    for name in ("run", "FLOPs", "state", "done", "loss", "tokens/s"):
        table.add_column(name, justify="left" if name in ("run", "state") else "right", no_wrap=name != "state")
    # Wide enough for the longest state on show: room for one that is not would cost a narrow terminal the speeds.
    table.columns[2].min_width = max(len(state.state) for state in states)
    for state in states:
        table.add_row(
            state.run_id,
            format_flops(state.spec.budget),
            Text(f"{state.state}{': ' + state.reason if state.reason else ''}", no_wrap=True, overflow="ellipsis"),
            f"{state.step / state.steps:.0%}",
            "" if state.loss is None else f"{state.loss:.4f}",
            "" if state.tokens_per_second is None else f"{state.tokens_per_second:,.0f}",
            style=STYLES.get(state.state, "dim"),
        )
    return table


def _overall(states: tuple[RunState, ...], workers: int, then: RunSpec | None) -> str:
    """Runs finished, and the time left for all, the run still to come among them."""
    finished = f"{sum(state.state.is_finished for state in states)} of {len(states)} runs finished"
    to_come = then if then is not None and then.purpose not in {state.spec.purpose for state in states} else None
    seconds = time_left(states, workers, then=to_come)
    left = "" if seconds is None or not seconds else f", about {duration(seconds)} left"
    return f"{finished}{', a forecast run to come' if to_come else ''}{left}"

"""What of a study's protocol is known to bend its law: checked before it is run, and again with its losses.

Kaplan and Chinchilla disagreed by protocol as much as by counting: a warmup that was most of the small runs, a
schedule longer than the runs, a learning rate tuned at one size (Porian et al., arXiv 2406.19146).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from isoflop.quantities import format_flops
from isoflop.study._states import RunState, State
from isoflop.training.spec import PROBE, SWEEP, RunSpec

LONG_WARMUP = 0.1
"""Of a run: a recipe warms up over a twentieth, and Kaplan's smallest runs over most of theirs."""


@dataclass(frozen=True)
class Check:
    """One point of the protocol: whether it holds, what was seen, and what to do where it does not."""

    code: str
    ok: bool
    message: str

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'caution':8} {self.message}"


def protocol(states: Sequence[RunState]) -> tuple[Check, ...]:
    """The checks that the runs allow; those of learning rate and edges say more once there are losses.

    >>> protocol([])
    ()
    """
    sweep = [state.spec for state in states if state.spec.purpose == SWEEP]
    if not sweep:
        return ()
    checks = [_warmup(sweep), _horizon(sweep), _learning_rate(states), *_edges(states)]
    return tuple(check for check in checks if check is not None)


def _warmup(specs: Sequence[RunSpec]) -> Check:
    worst = max(specs, key=lambda spec: spec.optimiser.warmup_steps / spec.steps)
    share = worst.optimiser.warmup_steps / worst.steps
    seen = f"warmup is at most {share:.0%} of a run ({worst.run_id})"
    if share <= LONG_WARMUP:
        return Check("warmup", True, f"{seen}.")
    remedy = "small runs that mostly warm up make large ones look better than they are: shorten it"
    return Check("warmup", False, f"{seen}; {remedy}.")


def _horizon(specs: Sequence[RunSpec]) -> Check:
    longer = [spec for spec in specs if spec.optimiser.horizon not in (None, spec.steps)]
    flat = [spec for spec in specs if spec.optimiser.schedule == "constant" and not spec.optimiser.ema]
    if not longer and not flat:
        return Check("horizon", True, "every learning rate ends with its run.")
    one = (longer or flat)[0]
    seen = f"the learning rate of {len({*longer, *flat})} runs does not end with the run ({one.run_id})"
    remedy = "short runs are judged before they have settled, which favours large networks: match the schedule"
    return Check("horizon", False, f"{seen}; {remedy}.")


def _learning_rate(states: Sequence[RunState]) -> Check:
    """Whether the learning rate was probed at two sizes, and whether the one that was used is the best at each."""
    probes = [state for state in states if state.spec.purpose == PROBE]
    widths = sorted({state.spec.shape.d_model for state in probes})
    if len(widths) < 2:
        seen = "was not probed" if not widths else f"was probed at width {widths[0]} alone"
        remedy = 'add [[runs]] with purpose = "probe" and learning_rate_times 0.5 and 2 at a small and a large width'
        return Check("learning_rate", False, f"the learning rate {seen}; {remedy}.")
    told = [_plateau(width, states) for width in widths]
    worse = [said for ok, said in told if not ok]
    if worse:
        return Check("learning_rate", False, f"{'; '.join(worse)}: use the better one, or probe further.")
    return Check("learning_rate", True, f"{'; '.join(said for _, said in told)}.")


def _plateau(width: int, states: Sequence[RunState]) -> tuple[bool, str]:
    """The losses about one width's learning rate: those of the cell that was probed there."""
    probed = [s.spec for s in states if s.spec.purpose == PROBE and s.spec.shape.d_model == width]
    budget = probed[0].budget
    cell = [s for s in states if s.spec.shape.d_model == width and s.spec.budget == budget and s.loss is not None]
    done = sorted((s for s in cell if s.state is State.DONE), key=lambda s: s.spec.optimiser.learning_rate)
    used = [s for s in done if s.spec.purpose == SWEEP]
    if not used or len(done) < 3:
        return True, f"learning rates to be compared at width {width}"
    losses = ", ".join(f"{s.loss:.3f} at {s.spec.optimiser.learning_rate:.2g}" for s in done)
    best = min(done, key=lambda s: s.loss or 0.0)
    return best in used, f"at width {width} the loss is {losses}"


def _edges(states: Sequence[RunState]) -> list[Check]:
    """Budgets whose lowest loss stands at the smallest or the largest network, with none beyond it still to come."""
    profiles: dict[tuple[object, ...], list[RunState]] = defaultdict(list)
    for state in states:
        spec = state.spec
        if spec.purpose == SWEEP:
            profiles[spec.budget, spec.corpus, spec.unique_tokens or 0].append(state)
    ends = [said for _, runs in sorted(profiles.items()) if (said := _edge(runs))]
    if not ends:
        return []
    remedy = "a minimum at the edge of its grid is none: add widths beyond it"
    return [Check("edge", False, f"the lowest loss stands at the edge at {', '.join(ends)}; {remedy}.")]


def _edge(runs: Sequence[RunState]) -> str:
    """At which edge the lowest loss of a profile stands, or ""."""
    losses = [(run.loss, run.spec.shape.d_model) for run in runs if run.state is State.DONE and run.loss is not None]
    widths = {width for _, width in losses}
    if len(widths) < 3:
        return ""
    _, best = min(losses)
    to_come = [run.spec.shape.d_model for run in runs if run.state.goes_on]
    at_the_top = best == max(widths) and not any(width > best for width in to_come)
    at_the_bottom = best == min(widths) and not any(width < best for width in to_come)
    return f"{format_flops(runs[0].spec.budget)} FLOPs at width {best}" if at_the_top or at_the_bottom else ""

"""The checks of the protocol against planted studies: each fault is seen, and a study without it is not accused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from isoflop.study import Check, RunState, State, protocol, run_specs
from isoflop.sweeps.design import Cell
from isoflop.sweeps.recipe import SMALL_BYTES
from isoflop.training.spec import PROBE, OptimiserSpec, RunSpec

WIDTHS = (16, 24, 32, 48, 64)
SPECS = run_specs(SMALL_BYTES, [Cell(1e12, width) for width in WIDTHS], seed=0, corpus_digest="c0ffee")
"""One profile, of runs of thousands of steps."""


def check(states: list[RunState], code: str) -> Check | None:
    return next((check for check in protocol(states) if check.code == code), None)


def verdict(states: list[RunState], code: str) -> bool:
    found = check(states, code)
    assert found is not None
    return found.ok


def pending(*specs: RunSpec) -> list[RunState]:
    return [RunState(spec, State.PENDING) for spec in specs]


def done(losses: Mapping[int, float]) -> list[RunState]:
    """The profile with these losses by width; what is not among them is still to run."""
    return [
        RunState(spec, State.DONE, spec.steps, losses[spec.shape.d_model])
        if spec.shape.d_model in losses
        else RunState(spec, State.PENDING)
        for spec in SPECS
    ]


def trained(spec: RunSpec, **other: object) -> RunSpec:
    optimiser: OptimiserSpec = replace(spec.optimiser, **other)  # type: ignore[arg-type]
    return replace(spec, optimiser=optimiser)


def test_a_long_warmup_is_named_with_its_run() -> None:
    assert verdict(pending(*SPECS), "warmup")
    slow = trained(SPECS[4], warmup_steps=SPECS[4].steps * 4 // 5)  # Kaplan's 3,000 steps were most of a small run
    found = check(pending(*SPECS[:4], slow), "warmup")
    assert found is not None
    assert not found.ok
    assert f"80% of a run ({slow.run_id})" in found.message


def test_a_schedule_longer_than_its_run_is_named() -> None:
    assert verdict(pending(*SPECS), "horizon")
    assert not verdict(pending(*SPECS[:4], trained(SPECS[4], horizon=10 * SPECS[4].steps)), "horizon")
    assert verdict(pending(trained(SPECS[0], horizon=SPECS[0].steps)), "horizon")


def test_a_constant_learning_rate_needs_a_mean_of_its_weights() -> None:
    assert not verdict(pending(trained(SPECS[0], schedule="constant")), "horizon")
    assert verdict(pending(trained(SPECS[0], schedule="constant", ema=0.999)), "horizon")


def probes(width: int, losses: Mapping[float, float]) -> list[RunState]:
    """Runs of one width with the recipe's learning rate times each factor, and their losses."""
    (spec,) = (spec for spec in SPECS if spec.shape.d_model == width)
    states = []
    for factor, loss in losses.items():
        one = trained(spec, learning_rate=factor * spec.optimiser.learning_rate)
        one = replace(one, purpose=PROBE) if factor != 1 else one
        states.append(RunState(one, State.DONE, one.steps, loss))
    return states


def test_a_learning_rate_is_probed_at_two_sizes() -> None:
    flat = {0.5: 2.01, 1: 2.0, 2: 2.02}
    assert not verdict(pending(*SPECS), "learning_rate")
    one_size = check(probes(16, flat), "learning_rate")
    assert one_size is not None
    assert "probed at width 16 alone" in one_size.message
    both = check(probes(16, flat) + probes(64, flat), "learning_rate")
    assert both is not None
    assert both.ok
    assert "at width 64 the loss is 2.010 at" in both.message


def test_a_better_learning_rate_beside_the_one_that_was_used_is_named() -> None:
    used_is_best, higher_is_better = {0.5: 2.01, 1: 2.0, 2: 2.02}, {0.5: 2.1, 1: 2.05, 2: 2.0}
    found = check(probes(16, used_is_best) + probes(64, higher_is_better), "learning_rate")
    assert found is not None
    assert not found.ok
    assert "at width 64" in found.message
    assert "at width 16" not in found.message


def test_a_minimum_inside_is_no_edge() -> None:
    assert check(done({16: 2.2, 24: 2.1, 32: 2.0, 48: 2.1, 64: 2.2}), "edge") is None


def test_a_minimum_at_the_edge_is_named() -> None:
    falling, rising = {16: 2.4, 24: 2.3, 32: 2.2, 48: 2.1, 64: 2.0}, {16: 2.0, 24: 2.1, 32: 2.2, 48: 2.3, 64: 2.4}
    for losses, width in ((falling, 64), (rising, 16)):
        found = check(done(losses), "edge")
        assert found is not None
        assert f"1e12 FLOPs at width {width}" in found.message


def test_no_edge_while_a_network_beyond_it_is_still_to_run() -> None:
    falling = {16: 2.4, 24: 2.3, 32: 2.2, 48: 2.1}
    assert check(done(falling), "edge") is None
    for state in (State.RUNNING, State.STOPPED, State.KILLED, State.WAITING):
        assert check([*done(falling)[:4], RunState(SPECS[4], state)], "edge") is None


def test_an_edge_where_the_network_beyond_it_came_to_nothing() -> None:
    falling = {16: 2.4, 24: 2.3, 32: 2.2, 48: 2.1}
    for state in (State.FAILED, State.OUT_OF_MEMORY, State.DIVERGED, State.CANCELLED):
        assert check([*done(falling)[:4], RunState(SPECS[4], state)], "edge") is not None


def test_what_is_still_to_run_on_the_other_side_does_not_hide_an_edge() -> None:
    assert check(done({24: 2.3, 32: 2.2, 48: 2.1, 64: 2.0}), "edge") is not None


def test_each_corpus_has_profiles_of_its_own() -> None:
    """Two texts of one budget: the lowest loss of all stands inside, that of one text at its edge."""
    inside = done({16: 1.2, 24: 1.1, 32: 1.0, 48: 1.1, 64: 1.2})
    other = [
        replace(state, spec=replace(state.spec, corpus="../../corpora/other"), loss=3 - state.spec.shape.d_model / 100)
        for state in inside
    ]
    found = check(inside + other, "edge")
    assert found is not None
    assert found.message.count("at width") == 1

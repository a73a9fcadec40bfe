"""Odd tables by the thousand: never a traceback, never a clean verdict on garbage.

Four tests of 150 tables each, the same ones every time; ISOFLOP_FUZZ=4000 tries 16,000 others.
"""

import os

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import isoflop as iso
from isoflop.errors import IsoflopError

EXAMPLES = int(os.environ.get("ISOFLOP_FUZZ", "150"))
CALM = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 150
)

NUMBER = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(1e-3, 1e30),
    st.sampled_from([0.0, -1.0, 1e-300, 1e300, float("nan")]),
)
CELL = st.one_of(NUMBER.map(repr), st.text(max_size=6), st.sampled_from(["", "NA", "1e9", "7B", "True", '"', "1,5"]))
ASKED = st.sampled_from(
    [
        {"approach": 1},
        {"approach": 2},
        {"approach": 3, "draws": 0},
        {"approach": 3, "draws": 50},
        {"approach": 3, "draws": 50, "objective": "raw_least_squares"},
        {"family": "kaplan", "draws": 0},
        {"family": "chinchilla_shared", "draws": 50},
    ]
)


def fitted(runs, asked):
    """The fit, or None where the library refused the table in a sentence."""
    asked = {"draws": 50, **asked}
    family = "frontier" if asked.get("approach") in (1, 2) else asked.pop("family", "chinchilla")
    try:
        fit = iso.fit(runs, family, **asked)
    except IsoflopError:
        return None
    assert fit.summary()
    assert fit.to_json()
    assert fit.verdict.status in ("ok", "caution", "refused")
    assert fit.fitted is not None or fit.verdict.notes
    return fit


@CALM
@given(
    rows=st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=30),
    asked=ASKED,
)
def test_any_numbers(rows, asked):
    N, D, L = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    try:
        runs = iso.Runs(N, D, L)
    except IsoflopError:
        return
    fitted(runs, asked)


@CALM
@given(
    table=st.lists(st.lists(CELL, min_size=1, max_size=5), max_size=12),
    header=st.sampled_from(["params,tokens,loss", "params,tokens", "a,b,c", "", "params,params,loss", "N,D,L"]),
)
def test_any_file(tmp_path_factory, table, header):
    path = tmp_path_factory.mktemp("fuzz") / "runs.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in table)]), encoding="utf-8")
    try:
        runs = iso.read_runs(path)
    except IsoflopError:
        return
    fitted(runs, {"approach": 3, "draws": 0})


@CALM
@given(
    columns=st.lists(
        st.one_of(
            st.lists(st.one_of(NUMBER, st.text(max_size=3), st.none()), max_size=8),
            st.sampled_from([[[1.0, 2.0]], 3.0, None, [True, False], [1 + 2j]]),
        ),
        min_size=3,
        max_size=3,
    )
)
def test_any_columns(columns):
    try:
        runs = iso.Runs(*columns)
    except IsoflopError:
        return
    fitted(runs, {"approach": 3, "draws": 0})


def surface(N, D):
    return 1.8 + 480 * N**-0.35 + 2100 * D**-0.37


DESIGNS = {
    "grid": lambda rng, n: (np.exp(rng.uniform(16, 23, n)), np.exp(rng.uniform(20, 28, n))),
    "one ray": lambda rng, n: (N := np.exp(rng.uniform(16, 23, n)), 20 * N),
    "near ray": lambda rng, n: (N := np.exp(rng.uniform(16, 23, n)), 20 * N * np.exp(0.1 * rng.standard_normal(n))),
    "one budget": lambda rng, n: (N := np.exp(rng.uniform(16, 23, n)), 1e19 / N),
    "few levels": lambda rng, n: (rng.choice([1e8, 3e8], n), rng.choice([1e10, 3e10, 1e11], n)),
    "huge span": lambda rng, n: (np.exp(rng.uniform(0, 60, n)), np.exp(rng.uniform(0, 60, n))),
    "wrong unit": lambda rng, n: (np.exp(rng.uniform(16, 23, n)), np.exp(rng.uniform(0, 8, n))),
    "profiles": lambda rng, n: (
        N := np.exp(rng.uniform(16, 23, n)),
        rng.choice([1e18, 1e19, 1e20], n) / (6 * N),
    ),
}
GARBAGE = {
    "shuffled": lambda rng, N, D: rng.permutation(surface(N, D)),
    "noise alone": lambda rng, N, D: 3 * np.exp(0.05 * rng.standard_normal(N.size)),
    "constant": lambda rng, N, D: np.full(N.size, 2.5),
    "rising": lambda rng, N, D: 2 + 0.1 * np.log(N) + 0.01 * rng.standard_normal(N.size) ** 2,
    "two kinds": lambda rng, N, D: surface(N, D) * rng.choice([1.0, 1.4427], N.size),
    "huge": lambda rng, N, D: 10.0 ** rng.uniform(-200, 200, N.size),
    "copies": lambda rng, N, D: np.resize(surface(N, D)[:3], N.size),
}


@CALM
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 60),
    design=st.sampled_from(sorted(DESIGNS)),
    kind=st.sampled_from(sorted(GARBAGE)),
    asked=ASKED,
)
def test_garbage_is_never_ok(seed, count, design, kind, asked):
    rng = np.random.default_rng(seed)
    N, D = DESIGNS[design](rng, count)
    loss = GARBAGE[kind](rng, N, D)
    fit = fitted(iso.Runs(N, D, loss), asked)
    if fit is not None and loss.size > 3:
        assert fit.verdict.status != "ok", fit.summary()

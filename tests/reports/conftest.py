"""A small study to report on: losses of real byte-level transformers, three budgets and a held-out fourth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
from isoflop.fitting import Fit, Forecast, Outcome, counting_row, fit, forecast, judge
from isoflop.reports import Evidence, Wanted
from isoflop.runs import DroppedRun, Runs, with_convention

# budget, d_model, non-embedding N, tokens, loss; depth 2, seed 0, measured on one CPU.
GRID = (
    (1.5e11, 12, 3456, 2.60e6, 2.1052), (1.5e11, 16, 6144, 1.74e6, 1.9940), (1.5e11, 24, 13824, 9.57e5, 2.0047),
    (1.5e11, 32, 24576, 6.10e5, 2.0808), (1.5e11, 48, 55296, 3.13e5, 2.1973),
    (5e11, 16, 6144, 5.81e6, 1.8590), (5e11, 24, 13824, 3.19e6, 1.7620), (5e11, 32, 24576, 2.03e6, 1.7257),
    (5e11, 48, 55296, 1.04e6, 1.7934), (5e11, 64, 98304, 6.36e5, 1.9477),
    (1.5e12, 24, 13824, 9.57e6, 1.6209), (1.5e12, 32, 24576, 6.10e6, 1.5476), (1.5e12, 48, 55296, 3.13e6, 1.5116),
    (1.5e12, 64, 98304, 1.91e6, 1.5480), (1.5e12, 96, 221184, 9.25e5, 1.7435),
    (5e12, 64, 98304, 6.36e6, 1.3309),
)  # fmt: skip
VOCABULARY = 256
CONTEXT = 128


@pytest.fixture(scope="session")
def runs() -> Runs:
    budget, width, blocks, tokens, loss = (np.array(column, float) for column in zip(*GRID, strict=True))
    purpose = np.where(budget == 5e12, "forecast", "sweep")
    return Runs(
        params=blocks + VOCABULARY * width,
        tokens=tokens,
        loss=loss,
        flops=budget,
        columns={
            "run_id": np.array([f"c{c:.3g}-d{d:.0f}" for c, d in zip(budget, width, strict=True)]),
            "state": np.array(["done"] * len(GRID)),
            "purpose": purpose,
            "budget": budget,
            "layers": np.full(len(GRID), 2.0),
            "d_model": width,
            "seed": np.zeros(len(GRID)),
            "params_total": blocks + (2 * VOCABULARY + CONTEXT) * width,
            "params_non_embedding": blocks,
            "loss_noise": np.full(len(GRID), 0.014),
        },
        conventions=Conventions(
            ParamsConvention.MATRICES_AND_HEAD, FlopsConvention.EXACT_CAUSAL, LossUnit.NATS_PER_TOKEN
        ),
        source="runs.csv",
        dropped=(DroppedRun(17, "c5e12-d128", "the loss became nan at step 812"),),
    )


@pytest.fixture(scope="session")
def sweep(runs: Runs) -> Runs:
    return runs.where("purpose == 'sweep'")


@pytest.fixture(scope="session")
def frontier(sweep: Runs) -> Fit:
    return fit(sweep, "frontier", draws=400)


@pytest.fixture(scope="session")
def expected(frontier: Fit) -> Forecast:
    return replace(forecast(frontier, 5e12, 114688.0), made_at="2026-01-02T03:04:05+00:00")


@pytest.fixture(scope="session")
def came_out(expected: Forecast) -> Outcome:
    return judge(expected, "c5e12-d64", 1.3309)


@pytest.fixture(scope="session")
def page(runs: Runs, sweep: Runs, frontier: Fit, expected: Forecast, came_out: Outcome) -> Evidence:
    counts = (ParamsConvention.NON_EMBEDDING, ParamsConvention.MATRICES_AND_HEAD, ParamsConvention.TOTAL)
    counting = tuple(counting_row(fit(with_convention(sweep, count), "frontier", draws=400)) for count in counts)
    surface = fit(sweep, "chinchilla", draws=100)
    whole = Evidence(
        title="Scaling of byte-level transformers on this machine",
        runs=runs,
        fitted=sweep,
        wanted=Wanted(draws=100),
        forecast=expected,
        outcome=came_out,
        provenance={"command": "isoflop quickstart --seed 0", "runs digest": sweep.digest(), "isoflop": "0.1.0"},
        known={"profiles": frontier, "leading": frontier, "surface": surface, "counting": counting},
    )
    # What takes seconds is found once for all the pages that differ in something else.
    known = {name: getattr(whole, name) for name in ("envelope", "specification", "likelihood")}
    return replace(whole, known={**whole.known, **known})

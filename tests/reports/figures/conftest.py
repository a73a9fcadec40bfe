"""A surface whose truth is known, its fit, and how every figure here is asked whether a page can hold it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from isoflop.conventions import Conventions, FlopsConvention, LossUnit, ParamsConvention
from isoflop.fitting import Fit, fit
from isoflop.laws import Law, family
from isoflop.reports.palette import SCHEMES, painted
from isoflop.runs import Runs

TRUE = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


@pytest.fixture(scope="session")
def truth() -> Law:
    return Law("truth", "planted", family("chinchilla"), TRUE)


@pytest.fixture(scope="session")
def planted(truth: Law) -> Runs:
    """Six budgets of eight runs, D/N from 3 to 200, with a tenth of a percent of noise."""
    C, ratio = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e18, 1e21, 6), np.geomspace(3, 200, 8)))
    N, D = np.sqrt(C / 6 / ratio), np.sqrt(C * ratio / 6)
    noise = np.random.default_rng(3).standard_normal(N.size)
    return Runs(
        params=N,
        tokens=D,
        loss=truth.predict(N, D) * np.exp(0.001 * noise),
        columns={"run_id": np.array([f"run<{k}>" for k in range(N.size)])},
        conventions=Conventions(ParamsConvention.TOTAL, FlopsConvention.SIX_ND, LossUnit.NATS_PER_TOKEN),
        source="planted.csv",
    )


@pytest.fixture(scope="session")
def surface(planted: Runs) -> Fit:
    return fit(planted, draws=300)


@pytest.fixture(scope="session")
def fits_a_page() -> Any:
    """Plain lists and numbers only, nothing that JSON cannot say, no name from the data unescaped, and plotly's words.

    plotly's own classes refuse a property or a colour that they do not know.
    """

    def check(figure: dict[str, Any], kilobytes: float = 150) -> None:
        text = json.dumps(figure, allow_nan=False)
        assert len(text) < 1e3 * kilobytes
        assert "<0>" not in text
        for scheme in SCHEMES:
            go.Figure(painted({"data": figure["data"], "layout": figure["layout"]}, scheme))

    return check

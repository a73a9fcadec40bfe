"""Residuals that were planted come back, and a large table is thinned without hiding what stands out."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from isoflop.fitting import Fit
from isoflop.laws import Law
from isoflop.reports.figures.residuals import quantiles_figure, residuals_figure
from isoflop.runs import Runs


def off_by(truth: Law, surface: Fit, shares: np.ndarray) -> Fit:
    """A fit whose law is the truth and whose runs miss it by these shares, in ln L."""
    rng = np.random.default_rng(5)
    N, D = np.exp(rng.uniform(np.log(1e7), np.log(1e10), shares.size)), np.full(shares.size, 2e10)
    return replace(surface, fitted=truth, runs=Runs(N, D, truth.predict(N, D) * np.exp(shares)))


@pytest.mark.parametrize("axis", ["params", "tokens", "flops", "tokens_per_param"])
def test_residuals_are_what_was_planted(axis: str, truth: Law, surface: Fit, fits_a_page: Any) -> None:
    shares = np.random.default_rng(1).normal(0, 0.004, 300)
    fit = off_by(truth, surface, shares)
    figure = residuals_figure(fit, axis)
    np.testing.assert_allclose(figure["data"][0]["y"], 100 * shares, atol=1e-4)
    N, D = fit.runs.params, fit.runs.tokens
    against = {"params": N, "tokens": D, "flops": 6 * N * D, "tokens_per_param": D / N}[axis]
    np.testing.assert_allclose(figure["data"][0]["x"], against, rtol=1e-4)
    band = figure["layout"]["shapes"][0]
    assert band["y1"] == -band["y0"] == pytest.approx(0.4, rel=0.15)
    fits_a_page(figure)


def test_the_running_median_shows_a_trend_and_not_an_outlier(truth: Law, surface: Fit) -> None:
    fit = off_by(truth, surface, np.zeros(200))
    bent = 0.01 * np.log10(fit.runs.params / 1e8)
    bent[17] += 0.5
    fit = replace(fit, runs=Runs(fit.runs.params, fit.runs.tokens, fit.runs.loss * np.exp(bent)))
    median = residuals_figure(fit, "params")["data"][1]
    np.testing.assert_allclose(median["y"], np.log10(np.array(median["x"]) / 1e8), atol=0.05)


def test_normal_residuals_lie_on_the_line_and_a_wild_one_does_not(truth: Law, surface: Fit) -> None:
    normal = NormalDist(0, 0.004)
    shares = np.array([normal.inv_cdf((k + 0.5) / 400) for k in range(400)])
    shares[399] = 0.05
    line, cloud = quantiles_figure(off_by(truth, surface, np.random.default_rng(2).permutation(shares)))["data"]
    slope = (line["y"][1] - line["y"][0]) / (line["x"][1] - line["x"][0])
    assert slope == pytest.approx(0.4, rel=0.01)
    off = np.array(cloud["y"]) - slope * np.array(cloud["x"])
    assert np.abs(off[:-1]).max() < 0.02
    assert off[-1] > 3


def test_of_a_large_table_a_sample_is_drawn_that_holds_the_worst(truth: Law, surface: Fit, fits_a_page: Any) -> None:
    shares = np.random.default_rng(1).normal(0, 0.001, 10_000)
    shares[[3, 5000]] = 0.2, -0.3
    figure = residuals_figure(off_by(truth, surface, shares), "flops")
    drawn = figure["data"][0]["y"]
    assert len(drawn) == 800
    assert {max(drawn), min(drawn)} == {20.0, -30.0}
    assert "800 of 10,000 runs" in figure["layout"]["annotations"][0]["text"]
    fits_a_page(figure, 300)

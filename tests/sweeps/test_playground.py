"""The playground against a port of Weng's page (T40 and T41 of our reading of it) and against her search by grid."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isoflop.errors import UsageError
from isoflop.sweeps.playground import Played, playground

TOLERANCE = 0.002


def test_all_runs_to_four_decimals() -> None:  # T40
    played = playground()
    assert played.fit.allocation is not None
    found = [*(played.fit.law.coefficients[name] for name in ("alpha", "beta", "E")), played.fit.allocation[0]]
    assert [*found, played.error] == pytest.approx([0.3490, 0.3638, 1.8167, 0.5104, -0.0005], abs=TOLERANCE)
    assert played.used.sum() == 36


@pytest.mark.parametrize(("bias", "error"), [(0, -0.049), (100, -0.287), (-100, 0.145)])  # T41
def test_small_runs_and_a_bias(bias: float, error: float) -> None:
    played = playground("small", bias=bias)
    assert played.error == pytest.approx(error, abs=TOLERANCE)
    assert played.used.sum() == 16


def test_small_runs_without_bias_have_the_posts_exponent() -> None:
    allocation = playground("small").fit.allocation
    assert allocation is not None
    assert allocation[0] == pytest.approx(0.530, abs=TOLERANCE)


def by_grid(played: Played) -> tuple[dict[str, float], float]:
    """Least squares as the post does it: a grid over alpha, beta and E, A and B solved for, three times refined."""
    N, D, y = played.params[played.used], played.tokens[played.used], played.loss[played.used]
    roof = y.min() - 1e-6

    def search(alphas: np.ndarray, betas: np.ndarray, floors: np.ndarray) -> tuple[float, ...]:
        x, z = N[None, :] ** -alphas[:, None], D[None, :] ** -betas[:, None]
        t = y[None, :] - floors[:, None]
        xx, zz, xz = (x**2).sum(1)[:, None, None], (z**2).sum(1)[None, :, None], (x @ z.T)[:, :, None]
        xt, zt = (x @ t.T)[:, None, :], (z @ t.T)[None, :, :]
        det = xx * zz - xz**2
        A, B = (xt * zz - zt * xz) / det, (xx * zt - xz * xt) / det
        squares = (t**2).sum(1) - A * xt - B * zt
        squares[(A <= 0) | (B <= 0)] = np.inf
        i, j, k = np.unravel_index(np.argmin(squares), squares.shape)
        return float(squares[i, j, k]), float(alphas[i]), float(betas[j]), float(floors[k]), A[i, j, k], B[i, j, k]

    lowest = max(0.0, y.min() - max(1.2 * np.ptp(y), 6.0))
    best = search(np.linspace(0.2, 0.55, 29), np.linspace(0.2, 0.55, 29), np.linspace(lowest, roof, 45))
    for wide, deep, count, floors in ((0.05, 0.5, 25, 31), (0.015, 0.16, 25, 31), (0.004, 0.04, 21, 25)):
        _, alpha, beta, floor, *_ = best
        exponents = [np.linspace(max(0.01, at - wide), min(1.2, at + wide), count) for at in (alpha, beta)]
        best = min(best, search(*exponents, np.linspace(max(0.0, floor - deep), min(roof, floor + deep), floors)))
    squares, alpha, beta, E, A, B = best
    return {"E": E, "A": A, "B": B, "alpha": alpha, "beta": beta}, squares


@pytest.mark.parametrize("region", ["small", "medium", "all"])
def test_the_certified_fit_is_where_the_posts_grid_points(region: str) -> None:
    played = playground(region)
    found, squares = by_grid(played)
    objective = played.fit.objective
    assert objective is not None
    assert 2 * objective.value <= squares * (1 + 1e-9)
    assert 2 * objective.value == pytest.approx(squares, rel=0.01)
    assert played.fit.law.coefficients["alpha"] == pytest.approx(found["alpha"], abs=0.005)


def test_one_decimal_takes_the_posts_grid_to_its_bound_and_us_beyond() -> None:
    """T41 with one decimal: exponent .708 and error -.617 are where the search stops; least squares lie lower."""
    played = playground("small", decimals=1)
    found, squares = by_grid(played)
    truth = played.true_loss
    foretold = found["E"] + found["A"] * played.target_params ** -found["alpha"]
    foretold += found["B"] * played.target_tokens ** -found["beta"]
    assert found["beta"] / (found["alpha"] + found["beta"]) == pytest.approx(0.708, abs=TOLERANCE)
    assert foretold - truth == pytest.approx(-0.617, abs=TOLERANCE)
    assert played.fit.objective is not None
    assert played.fit.allocation is not None
    assert played.error is not None
    assert 2 * played.fit.objective.value < squares
    assert played.fit.allocation[0] > 0.72
    assert played.error < -0.65


def test_the_target_is_compute_optimal_under_the_truth() -> None:
    played = playground(target_params=96e9 * 1.0)
    from_plan = 1.74e12  # isoflop plan 1e24: 96B parameters on 1.74T tokens
    assert played.target_tokens == pytest.approx(from_plan, rel=0.01)


def test_whole_numbers_are_refused_and_said() -> None:
    played = playground("small", decimals=0)
    assert played.predicted_loss is None
    assert played.error is None
    assert "refused" in str(played)
    assert json.loads(played.to_json())["target"]["error"] is None


def test_it_is_plain_data() -> None:
    table = json.loads(playground("medium", objective="huber").to_json())
    assert len(table["runs"]) == 36
    assert sum(run["used"] for run in table["runs"]) == 16
    assert table["truth"]["allocation"][0] == pytest.approx(0.5126, abs=1e-4)
    assert "predicted loss" in str(playground("medium"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"region": "large"}, "no region of the fit called 'large'"),
        ({"decimals": 5}, "5 decimals"),
        ({"bias": 1e4}, "a bias of 10000"),
        ({"bias": float("nan")}, "a bias of nan"),
        ({"target_params": 1e9}, "give one above 7e"),
        ({"objective": "median"}, "no criterion of the playground called 'median'"),
    ],
)
def test_settings_that_there_are_not(setting: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        playground(**setting)  # type: ignore[arg-type]

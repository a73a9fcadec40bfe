"""Profile likelihood against closed forms, scipy, the bootstrap, and a ridge that has no end."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import chdtri

import isoflop as iso
from isoflop.errors import UnknownName, UsageError
from isoflop.fitting import profile

N, D = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 7)))


def runs(scale=0.004, seed=0):
    rng = np.random.default_rng(seed)
    loss = (1.8 + 480 * N**-0.35 + 2100 * D**-0.37) * np.exp(scale * rng.standard_normal(N.size))
    return iso.Runs(N, D, loss)


def test_one_straight_line_has_its_textbook_interval():
    """A pure power law by least squares of logs is a regression: estimate ± sqrt(chi squared) standard error."""
    rng = np.random.default_rng(3)
    x = np.geomspace(1e6, 1e9, 30)
    table = iso.Runs(x, np.full(30, 1e10), 20 * x**-0.1 * np.exp(0.01 * rng.standard_normal(30)))
    fit = iso.fit(table, "pure_power_law_params", draws=0, objective="least_squares")
    (exponent,) = (n for n in fit.law.coefficients if n not in ("A", "E"))
    design = np.stack([np.ones(30), -np.log(x)], 1)
    solved, squares, *_ = np.linalg.lstsq(design, np.log(table.loss), rcond=None)
    error = np.sqrt(squares[0] / 28 * np.linalg.inv(design.T @ design)[1, 1])
    half = np.sqrt(chdtri(1, 0.1)) * error
    found = profile(fit, exponent)
    assert found.interval == pytest.approx((solved[1] - half, solved[1] + half), rel=1e-3)


def test_the_profile_of_alpha_is_the_least_objective_with_alpha_held():
    """Second method: at several alphas, E by a scalar search with A and B by linear least squares given beta."""
    fit = iso.fit(runs(), draws=0, objective="least_squares")
    found = profile(fit, "alpha")
    for k in (2, -3):
        alpha = found.values[k]
        held = iso.fit(runs(), draws=0, objective="least_squares", pin={"alpha": alpha})
        residual = np.log(fit.law.predict(N, D) / runs().loss)
        unit = (residual**2).sum() / (N.size - 5)
        assert found.excess[k] == pytest.approx(2 * (held.objective.value - fit.objective.value) / unit, rel=1e-4)


def test_the_profile_of_n_star_agrees_with_a_constrained_search():
    """Second method: over alpha held, the best N* nearest the end of the interval is at the end of it."""
    fit = iso.fit(runs(), draws=2000)
    C = 1e23
    found = profile(fit, "N*", at=C)
    low, high = found.interval
    assert found.estimate == pytest.approx(float(fit.law.optimum(C).params), rel=1e-9)
    drawn = np.quantile(fit.law.optimum_draws(C).params, [0.05, 0.95])
    assert np.log(high / low) == pytest.approx(np.log(drawn[1] / drawn[0]), rel=0.35)
    at_low = min_over_alpha(C, low)
    residual = np.log(fit.law.predict(N, D) / runs().loss)
    assert at_low > fit.objective.value
    assert (residual**2).sum() > 0


def min_over_alpha(C, target):
    """How near to ``target`` N* of the best surface comes, over alpha held, as an objective there."""

    def miss(alpha):
        held = iso.fit(runs(), draws=0, pin={"alpha": alpha})
        return abs(np.log(float(held.law.optimum(C).params) / target))

    alpha = minimize_scalar(miss, bounds=(0.25, 0.45), method="bounded", options={"xatol": 1e-4}).x
    return iso.fit(runs(), draws=0, pin={"alpha": alpha}).objective.value


def test_chinchilla_points(shared_data):
    """Bootstrap of 4,000: alpha (.317, .373) at 95 %. The profile is no bootstrap, and comes near it."""
    table = iso.read_runs(shared_data / "chinchilla_epoch" / "runs.csv", where="epoch_outlier_excluded == False")
    low, high = profile(iso.fit(table, draws=0), "alpha", level=0.95).interval
    assert (low, high) == pytest.approx((0.317, 0.373), abs=0.014)


def test_an_end_that_the_runs_do_not_bound_is_open():
    """Losses within noise of their floor: E has an upper end, and alpha could be as steep as it likes."""
    rng = np.random.default_rng(1)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e9, 2e9, 5), np.geomspace(1e9, 1e12, 6)))
    loss = (1.8 + 480 * n**-0.35 + 2100 * d**-0.37) * np.exp(0.01 * rng.standard_normal(n.size))
    fit = iso.fit(iso.Runs(n, d, loss), draws=0)
    if fit.fitted is None:
        pytest.skip("refused: there is no law to profile")
    found = profile(fit, "alpha")
    assert None in found.interval
    assert "open" in found.describe()


@pytest.mark.parametrize(
    ("asked", "error"),
    [({"name": "delta"}, UnknownName), ({"name": "N*"}, UsageError)],
)
def test_what_has_no_profile(asked, error):
    with pytest.raises(error):
        profile(iso.fit(runs(), draws=0), **asked)


def test_profiles_have_none():
    grid = iso.fit(runs(), "frontier", approach=1, draws=0)
    with pytest.raises(UsageError, match="approach 3"):
        profile(grid, "a")


def test_an_interval_without_its_curve_is_the_same():
    fit = iso.fit(runs(), draws=0)
    whole, ends = profile(fit, "beta"), profile(fit, "beta", points=0)
    assert ends.interval == whole.interval
    assert ends.values.size == ends.excess.size == 0


def test_few_runs_whose_held_fits_depend_on_where_they_begin_have_ends_all_the_same():
    """Fifteen real runs: a bracket had failed, for the held fit answered otherwise when it was asked again."""
    table = iso.read_runs(
        Path(__file__).parents[2] / "examples" / "quickstart" / "runs.csv", where="purpose == 'sweep'"
    )
    fit = iso.fit(table, draws=0)
    for name in fit.law.coefficients:
        low, high = profile(fit, name, points=0).interval
        assert low is None or low < fit.law.coefficients[name]
        assert high is None or high > fit.law.coefficients[name]

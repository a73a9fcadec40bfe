"""Every family that has a surface, through the one engine: planted truth comes back, with a certificate."""

import pytest

import isoflop as iso
from isoflop.errors import UsageError
from isoflop.laws import families
from isoflop.testing.truth import PLANTED, planted_runs

FITTED = sorted(name for name in PLANTED if name != "frontier" and families()[name].fitted)
FLAT = {"farseer", "broken_params_2", "broken_tokens_2", "broken_flops_2"}
"""Eight or nine coefficients on 48 runs are a flat valley even without noise."""


@pytest.mark.parametrize("name", sorted(set(FITTED) - FLAT))
def test_noise_free_truth_comes_back(name):
    fit = iso.fit(planted_runs(name), name, draws=0)
    assert fit.fitted is not None, fit.summary()
    for coefficient, truth in PLANTED[name].items():
        assert fit.law.coefficients[coefficient] == pytest.approx(truth, rel=2e-3), coefficient


@pytest.mark.parametrize("name", sorted(set(FITTED) - FLAT))
def test_draws_hold_the_truth_under_noise(name):
    """One table in each family; .999 intervals of the first exponent hold the truth, or the fit is refused."""
    fit = iso.fit(planted_runs(name, noise=0.003), name, draws=200, level=0.99)
    if fit.fitted is None:
        assert fit.verdict.notes
        return
    for coefficient, (low, high) in fit.intervals.items():
        if coefficient in PLANTED[name] and low < high:
            width = high - low
            assert low - width <= PLANTED[name][coefficient] <= high + width, coefficient


@pytest.mark.parametrize("name", sorted(FLAT))
def test_a_flat_valley_is_refused_or_right_where_it_was_seen(name):
    runs = planted_runs(name)
    fit = iso.fit(runs, name, draws=0)
    if fit.fitted is None:
        assert fit.verdict.notes[0].code in ("flat_optimum", "not_converged", "at_bound", "dead_term")
    else:
        assert fit.residual < 1e-4


@pytest.mark.parametrize("name", sorted(name for name in PLANTED if not families()[name].fitted))
def test_a_family_of_published_constants_is_not_fitted(name):
    with pytest.raises(UsageError, match="is not fitted"):
        iso.fit(planted_runs("chinchilla"), name, draws=0)

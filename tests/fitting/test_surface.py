"""Approach 3 against published optima, a second method, and planted truth."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

import isoflop as iso
from isoflop.fitting.objective import LogRuns, expand, value
from isoflop.fitting.solve import search

GOLDEN = 0.0010182740178
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}


@pytest.fixture(scope="module")
def digitised_table(shared_data) -> Path:
    return shared_data / "chinchilla_epoch" / "runs.csv"


@pytest.fixture(scope="module")
def digitised(digitised_table) -> iso.Runs:
    return iso.read_runs(digitised_table, where="epoch_outlier_excluded == False")


def planted(rng: np.random.Generator, count: int, truth: dict[str, float] = TRUTH, noise: float = 0.0) -> iso.Runs:
    N, D = np.exp(rng.uniform(np.log(1e8), np.log(1e10), count)), np.exp(rng.uniform(np.log(1e9), np.log(1e12), count))
    L = truth["E"] + truth["A"] * N ** -truth["alpha"] + truth["B"] * D ** -truth["beta"]
    return iso.Runs(params=N, tokens=D, loss=L * np.exp(noise * rng.standard_normal(count)))


class TestDigitisedChinchilla:
    """240 points, sum of Huber(1e-3): the optimum is known to nine digits (T23)."""

    def test_the_golden_objective_and_coefficients(self, digitised):
        fit = iso.fit(digitised, "chinchilla", draws=0)
        assert len(digitised) == 240
        assert fit.objective.value == pytest.approx(GOLDEN, rel=1e-9)
        assert fit.converged
        assert (fit.starts.tried, fit.starts.agreeing_fraction) == (64, 1.0)
        expected = {"E": 1.81722, "A": 477.83, "B": 2143.4, "alpha": 0.347310, "beta": 0.367172}
        for name, golden in expected.items():
            assert fit.law.coefficients[name] == pytest.approx(golden, rel=2e-5)
        assert fit.allocation[0] == pytest.approx(0.5139, abs=5e-5)

    def test_bootstrap_standard_errors(self, digitised):  # T26, to 10 %
        draws = iso.fit(digitised, "chinchilla", draws=4000).law.draws
        expected = {"alpha": 0.0154, "beta": 0.0206, "E": 0.0257}
        for name, error in expected.items():
            assert draws[name].std() == pytest.approx(error, rel=0.1)
        assert (draws["beta"] / (draws["alpha"] + draws["beta"])).std() == pytest.approx(0.020, rel=0.1)

    @pytest.mark.parametrize(
        ("law", "objective"),
        [("besiroglu2024", 1.02284e-3), ("hoffmann2022", 1.23116e-3), ("hoffmann2022_rounded", 4.12101e-3)],
    )
    def test_published_points_score_what_they_are_known_to(self, digitised, law, objective):  # T24
        c = iso.law(law).coefficients
        logs = LogRuns.of(digitised.params, digitised.tokens, digitised.loss)
        theta = [
            np.log(c["A"]) - c["alpha"] * logs.centre_n,
            np.log(c["B"]) - c["beta"] * logs.centre_d,
            np.log(c["E"]),
            c["alpha"],
            c["beta"],
        ]
        found = value(np.array([theta]), logs, np.ones((1, 240)), 1e-3)[0]
        assert found == pytest.approx(objective, rel=1e-3)

    def test_all_outliers_kept_is_another_optimum(self, digitised_table):
        """With the five points that Besiroglu et al. drop: E 1.8913, beta .4530."""
        fit = iso.fit(iso.read_runs(digitised_table), "chinchilla", draws=0)
        assert fit.law.coefficients["E"] == pytest.approx(1.8913, abs=2e-4)
        assert fit.law.coefficients["beta"] == pytest.approx(0.4530, abs=2e-4)


def test_gradient_and_hessian_are_those_of_the_value():
    runs = planted(np.random.default_rng(1), 30, noise=0.01)
    logs, weights = LogRuns.of(runs.params, runs.tokens, runs.loss), np.ones((1, 30))
    theta, h = np.array([[-0.8, -0.9, 0.4, 0.3, 0.4]]), 1e-6
    here = expand(theta, logs, weights, 1e-2)
    for k in range(5):
        up, down = theta.copy(), theta.copy()
        up[0, k] += h
        down[0, k] -= h
        slope = (value(up, logs, weights, 1e-2) - value(down, logs, weights, 1e-2)) / (2 * h)
        np.testing.assert_allclose(here.gradient[0, k], slope, rtol=1e-5, atol=1e-9)
        bend = (expand(up, logs, weights, 1e-2).gradient - expand(down, logs, weights, 1e-2).gradient) / (2 * h)
        np.testing.assert_allclose(here.hessian[0, k], bend[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_noise_free_truth_comes_back(seed):
    rng = np.random.default_rng(seed)
    truth = {"E": rng.uniform(1, 2), "A": rng.uniform(100, 900), "B": rng.uniform(200, 3000)}
    truth |= {"alpha": rng.uniform(0.25, 0.45), "beta": rng.uniform(0.25, 0.45)}
    fit = iso.fit(planted(rng, 40, truth), "chinchilla", draws=0)
    assert fit.converged
    for name, planted_value in truth.items():
        assert fit.law.coefficients[name] == pytest.approx(planted_value, rel=1e-5)


def test_a_dense_table_has_many_values_of_n():
    """Thousands of runs lie within a per cent of their neighbours, and are not one value for that."""
    rng = np.random.default_rng(0)
    fit = iso.fit(planted(rng, 5000, noise=0.003), "chinchilla", draws=0)
    assert fit.converged, fit.summary()
    assert fit.law.coefficients["alpha"] == pytest.approx(TRUTH["alpha"], rel=0.02)


@pytest.mark.parametrize("seed", range(2))
def test_no_start_of_a_second_method_finds_a_lower_objective(seed):
    """scipy's L-BFGS-B from 10 random starts, on our value and gradient, against our search."""
    rng = np.random.default_rng(seed)
    runs = planted(rng, 30, noise=0.01)
    logs, weights = LogRuns.of(runs.params, runs.tokens, runs.loss), np.ones((1, 30))

    def value_and_gradient(theta):
        here = expand(theta[None], logs, weights, 1e-3)
        return 1e4 * here.value[0], 1e4 * here.gradient[0]

    ours = search(logs, 1e-3, np.geomspace(0.1, 1.2, 8)).objective.min()
    starts = rng.uniform([-2, -2, 0, 0.1, 0.1], [0, 0, 1, 0.8, 0.8], (10, 5))
    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10}
    theirs = min(minimize(value_and_gradient, s, jac=True, method="L-BFGS-B", options=options).fun for s in starts)
    assert ours <= theirs / 1e4 * (1 + 1e-9)


class TestRefusals:
    def test_two_runs(self):
        fit = iso.fit(iso.Runs(params=[1e8, 2e8], tokens=[1e9, 2e9], loss=[3.0, 2.9]), "chinchilla")
        assert (fit.verdict.status, fit.verdict.notes[0].code) == ("refused", "too_few_runs")
        with pytest.raises(iso.DataError, match="there is no law"):
            _ = fit.law

    @pytest.mark.parametrize("tokens_per_param", [None, 20])
    def test_one_ray(self, tokens_per_param):
        """All runs at one budget, or all at one D/N."""
        N = np.geomspace(1e8, 1e10, 12)
        D = 1e20 / (6 * N) if tokens_per_param is None else tokens_per_param * N
        fit = iso.fit(iso.Runs(params=N, tokens=D, loss=1.8 + 480 * N**-0.35 + 2100 * D**-0.37), "chinchilla")
        assert (fit.verdict.status, fit.verdict.notes[0].code) == ("refused", "one_ray")

    def test_two_values_of_n(self):
        """Every start "agrees" on the objective, and alpha may be anything: no law."""
        rng = np.random.default_rng(0)
        N, D = np.tile([1e8, 1e9], 10), np.geomspace(1e9, 1e11, 10).repeat(2)
        L = 1.8 + 480 * N**-0.35 + 2100 * D**-0.37
        runs = iso.Runs(params=N, tokens=D, loss=L * np.exp(0.005 * rng.standard_normal(20)))
        assert iso.fit(runs).verdict.notes[0].code == "too_few_levels"

    def test_nearly_two_values_of_n(self):
        """Jitter makes them many values and changes nothing: the valley is flat."""
        rng = np.random.default_rng(0)
        N, D = np.tile([1e8, 1e9], 10) * np.exp(0.02 * rng.standard_normal(20)), np.geomspace(1e9, 1e11, 10).repeat(2)
        L = 1.8 + 480 * N**-0.35 + 2100 * D**-0.37
        fit = iso.fit(iso.Runs(params=N, tokens=D, loss=L * np.exp(0.005 * rng.standard_normal(20))))
        assert fit.verdict.status == "refused", fit.summary()

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("slope", [0.0, 0.002])
    def test_a_loss_that_does_not_fall_with_n(self, slope, seed):
        """It stays or rises: whatever the search ends in is no law, and nothing can be planned with it."""
        rng = np.random.default_rng(seed)
        runs = planted(rng, 30)
        D, L = runs.tokens, 1.8 + 2100 * runs.tokens**-0.37 + slope * np.log(runs.params)
        fit = iso.fit(iso.Runs(params=runs.params, tokens=D, loss=L * np.exp(0.001 * rng.standard_normal(30))))
        assert fit.verdict.status == "refused"
        with pytest.raises(iso.DataError, match="there is no law"):
            iso.plan(fit.law, 1e22)

    def test_one_loss(self):
        N, D = np.geomspace(1e8, 1e10, 8), np.geomspace(1e12, 1e9, 8) * np.tile([1, 3], 4)
        assert iso.fit(iso.Runs(params=N, tokens=D, loss=np.full(8, 3.0))).verdict.notes[0].code == "one_loss"


class TestCautions:
    @pytest.mark.parametrize("seed", range(3))
    def test_an_asymptote_the_data_do_not_see(self, seed):
        """Losses with no irreducible part, and less than none: E is dead, and is said to be."""
        truth = {**TRUTH, "E": -0.1}
        fit = iso.fit(planted(np.random.default_rng(seed), 40, truth, noise=0.002), "chinchilla", draws=0)
        assert fit.verdict.status == "caution"
        assert "dead_asymptote" in {note.code for note in fit.verdict.notes}

    def test_one_decade_does_not_identify_the_irreducible_loss(self):
        """The quickstart's own design: fifteen runs, one decade, noise .013; E cannot be told."""
        rng = np.random.default_rng(0)
        C = np.repeat([1.5e11, 5e11, 1.5e12], 5)
        N = np.sqrt(C / 6 / 70) * np.tile(np.geomspace(1 / 3, 3, 5), 3)
        D = C / (6 * N)
        L = 0.6 + 60 * N**-0.45 + 700 * D**-0.45 + 0.013 * rng.standard_normal(15)
        fit = iso.fit(iso.Runs(params=N, tokens=D, loss=L), "chinchilla", draws=1000)
        assert {"E_not_identified", "short_span"} <= {note.code for note in fit.verdict.notes}


def test_json_has_the_keys_that_scripts_rely_on():
    import json

    fit = iso.fit(planted(np.random.default_rng(0), 20, noise=0.005), "chinchilla", draws=50)
    table = json.loads(fit.to_json())
    assert next(iter(table)) == "schema"
    assert table["schema"] == "isoflop.fit/1"
    assert {"family", "n_runs", "runs_dropped", "objective", "coefficients", "allocation", "draws_n"} <= set(table)
    assert {"level", "starts", "converged", "verdict"} <= set(table)
    assert set(table["objective"]) == {"name", "delta", "value", "reduction"}
    assert table["objective"]["reduction"] == "sum"
    assert set(table["coefficients"]) == {"E", "A", "B", "alpha", "beta"}
    assert len(table["coefficients"]["E"]["interval"]) == 2
    assert set(table["starts"]) == {"tried", "agreeing_fraction"}
    assert (table["draws_n"], table["level"]) == (50, 0.9)

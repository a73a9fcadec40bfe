"""Approach 2 against closed forms, planted frontiers, and designs that it must refuse."""

import json

import numpy as np
import pytest

import isoflop as iso
from isoflop.fitting import fit, forecast, judge, with_outcome
from isoflop.fitting.isoflop import irreducible_loss, power_law, profiles

BUDGETS = np.array([1.5e11, 5e11, 1.5e12])
NOISE = 0.013


def planted_study(
    rng: np.random.Generator, budgets=BUDGETS, sizes=5, spread=3.0, noise=NOISE, E=0.4, curvature=0.14
) -> tuple[iso.Runs, dict[str, float]]:
    """Parabolas of known vertices on known power laws, sampled at grids that do not sit on the vertex."""
    truth = {"N_P": 3.2e4, "a": 0.55, "R_P": 1.3, "gamma": 0.16, "E": E}
    C = np.repeat(budgets, sizes)
    times = C / np.exp(np.log(budgets).mean())
    best = truth["N_P"] * times ** truth["a"]
    off_centre = np.exp(rng.uniform(-0.2, 0.2, budgets.size)).repeat(sizes)
    N = best * off_centre * np.tile(np.geomspace(1 / spread, spread, sizes), budgets.size)
    L = truth["E"] + truth["R_P"] * times ** -truth["gamma"] + curvature * np.log(N / best) ** 2
    columns = {"loss_noise": np.full(C.size, max(noise, 1e-9)), "budget": C}
    losses = L + noise * rng.standard_normal(C.size)
    return iso.Runs(params=N, tokens=C / (6 * N), loss=losses, flops=C, columns=columns), truth


class TestClosedForms:
    def test_exact_parabolas_give_exact_vertices(self):
        runs, truth = planted_study(np.random.default_rng(0), noise=0.0)
        found = fit(runs, "frontier", draws=0)
        assert found.law.coefficients["N_P"] == pytest.approx(truth["N_P"], rel=1e-9)
        assert found.allocation[0] == pytest.approx(truth["a"], abs=1e-9)
        assert found.allocation[1] == pytest.approx(1 - truth["a"], abs=1e-9)  # D = C/6N

    @pytest.mark.parametrize("width", [2.0, 4.0, 8.0])
    @pytest.mark.parametrize(("alpha", "beta"), [(0.34, 0.28), (0.465, 0.155), (0.31, 0.31)])
    def test_the_bias_of_a_parabola_on_a_chinchilla_surface(self, width, alpha, beta):
        """Noise-free, symmetric grids: the vertex is off by a known amount and the exponent is exact.

        The ln-vertex shift is -1/2 [sum w o / sum w^2] / [sum (w^2 - mean w^2) e / sum (w^2 - mean w^2)^2]
        with o = sinh(alpha w)/alpha - sinh(beta w)/beta and e likewise with cosh, w = ln(D/D*) (T32; Czech
        et al., arXiv 2603.22339, measured it).
        """
        surface = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": alpha, "beta": beta}
        law = iso.Law("planted", "", iso.law("hoffmann2022").family, surface)
        C = np.geomspace(1e17, 1e21, 5).repeat(7)
        w = np.tile(np.linspace(-np.log(width), np.log(width), 7), 5)
        D = law.optimum(C).tokens * np.exp(w)
        N = C / (6 * D)
        found = fit(iso.Runs(params=N, tokens=D, loss=law.predict(N, D), flops=C), "frontier", draws=0).law

        w = w[:7]
        odd = np.sinh(alpha * w) / alpha - np.sinh(beta * w) / beta
        even = np.cosh(alpha * w) / alpha + np.cosh(beta * w) / beta
        square = w**2 - (w**2).mean()
        shift = -0.5 * ((w * odd).sum() / (w**2).sum()) / ((square * even).sum() / (square**2).sum())
        far = 1e24
        assert np.log(found.optimum(far).tokens / law.optimum(far).tokens) == pytest.approx(shift, abs=1e-6)
        assert found.allocation()[1] == pytest.approx(alpha / (alpha + beta), abs=1e-7)

    def test_a_line_through_three_points_is_numpys(self):
        values = np.array([1.0, 3.0, 20.0])
        at_pivot, exponent = power_law(BUDGETS, values)
        slope, intercept = np.polyfit(np.log(BUDGETS), np.log(values), 1)
        assert exponent == pytest.approx(slope, rel=1e-12)
        assert np.log(at_pivot) == pytest.approx(intercept + slope * np.log(BUDGETS).mean(), rel=1e-12)


class TestMeasuredStudy:
    """Fifteen real runs, published with the recipe: minima, exponents and intervals found by another program."""

    WIDTHS = ((12, 16, 24, 32, 48), (16, 24, 32, 48, 64), (24, 32, 48, 64, 96))
    TOKENS = (
        (2.6e6, 1.74e6, 9.57e5, 6.1e5, 3.13e5),
        (5.81e6, 3.19e6, 2.03e6, 1.04e6, 6.36e5),
        (9.57e6, 6.1e6, 3.13e6, 1.91e6, 9.25e5),
    )
    LOSSES = (
        (2.1052, 1.9940, 2.0047, 2.0808, 2.1973),
        (1.8590, 1.7620, 1.7257, 1.7934, 1.9477),
        (1.6209, 1.5476, 1.5116, 1.5480, 1.7435),
    )

    def runs(self, convention: str) -> iso.Runs:
        d = np.array(self.WIDTHS, float).ravel()
        blocks, head, rest = 24 * d**2, 256 * d, 384 * d
        N = {"non_embedding": blocks, "matrices_and_head": blocks + head, "total": blocks + head + rest}[convention]
        columns = {"loss_noise": np.full(15, NOISE)}
        tokens, losses = np.ravel(self.TOKENS), np.ravel(self.LOSSES)
        return iso.Runs(params=N, tokens=tokens, loss=losses, flops=BUDGETS.repeat(5), columns=columns)

    @pytest.mark.parametrize(
        ("convention", "a", "interval"),
        [
            ("non_embedding", 0.632, (0.592, 0.679)),
            ("matrices_and_head", 0.547, (0.510, 0.589)),
            ("total", 0.486, (0.452, 0.525)),
        ],
    )
    def test_three_counts_three_exponents(self, convention, a, interval):
        found = fit(self.runs(convention), "frontier")
        assert found.allocation[0] == pytest.approx(a, abs=0.003)
        np.testing.assert_allclose(found.interval("a"), interval, atol=0.005)
        codes = {note.code for note in found.verdict.notes}
        assert {"short_span", "E_not_identified"} <= codes
        assert "edge_minimum" not in codes

    def test_the_minima(self):
        found = fit(self.runs("matrices_and_head"), "frontier", draws=0)
        np.testing.assert_allclose([m.params_opt for m in found.minima], [16.2e3, 30.0e3, 57.1e3], rtol=3e-3)
        np.testing.assert_allclose([m.tokens_opt for m in found.minima], [1.16e6, 2.20e6, 3.66e6], rtol=5e-3)
        np.testing.assert_allclose([m.loss_min for m in found.minima], [2.004, 1.728, 1.505], atol=6e-4)

    def test_the_forecast_holds_at_ten_times_the_compute(self):
        """The measured optimum at 1.5e13 FLOPs was 1.150."""
        found = fit(self.runs("matrices_and_head"), "frontier")
        made = forecast(found, 1.5e13, float(found.law.optimum(1.5e13).params))
        assert judge(made, "measured", 1.150).inside


class TestCalibration:
    """Intervals hold the truth as often as they say, on the quickstart's own design."""

    @pytest.mark.parametrize(("sizes", "stated"), [(5, True), (5, False), (4, False)])
    def test_exponent_and_forecast_coverage(self, sizes, stated):
        """The noise stated by the table, or taken from the residuals on 6 or 3 degrees of freedom."""
        rng = np.random.default_rng(7)
        tries, held_a, held_run = 200, 0, 0
        for _ in range(tries):
            runs, truth = planted_study(rng, E=rng.uniform(0, 0.8), sizes=sizes)
            if not stated:
                runs = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops)
            found = fit(runs, "frontier", draws=400, seed=int(rng.integers(1 << 30)))
            low, high = found.interval("a")
            held_a += low <= truth["a"] <= high
            times = 4.5e12 / np.exp(np.log(BUDGETS).mean())
            best = truth["N_P"] * times ** truth["a"]
            N = float(found.law.optimum(4.5e12).params)
            loss = truth["E"] + truth["R_P"] * times ** -truth["gamma"] + 0.14 * np.log(N / best) ** 2
            made = forecast(found, 4.5e12, N)
            held_run += judge(made, "planted", loss + NOISE * rng.standard_normal()).inside
        # Binomial(200, 0.9) lies within .84 and .95 with probability .99; wider than asked is forgiven, narrower not.
        assert 0.84 <= held_a / tries <= 0.97
        assert 0.84 <= held_run / tries <= 0.99

    def test_the_posterior_of_the_irreducible_loss_finds_a_planted_one(self):
        C = np.geomspace(1e18, 1e24, 13)
        L = 1.7 + 0.9 * (C / 1e21) ** -0.17
        posterior = irreducible_loss(C, L, np.full(13, 0.002))
        draws = posterior.draw(4000, np.random.default_rng(0))
        low, high = np.quantile(draws, [0.05, 0.95])
        assert low < 1.7 < high
        assert high - low < 0.05

    def test_two_budgets_leave_the_prior_as_it_was(self):
        posterior = irreducible_loss(np.array([1e11, 1e12]), np.array([2.0, 1.5]), np.array([0.01, 0.01]))
        np.testing.assert_allclose(posterior.weights, posterior.weights[0], rtol=1e-6)


class TestRefusals:
    def test_an_edge_minimum_is_left_out_and_two_remain(self):
        runs, _ = planted_study(np.random.default_rng(1), noise=0.0)
        found = fit(runs.where("budget < 1e12 or params > 45000"), "frontier", draws=0)
        codes = {note.code for note in found.verdict.notes}
        assert {"edge_minimum", "two_minima"} <= codes
        refused = [minimum for minimum in found.minima if not minimum.interior]
        assert len(refused) == 1
        assert "is the smallest; add smaller networks" in refused[0].reason

    def test_all_runs_on_one_budget(self):
        runs, _ = planted_study(np.random.default_rng(1), budgets=BUDGETS[:1])
        found = fit(runs, "frontier")
        assert found.verdict.status == "refused"
        assert found.verdict.notes[0].code == "no_interior_minimum"

    def test_a_parabola_that_opens_downwards(self):
        runs, _ = planted_study(np.random.default_rng(1), noise=0.0)
        # A dip at one size above a hill: the least loss is interior and the parabola still has no minimum.
        L = np.tile([2.0, 2.2, 1.95, 2.2, 2.0], 3)
        hill = iso.Runs(params=runs.params, tokens=runs.tokens, loss=L, flops=runs.flops)
        found = fit(hill, "frontier", draws=0)
        assert found.verdict.status == "refused"
        assert all("opens downwards" in minimum.reason for minimum in found.minima)

    def test_noise_that_hides_the_minima(self):
        runs, _ = planted_study(np.random.default_rng(2), noise=0.0, curvature=0.02)
        noisy = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops, {"loss_noise": np.full(15, 0.05)})
        found = fit(noisy, "frontier")
        assert found.verdict.status == "refused"
        assert "hides the minimum" in found.verdict.notes[0].message

    def test_a_run_of_another_budget_is_left_out_and_said_to_be(self):
        runs, _ = planted_study(np.random.default_rng(1))
        more = iso.Runs(
            np.append(runs.params, 1e5), np.append(runs.tokens, 7.5e6), np.append(runs.loss, 1.3),
            np.append(runs.flops, 4.5e12),
        )  # fmt: skip
        found = fit(more, "frontier", draws=0)
        assert "stragglers" in {note.code for note in found.verdict.notes}
        assert len(found.minima) == 3

    def test_budgets_do_not_chain(self):
        """Neighbours within 10 % of one another, a factor of nine from end to end: no one profile."""
        C = np.geomspace(1e18, 9e18, 40)
        N = np.tile(np.geomspace(1e8, 1e9, 5), 8)
        found = profiles(iso.Runs(params=N, tokens=C / (6 * N), loss=np.full(40, 3.0), flops=C))
        for profile in found:
            flops = C[list(profile.rows)]
            assert flops.max() / flops.min() < 1.11

    def test_unusable_arguments(self):
        runs, _ = planted_study(np.random.default_rng(1))
        with pytest.raises(iso.UsageError, match="level of 90"):
            fit(runs, "frontier", level=90)
        with pytest.raises(iso.UsageError, match="-1 draws"):
            fit(runs, "frontier", draws=-1)
        with pytest.raises(iso.UsageError, match="1 draws"):
            fit(runs, "frontier", draws=1)
        with pytest.raises(iso.UsageError, match="seed of -1"):
            fit(runs, "frontier", seed=-1)
        for approach in (0, 4):
            with pytest.raises(iso.UsageError, match=f"approach {approach}"):
                fit(runs, approach=approach)
        with pytest.raises(iso.UsageError, match="no loss surface"):
            fit(runs, "frontier", approach=3)
        with pytest.raises(iso.UnknownName, match="chinchilla"):
            fit(runs, "nonsense", approach=2)
        with pytest.raises(iso.UnknownName, match="chinchilla"):
            fit(runs, "chinchila")


class TestCautions:
    def test_minima_on_a_bent_line(self):
        runs, _ = planted_study(np.random.default_rng(4), budgets=np.geomspace(1e11, 1e13, 5), noise=0.0)
        times = runs.flops / np.exp(np.log(runs.flops).mean())
        N = runs.params * np.exp(0.08 * np.log(times) ** 2)  # the local exponent drifts by .37 a decade
        columns = {"budget": runs.flops, "loss_noise": np.full(25, 0.005)}
        bent = iso.Runs(N, runs.flops / (6 * N), runs.loss, runs.flops, columns)
        straight = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops, columns)
        assert "bent_frontier" in {note.code for note in fit(bent, "frontier").verdict.notes}
        assert "bent_frontier" not in {note.code for note in fit(straight, "frontier").verdict.notes}
        assert "drifting_exponent" in {note.code for note in fit(bent, "frontier").verdict.notes}
        assert "local_exponents" in {note.code for note in fit(straight, "frontier").verdict.notes}

    def test_parabolas_that_miss_their_runs(self):
        runs, _ = planted_study(np.random.default_rng(4), noise=0.05)
        optimist = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops, {"loss_noise": np.full(15, 0.01)})
        assert "lack_of_fit" in {note.code for note in fit(optimist, "frontier").verdict.notes}

    def test_copies_are_no_evidence(self):
        runs, _ = planted_study(np.random.default_rng(0))
        copied = iso.Runs(*(np.tile(c, 2) for c in (runs.params, runs.tokens, runs.loss, runs.flops)))
        for found in (fit(copied, "frontier"), fit(copied)):
            assert "repeated_rows" in {note.code for note in found.verdict.notes}, found.summary()

    def test_a_missed_forecast_is_a_caution_of_the_fit_and_of_its_law(self):
        runs, _ = planted_study(np.random.default_rng(0))
        found = fit(runs, "frontier")
        made = forecast(found, 4.5e12, 1e5)
        missed = with_outcome(found, made, judge(made, "run", 2 * made.loss))
        assert missed.verdict.notes[-1].code == "forecast_missed"
        assert missed.law.caveats[-1] == missed.verdict.notes[-1].message
        assert with_outcome(found, made, judge(made, "run", made.loss)) is found

    def test_what_is_frozen_cannot_be_changed(self):
        runs, _ = planted_study(np.random.default_rng(0))
        found = fit(runs, "frontier")
        for mapping in (found.law.coefficients, found.intervals):
            with pytest.raises(TypeError):
                mapping["a"] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            found.law.draws["a"][0] = 1.0

    def test_the_cautions_travel_with_the_law(self):
        runs, _ = planted_study(np.random.default_rng(0))
        found = fit(runs, "frontier")
        assert found.law.caveats == tuple(note.message for note in found.verdict.notes)
        assert any("E is not identified" in caveat for caveat in found.law.caveats)

    def test_without_draws_the_point_is_nearly_the_same_and_e_still_unknown(self):
        runs, _ = planted_study(np.random.default_rng(0))
        bare, drawn = fit(runs, "frontier", draws=0), fit(runs, "frontier")
        assert bare.law.draws is None
        assert float(bare.law.optimum(1.5e13).loss) == pytest.approx(float(drawn.law.optimum(1.5e13).loss), rel=0.01)
        assert "E_not_identified" in {note.code for note in bare.verdict.notes}


class TestNoise:
    def test_repeats_are_trusted_first(self):
        rng = np.random.default_rng(5)
        runs, _ = planted_study(rng, noise=0.0)
        seeds = [runs.loss + 0.02 * rng.standard_normal(15) for _ in range(30)]
        columns = {"seed": np.arange(30).repeat(15)}
        thirtyfold = [np.tile(column, 30) for column in (runs.params, runs.tokens, runs.flops)]
        repeated = iso.Runs(thirtyfold[0], thirtyfold[1], np.concatenate(seeds), thirtyfold[2], columns)
        found = fit(repeated, "frontier")
        assert found.noise == pytest.approx(0.02, rel=0.1)  # 435 degrees of freedom: 3.4 % standard error
        assert "repeated runs" in found.noise_source

    def test_runs_of_one_seed_are_no_repeats(self):
        """Equal N, D and seed: something else was varied, a learning rate perhaps."""
        runs, _ = planted_study(np.random.default_rng(5))
        twice = [np.tile(column, 4) for column in (runs.params, runs.tokens, runs.loss, runs.flops)]
        twice[2] = twice[2] + 0.2 * np.random.default_rng(0).random(60)
        for columns in ({}, {"seed": np.zeros(60)}):
            assert "repeated" not in fit(iso.Runs(*twice, columns), "frontier").noise_source

    def test_residuals_are_the_last_resort(self):
        runs, _ = planted_study(np.random.default_rng(5))
        bare = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops)
        assert "residuals" in fit(bare, "frontier").noise_source

    def test_three_sizes_a_budget_have_no_residuals_and_so_no_intervals(self):
        runs, _ = planted_study(np.random.default_rng(5), sizes=3)
        bare = iso.Runs(runs.params, runs.tokens, runs.loss, runs.flops)
        found = fit(bare, "frontier")
        assert found.noise is None
        assert "noise_unknown" in {note.code for note in found.verdict.notes}
        assert found.law.draws is None


def test_budgets_are_found_without_being_named():
    runs, _ = planted_study(np.random.default_rng(0))
    jittered = runs.flops * np.exp(np.random.default_rng(1).uniform(-0.01, 0.01, 15))
    found = profiles(iso.Runs(runs.params, runs.tokens, runs.loss, jittered))
    assert [len(profile.rows) for profile in found] == [5, 5, 5]


def test_json_of_approach_2_lists_the_budgets():
    runs, _ = planted_study(np.random.default_rng(0))
    table = json.loads(fit(runs, "frontier", draws=100).to_json())
    assert {"flops", "params_opt", "tokens_opt", "loss_min", "interior", "n_runs"} <= set(table["budgets"][0])
    assert table["allocation"]["a"]["interval"][0] < table["allocation"]["a"]["value"]

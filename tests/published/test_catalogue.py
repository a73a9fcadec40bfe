"""Every entry of the catalogue against the papers' numbers, and against the fact sheet that they were taken from.

T numbers are those of the project's reproduction targets. The fact sheet is not part of the project; where it is not
here, the checks against it are skipped.
"""

import tomllib

import numpy as np
import pytest

import isoflop as iso
from isoflop.conventions import ParamsConvention
from isoflop.laws import convert, entries, entry
from isoflop.laws.precision import critical_tokens

PF_DAY = 8.64e19
BESIROGLU = iso.law("besiroglu2024")
MUENNIGHOFF = iso.law("muennighoff2023")


@pytest.fixture(scope="module")
def facts(shared_data):
    table = tomllib.loads((shared_data.parent / "facts" / "published_laws.toml").read_text(encoding="utf-8"))
    return {law["id"]: law for law in table["law"]}


# Planner's table: law -> budget -> (N, D, L), four digits or so.
TABLE = {
    "hoffmann2022_rounded": {
        1e18: (80.6e6, 2.07e9, 3.535),
        1e20: (645e6, 25.9e9, 2.600),
        1e21: (1.824e9, 91.4e9, 2.329),
        5.76e23: (32.2e9, 2.98e12, 1.931),
        3.8e25: (213e9, 29.7e12, 1.817),
    },
    "hoffmann2022": {
        1e18: (94.7e6, 1.76e9, 3.448),
        1e20: (775e6, 21.5e9, 2.553),
        1e21: (2.217e9, 75.2e9, 2.2955),
        5.76e23: (40.4e9, 2.38e12, 1.918),
        3.8e25: (273e9, 23.2e12, 1.811),
    },
    "besiroglu2024": {
        1e18: (80.5e6, 2.07e9, 3.4905),
        1e20: (854e6, 19.5e9, 2.553),
        1e21: (2.778e9, 60.0e9, 2.3055),
        5.76e23: (72.2e9, 1.33e12, 1.974),
        3.8e25: (619e9, 10.2e12, 1.892),
    },
    "muennighoff2023": {
        1e18: (92.2e6, 1.81e9, 3.487),
        1e20: (922e6, 18.1e9, 2.587),
        1e21: (2.915e9, 57.2e9, 2.348),
        5.76e23: (70.0e9, 1.37e12, 2.025),
        3.8e25: (568e9, 11.2e12, 1.944),
    },
}


@pytest.mark.parametrize(("law", "budget"), [(law, budget) for law, rows in TABLE.items() for budget in rows])
def test_the_planners_table(law, budget):
    best, (params, tokens, loss) = iso.law(law).optimum(budget), TABLE[law][budget]
    assert best.params == pytest.approx(params, rel=3e-3)
    assert best.tokens == pytest.approx(tokens, rel=6e-3)
    assert best.loss == pytest.approx(loss, abs=6e-4)


def test_losses_of_gpt3_and_llama_405b():
    N, D = np.array([175e9, 405e9]), np.array([300e9, 15.6e12])
    np.testing.assert_allclose(iso.law("hoffmann2022_rounded").predict(N, D), [2.0023, 1.8190], atol=6e-5)
    np.testing.assert_allclose(BESIROGLU.predict(N, D), [2.0085, 1.8926], atol=6e-5)


class TestHoffmann:
    @pytest.fixture
    def tables(self):
        return entry("hoffmann2022_tables").constants

    def test_slopes_of_table_a3(self, tables):  # T7
        rows = np.array(tables["table_A3"])
        slopes = [np.polyfit(np.log(rows[:, c]), np.log(rows[:, 0]), 1)[0] for c in (1, 3)]
        np.testing.assert_allclose(slopes, [0.48994, 0.45866], atol=1e-4)
        np.testing.assert_allclose(rows[:, 2], rows[:, 1] / (6 * rows[:, 0]), rtol=0.02)

    def test_the_misprint_of_175b_is_corrected(self, tables):
        (row,) = (row for row in tables["table_A3"] if row[0] == 1.75e11)
        assert row[3] == 1.26e25 == pytest.approx(6 * row[0] * row[4], rel=0.01)

    @pytest.mark.parametrize(("approach", "table"), [("1", "table_3"), ("2", "table_A3")])
    def test_approaches_1_and_2_give_their_rows(self, tables, approach, table):
        rows, law = np.array(tables[table]), iso.law(f"hoffmann2022_approach{approach}")
        best = law.optimum(rows[:, 1])
        np.testing.assert_allclose(best.params, rows[:, 0], rtol=0.035)
        np.testing.assert_allclose(best.tokens, rows[:, 2], rtol=0.07)  # 67B prints 1.5T for 1.433T
        assert law.allocation()[0] == pytest.approx({"1": 0.50, "2": 0.49}[approach], abs=5e-3)


class TestKaplan:
    def test_allocation(self):  # T8, and Gopher's budget
        best = iso.law("kaplan2020_allocation").optimum([1e21 / 2, 6667 * PF_DAY])
        np.testing.assert_allclose(best.params, [4.683e9, 8.04e11], rtol=1e-3)
        assert best.tokens[1] == pytest.approx(2.16e11, rel=3e-3)

    def test_joint_and_separate_losses(self):  # T43
        joint, params, tokens = (iso.law(f"kaplan2020{axis}") for axis in ("", "_params", "_tokens"))
        assert joint.predict(175e9, 300e9) == pytest.approx(1.6610, abs=1e-4)
        assert params.predict(175e9, 300e9) == pytest.approx(1.6044, abs=1e-4)
        assert tokens.predict(175e9, 300e9) == pytest.approx(1.6378, abs=1e-4)


class TestMuennighoff:
    def test_the_authors_function(self):  # T14
        losses = MUENNIGHOFF.predict([6.34e9, 8.67e9], [242e9, 178e9], unique_tokens=25e9)
        np.testing.assert_allclose(losses, [2.2256440889984477, 2.2269634075087867], rtol=1e-9)

    def test_optimum_on_25b_unique_tokens(self):  # T15: the valley is flat
        N = np.geomspace(1e9, 3e10, 4001)
        losses = MUENNIGHOFF.predict(N, 9.3e21 / (6 * N), unique_tokens=25e9)
        assert N[losses.argmin()] == pytest.approx(6.8e9, rel=0.02)
        assert losses.min() == pytest.approx(2.2251, abs=1e-3)

    def test_worth_of_repeats(self):  # T16, T18: read off the loss by inverting its term in D
        epochs, unique, c = np.array([2.0, 4.0, 8.0, 16.0, 40.0, 1e6]), 1e10, MUENNIGHOFF.coefficients
        N = 1e6  # far below what the unique tokens feed
        left = MUENNIGHOFF.predict(N, epochs * unique, unique_tokens=unique) - c["E"] - c["A"] / N ** c["alpha"]
        worth = (c["B"] / left) ** (1 / c["alpha"]) / unique
        np.testing.assert_allclose(worth[:5] / epochs[:5], [0.984, 0.931, 0.828, 0.661, 0.379], atol=1e-3)
        assert worth[5] == pytest.approx(16.388, abs=1e-3)

    def test_four_epochs_are_nearly_free(self):  # T17
        losses = MUENNIGHOFF.predict(8.67e9, 178e9, unique_tokens=178e9 / np.array([1, 4, 44]))
        np.testing.assert_allclose(losses, [2.1924, 2.2072, 2.4191], atol=1e-4)

    def test_tokens_per_parameter(self):  # T19
        best = MUENNIGHOFF.optimum([1e18, 1e25])
        np.testing.assert_allclose(best.tokens / best.params, 19.613, rtol=1e-4)


class TestKumar:
    LAW = iso.law("kumar2024")

    def test_full_precision(self):  # T42
        assert self.LAW.predict(1e9, 26e9) == pytest.approx(3.0328, abs=5e-5)

    def test_more_tokens_hurt_from_the_critical_ones_on(self):  # T42
        theta = {name: np.asarray(value) for name, value in self.LAW.coefficients.items()}
        D = float(critical_tokens(theta, np.asarray(1e8), np.asarray(4.0)))
        at, less, more = (float(self.LAW.predict(1e8, D * x, post_bits=4.0)) for x in (1.0, 0.9, 1.1))
        assert at < less
        assert at < more


def test_gadres_form_is_chinchillas():
    N, D, eta = np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5), 0.1212
    C, M = 6 * N * D, D / N
    theirs = 1.508 + (141.3 * M**eta + 189.5 * M**-eta) * C**-eta
    np.testing.assert_allclose(iso.law("gadre2024_c4").predict(N, D), theirs, rtol=1e-12)


def test_clarks_logarithms_are_base_10():
    losses = [iso.law(name).predict(1e9, 130e9) for name in ("clark2022_sbase", "clark2022_dense")]
    np.testing.assert_allclose(losses, [2.285, 2.265], atol=1e-3)


class TestLlama3:
    def test_the_figures_pair_is_near_what_is_reported(self):
        best = iso.law("llama3_2024").optimum(3.8e25)
        np.testing.assert_allclose([best.params, best.tokens], [402e9, 16.55e12], rtol=0.035)
        np.testing.assert_allclose([best.params, best.tokens], [389e9, 16.29e12], rtol=2e-3)

    def test_the_texts_pair_is_not_and_the_user_is_told(self):  # T12
        law = iso.law("llama3_2024_text")
        assert law.optimum(3.8e25).tokens == pytest.approx(1.046e13, rel=1e-3)
        assert np.log(16.55e12 / 0.29) / np.log(3.8e25) == pytest.approx(0.53778, abs=1e-5)
        notes = " ".join(iso.plan("llama3_2024_text", 3.8e25).rows[0].notes)
        assert "10.46T" in notes
        assert "16.29T" in notes


class TestHyperParameters:
    def test_step_law(self):  # T37
        said = entry("steplaw2025").predict(params=[1e9, 7e9], tokens=[1e11, 1.4e12])
        np.testing.assert_allclose(said["learning_rate"], [1.6325e-3, 9.166e-4], rtol=1e-3)
        np.testing.assert_allclose(said["batch_tokens"], [1.108e6, 4.999e6], rtol=2e-3)

    def test_deepseek(self):  # T38
        said = entry("deepseek2024_hyperparameters").predict(flops=[1e20, 8.4e22])
        np.testing.assert_allclose(said["learning_rate"], [9.86e-4, 4.25e-4], rtol=2e-3)
        np.testing.assert_allclose(said["batch_tokens"], [1.017e6, 9.2e6], rtol=5e-3)
        best = iso.law("deepseek2024").optimum(1e20)
        assert 6 * best.params == pytest.approx(5.25e9, rel=2e-3)
        assert best.tokens == pytest.approx(19.0e9, rel=3e-3)
        assert 6 * best.params * best.tokens == pytest.approx(1e20, rel=2e-4)


class TestCounting:
    """Pearce & Song: a law on all parameters, seen by one who leaves out the embeddings."""

    SLOPES = {"besiroglu2024": (0.7805, 0.5147, -0.0690, -0.1329), "hoffmann2022": (0.7388, 0.4586, -0.0659, -0.1200)}

    @pytest.mark.parametrize("name", sorted(SLOPES))
    def test_slopes_over_kaplans_range(self, name):  # T9, T10: the best of 20 networks at each budget
        law = iso.law(name)
        blocks, flops = convert(law, ParamsConvention.NON_EMBEDDING), np.logspace(12.95, 20.7, 400)
        N = np.logspace(2.9, 9.2, 20)
        losses = blocks.predict(N, flops[:, None] / (6 * N))
        small = np.polyfit(np.log(flops), np.log(N[losses.argmin(axis=1)]), 1)[0]
        far = np.logspace(20, 26, 50)
        large = np.polyfit(np.log(far), np.log(blocks.optimum(far).params), 1)[0]
        fall = np.polyfit(np.log(flops), np.log(losses.min(axis=1)), 1)[0]
        above = np.polyfit(np.log(flops), np.log(losses.min(axis=1) - law.coefficients["E"]), 1)[0]
        np.testing.assert_allclose([small, large], self.SLOPES[name][:2], atol=5e-3)
        np.testing.assert_allclose([fall, above], self.SLOPES[name][2:], atol=2e-3)

    def test_the_local_exponent_rises_then_falls(self):  # T11
        blocks = convert(BESIROGLU, ParamsConvention.NON_EMBEDDING)
        N = np.array([1e3, 1e6, 1e8, 1.5e9, 1e12])
        seen = blocks.local_exponent(blocks.flops_at(N))
        np.testing.assert_allclose(seen, [0.7630, 0.9628, 0.6128, 0.5300, 0.5128], atol=1e-4)
        ends = blocks.local_exponent(blocks.flops_at(np.array([1e-3, 1e20])))
        np.testing.assert_allclose(ends, [0.7593, 0.5126], atol=2e-4)

    def test_the_optimum_is_where_the_loss_is_least(self):
        blocks, C = convert(BESIROGLU, ParamsConvention.NON_EMBEDDING), np.array([1e14, 1e18, 1e22])
        best = blocks.optimum(C)
        np.testing.assert_allclose(blocks.flops_at(best.params), C, rtol=1e-9)
        for nudge in (0.999, 1.001):
            assert (blocks.predict(best.params * nudge, best.tokens / nudge) > best.loss).all()

    def test_other_conversions_are_refused(self):
        with pytest.raises(iso.UsageError, match="cannot convert"):
            convert(iso.law("kaplan2020"), ParamsConvention.TOTAL)
        with pytest.raises(iso.DataError, match="Chinchilla's optimum"):
            convert(MUENNIGHOFF, ParamsConvention.NON_EMBEDDING)


# Law -> (fact sheet's id, path to the numbers, our name -> theirs).
SAME = {"E": "E", "A": "A", "B": "B", "alpha": "alpha", "beta": "beta"}
MAPPED = {
    "besiroglu2024": ("besiroglu2024", (), SAME),
    "hoffmann2022_rounded": ("hoffmann2022_a3", (), SAME),
    "hoffmann2022": ("hoffmann2022_a3_tex", (), SAME),
    **{
        f"sardana2023{end}": ("sardana2023", (key,), SAME)
        for end, key in (("", "refit_all"), ("_100", "refit_le100"), ("_250", "refit_le250"), ("_500", "refit_le500"))
    },
    "kaplan2020": ("kaplan2020_joint_ND", (), {"N_c": "Nc", "D_c": "Dc", "alpha_N": "aN", "alpha_D": "aD"}),
    "kaplan2020_steps": ("kaplan2020_joint_NS", (), {"N_c": "Nc", "S_c": "Sc", "alpha_N": "aN", "alpha_S": "aS"}),
    "kaplan2020_allocation": ("kaplan2020_allocation", (), {"N_P": "Ne", "a": "pN", "D_P": "De_tokens", "b": "pD"}),
    "muennighoff2023": (
        "muennighoff2023",
        (),
        {"E": "E", "A": "A", "B": "B", "alpha": "alpha", "R_D": "RD_star", "R_N": "RN_star"},
    ),
    "kumar2024": (
        "kumar2024_precision",
        (),
        {k: k for k in ("E", "A", "B", "alpha", "gamma_w", "gamma_kv", "C_T", "gamma_D", "gamma_N", "gamma_post")},
    ),
    "krajewski2024": (
        "krajewski2024",
        ("moe",),
        {"E": "c", "A": "a", "A_G": "g", "B": "b", "alpha": "alpha", "beta": "beta", "gamma": "gamma"},
    ),
    "krajewski2024_dense": (
        "krajewski2024",
        ("dense",),
        {"E": "c", "A": "a", "B": "b", "alpha": "alpha", "beta": "beta"},
    ),
    "abnar2025": (
        "abnar2025",
        (),
        {"E": "e", "A": "a", "B": "b", "alpha": "alpha", "beta": "beta", "F": "c", "H": "d", "gamma": "gamma"},
    ),
    **{
        f"clark2022_{end}": (
            "clark2022",
            (key,),
            {"a": "a", "b": "b", "c": "c", "d": "d", "X_start": "E_start", "X_max": "E_max"},
        )
        for end, key in (("sbase", "s_base"), ("rlr", "rl_r"), ("hash", "hash"))
    },
    "busbridge2025": ("busbridge2025_distillation", ("sup",), {**SAME, "k": "gamma"}),
    "deepseek2024": ("deepseek_llm2024", (), {"a": "a", "D_P": "Dbase", "b": "b"}),
    "llama3_2024": ("llama3_2024", (), {"D_P": "A_figure", "b": "alpha_figure"}),
    "llama3_2024_text": ("llama3_2024", (), {"D_P": "A_text", "b": "alpha_text"}),
    "porian2024": ("porian2024", ("tuned_hparams_const_lr",), {"N_P": "Nstar_at_5p88e23", "a": "a"}),
}


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_constants_are_the_fact_sheets(name, facts):
    there, path, names = MAPPED[name]
    numbers = facts[there]["params"]
    for key in path:
        numbers = numbers[key]
    for ours, theirs in names.items():
        assert iso.law(name).coefficients[ours] == pytest.approx(numbers[theirs], rel=1e-6), ours


def test_nothing_comes_from_memory(facts):
    from_memory = {fact["arxiv"] for fact in facts.values() if fact["verified"] == "memory" and "arxiv" in fact}
    for name in entries():
        source = entry(name).source
        assert source.verified in {"paper", "authors' code", "authors' source", "transcription of the paper"}, name
        assert source.arxiv not in from_memory, name


class TestDrawsOfTheDefaultLaw:
    def test_standard_errors(self):  # T26
        draws = BESIROGLU.draws
        errors = [np.std(draws[name]) for name in ("alpha", "beta", "E")]
        np.testing.assert_allclose(errors, [0.0154, 0.0206, 0.0257], rtol=0.1)
        assert np.std(draws["beta"] / (draws["alpha"] + draws["beta"])) == pytest.approx(0.020, rel=0.1)

    def test_they_lie_about_the_published_values(self):
        for name in ("E", "alpha", "beta"):
            middle, error = np.median(BESIROGLU.draws[name]), np.std(BESIROGLU.draws[name])
            assert abs(BESIROGLU.coefficients[name] - middle) < 0.5 * error, name

    def test_they_are_a_fit_of_the_digitised_points(self, shared_data):  # studies/default_law.py
        runs = iso.read_runs(shared_data / "chinchilla_epoch" / "runs.csv", where="epoch_outlier_excluded == False")
        fit = iso.fit(runs, "chinchilla", draws=4000, seed=0)
        for name, column in BESIROGLU.draws.items():
            np.testing.assert_allclose(np.sort(fit.law.draws[name]), np.sort(column), rtol=1e-3)
        assert fit.law.form_error.scale == pytest.approx(BESIROGLU.form_error.scale, rel=1e-3)

    def test_a_plan_has_intervals(self):
        row = iso.plan("besiroglu2024", 5.76e23).rows[0]
        for span, value in ((row.intervals.params, row.params), (row.intervals.loss, row.loss)):
            assert span[0] < value < span[1]


@pytest.mark.parametrize("name", sorted(entries()))
def test_every_entry_is_shown_as_text_and_as_json(name, capsys):
    from isoflop.cli.main import run

    assert run(["laws", name]) == 0
    text = capsys.readouterr().out
    assert all(caveat in text for caveat in entry(name).caveats)
    assert run(["laws", name, "--json"]) == 0
    assert f'"id": "{name}"' in capsys.readouterr().out


def test_ten_times_the_compute_by_kaplan():  # T47
    one, ten = (iso.law("kaplan2020_allocation").optimum(C) for C in (1e21, 1e22))
    np.testing.assert_allclose([ten.params / one.params, ten.tokens / one.tokens], [5.370, 1.862], rtol=2e-4)


class TestWhatALawDoesNotSay:
    def test_a_split_has_no_loss(self):
        from isoflop.planning import flops_for_loss

        row = iso.plan("llama3_2024", 3.8e25).rows[0]
        assert row.loss is None
        assert row.to_dict()["loss"] is None
        with pytest.raises(iso.DataError, match="nothing about the loss"):
            iso.law("llama3_2024").predict(1e9, 1e10)
        with pytest.raises(iso.DataError, match="nothing about the loss"):
            flops_for_loss(iso.law("llama3_2024"), 2.0)

    @pytest.mark.parametrize("name", ["ho2024", "steplaw2025"])
    def test_rules_and_records_are_no_laws(self, name):
        with pytest.raises(iso.UsageError, match="not a law to plan with"):
            iso.plan(name, 1e24)

    def test_a_rule_names_what_it_lacks(self):
        with pytest.raises(iso.UsageError, match="needs tokens"):
            entry("steplaw2025").predict(params=1e9)

    def test_an_input_that_the_law_does_not_read(self):
        with pytest.raises(iso.DataError, match="does not know experts"):
            BESIROGLU.predict(1e9, 1e10, experts=8)

    def test_the_command_line_gives_further_inputs(self, capsys):
        from isoflop.cli.main import run

        asked = ["predict", "muennighoff2023", "--params", "8.67B", "--tokens", "178B"]
        assert run([*asked, "--given", "unique_tokens=44.5e9"]) == 0
        assert "loss 2.207" in capsys.readouterr().out
        assert run(asked) == 0
        said = capsys.readouterr().out
        assert "loss 2.192" in said
        assert "Assumed: unique_tokens unlimited" in said

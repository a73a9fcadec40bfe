"""Porian's settings, Muennighoff's repeated data, Step Law's batch: published exponents from their public tables."""

import csv

import numpy as np
import pytest

import isoflop as iso
from isoflop.fitting import profile
from isoflop.fitting.isoflop import power_law
from isoflop.laws import family

REFINED_WEB = {
    "rw|base|warmup=long|decay=kaplan|count=kaplan|train": 0.8353,
    "rw|base|warmup=long|decay=kaplan|count=standard|val": 0.7065,
    "rw|base|warmup=short|decay=kaplan|count=standard|val": 0.6020,
    "rw|base|warmup=short|decay=chinchilla|count=standard|val": 0.5715,
    "rw|tuned|warmup=short|decay=const|count=standard|val": 0.4969,
}


@pytest.mark.parametrize("setting", REFINED_WEB)
def test_porian_refined_web_frontiers(shared_data, setting):
    """Porian et al. 2024, weighted fit of the optima that they read off: the same exponents to 2e-4."""
    with (shared_data / "porian_resolving" / "optimal_pairs.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["experiment"] == setting and row["n_star_std"]]
    C, N, spread = (np.array([float(row[key]) for row in rows]) for key in ("flops", "n", "n_star_std"))
    assert float(power_law(C, N, spread**-2)[1]) == pytest.approx(REFINED_WEB[setting], abs=2e-4)


@pytest.mark.parametrize("setting", REFINED_WEB)
def test_porian_refined_web_profiles(shared_data, setting):
    """The optima by our parabolas instead of their interpolation: .895, .688, .593, .546, .494 for the five.

    Theirs for the third and the fifth lie within our 90 % intervals, the second and the fourth .007 and .005 outside;
    the first, Kaplan's count without embeddings over networks from 0.3M parameters on, .017, and there we say ourselves
    that the minima lie on no one power law.
    """
    runs = iso.read_runs(
        shared_data / "porian_resolving" / "runs.csv",
        {"params": "params_counted"},
        where=f"experiment == '{setting}'",
    )
    fit = iso.fit(runs, "frontier", draws=1000)
    low, high = fit.interval("a")
    if "bent_frontier" in {note.code for note in fit.verdict.notes}:
        assert "count=kaplan" in setting
        low -= 0.011
    assert low - 0.0075 <= REFINED_WEB[setting] <= high + 0.0075


def test_porian_settings_come_in_the_order_that_explains_kaplan(shared_data):
    """Count the head, shorten the warm-up, match the decay, tune: every step takes a nearer to one half."""
    runs = iso.read_runs(
        shared_data / "porian_resolving" / "runs.csv", {"params": "params_counted"}, where="dataset == 'rw'"
    )
    found = [
        iso.fit(runs.where(f"experiment == '{setting}'"), "frontier", draws=0).allocation[0] for setting in REFINED_WEB
    ]
    assert found == sorted(found, reverse=True)


REPEATED = family("data_limited")
HELD = {"E": float(np.exp(0.6254804)), "A": float(np.exp(6.255414)), "B": float(np.exp(7.3049641)), "alpha": 0.3526596}


def test_muennighoff_repeats(shared_data):
    """Their objective is 0.015825937 at R_D 15.39, R_N 5.31, where an optimiser stopped on a flat ridge.

    At that point we get 0.0158264, 3e-5 off by the digits of the held constants. Our search finds lower, R_D about
    50 and R_N about 2.2, and our profile says that R_D has no upper end; their point is inside.
    """
    runs = iso.read_runs(shared_data / "datablations_muennighoff" / "published_fit_subset.csv")
    assert len(runs) == 182
    there = iso.fit(runs, "data_limited", draws=0, pin={**HELD, "R_D": 15.387756})
    printed = objective(runs, R_D=15.387756, R_N=5.309743)
    assert printed == pytest.approx(0.015825937, rel=5e-5)
    fit = iso.fit(runs, "data_limited", pin=HELD, draws=0)
    assert fit.objective.value < there.objective.value <= printed
    assert fit.objective.value == pytest.approx(0.0158074, rel=2e-4)
    assert 40 < fit.law.coefficients["R_D"] < 60
    assert fit.law.coefficients["R_N"] == pytest.approx(2.3, abs=0.2)
    low, high = profile(fit, "R_D").interval
    assert low < 15.387756
    assert high is None


def objective(runs, **values):
    theta = {name: np.asarray(value) for name, value in {**HELD, **values}.items()}
    inputs = {name: np.asarray(runs.column(name), float) for name in REPEATED.inputs}
    size = np.abs(np.log(REPEATED.loss(theta, inputs) / runs.loss))
    return float(np.where(size <= 1e-3, 0.5 * size**2, 1e-3 * (size - 0.5e-3)).sum())


def test_step_law_batch(shared_data):
    """Li et al. 2025: batch* ~ D^.571, the mean of their thousand fits; ours by the best of each cell's grid.

    The best of a coarse grid is .498; a bootstrap over the 17 cells has a standard error of about .08.
    """
    best = {}
    with (shared_data / "steplaw" / "dense.csv").open(newline="") as table:
        for row in csv.DictReader(table):
            key = float(row["params_non_embedding"]), float(row["tokens"])
            if key not in best or float(row["loss"]) < best[key][0]:
                best[key] = float(row["loss"]), float(row["batch_size_tokens"])
    D = np.array([key[1] for key in best])
    batch = np.array([value[1] for value in best.values()])
    assert len(best) == 17
    assert float(power_law(D, batch)[1]) == pytest.approx(0.498, abs=0.002)
    rng = np.random.default_rng(0)
    drawn = [float(power_law(D[rows], batch[rows])[1]) for rows in rng.integers(17, size=(1000, 17))]
    low, high = np.quantile(drawn, [0.05, 0.95])
    assert low < 0.571 < high

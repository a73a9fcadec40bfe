"""Approach 2's noise-free bias against Czech et al. 2026 (arXiv 2603.22339), T28 to T32 of our reading of it."""

import numpy as np
import pytest

import isoflop as iso
from isoflop.fitting.bias import bias, parabola_shift, symmetric_shift
from isoflop.laws import Law, families

BUDGETS = np.geomspace(1e17, 1e21, 5)
LIKE_HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
STEEP = {**LIKE_HOFFMANN, "alpha": 0.465, "beta": 0.155}
EVEN = {"E": 1.69, "A": 400.0, "B": 400.0, "alpha": 0.31, "beta": 0.31}
WIDTHS = (2, 4, 8, 16)


def law_of(theta: dict[str, float]) -> Law:
    return Law("planted", "", families()["chinchilla"], theta)


def tokens_error(law: Law, width: float, offsets: np.ndarray) -> tuple[float, float]:
    """Exponent of D*, and its error in per cent at 1e24, when each budget's grid is centred ``offset`` times D*."""
    best = []
    for flops, offset in zip(BUDGETS, offsets, strict=True):
        D = law.optimum(flops).tokens * offset * np.geomspace(1 / width, width, 15)
        N = flops / (6 * D)
        best.append(flops / (6 * law.optimum(flops).params * np.exp(parabola_shift(law, N, D))))
    slope, intercept = np.polyfit(np.log(BUDGETS), np.log(best), 1)
    return slope, 100 * (np.exp(intercept + slope * np.log(1e24)) / law.optimum(1e24).tokens - 1)


@pytest.mark.parametrize(
    ("theta", "errors"),
    [
        (LIKE_HOFFMANN, (-0.326938, -1.301125, -2.902905, -5.100245)),  # T28
        (STEEP, (-1.674748, -6.497779, -13.910419, -23.116308)),  # T29
    ],
)
def test_centred_grids_shift_the_prefactor_and_not_the_exponent(theta, errors):
    law = law_of(theta)
    for width, expected in zip(WIDTHS, errors, strict=True):
        exponent, error = tokens_error(law, width, np.ones(5))
        assert error == pytest.approx(expected, abs=1e-5)
        assert exponent == pytest.approx(law.allocation()[1], abs=1e-9)


def test_off_centre_grids():  # T30
    errors = (3.974244, 3.471818, 2.645165, 1.509792)
    for width, expected in zip(WIDTHS, errors, strict=True):
        exponent, error = tokens_error(law_of(EVEN), width, np.full(5, 3.0))
        assert error == pytest.approx(expected, abs=1e-5)
        assert exponent == pytest.approx(0.5, abs=1e-9)


def test_drifting_centres_corrupt_the_exponent():  # T31
    expected = ((0.50408, 6.07), (0.50355, 5.17), (0.50268, 3.70), (0.50147, 1.69))
    for width, (exponent, error) in zip(WIDTHS, expected, strict=True):
        found = tokens_error(law_of(EVEN), width, np.geomspace(1, 3, 5))
        assert found[0] == pytest.approx(exponent, abs=1e-5)
        assert found[1] == pytest.approx(error, abs=6e-3)


@pytest.mark.parametrize("theta", [LIKE_HOFFMANN, STEEP])
def test_the_closed_form_is_the_parabola(theta):  # T32
    law = law_of(theta)
    for width in WIDTHS:
        w = np.linspace(-np.log(width), np.log(width), 15)
        D = law.optimum(1e20).tokens * np.exp(w)
        shift = symmetric_shift(theta["alpha"], theta["beta"], w)
        assert -parabola_shift(law, 1e20 / (6 * D), D) == pytest.approx(shift, abs=1e-9)


def test_corrected_profiles_of_a_noise_free_sweep_are_the_truth():
    law = law_of(STEEP)
    rows = []
    for flops, offset in zip(BUDGETS, np.geomspace(1, 3, 5), strict=True):
        N = law.optimum(flops).params / offset * np.geomspace(1 / 6, 6, 7)
        rows.append(np.stack([N, flops / (6 * N)]))
    N, D = np.concatenate(rows, axis=1)
    runs = iso.Runs(N, D, law.predict(N, D))
    sides = iso.fit_all(runs, draws=0)
    found = bias(sides.profiles, sides.surface)
    truth = law.allocation()[0]
    assert abs(found.classical - truth) > 0.003
    assert found.corrected == pytest.approx(truth, abs=1e-6)
    assert f"instead of {found.classical:.3f}" in sides.summary()
    assert sides.to_dict()["bias"]["a"]["corrected"] == found.corrected

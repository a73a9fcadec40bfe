"""Searches against closed forms: smooth valleys, kinks, tails, steps, and the tokens that reach a loss."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from isoflop import laws
from isoflop.planning.data_limited import Decay, limited
from isoflop.planning.search import least, root, slope
from isoflop.planning.surface import view

AT = np.array([-3.0, 0.123, 2.5])
"""Where the valleys below have their least, and the changes of sign their place."""

VALLEYS = {
    "cosh": (lambda u: np.cosh(u), 1e-12),
    "skew": (lambda u: np.exp(0.3 * u) / 0.3 + np.exp(-0.7 * u) / 0.7, 1e-11),
    "kink": (lambda u: np.abs(u), 1e-7),
    "skew kink": (lambda u: np.where(u > 0, 3 * u, -0.2 * u), 1e-7),
    "kink in a curve": (lambda u: u**2 + np.where(u > 0, 0.5 * u, -0.1 * u), 1e-7),
    "bend that jumps": (lambda u: np.where(u > 0, 10 * u**2, u**2), 1e-7),
}

CHANGES = {
    "line": lambda u: -2 * u,
    "cube": lambda u: u**3 + 0.1 * u,
    "tail": lambda u: np.exp(-0.3 * u) - 1,
    "step": lambda u: np.sign(u),
    "stairs and slope": lambda u: np.floor(4 * u + 0.5) + 0.01 * u,
    "steep": lambda u: np.expm1(40 * u),
}


@pytest.mark.parametrize("name", VALLEYS)
def test_the_least_of_a_valley(name: str) -> None:
    f, within = VALLEYS[name]
    found = least(lambda x: f(x - AT), -20.0, 17.0)
    assert np.abs(found - AT).max() < within


def test_one_kink_costs_its_smooth_neighbours_nothing() -> None:
    kinked = np.array([False, True, False])
    found = least(lambda x: np.where(kinked, np.where(x > AT, 3 * (x - AT), AT - x), np.cosh(x - AT)), -20.0, 17.0)
    assert np.abs(found - AT)[~kinked].max() < 1e-12


def test_the_least_of_a_quartic_is_where_its_slope_vanishes() -> None:
    quartic = brentq(lambda x: 4 * (x - 0.3) ** 3 + 2 * x, -2, 2, xtol=1e-15)
    assert least(lambda x: (x - 0.3) ** 4 + x**2, -2.0, 2.0) == pytest.approx(quartic, abs=1e-11)


def test_an_edge_is_no_valley() -> None:
    assert np.isnan(least(np.exp, -3.0, 3.0))


def test_the_slope() -> None:
    assert slope(np.sin, np.array(0.5)) == pytest.approx(np.cos(0.5), abs=1e-12)


@pytest.mark.parametrize("name", CHANGES)
def test_the_change_of_sign(name: str) -> None:
    f: Callable[..., np.ndarray] = CHANGES[name]
    found = root(lambda x: f(x - AT), -20.0, 230.0)
    assert np.abs(found - AT).max() < 1e-13


def test_no_change_of_sign_is_no_root() -> None:
    assert np.isnan(root(lambda x: x**2 + 1, -3.0, 3.0))
    assert root(lambda x: x - 3.0, -3.0, 3.0) == 3.0


@pytest.mark.parametrize("name", ["besiroglu2024", "hoffmann2022", "muennighoff2023", "kaplan2020"])
def test_tokens_are_those_of_the_loss(name: str) -> None:
    """New and repeated tokens, parameters in excess and not: the loss at those tokens leads back to them."""
    law = laws.law(name)
    for decay in (None, Decay(4.0, 2.0)):
        seen = limited(law, view(law), 1e11, 1e23, decay)
        N, D = np.meshgrid(np.geomspace(1e7, 1e13, 13), np.geomspace(1e9, 2e12, 12))
        assert seen.tokens is not None
        found = seen.tokens(N, seen.loss(N, D))
        known = np.abs(seen.loss(N, 1.001 * D) - seen.loss(N, D)) > 1e-9  # elsewhere the loss does not tell
        assert known.mean() > 0.6
        assert found[known] == pytest.approx(D[known], rel=1e-6)

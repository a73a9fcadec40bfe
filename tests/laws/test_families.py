"""Every family keeps the contract, and no family is forgotten."""

import numpy as np

from isoflop.laws import families
from isoflop.testing.families import FamilyContract

SURFACE_INPUTS = {"params": np.geomspace(1e8, 1e11, 6), "tokens": np.geomspace(1e9, 1e12, 6)}


class TestChinchilla(FamilyContract):
    family = families()["chinchilla"]
    theta = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    inputs = SURFACE_INPUTS


class TestFrontier(FamilyContract):
    family = families()["frontier"]
    theta = {"P": 5e20, "N_P": 2e9, "a": 0.51, "D_P": 4e10, "b": 0.49, "E": 1.7, "R_P": 0.6, "gamma": 0.17}
    inputs = {"flops": np.geomspace(1e18, 1e22, 6)}


def test_every_family_is_put_through_the_contract():
    tested = {cls.family.name for cls in FamilyContract.__subclasses__()}
    assert set(families()) <= tested

"""The contract of a law family, as a test class that any family, yours too, can be put through.

Subclass it with a family, coefficients that are true of something, and a few inputs::

    class TestMine(FamilyContract):
        family = MyFamily()
        theta = {"E": 1.8, "A": 400.0, ...}
        inputs = {"params": np.geomspace(1e8, 1e10, 5), "tokens": np.geomspace(1e9, 1e12, 5)}
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from isoflop.laws import Coefficients, Family, Law, law_to_toml
from isoflop.laws._file import law_from_toml

FloatArray = NDArray[np.float64]
BUDGETS = np.geomspace(1e18, 1e25, 8)


class FamilyContract:
    """What holds for every family; pytest collects it where it is subclassed."""

    family: Family
    theta: Mapping[str, float]
    inputs: Mapping[str, FloatArray]

    @property
    def _theta(self) -> Coefficients:
        return {name: np.asarray(self.theta[name], dtype=np.float64) for name in self.family.names}

    def test_the_facts_are_stated(self) -> None:
        assert self.family.name == self.family.name.lower()
        assert self.family.formula
        assert self.family.reference
        assert len(set(self.family.names)) == len(self.family.names)
        assert all(coefficient.meaning for coefficient in self.family.coefficients)
        assert set(self.family.assumed) <= set(self.family.inputs)

    def test_true_coefficients_lie_within_their_bounds(self) -> None:
        for coefficient in self.family.coefficients:
            assert coefficient.lower <= self.theta[coefficient.name] <= coefficient.upper

    def test_loss_is_finite_positive_and_falls_with_every_input_until_it_saturates(self) -> None:
        if not self.family.inputs:
            return
        here = self.family.loss(self._theta, self.inputs)
        assert np.isfinite(here).all()
        assert (here > 0).all()
        for name in self.family.inputs:
            more = self.family.loss(self._theta, {**self.inputs, name: 2 * self.inputs[name]})
            assert (more <= here).all()
            assert (more < here).any()

    def test_draws_are_evaluated_as_one_by_one(self) -> None:
        if not self.family.inputs:
            return
        rng = np.random.default_rng(0)
        draws = {name: value * rng.uniform(0.9, 1.1, size=7) for name, value in self.theta.items()}
        together = self.family.loss({name: column[:, None] for name, column in draws.items()}, self.inputs)
        for row in range(7):
            alone = self.family.loss({name: np.asarray(column[row]) for name, column in draws.items()}, self.inputs)
            np.testing.assert_allclose(together[row], alone, rtol=1e-14)

    def test_the_closed_form_optimum_is_where_the_loss_is_least(self) -> None:
        best = self.family.optimum(self._theta, BUDGETS)
        if best is None or not {"params", "tokens"} <= set(self.family.inputs):
            return
        assumed = {name: np.asarray(value) for name, value in self.family.assumed.items()}
        N, D = best
        np.testing.assert_allclose(6 * N * D, BUDGETS, rtol=1e-12)
        least = self.family.loss(self._theta, {"params": N, "tokens": D, **assumed})
        for nudge in (-1e-3, 1e-3):
            moved = {"params": N * np.exp(nudge), "tokens": D * np.exp(-nudge), **assumed}
            assert (self.family.loss(self._theta, moved) > least).all()

    def test_the_allocation_exponents_are_the_slopes_of_the_optimum(self) -> None:
        exponents, best = self.family.allocation(self._theta), self.family.optimum(self._theta, BUDGETS)
        if exponents is None or best is None:
            return
        for exponent, path in zip(exponents, best, strict=True):
            slope = np.diff(np.log(path)) / np.diff(np.log(BUDGETS))
            np.testing.assert_allclose(slope, float(exponent), rtol=1e-9)

    def test_a_law_of_the_family_survives_its_file(self) -> None:
        draws = {name: value * np.linspace(0.9, 1.1, 5) for name, value in self.theta.items()}
        law = Law("contract", 'a "quoted" title', self.family, dict(self.theta), caveats=("read me",), draws=draws)
        again = law_from_toml(law_to_toml(law), "memory", {self.family.name: self.family})
        assert again.coefficients == dict(self.theta)
        assert (again.title, again.caveats) == (law.title, law.caveats)
        assert again.draws is not None
        for name, column in draws.items():
            np.testing.assert_allclose(again.draws[name], column, rtol=1e-8)

"""What a law family is: a form with named coefficients, and whatever closed forms it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Coefficients = Mapping[str, FloatArray]
"""Coefficient name -> array. All arrays broadcast against one another and against the inputs, so that
one call evaluates a law (0-d arrays) or all of its draws (arrays of shape (draws, 1))."""


def power(base: FloatArray, exponent: FloatArray) -> FloatArray:
    """base ** exponent of positive bases through one exponential: several times faster where exponents are many.

    >>> round(float(power(np.array(100.0), np.array(0.5))), 12)
    10.0
    """
    return np.asarray(np.exp(exponent * np.log(base)))


@dataclass(frozen=True)
class Coefficient:
    """One number of a family: its name, what it means, and where it may lie."""

    name: str
    meaning: str
    lower: float = 0.0
    upper: float = np.inf
    guesses: tuple[float, ...] = ()
    """Where a search starts; a coefficient that the loss is linear in needs none."""

    @property
    def logarithmic(self) -> bool:
        """Whether it is fitted through its logarithm: any positive number may be it."""
        return self.lower == 0 and self.upper == np.inf


POSITIVE = (float(np.nextafter(0.0, 1.0)), np.inf)
"""What an input may be unless its family says otherwise; infinite where it is assumed to be so."""


class Family(ABC):
    """A functional form of loss.

    A family is one file in ``isoflop/laws`` that ends in ``FAMILY = ...``. It states its facts and its
    formula; bounds, catalogue, fitting, planning and the contract tests follow from them.
    """

    name: str
    formula: str
    reference: str
    inputs: tuple[str, ...]
    """The columns that ``loss`` reads: ("params", "tokens") or ("flops",); none for a family without a loss."""
    coefficients: tuple[Coefficient, ...]
    linear: tuple[str, ...] = ()
    """Coefficients in which the loss is linear, and none negative, given the others: a fit solves for them."""
    assumed: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """Inputs that a question may leave out, and what they then are: unlimited unique tokens, a dense network."""
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({})
    """Between what an input lies, ends allowed, where it is not any positive number: a fraction, a count of experts."""
    fitted: bool = True
    """Whether a fit may look for the coefficients; False for a form that is here for its published constants."""

    @abstractmethod
    def loss(self, theta: Coefficients, inputs: Mapping[str, FloatArray]) -> FloatArray:
        """The loss at the inputs; arrays broadcast."""

    def optimum(self, theta: Coefficients, flops: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Compute-optimal (N*, D*) at C FLOPs in closed form, or None where the family has none."""
        return None

    def allocation(self, theta: Coefficients) -> tuple[FloatArray, FloatArray] | None:
        """The exponents (a, b) of N* ∝ C^a and D* ∝ C^b, or None where the family has none."""
        return None

    def starts(self, inputs: Mapping[str, FloatArray], loss: FloatArray) -> dict[str, FloatArray]:
        """Where a search for the coefficients begins: name -> (starts,), NaN for the linear ones.

        Every combination of the guesses. A family whose amplitudes are not linear overrides this with
        amplitudes of the size that ``inputs`` and ``loss``, arrays of shape (runs,), ask for.
        """
        grids = [np.array(c.guesses if c.guesses else (np.nan,)) for c in self.coefficients]
        combined = np.meshgrid(*grids, indexing="ij")
        return {name: grid.ravel() for name, grid in zip(self.names, combined, strict=True)}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(coefficient.name for coefficient in self.coefficients)

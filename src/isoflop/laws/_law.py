"""A law: a family with numbers, what the numbers count, and where they came from.

A published law and a fitted one are the same class; whoever plans with a law need not know which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.conventions import Conventions
from isoflop.display import Displayed
from isoflop.errors import DataError, UsageError
from isoflop.laws._family import POSITIVE, Coefficients, Family

FloatArray = NDArray[np.float64]
Span = tuple[float, float]


@dataclass(frozen=True)
class Optimum:
    """Compute-optimal parameters, tokens and the loss there: arrays of one shape."""

    params: FloatArray
    tokens: FloatArray
    loss: FloatArray


@dataclass(frozen=True)
class FittedRange:
    """The smallest and largest N, D and C among the runs behind a law, where they are known."""

    params: Span | None = None
    tokens: Span | None = None
    flops: Span | None = None


@dataclass(frozen=True)
class Source:
    """Where the numbers of a law came from, and who checked them there."""

    title: str
    where: str
    arxiv: str = ""
    verified: str = ""


@dataclass(frozen=True)
class FormError:
    """How wrong a law's form was beyond the runs it was fitted to, learnt by backtests on its own table.

    ``scale`` is the error of ln L at the level .9 for a jump of e in compute; ``flops`` the largest run.
    ``learned`` is false where the table was too short to be split and the scale is a default.
    """

    scale: float
    flops: float
    learned: bool = True

    def half_width(self, flops: ArrayLike, level: float) -> FloatArray:
        """Half the width of the interval of ln L at C FLOPs: it grows with the root of the ln of the jump."""
        jump = np.log(np.maximum(np.asarray(flops, float) / self.flops, 1.0))
        times = NormalDist().inv_cdf(0.5 + level / 2) / NormalDist().inv_cdf(0.95)
        return np.asarray(self.scale * times * np.sqrt(jump))


def _frozen(column: FloatArray) -> FloatArray:
    """A private copy that nobody can write to."""
    copy = np.array(column, dtype=np.float64)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class Law(Displayed):
    """A family with numbers.

    ``coefficients`` are the point values. ``draws``, where there are any, hold the joint uncertainty:
    one array of equal length per coefficient, row i of all of them being one plausible law; carry the
    rows through a question and take quantiles last. ``form_error`` is what they do not hold. ``caveats``
    are sentences that a user of the law must read.

    >>> from isoflop.laws.chinchilla import FAMILY
    >>> numbers = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> law = Law("mine", "an example", FAMILY, numbers)
    >>> round(float(law.predict(70e9, 1.4e12)), 4)
    1.9739
    """

    id: str
    title: str
    family: Family
    coefficients: Mapping[str, float]
    conventions: Conventions = field(default_factory=Conventions)
    fitted_range: FittedRange = field(default_factory=FittedRange)
    source: Source = field(default_factory=lambda: Source(title="", where=""))
    caveats: tuple[str, ...] = ()
    draws: Mapping[str, FloatArray] | None = None
    form_error: FormError | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", MappingProxyType(dict(self.coefficients)))
        if self.draws is not None:
            object.__setattr__(self, "draws", MappingProxyType({k: _frozen(v) for k, v in self.draws.items()}))

    def predict(self, params: ArrayLike, tokens: ArrayLike, **others: ArrayLike) -> FloatArray:
        """Loss at N parameters and D tokens; the inputs broadcast.

        ``others`` are further inputs of the family by name (``unique_tokens``, ``experts``); those that are left out
        are what ``family.assumed`` says.
        """
        return self._surface(self._point, {"params": params, "tokens": tokens, **others})

    def predict_draws(self, params: ArrayLike, tokens: ArrayLike, **others: float) -> FloatArray | None:
        """Loss under every draw, shape (draws, ...inputs); None when the law has no draws."""
        if self.draws is None:
            return None
        N, D = np.broadcast_arrays(np.asarray(params, float), np.asarray(tokens, float))
        return self._surface(self._columns(N.ndim), {"params": N, "tokens": D, **others})

    def optimum(self, flops: ArrayLike) -> Optimum:
        """N*, D* and the loss there at a budget of C FLOPs, or an array of them, by the family's closed form."""
        return self._optimum(self._point, np.asarray(flops, float))

    def optimum_draws(self, flops: ArrayLike) -> Optimum | None:
        """The optimum under every draw, shape (draws, ...budgets); None when the law has no draws."""
        if self.draws is None:
            return None
        C = np.asarray(flops, float)
        return self._optimum(self._columns(C.ndim), C)

    def allocation(self) -> tuple[float, float] | None:
        """The exponents (a, b) of N* ∝ C^a and D* ∝ C^b, where the family has them."""
        exponents = self.family.allocation(self._point)
        return None if exponents is None else (float(exponents[0]), float(exponents[1]))

    @property
    def has_loss(self) -> bool:
        """Whether it says anything of the loss; an allocation does not, and its optima have a loss of NaN."""
        return bool(self.family.inputs)

    def assumptions(self, *given: str) -> tuple[str, ...]:
        """A sentence on the inputs that a question left out, beside those ``given``; none where there are none."""
        left = [(name, value) for name, value in self.family.assumed.items() if name not in given]
        said = ", ".join(f"{name} {'unlimited' if np.isinf(value) else f'{value:g}'}" for name, value in left)
        return (f"Assumed: {said}.",) if said else ()

    @property
    def has_optimum(self) -> bool:
        """Whether its family has a closed-form optimum; any other surface in N and D is searched in planning."""
        return type(self.family).optimum is not Family.optimum

    @property
    def _point(self) -> Coefficients:
        return {name: np.asarray(self.coefficients[name], float) for name in self.family.names}

    def _columns(self, input_ndim: int) -> Coefficients:
        """The draws with one trailing axis of length 1 for each axis of the inputs."""
        assert self.draws is not None
        tail = (1,) * input_ndim
        return {name: self.draws[name].reshape(-1, *tail) for name in self.family.names}

    def _surface(self, theta: Coefficients, inputs: Mapping[str, ArrayLike]) -> FloatArray:
        given = {name: np.asarray(value, float) for name, value in {**self.family.assumed, **inputs}.items()}
        if not self.has_loss:
            raise DataError(f"the law {self.id} says how to split a budget, and nothing about the loss; ask another.")
        unknown = [name for name in given if name not in (*self.family.inputs, "params", "tokens")]
        if unknown:
            raise DataError(f"the law {self.id} does not know {unknown[0]}: it reads {', '.join(self.family.inputs)}.")
        missing = [name for name in self.family.inputs if name not in given]
        if missing == ["flops"]:
            raise DataError(
                f"the law {self.id} knows only the compute-optimal frontier, not the loss at any N and D; "
                "ask for its optimum at a budget, or fit a surface in N and D (--approach 3)."
            )
        if missing:
            said = " ".join(f"--given {name}=..." for name in missing)
            raise DataError(f"the law {self.id} also needs {', '.join(missing)}: give it by name, as in {said}.")
        for name in self.family.inputs:
            self._refuse_impossible(name, given[name])
        return self.family.loss(theta, {name: given[name] for name in self.family.inputs})

    def _refuse_impossible(self, name: str, values: FloatArray) -> None:
        """UsageError for an input that is no number or lies where none of its kind does."""
        low, high = self.family.ranges.get(name, POSITIVE)
        possible = (values >= low) & (values <= high)
        if self.family.assumed.get(name) != np.inf:
            possible &= np.isfinite(values)
        if np.all(possible):
            return
        wanted = "a positive number" if low == POSITIVE[0] else f"a number of {low:g} or more"
        wanted += f" of {high:g} at most" if high < np.inf else ""
        raise UsageError(f"{name} is {values[~possible].flat[0]:g}; the law {self.id} takes {wanted}.")

    def _optimum(self, theta: Coefficients, flops: FloatArray) -> Optimum:
        self._refuse_impossible("flops", flops)
        best = self.family.optimum(theta, flops)
        if best is None:
            raise DataError(
                f"the family {self.family.name} of the law {self.id} has no closed-form optimum; "
                "isoflop plan searches where it is a surface in N and D."
            )
        N, D = best
        if not self.has_loss:
            return Optimum(params=N, tokens=D, loss=np.full(np.shape(N), np.nan))
        assumed = {name: np.asarray(value) for name, value in self.family.assumed.items()}
        inputs = {"flops": flops} if self.family.inputs == ("flops",) else {"params": N, "tokens": D, **assumed}
        return Optimum(params=N, tokens=D, loss=self.family.loss(theta, inputs))

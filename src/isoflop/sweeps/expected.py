"""What a design would tell of a target, before any of it is trained: the variance of the answer to first order."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from isoflop.errors import DataError, UsageError
from isoflop.fitting.objective import HUBER_DELTA
from isoflop.laws import Law
from isoflop.sweeps.designs import Design, FloatArray
from isoflop.sweeps.sensitivity import (
    Plausible,
    loss_sensitivities,
    optimum_sensitivities,
    plausible,
    run_sensitivities,
    waste_curvature,
)

RIDGE = 1e-12
"""Of the information's trace: a direction that no run sees is still a number, and an enormous variance."""


@dataclass(frozen=True)
class Expected:
    """The standard deviations of ln N* and of ln L at a target, and the share of the target's compute that the error
    of N* would waste on average; medians over the laws that the prior holds possible.
    """

    target: float
    params: float
    loss: float
    waste: float

    def params_factor(self, level: float = 0.9) -> float:
        """The interval of N* is from N* over to N* times this."""
        return float(np.exp(NormalDist().inv_cdf(0.5 + level / 2) * self.params))

    def loss_share(self, level: float = 0.9) -> float:
        """The interval of the loss is the loss times one plus or minus this."""
        return float(NormalDist().inv_cdf(0.5 + level / 2) * self.loss)


def expected(design: Design, prior: Law, *, noise: float, target: float) -> Expected:
    """What a fit of the design's runs (approach 3) would say at ``target`` FLOPs.

    ``noise`` is the standard deviation of ln L from run to run. By the delta method, with the price that the Huber
    criterion of ``fit`` pays under normal noise. To first order: where the answer's deviation is above a half, the
    true spread is larger. DataError for a design of fewer runs than the law has coefficients.

    >>> import isoflop as iso
    >>> from isoflop.sweeps.kinds import Frame, isoflop_design
    >>> prior = iso.law("besiroglu2024")
    >>> design = isoflop_design(Frame(1e21, prior))
    >>> expected(design, prior, noise=0.003, target=1e24).params_factor() > 1.2
    True
    """
    check_noise(noise)
    laws = plausible(prior)
    if len(design) < len(laws.free):
        raise DataError(f"{len(design)} runs cannot show the {len(laws.free)} coefficients of {prior.family.name}.")
    J = run_sensitivities(laws, design.params, design.tokens)
    covariance = np.asarray(np.linalg.inv(ridged(np.einsum("krp,krq->kpq", J, J))), float)
    scale = noise * np.sqrt(huber_price(noise))
    answer, loss = optimum_sensitivities(laws, target), loss_sensitivities(laws, target)
    variance = _quadratic(answer, covariance) * scale**2
    return Expected(
        target=target,
        params=float(np.sqrt(np.median(variance))),
        loss=float(np.sqrt(np.median(_quadratic(loss, covariance))) * scale),
        waste=float(np.median(0.5 * waste_curvature(laws, target) * variance)),
    )


def check_noise(noise: float) -> None:
    """Raise UsageError for a noise that is no small positive share of the loss."""
    if not 0 < noise < 0.5:
        raise UsageError(f"a noise of {noise:g} is no share of the loss; give the spread between seeds, as in 0.3%.")


def ridged(information: FloatArray) -> FloatArray:
    """Information matrices (K, P, P) made invertible whatever the runs do not see."""
    size = information.shape[-1]
    trace = np.trace(information, axis1=-2, axis2=-1)
    return np.asarray(information + RIDGE * trace[:, None, None] * np.eye(size))


def huber_price(noise: float, delta: float = HUBER_DELTA) -> float:
    """How much larger a variance the Huber criterion gives than least squares does under normal noise.

    E psi² / (E psi')² with psi the clipped residual (Huber 1964): pi/2 where all are clipped, 1 where none is.

    >>> [round(huber_price(noise), 3) for noise in (1e-4, 3e-3, 1.0)]
    [1.0, 1.344, 1.57]
    """
    k, normal = delta / noise, NormalDist()
    inside = 2 * normal.cdf(k) - 1
    squares = inside - 2 * k * normal.pdf(k) + 2 * k * k * (1 - normal.cdf(k))
    return squares / inside**2


def _quadratic(gradient: FloatArray, covariance: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("kp,kpq,kq->k", gradient, covariance, gradient))


def answer_of(laws: Plausible, goal: str, target: float) -> tuple[FloatArray, FloatArray]:
    """The gradient of the answer, (K, P), and what its variance weighs under each law, (K,)."""
    if goal == "loss":
        return loss_sensitivities(laws, target), np.ones(len(laws.log_optimum(target)))
    weight = waste_curvature(laws, target) if goal == "waste" else np.ones(len(laws.log_optimum(target)))
    return optimum_sensitivities(laws, target), weight

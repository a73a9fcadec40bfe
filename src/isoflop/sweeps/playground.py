"""The extrapolation playground: how region, rounding and a small bias of the losses change a law and what it foretells.

After the toy simulation in Weng, "Scaling Laws, Carefully" (June 2026,
lilianweng.github.io/posts/2026-06-24-scaling-laws): the truth is Besiroglu et al.'s surface, 36 networks are measured,
some of them fitted, and the fit is asked for the loss of a far larger one. Its slider of noise is a *bias*: a smooth
profile over ln N and ln D, the same at every setting, times so many thousandths. Two things differ here: the fit is
certified, by the criterion asked, where the post searches a grid and stops at its bounds; and a fit that cannot be had
is refused, with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop import laws
from isoflop.errors import UnknownName, UsageError
from isoflop.fitting import Fit, fit
from isoflop.quantities import format_si
from isoflop.runs import Runs
from isoflop.sweeps.designs import FLOPS_PER_PARAM_AND_TOKEN

FloatArray = NDArray[np.float64]

SCHEMA = "isoflop.design/1"
TRUTH = "besiroglu2024"
SIZES = np.array([1e8, 3e8, 7e8, 1e9, 3e9, 7e9, 1e10, 3e10, 7e10])
TOKENS_PER_PARAM = np.array([5.0, 10.0, 20.0, 40.0])
REGIONS = {"small": (0, 4), "medium": (2, 6), "all": (0, 9)}
"""The sizes of each region of the fit, as a slice of SIZES."""
MOST_DECIMALS = 4
CRITERIA = ("raw_least_squares", "huber", "least_squares", "absolute")


@dataclass(frozen=True, eq=False)
class Played:
    """What a setting of the playground comes to.

    ``loss`` are the 36 losses as measured and ``used`` which of them were fitted. The target is a network of
    ``target_params`` on ``target_tokens``, compute-optimal under the truth; ``true_loss`` is its loss,
    ``predicted_loss`` what the fit foretells, None where the fit is refused.
    """

    region: str
    decimals: int
    bias: float
    objective: str
    params: FloatArray
    tokens: FloatArray
    loss: FloatArray
    used: NDArray[np.bool_]
    fit: Fit
    target_params: float
    target_tokens: float
    true_loss: float
    predicted_loss: float | None

    @property
    def error(self) -> float | None:
        """Predicted less true loss at the target."""
        return None if self.predicted_loss is None else self.predicted_loss - self.true_loss

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the setting, every run, the fit's numbers and the two losses at the target."""
        truth, law = laws.law(TRUTH), self.fit.fitted
        columns = (
            self.params,
            self.tokens,
            FLOPS_PER_PARAM_AND_TOKEN * self.params * self.tokens,
            self.loss,
            self.used,
        )
        names = ("params", "tokens", "flops", "loss", "used")
        runs = [dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]
        return {
            "schema": SCHEMA,
            "kind": "playground",
            "setting": {
                "region": self.region,
                "decimals": self.decimals,
                "bias_millinats": self.bias,
                "objective": self.objective,
            },
            "truth": {"law": TRUTH, "coefficients": dict(truth.coefficients), "allocation": truth.allocation()},
            "runs": runs,
            "cost_flops": sum(run["flops"] for run in runs if run["used"]),
            "expected": {"params_opt_interval_ratio": None, "loss_interval": None},
            "fit": {
                "coefficients": None if law is None else dict(law.coefficients),
                "allocation": None if law is None else law.allocation(),
                "verdict": self.fit.verdict.status,
            },
            "target": {
                "params": self.target_params,
                "tokens": self.target_tokens,
                "true_loss": self.true_loss,
                "predicted_loss": self.predicted_loss,
                "error": self.error,
            },
            "notes": [note.message for note in self.fit.verdict.notes if note.code != "no_draws"],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """The setting, what was fitted beside the truth, and the two losses at the target."""
        biased = f", bias {self.bias:+g} millinats" if self.bias else ""
        rounding = f"{self.decimals} decimal{'' if self.decimals == 1 else 's'}"
        head = f"{self.used.sum()} runs ({self.region}), losses to {rounding}{biased}, by {self.objective}"
        at = f"{format_si(self.target_params)} parameters on {format_si(self.target_tokens)} tokens"
        law = self.fit.fitted
        if law is None or self.predicted_loss is None or self.error is None:
            reasons = "; ".join(note.message for note in self.fit.verdict.notes)
            return f"{head}: refused\n  {reasons}\n  {at}: true loss {self.true_loss:.4f}"
        truth = laws.law(TRUTH)
        exponents, true_exponents = law.allocation(), truth.allocation()
        assert exponents is not None
        assert true_exponents is not None
        rows = [(name, law.coefficients[name], truth.coefficients[name]) for name in ("alpha", "beta", "E")]
        rows += [("a", exponents[0], true_exponents[0]), ("b", exponents[1], true_exponents[1])]
        lines = [f"  {name:<6}{fitted:.4f}   truth {true:.4f}" for name, fitted, true in rows]
        foretold = f"predicted loss {self.predicted_loss:.4f}, true {self.true_loss:.4f}, error {self.error:+.4f}"
        return "\n".join([head, *lines, f"  {at}: {foretold}"])

    def __str__(self) -> str:
        return self.summary()


def playground(
    region: str = "all",
    *,
    decimals: int = MOST_DECIMALS,
    bias: float = 0.0,
    target_params: float = 1e15,
    objective: str = "raw_least_squares",
) -> Played:
    """Fit the runs of a ``region`` ("small", "medium", "all") and foretell the loss of ``target_params`` parameters.

    Losses are rounded to ``decimals`` (0 to 4) after ``bias``, in thousandths of a nat, times a smooth profile over the
    sizes was added; a jitter of about 0.01 from run to run is always there. ``objective`` is fit's: the post's is
    "raw_least_squares". Raises UsageError for a setting outside these.

    >>> played = playground("small")
    >>> f"{played.fit.allocation[0]:.2f}, {played.error:+.2f}"
    '0.53, -0.05'
    """
    _check(region, decimals, bias, target_params, objective)
    N, D, loss, used, found = _fitted(region, decimals, bias, objective)
    truth = laws.law(TRUTH)
    target_tokens = _optimal_tokens(truth, target_params)
    predicted = None if found.fitted is None else float(found.fitted.predict(target_params, target_tokens))
    true_loss = float(truth.predict(target_params, target_tokens))
    setting = (region, decimals, bias, objective)
    return Played(*setting, N, D, loss, used, found, target_params, target_tokens, true_loss, predicted)


@lru_cache(maxsize=256)  # whoever moves the target asks for the same fit again, and it is nearly all of the time
def _fitted(
    region: str, decimals: int, bias: float, objective: str
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_], Fit]:
    """N, D and the measured losses of the 36 runs, which of them are in the region, and the fit to these."""
    size, ratio = (axis.ravel() for axis in np.meshgrid(np.arange(9), np.arange(4), indexing="ij"))
    N = SIZES[size]
    D = TOKENS_PER_PARAM[ratio] * N
    exact = laws.law(TRUTH).predict(N, D) + _jitter(size, ratio) + bias / 1000 * _profile(N, D)
    loss = np.floor(exact * 10**decimals + 0.5) / 10**decimals
    first, last = REGIONS[region]
    used = (first <= size) & (size < last)
    for column in (N, D, loss, used):
        column.setflags(write=False)
    return (
        N,
        D,
        loss,
        used,
        fit(Runs(N[used], D[used], loss[used], source="the playground"), draws=0, objective=objective),
    )


def _check(region: str, decimals: int, bias: float, target_params: float, objective: str) -> None:
    if region not in REGIONS:
        raise UnknownName.among("region of the fit", region, REGIONS)
    if decimals not in range(MOST_DECIMALS + 1):
        raise UsageError(f"{decimals} decimals were asked for; a loss of the playground has 0 to {MOST_DECIMALS}.")
    if not abs(bias) <= 1000:
        raise UsageError(f"a bias of {bias:g} was asked for; it is thousandths of a nat, from -1000 to 1000.")
    if not SIZES[-1] < target_params <= 1e18:
        raise UsageError(
            f"a target of {target_params:g} parameters was asked for; give one above {SIZES[-1]:g}, the largest "
            "measured, and at most 1e18."
        )
    if objective not in CRITERIA:
        raise UnknownName.among("criterion of the playground", objective, CRITERIA)


def _jitter(size: NDArray[np.int64], ratio: NDArray[np.int64]) -> FloatArray:
    """What the post calls noise between runs: the same every time, .010 of a sine and .004 of a chequerboard."""
    wave = np.sin(1.91 * (size + 1) + 2.67 * (ratio + 1))
    return np.asarray(0.010 * wave + 0.004 * np.where((size + ratio) % 2 == 0, 1.0, -1.0))


def _profile(N: FloatArray, D: FloatArray) -> FloatArray:
    """The shape of the bias over ln N and ln D, both scaled to [0, 1] over all points."""
    n, d = (np.log(axis / axis.min()) / np.log(axis.max() / axis.min()) for axis in (N, D))
    plane = 1.15 * (n - 0.5) - 0.95 * (d - 0.5) + 0.80 * (n - 0.5) * (d - 0.5)
    return np.asarray(plane + 0.20 * np.sin(8 * n + 5 * d))


def _optimal_tokens(law: laws.Law, params: float) -> float:
    """D of the budget at which N parameters are optimal under the law, whose N* is a power of C."""
    allocation = law.allocation()
    assert allocation is not None
    flops = (params / float(law.optimum(1.0).params)) ** (1 / allocation[0])
    return float(flops / (FLOPS_PER_PARAM_AND_TOKEN * params))

"""A forecast, written down before the run that tests it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from isoflop.errors import UsageError
from isoflop.fitting import diagnose
from isoflop.fitting.result import Fit, Span
from isoflop.fitting.uncertainty import interval

SCHEMA = "isoflop.forecast/1"


@dataclass(frozen=True)
class Forecast:
    """What a fit expects at a budget that it has not seen.

    ``params``, ``tokens`` and ``loss`` are at the compute-optimal frontier, with intervals at ``level``.
    ``run_params`` is the network that will be trained to test it and ``run_interval`` holds the loss of
    that one run: it is wider than ``loss_interval`` by the noise of a seed and by the loss of missing
    N*. ``runs_digest`` names the table that the forecast was made from, ``made_at`` the time in UTC.
    """

    flops: float
    times_largest_budget: float
    params: float
    params_interval: Span
    tokens: float
    tokens_interval: Span
    loss: float
    loss_interval: Span
    run_params: float
    run_interval: Span
    level: float
    runs_digest: str
    made_at: str

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Forecast:
        if table.get("schema") != SCHEMA:
            raise UsageError(f"a forecast says schema {table.get('schema')!r}; this isoflop reads {SCHEMA!r}.")

        def as_written(value: Any) -> Any:  # JSON has lists where the dataclass has pairs
            return tuple(value) if isinstance(value, list) else value

        facts: Any = {field.name: as_written(table[field.name]) for field in fields(cls)}
        return cls(**facts)


@dataclass(frozen=True)
class Outcome:
    """What the run showed: ``error`` is (forecast - loss)/loss, ``inside`` whether the interval held."""

    run_id: str
    loss: float
    error: float
    inside: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def forecast(fit: Fit, flops: float, run_params: float, seed: int = 0) -> Forecast:
    """Forecast the optimum at ``flops``, and the loss of one run of ``run_params`` parameters there.

    ``fit`` is of approach 2 and has draws. The loss of missing N* is the parabola of the largest budget
    carried along: its curvature in ln N changes slowly with compute.
    """
    point, draws = fit.law.optimum(flops), fit.law.optimum_draws(flops)
    if draws is None or fit.noise_draws is None:
        raise UsageError("a forecast needs a fit with draws; this one has no measured noise.")
    largest = max((minimum for minimum in fit.minima if minimum.interior), key=lambda minimum: minimum.flops)
    missed = largest.parabola[2] * np.log(run_params / draws.params) ** 2
    # A stream of its own: the fit's draws came from default_rng(seed).
    seeds = fit.noise_draws * np.random.default_rng([seed, 1]).standard_normal(draws.loss.shape)
    return Forecast(
        flops=flops,
        times_largest_budget=flops / largest.flops,
        params=float(point.params),
        params_interval=interval(draws.params, fit.level),
        tokens=float(point.tokens),
        tokens_interval=interval(draws.tokens, fit.level),
        loss=float(point.loss),
        loss_interval=interval(draws.loss, fit.level),
        run_params=run_params,
        run_interval=interval(draws.loss + missed + seeds, fit.level),
        level=fit.level,
        runs_digest=fit.runs.digest(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def judge(forecast: Forecast, run_id: str, loss: float) -> Outcome:
    """Compare a forecast with the run that tests it."""
    low, high = forecast.run_interval
    return Outcome(run_id=run_id, loss=loss, error=(forecast.loss - loss) / loss, inside=low <= loss <= high)


def with_outcome(fit: Fit, forecast: Forecast, outcome: Outcome) -> Fit:
    """The fit with what its forecast's test has shown: a caution, in its verdict and its law, if it missed."""
    if outcome.inside or fit.fitted is None:
        return fit
    note = diagnose.forecast_missed(forecast.flops, forecast.run_interval, outcome.loss, forecast.level)
    law = replace(fit.fitted, caveats=(*fit.fitted.caveats, note.message))
    return replace(fit, verdict=diagnose.judged([*fit.verdict.notes, note]), fitted=law)

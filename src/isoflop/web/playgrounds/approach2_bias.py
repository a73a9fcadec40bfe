"""The bias of approach 2: a parabola through losses that are none, without any noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.fitting.bias import parabola_shift
from isoflop.fitting.isoflop import pivot, power_law
from isoflop.laws import Law, families
from isoflop.planning.valley import valley
from isoflop.quantities import format_flops
from isoflop.reports.axes import log_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

BUDGETS = np.geomspace(1e17, 1e21, 5)
"""Czech et al.'s five, with 15 runs at each and a plan for FAR."""
RUNS = 15
FAR = 1e24
FLOOR, AMPLITUDES = 1.69, (406.4, 410.7)
"""E, A and B move no vertex: with w = ln(D/D*) the loss is E + R (e^(alpha w)/alpha + e^(-beta w)/beta)."""
WIDTHS = np.geomspace(1.5, 32.0, 13)


@dataclass(frozen=True)
class Planned:
    """What five vertices come to: the exponent b of D* through them, and D* at FAR over the law's, less one."""

    exponent: float
    error: float


def answer(settings: Settings) -> Answer:
    """The error of the plan at FAR from five noise-free profiles."""
    alpha, beta, width = (settings.numbers[name] for name in ("alpha", "beta", "width"))
    centre, drift = settings.numbers["centre"], settings.numbers["drift"]
    theta = {"E": FLOOR, "A": AMPLITUDES[0], "B": AMPLITUDES[1], "alpha": alpha, "beta": beta}
    law = Law("planted", "a law whose optimum is known", families()["chinchilla"], theta)
    offsets = centre * np.geomspace(1.0, drift, BUDGETS.size)
    planned = _plan(law, width, offsets)
    true = alpha / (alpha + beta)
    params_error = -planned.error / (1 + planned.error)
    wasted = float(valley(law, FAR, 1 + params_error).wasted.value[0])
    middle = float(_shift(law, BUDGETS[2], width, offsets[2]))
    numbers = (
        Number("error of D* at 1e24 FLOPs", planned.error, f"{planned.error:+.2%}"),
        Number("error of N* at 1e24 FLOPs", params_error, f"{params_error:+.2%}"),
        Number("compute wasted there", wasted, f"{wasted:.3%}"),
        Number("exponent b of D*, fitted", planned.exponent, f"{planned.exponent:.4f}"),
        Number("exponent b of D*, true", true, f"{true:.4f}"),
        Number("error of D* at the middle budget", float(np.expm1(middle)), f"{np.expm1(middle):+.2%}"),
    )
    figures = {
        "profile": _profile(law, width, float(offsets[2]), middle),
        "error": _errors(law, offsets, width, planned.error),
    }
    return Answer(numbers, _sentence(planned, true, width, wasted), figures)


def _grid(law: Law, flops: float, width: float, offset: float) -> FloatArray:
    """D of the runs at one budget: from 1/width to width times ``offset`` D*, evenly in ln D."""
    return np.asarray(law.optimum(flops).tokens * offset * np.geomspace(1 / width, width, RUNS))


def _shift(law: Law, flops: float, width: float, offset: float) -> float:
    """ln D of the parabola's vertex less ln D*."""
    D = _grid(law, flops, width, offset)
    return -parabola_shift(law, flops / (6 * D), D)


def _plan(law: Law, width: float, offsets: FloatArray) -> Planned:
    drifts = np.ptp(offsets) > 0
    # The shift is the same at every budget where the grids are alike.
    different = zip(BUDGETS, offsets, strict=True) if drifts else [(BUDGETS[0], offsets[0])]
    some = [_shift(law, C, width, offset) for C, offset in different]
    best = law.optimum(BUDGETS).tokens * np.exp(np.broadcast_to(some, BUDGETS.shape))
    at_pivot, exponent = power_law(BUDGETS, best)
    there = at_pivot * (FAR / pivot(BUDGETS)) ** exponent
    return Planned(float(exponent), float(there / law.optimum(FAR).tokens - 1))


def _sentence(planned: Planned, true: float, width: float, wasted: float) -> str:
    corrupted = abs(planned.exponent - true) > 1e-6
    exponent = (
        f"the exponent b is {planned.exponent:.4f} in place of {true:.4f}" if corrupted else "the exponent is right"
    )
    return (
        f"Without any noise, parabolas over {width:.3g} times either way put D* at {format_flops(FAR)} FLOPs off by "
        f"{planned.error:+.2%}; {exponent}, and {wasted:.3%} of the compute is wasted."
    )


def _profile(law: Law, width: float, offset: float, shift: float) -> Figure:
    """Loss at the middle budget against D over D*."""
    flops = float(BUDGETS[2])
    best = law.optimum(flops)
    D = _grid(law, flops, width, offset)
    x = D / best.tokens
    loss = law.predict(flops / (6 * D), D)
    parabola = np.polyfit(np.log(x), loss, 2)
    low, high = min(x[0], 0.8), max(x[-1], 1.25)
    fine = drawing.spaced(low / 1.5, high * 1.5)
    vertex = float(np.exp(shift))
    true_loss, fitted_loss = float(best.loss), float(np.polyval(parabola, shift))
    hover = [f"D {at:.2f} D*<br>loss {one:.4f}" for at, one in zip(x, loss, strict=True)]
    data = [
        marks.line(fine, law.predict(flops / (6 * fine * best.tokens), fine * best.tokens), "@forecast", "dot"),
        marks.line(fine, np.polyval(parabola, np.log(fine)), "@law"),
        marks.points(x, loss, marks.marker("circle", "@muted", 7), hover),
        marks.points([1.0], [true_loss], marks.marker("star", "@forecast", 13), ["the true minimum"]),
        marks.points(
            [vertex], [fitted_loss], marks.marker("diamond-open", "@law", 12), [f"the parabola's, {vertex:.3f} D*"]
        ),
    ]
    caption = (
        "The profile at 1e19 FLOPs: true losses (dotted), runs, the parabola through them and its vertex (diamond); "
        "the true minimum is a star."
    )
    axis = log_axis("tokens D over the optimal D*", fine[0], fine[-1], lambda at: f"{at:g}")
    return drawing.figure(caption, data, axis, {"title": {"text": "loss (nats per token)"}})


def _errors(law: Law, offsets: FloatArray, width: float, error: float) -> Figure:
    errors = [100 * _plan(law, float(one), offsets).error for one in WIDTHS]
    data = [
        marks.line((WIDTHS[0], WIDTHS[-1]), (0.0, 0.0), "@forecast", "dot"),
        marks.line(WIDTHS, errors, "@law"),
        marks.points([width], [100 * error], marks.marker("diamond", "@law", 11), [f"{error:+.3%}"]),
    ]
    caption = "Error of D* at 1e24 FLOPs against the width of the grids, everything else as set."
    axis = log_axis("width k of the grid", WIDTHS[0], WIDTHS[-1], lambda at: f"{at:g}")
    return drawing.figure(caption, data, axis, {"title": {"text": "error of D* (%)"}})


PLAYGROUND = Playground(
    id="approach2_bias",
    title="The bias of parabolas",
    paper="Czech et al. 2026, arXiv 2603.22339",
    sentences=(
        "Approach 2 fits a parabola to the losses at each budget and takes its vertex for the optimum: is that right "
        "when there is no noise at all?",
        "Move how wide the grids of D are, where their centre lies, how it drifts from the smallest budget to the "
        "largest, and the two exponents of the true law.",
        "Where alpha and beta differ, one side of the profile is steeper and the vertex is off by the same factor at "
        "every budget; off-centre grids add to it, and only drifting ones spoil the exponent.",
    ),
    controls=(
        Control("width", "width of the grid: from 1/k to k times its centre, k", 8.0, low=1.5, high=32.0, log=True),
        Control("centre", "centre of the grid over the true D*", 1.0, low=0.25, high=4.0, log=True),
        Control("drift", "centre at the largest budget over that at the smallest", 1.0, low=0.25, high=4.0, log=True),
        Control("alpha", "alpha, exponent of loss in parameters", 0.34, low=0.1, high=0.6),
        Control("beta", "beta, exponent of loss in tokens", 0.28, low=0.1, high=0.6),
    ),
    answer=answer,
)

"""The isoFLOP figure as a static SVG: for a page without JavaScript, and for a README."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np

from isoflop.fitting import Fit, Forecast, Minimum, Outcome
from isoflop.quantities import format_flops
from isoflop.reports.axes import count_label, linear_ticks, log_span, log_ticks, loss_title, params_title
from isoflop.reports.figures import stragglers
from isoflop.reports.palette import SCHEMES, budget_roles, css_variables, painted_roles
from isoflop.reports.prose import verdict_line

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 16, 52
POINTS = 60

STYLE = """
.isoflop-svg { LIGHT font: 13px system-ui, sans-serif; background: var(--paper); }
@media (prefers-color-scheme: dark) { .isoflop-svg { DARK } }
.isoflop-svg text { fill: var(--muted); }
.isoflop-svg .grid { stroke: var(--rule); }
.isoflop-svg .budget { font-weight: 600; text-anchor: middle; }
"""


@dataclass(frozen=True)
class _Frame:
    """Where a value of N (log) and of the loss (linear) lies on the drawing, in pixels."""

    params: tuple[float, float]
    loss: tuple[float, float]

    def x(self, params: float) -> float:
        low, high = np.log(self.params)
        return float(LEFT + (np.log(params) - low) / (high - low) * (WIDTH - LEFT - RIGHT))

    def y(self, loss: float) -> float:
        low, high = self.loss
        return float(TOP + (high - loss) / (high - low) * (HEIGHT - TOP - BOTTOM))


def isoflop_svg(fit: Fit, forecast: Forecast | None = None, outcome: Outcome | None = None) -> str:
    """Loss against parameters: runs, parabolas, minima with intervals, and the run that tested the forecast.

    ``fit`` is of approach 2. The text is a whole SVG element that follows the reader's colour scheme.
    """
    roles = budget_roles([found.flops for found in fit.minima])
    names = [f"budget{rank}" for rank in range(len(roles))]
    light, dark = (css_variables(one, **painted_roles(names, roles, one)) for one in SCHEMES)
    style = STYLE.replace("LIGHT", light).replace("DARK", dark)
    frame = _frame(fit, forecast, outcome)
    marks = [_axes(fit, frame), *(_straggler(fit, row, frame) for row in stragglers(fit))]
    marks += [_profile(fit, rank, found, frame) for rank, found in enumerate(fit.minima)]
    if forecast and outcome:
        x, y = frame.x(forecast.run_params), frame.y(outcome.loss)
        marks.append(f'<path d="{_star(x, y)}" fill="var(--forecast)"><title>{escape(outcome.run_id)}</title></path>')
        marks.append(_label(x, y + 24, f"{format_flops(forecast.flops)}, forecast", "var(--forecast)"))
    title = escape(f"Loss against parameters at fixed compute. {verdict_line(fit)}.")
    return (
        f'<svg class="isoflop-svg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{title}</title><style>{style}</style>\n" + "\n".join(marks) + "\n</svg>\n"
    )


def _frame(fit: Fit, forecast: Forecast | None, outcome: Outcome | None) -> _Frame:
    params, losses = [*fit.runs.params], [*fit.runs.loss, *(found.loss_min for found in fit.minima)]
    if forecast and outcome:
        params, losses = [*params, forecast.run_params], [*losses, outcome.loss]
    low, high = min(losses), max(losses)
    room = max(high - low, 0.01 * high)
    return _Frame(log_span(params), (low - 0.1 * room, high + 0.04 * room))


def _axes(fit: Fit, frame: _Frame) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    marks = []
    for tick in log_ticks(*frame.params):
        x = frame.x(tick)
        marks.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        marks.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{count_label(tick)}</text>')
    for tick in linear_ticks(*frame.loss):
        y = frame.y(tick)
        marks.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    names = escape(params_title(fit.runs.conventions)), escape(loss_title(fit.runs.conventions))
    middle = (TOP + bottom) / 2
    marks.append(f'<text x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{names[0]}</text>')
    marks.append(f'<text transform="translate(16 {middle:.1f}) rotate(-90)" text-anchor="middle">{names[1]}</text>')
    return "\n".join(marks)


def _profile(fit: Fit, rank: int, found: Minimum, frame: _Frame) -> str:
    colour = f"var(--budget{rank})"
    shape = SHAPES[rank % len(SHAPES)]
    marks = []
    if any(found.parabola[1:]):
        used = fit.runs.params[list(found.used)]
        N = np.geomspace(used.min(), used.max(), POINTS)
        steps = zip(N, found.loss_at(N), strict=True)
        path = "M" + "L".join(f"{frame.x(n):.1f} {frame.y(loss):.1f}" for n, loss in steps)
        marks.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for row in found.rows:
        d = shape(frame.x(fit.runs.params[row]), frame.y(fit.runs.loss[row]))
        filled = colour if row in found.used else "none"
        marks.append(f'<path d="{d}" fill="{filled}" stroke="{colour}" stroke-width="1.2"/>')
    x, y = frame.x(found.params_opt), frame.y(found.loss_min)
    if found.params_interval:
        low, high = (frame.x(bound) for bound in found.params_interval)
        ends = f"M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}"
        marks.append(f'<path d="{ends}" stroke="{colour}" stroke-width="1.5"/>')
    fill = colour if found.interior else "var(--paper)"
    marks.append(f'<path d="{_diamond(x, y, 6)}" fill="{fill}" stroke="{colour}" stroke-width="1.2"/>')
    marks.append(_label(x, y + 22, format_flops(found.flops) + ("" if found.interior else " (no minimum)"), colour))
    return "\n".join(marks)


def _straggler(fit: Fit, row: int, frame: _Frame) -> str:
    """A run that belongs to no profile: a cross."""
    x, y = frame.x(fit.runs.params[row]), frame.y(fit.runs.loss[row])
    return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8M{x + 4:.1f} {y - 4:.1f}l-8 8" stroke="var(--muted)"/>'


def _label(x: float, y: float, text: str, colour: str) -> str:
    return f'<text class="budget" x="{x:.1f}" y="{y:.1f}" style="fill: {colour}">{escape(text)}</text>'


def _circle(x: float, y: float) -> str:
    return f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"


def _square(x: float, y: float) -> str:
    return f"M{x - 3.6:.1f} {y - 3.6:.1f}h7.2v7.2h-7.2Z"


def _triangle(x: float, y: float) -> str:
    return f"M{x:.1f} {y - 5:.1f}l4.6 8h-9.2Z"


def _diamond(x: float, y: float, size: float) -> str:
    return f"M{x:.1f} {y - size:.1f}l{size} {size}l{-size} {size}l{-size} {-size}Z"


def _star(x: float, y: float) -> str:
    angles = np.pi * (np.arange(10) / 5 - 0.5)
    radii = np.where(np.arange(10) % 2 == 0, 9.0, 3.8)
    return (
        "M"
        + "L".join(f"{x + r * np.cos(t):.1f} {y + r * np.sin(t):.1f}" for r, t in zip(radii, angles, strict=True))
        + "Z"
    )


SHAPES: tuple[Callable[[float, float], str], ...] = (_circle, _square, _triangle)

"""One-dimensional searches, vectorised: many roots, or many minima, at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]

# Central differences of order 8 (Fornberg 1988, table 1): exact for polynomials of degree 8.
FIRST = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280])
SECOND = np.array([8 / 5, -1 / 5, 8 / 315, -1 / 560])
SECOND_MIDDLE = -205 / 72
STEP = 0.06
"""In nepers. The error of the slope is STEP^8/630 of the ninth derivative; rounding adds 1e-16/STEP."""

GRID = 64
CLOSE = 1e-12
NEWTONS = 12
"""A smooth valley takes four to nine steps; beyond, the steps are thrown about by a kink."""
ASIDE = 1e-5
"""So far beside the least of a valley its values are looked at."""
KINK = 1e-13
SECTIONS = 42
ROUNDING = 4 * np.finfo(float).eps
TRIES = 400
"""Some fifteen do where f is smooth; halving every second time, they bring any interval down to rounding."""


def slope(f: Function, x: FloatArray) -> FloatArray:
    """df/dx of a smooth function.

    >>> abs(float(slope(np.exp, np.array(0.0))) - 1) < 1e-12
    True
    """
    total = sum(weight * (f(x + k * STEP) - f(x - k * STEP)) for k, weight in enumerate(FIRST, 1))
    return np.asarray(total / STEP)


def _slope_and_bend(f: Function, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """df/dx and d2f/dx2 from the same nine values."""
    first, second = np.zeros(()), SECOND_MIDDLE * f(x)
    for k in range(1, 5):
        right, left = f(x + k * STEP), f(x - k * STEP)
        first = first + FIRST[k - 1] * (right - left)
        second = second + SECOND[k - 1] * (right + left)
    return first / STEP, second / STEP**2


def least(f: Function, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """Where f is least between low and high, elementwise; NaN where that is an edge.

    A grid finds the valley, whatever else there is; then Newton's method on the slope, held inside the valley. From
    values alone a minimum is known to the root of the rounding error only (1e-8); from the slope, to 1e-12.

    >>> round(float(least(lambda x: np.cosh(x - 1.25), -20.0, 20.0)), 12)
    1.25
    """
    with np.errstate(all="ignore"):
        bottom, top = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
        width = (top - bottom) / (GRID - 1)
        best = np.nan_to_num(f(bottom), nan=np.inf)  # where a function is none, nothing is least
        where = np.zeros(best.shape)
        for k in range(1, GRID):
            value = f(bottom + k * width)
            better = value < best
            best, where = np.where(better, value, best), np.where(better, k, where)
        inside = (where > 0) & (where < GRID - 1)
        left, right = bottom + (where - 1) * width, bottom + (where + 1) * width
        found, bend = _newton(f, left, right)
        here = f(found)
        rises = f(found - ASIDE) - here, f(found + ASIDE) - here
        smooth = (rises[0] > 0) & (rises[1] > 0) & (rises[0] + rises[1] < 4 * bend * ASIDE**2)
        if np.any(inside & ~smooth):  # at a kink the slope's central differences are blind, and values decide
            sectioned = _golden(f, left, right)
            lower = f(sectioned) < here - KINK * np.abs(here)
            found = np.where(~smooth & lower, sectioned, found)
        return np.where(inside, found, np.nan)


def _golden(f: Function, low: FloatArray, high: FloatArray) -> FloatArray:
    """The least of a function with one valley between low and high, by golden sections: to the root of rounding."""
    ratio = (np.sqrt(5) - 1) / 2
    c, d = high - ratio * (high - low), low + ratio * (high - low)
    fc, fd = f(c), f(d)
    for _ in range(SECTIONS):
        keep = fc < fd
        low, high = np.where(keep, low, c), np.where(keep, d, high)
        inner = np.where(keep, high - ratio * (high - low), low + ratio * (high - low))
        value = f(inner)
        c, d = np.where(keep, inner, d), np.where(keep, c, inner)
        fc, fd = np.where(keep, value, fd), np.where(keep, fc, value)
    return 0.5 * (low + high)


def _newton(f: Function, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where the slope vanishes between low and high, halving where Newton's step leaves them; and the bend there."""
    x = 0.5 * (low + high)
    for _ in range(NEWTONS):
        first, second = _slope_and_bend(f, x)
        low, high = np.where(first > 0, low, x), np.where(first > 0, x, high)
        step = x - first / second
        trusted = (second > 0) & (step >= low) & (step <= high)
        moved = np.where(trusted, step, 0.5 * (low + high))
        done = np.abs(moved - x) <= CLOSE * (1 + np.abs(x))
        x = moved
        if np.all(done | ~np.isfinite(x)):
            break
    return x, second


def root(f: Function, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """Where f changes its sign between low and high, elementwise, to rounding; NaN where it does not.

    Chandrupatla's method (Advances in Engineering Software 28, 1997, 145): inverse quadratic interpolation where three
    points bear it, halving where they do not, so that no flat tail leads it astray.

    >>> round(float(root(lambda x: x**3 - 2, 0.0, 8.0)), 12) == round(2 ** (1 / 3), 12)
    True
    """
    with np.errstate(all="ignore"):
        x2, x1 = np.asarray(low, float), np.asarray(high, float)
        x2, x1, f2, f1 = np.broadcast_arrays(x2, x1, f(x2), f(x1))
        crosses = np.sign(f2) * np.sign(f1) <= 0
        found, done, t = np.where(f1 == 0, x1, x2), ~crosses | (f1 == 0) | (f2 == 0), np.asarray(0.5)
        for _ in range(TRIES):
            if np.all(done):
                break
            x = x1 + t * (x2 - x1)
            value = f(x)
            same = np.sign(value) == np.sign(f1)
            x3, f3 = np.where(same, x1, x2), np.where(same, f1, f2)
            x2, f2 = np.where(same, x2, x1), np.where(same, f2, f1)
            x1, f1 = x, value
            nearer = np.abs(f1) < np.abs(f2)
            found = np.where(done, found, np.where(nearer, x1, x2))
            least_step = ROUNDING * np.abs(found) / np.abs(x2 - x1)
            done = done | (least_step > 0.5) | np.where(nearer, f1 == 0, f2 == 0)
            t = np.clip(_interpolated((x1, x2, x3), (f1, f2, f3)), least_step, 1 - least_step)
        return np.where(crosses, found, np.nan)


def _interpolated(x: tuple[FloatArray, ...], f: tuple[FloatArray, ...]) -> FloatArray:
    """How far from the first point to the second the inverse parabola through three points puts the root; the middle
    where it may not be trusted."""
    (x1, x2, x3), (f1, f2, f3) = x, f
    xi, phi = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
    along = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
    return np.where((phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi), along, 0.5)

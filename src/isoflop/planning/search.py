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
KINK = 1e-13
SECTIONS = 42
HALVINGS = 70
"""An interval of 230 nepers comes to less than rounding."""


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
        smooth, sectioned = _newton(f, left, right), _golden(f, left, right)
        # At a kink the slope's central differences are blind, and values decide.
        found = np.where(f(sectioned) < f(smooth) - KINK * np.abs(f(smooth)), sectioned, smooth)
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


def _newton(f: Function, low: FloatArray, high: FloatArray) -> FloatArray:
    """Where the slope vanishes between low and high; halving where Newton's step leaves them."""
    x = 0.5 * (low + high)
    for _ in range(80):
        first, second = _slope_and_bend(f, x)
        low, high = np.where(first > 0, low, x), np.where(first > 0, x, high)
        step = x - first / second
        trusted = (second > 0) & (step > low) & (step < high)
        moved = np.where(trusted, step, 0.5 * (low + high))
        done = np.abs(moved - x) <= CLOSE * (1 + np.abs(x))
        x = moved
        if np.all(done | ~np.isfinite(x)):
            break
    return x


def root(f: Function, low: ArrayLike, high: ArrayLike) -> FloatArray:
    """Where f changes its sign between low and high, elementwise, to rounding; NaN where it does not.

    Halving: seventy evaluations whatever f is, and none of them can be led astray by a flat tail.

    >>> round(float(root(lambda x: x**3 - 2, 0.0, 8.0)), 12) == round(2 ** (1 / 3), 12)
    True
    """
    with np.errstate(all="ignore"):
        left, right = np.asarray(low, float), np.asarray(high, float)
        below, above = np.sign(f(left)), np.sign(f(right))
        left, right, below, above = np.broadcast_arrays(left, right, below, above)
        crosses = below * above <= 0
        for _ in range(HALVINGS):
            middle = 0.5 * (left + right)
            side = np.sign(f(middle))
            left, right = np.where(side == below, middle, left), np.where(side == below, right, middle)
        return np.where(crosses, 0.5 * (left + right), np.nan)

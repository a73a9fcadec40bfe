"""Emergence as an artefact of the metric: one smooth power law, scored in ways that leap and ways that do not."""

from __future__ import annotations

import math

import numpy as np

from isoflop.quantities import format_si
from isoflop.reports.axes import log_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

EXACT, LOGARITHMIC, EDIT = "exact match", "exact match, logarithmic axis", "token edit distance"
SMALLEST, LARGEST = 1e6, 1e12
NETWORKS = np.geomspace(SMALLEST, LARGEST, 13)
"""Two a decade."""


def answer(settings: Settings) -> Answer:
    """The scores of networks whose loss a token is (N/c)^-alpha, so that a token is right with p = e^-loss."""
    c, alpha = settings.numbers["scale"], settings.numbers["alpha"]
    length, tests = round(settings.numbers["length"]), round(settings.numbers["tests"])
    metric = settings.choices["metric"]

    def token_loss(N: FloatArray) -> FloatArray:
        return np.asarray((N / c) ** -alpha)

    def params_at(exact: float) -> float:
        """N at which p^length is so much: length (N/c)^-alpha = -ln of it."""
        return float(c * (length / -math.log(exact)) ** (1 / alpha))

    seen, half = params_at(1 / tests), params_at(0.5)
    at_seen = tests ** (-1 / length)
    numbers = (
        Number("parameters at which one test in the set is solved", seen, format_si(seen)),
        Number("parameters at which half of them are", half, format_si(half)),
        Number("powers of ten between the two", math.log10(half / seen), f"{math.log10(half / seen):.2f}"),
        Number("tokens that are right at the first of these", at_seen, f"{at_seen:.1%}"),
        Number("tokens that are right when half of the tests are", 0.5 ** (1 / length), f"{0.5 ** (1 / length):.1%}"),
    )
    N = drawing.spaced(SMALLEST, LARGEST)
    figures = {
        "score": _scores(N, token_loss(N), token_loss(NETWORKS), (length, tests), metric),
        "loss": _losses(N, token_loss(N), token_loss(NETWORKS)),
    }
    return Answer(numbers, _sentence(length, tests, seen, half, at_seen), figures)


def _sentence(length: int, tests: int, seen: float, half: float, at_seen: float) -> str:
    return (
        f"On {tests} tests of {length} token{'s' * (length > 1)} exact match is nothing below {format_si(seen)} "
        f"parameters, where {at_seen:.0%} of the tokens are right already, and half at {format_si(half)}."
    )


def _scores(N: FloatArray, loss: FloatArray, at: FloatArray, asked: tuple[int, int], metric: str) -> Figure:
    """The chosen metric: what it is on average, and as a test set typically shows it."""
    length, tests = asked
    expected, typical = np.exp(-length * loss), np.round(tests * np.exp(-length * at)) / tests
    x = drawing.count_axis("parameters N", SMALLEST / 1.5, LARGEST * 1.5)
    if metric == EDIT:
        expected, typical = length * -np.expm1(-loss), np.round(tests * length * -np.expm1(-at)) / tests
        y = drawing.number_axis(f"tokens that are wrong, of {length}", -0.05 * length, 1.05 * length)
        caption = "Token edit distance: on average (line) and on the test set (points). It falls without a leap."
    elif metric == LOGARITHMIC:
        low = min(0.1 / tests, 1e-3)
        y = log_axis("exact match", low, 2.0, lambda share: f"{share:g}")
        caption = (
            "Exact match on a logarithmic axis: no leap, but scores under one test in the set (dotted) are not seen."
        )
    else:
        y = drawing.number_axis("exact match", -0.05, 1.05)
        caption = "Exact match: on average (line) and on the test set (points). It leaps where the loss does not."
    hover = [f"N {format_si(params)}<br>{score:.4g}" for params, score in zip(NETWORKS, typical, strict=True)]
    shown = np.maximum(expected, 1e-300) if metric == LOGARITHMIC else expected
    data = [marks.line(N, shown, "@law")]
    if metric == LOGARITHMIC:
        data += drawing.level_line((SMALLEST, LARGEST), 1 / tests, "one test")
    visible = typical > 0 if metric == LOGARITHMIC else np.full(typical.shape, True)
    text = [one for one, shows in zip(hover, visible, strict=True) if shows]
    data.append(marks.points(NETWORKS[visible], typical[visible], marks.marker("circle", "@forecast", 8), text))
    return drawing.figure(caption, data, x, y)


def _losses(N: FloatArray, loss: FloatArray, at: FloatArray) -> Figure:
    hover = [f"N {format_si(params)}<br>loss {one:.3g}" for params, one in zip(NETWORKS, at, strict=True)]
    points = marks.points(NETWORKS, at, marks.marker("circle", "@forecast", 8), hover)
    low, high = float(loss.min()) / 1.5, float(loss.max()) * 1.5
    y = log_axis("loss a token (nats)", low, high, lambda value: f"{value:g}")
    x = drawing.count_axis("parameters N", SMALLEST / 1.5, LARGEST * 1.5)
    caption = "The same networks by their loss a token: a power law, and nothing emerges."
    return drawing.figure(caption, [marks.line(N, loss, "@law"), points], x, y)


PLAYGROUND = Playground(
    id="emergence",
    title="Emergence as an artefact of the metric",
    paper="Schaeffer et al. 2023, arXiv 2304.15004",
    sentences=(
        "Abilities are said to emerge suddenly at some size: does the network change suddenly, or only its score?",
        "Move how many tokens must all be right, the metric, how many tests there are and how fast the loss falls.",
        "The loss a token falls as a power law throughout, yet exact match over k tokens is that of one to the k-th "
        "power: nothing for long and then all at once, where edit distance on the same answers moves steadily.",
    ),
    controls=(
        Control("metric", "metric", EXACT, (EXACT, LOGARITHMIC, EDIT)),
        Control("length", "tokens that must all be right, k", 10.0, low=1, high=50, step=1),
        Control("tests", "tests in the set", 100.0, low=2, high=10_000, step=1),
        Control("alpha", "exponent of the loss a token", 0.35, low=0.1, high=1.0),
        Control("scale", "parameters at which that loss is 1 nat", 1e8, low=1e6, high=1e10, log=True),
    ),
    answer=answer,
)

"""The three regions of a learning curve, and how little of it is a power law where there is a floor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isoflop.laws import Law, families
from isoflop.quantities import format_si
from isoflop.reports.axes import linear_ticks, log_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

SMOOTH, ENVELOPE = "smooth join", "Rosenfeld et al.'s envelope"
DECADES = (-3.0, 45.0)
"""Powers of ten about the entry that are searched for the end of the power law; exponents near 0 take long."""
SEARCHED = 4001
ANY_SIZE = 1.0
"""N of the envelope, whose A is 0 here: tokens alone are asked."""


def answer(settings: Settings) -> Answer:
    """Where the local exponent is half its greatest or more, and what that greatest is."""
    entry, exponent, floor = (settings.numbers[name] for name in ("entry", "exponent", "floor"))
    curve = _curve(settings.choices["form"], settings.numbers["guess"], entry, exponent, floor)
    D = entry * 10 ** np.linspace(*DECADES, SEARCHED)
    slope = _local(curve, D)
    steepest = float(slope.max())
    inside = np.flatnonzero(slope >= steepest / 2)
    first, last = float(D[inside[0]]), float(D[inside[-1]])
    span, loss = float(np.log10(last / first)), float(curve(np.array(last)))
    if not floor:  # the power law goes on
        last = span = loss = np.inf
    numbers = (
        Number("steepest local exponent", steepest, f"{steepest:.3f}"),
        _number("tokens at which it is steepest", float(D[slope.argmax()]) if floor else np.inf, format_si),
        _number("power law from (tokens)", first, format_si),
        _number("power law to (tokens)", last, format_si),
        _number("powers of ten", span, "{:.1f}".format),
        _number("loss where it ends", loss, "{:.2f}".format),
    )
    shown = drawing.spaced(entry / 1e3, entry * 1e9)
    figures = {
        "curve": _losses(curve, shown, settings.numbers["guess"], floor, (first, last)),
        "exponent": _slopes(shown, _local(curve, shown), exponent, (first, last)),
    }
    return Answer(numbers, _sentence(exponent, steepest, first, last), figures)


def _number(label: str, value: float, text: Callable[[float], str]) -> Number:
    return Number(label, value, text(value)) if np.isfinite(value) else Number(label, None, "no end")


def _curve(form: str, guess: float, entry: float, exponent: float, floor: float) -> Callable[[FloatArray], FloatArray]:
    """Loss at D. The entry of the envelope is where its power law reaches the loss of a guess."""
    known = families()
    if form == SMOOTH:
        theta = {"E": floor, "L_0": guess, "D_0": entry, "beta": exponent}
        smooth = Law("a learning curve", SMOOTH, known["hestness"], theta)
        return lambda D: smooth.predict(ANY_SIZE, D)
    theta = {"E": floor, "A": 0.0, "alpha": 1.0, "B": (guess - floor) * entry**exponent, "beta": exponent, "L_0": guess}
    saturating = Law("a learning curve", ENVELOPE, known["rosenfeld"], theta)
    return lambda D: saturating.predict(ANY_SIZE, D)


def _local(curve: Callable[[FloatArray], FloatArray], D: FloatArray) -> FloatArray:
    """-d ln L / d ln D, by a central difference of a hundredth in ln D."""
    half = 0.005
    return np.asarray(np.log(curve(D * np.exp(-half)) / curve(D * np.exp(half))) / (2 * half))


def _sentence(exponent: float, steepest: float, first: float, last: float) -> str:
    if np.isinf(last):
        return (
            f"Without a floor the loss goes over, about {format_si(first)} tokens, to a power law, D^-{steepest:.2f}."
        )
    return (
        f"The slope is half its steepest or more from {format_si(first)} to {format_si(last)} tokens, and even there "
        f"it is {steepest:.3f} at most, {steepest / exponent:.0%} of the exponent of what lies above the floor."
    )


def _losses(
    curve: Callable[[FloatArray], FloatArray], D: FloatArray, guess: float, floor: float, region: tuple[float, float]
) -> Figure:
    ends = (float(D[0]), float(D[-1]))
    loss = curve(D)
    data = [*drawing.level_line(ends, guess, "a guess"), marks.line(D, loss, "@law")]
    low = max(float(loss.min()), 0.01)
    if floor > 0:
        data += drawing.level_line(ends, floor, "irreducible")
    caption = "Loss against tokens, both logarithmic; where the slope is half its steepest or more is shaded."
    y = log_axis("loss (nats per token)", 0.8 * min(low, floor or low), 1.3 * guess, lambda value: f"{value:g}")
    x = drawing.count_axis("tokens D", *ends)
    return drawing.figure(caption, data, x, y, shapes=[marks.beyond(region[0], min(region[1], ends[1]))])


def _slopes(D: FloatArray, slope: FloatArray, exponent: float, region: tuple[float, float]) -> Figure:
    ends = (float(D[0]), float(D[-1]))
    data = [*drawing.level_line(ends, exponent, "exponent above the floor"), marks.line(D, slope, "@law")]
    caption = "The local exponent of the loss itself: what a ruler on the first figure would measure."
    y = {"title": {"text": "local exponent -d ln L / d ln D"}, "range": [-0.05 * exponent, 1.2 * exponent]}
    y |= {"tickvals": linear_ticks(0.0, 1.2 * exponent)}
    x = drawing.count_axis("tokens D", *ends)
    return drawing.figure(caption, data, x, y, shapes=[marks.beyond(region[0], min(region[1], ends[1]))])


PLAYGROUND = Playground(
    id="learning_curve",
    title="The regions of a learning curve",
    paper="Hestness et al. 2017, arXiv 1712.00409",
    sentences=(
        "With few tokens a network guesses, with many it ends at an irreducible loss, and between the two the loss "
        "falls as a power: how wide is that region?",
        "Move where learning sets in, the exponent, the floor and the loss of a guess; choose how the regions join.",
        "A floor bends the line long before it is reached, so that the exponent read off a plot is less than the "
        "true one; it is steepest midway, where the slope stays nearly constant for a few powers of ten.",
    ),
    controls=(
        Control(
            "form",
            "how the regions join",
            SMOOTH,
            (SMOOTH, ENVELOPE),
            help="The envelope is Rosenfeld et al. 2020, arXiv 1909.12673.",
        ),
        Control("entry", "tokens at which learning sets in", 1e6, low=1e4, high=1e9, log=True),
        Control("exponent", "exponent above the floor", 0.35, low=0.05, high=1.0),
        Control("floor", "irreducible loss (nats)", 1.7, low=0.0, high=4.0),
        Control(
            "guess",
            "loss of a guess (nats)",
            10.4,
            low=5.0,
            high=12.5,
            help="ln of the vocabulary: 10.4 for 32,000 tokens.",
        ),
    ),
    answer=answer,
)

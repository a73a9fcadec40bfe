"""Compute, parameters and tokens: C = 6 N D makes one plane of three logarithmic axes, and every network is a point."""

from __future__ import annotations

from functools import cache
from html import escape

import numpy as np

from isoflop.laws import Law
from isoflop.planning.known import Placed, known_networks, place
from isoflop.quantities import format_flops, format_number, format_si
from isoflop.reports.axes import count_label, flops_axis, log_axis, log_span
from isoflop.reports.figures import Figure, marks
from isoflop.reports.figures.marks import Trace
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

AXES = {"N against C": ("C", "N"), "D against C": ("C", "D"), "D against N": ("N", "D")}
RANGES = {"C": (3e20, 1e26), "N": (7e7, 1.5e12), "D": (1.2e11, 6e13)}
NETWORKS = tuple(one.id for one in known_networks())
LAWS = ("besiroglu2024", "hoffmann2022", "sardana2023")
LETTERS = 11
LETTER = (0.016, 0.05)
"""How wide and high a letter is as a share of the drawing at its usual size."""
SIDES = {"middle right": (1, 0), "middle left": (-1, 0), "top center": (0, 1), "bottom center": (0, -1)}
SIDES |= {"top right": (1, 1), "bottom right": (1, -1), "top left": (-1, 1), "bottom left": (-1, -1)}
Box = tuple[float, float, float, float]
"""Middle, width and height, as shares of the drawing."""
BUDGETS = np.geomspace(1e17, 1e29, drawing.POINTS)

placed = cache(place)


def answer(settings: Settings) -> Answer:
    """Where the chosen network lies, beside the others and the law's optimum at its compute."""
    law = drawing.law_at_its_point(settings.choices["law"])
    networks = placed(law)
    chosen = next(one for one in networks if one.known.id == settings.choices["network"])
    N, D, optimal = chosen.params, chosen.known.tokens, chosen.optimal_params
    numbers = (
        Number("parameters", N, format_si(N)),
        Number("tokens", D, format_si(D)),
        Number("compute, 6 N D (FLOPs)", chosen.flops, format_flops(chosen.flops)),
        Number("tokens per parameter", D / N, format_number(D / N, 3)),
        Number(
            "that over the optimum's at its compute",
            chosen.ratio_over_optimal,
            format_number(chosen.ratio_over_optimal, 2),
        ),
        Number("compute-optimal parameters at its compute", optimal, format_si(optimal)),
        Number("loss under the law", chosen.loss, f"{chosen.loss:.3f}"),
        Number("training compute that another split would save", chosen.wasted, f"{chosen.wasted:.1%}"),
    )
    pair = AXES[settings.choices["axes"]]
    figures = {
        "networks": _networks(law, networks, chosen, pair, settings.numbers["ratio"]),
        "distance": _distances(networks, chosen),
    }
    return Answer(numbers, _sentence(chosen, law), figures)


def _sentence(chosen: Placed, law: Law) -> str:
    times = chosen.ratio_over_optimal
    far = f"{format_number(times, 2)} times" if times >= 1 else f"1/{format_number(1 / times, 2)} of"
    return (
        f"Under {law.id} {chosen.known.id} is {chosen.trained}, with {far} the tokens per parameter of the optimum at "
        f"its compute; the same loss could be had for {chosen.wasted:.1%} less training compute."
    )


def _along(pair: tuple[str, str], N: FloatArray, D: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of N and D on the two chosen axes."""
    values = {"N": N, "D": D, "C": 6 * N * D}
    return values[pair[0]], values[pair[1]]


def _networks(law: Law, networks: tuple[Placed, ...], chosen: Placed, pair: tuple[str, str], ratio: float) -> Figure:
    best = law.optimum(BUDGETS)
    at_ratio = np.sqrt(BUDGETS / (6 * ratio))
    data = _contours(pair)
    data += [marks.line(*_along(pair, at_ratio, ratio * at_ratio), "@muted", "dash")]
    data += [marks.line(*_along(pair, best.params, best.tokens), "@law")]
    params, tokens = np.array([(one.params, one.known.tokens) for one in networks]).T
    x, y = _along(pair, params, tokens)
    sides = _sides(x, y, [one.known.id for one in networks], pair, networks.index(chosen))
    for at, one in sorted(enumerate(networks), key=lambda numbered: numbered[1] is chosen):  # that one on top
        colour = "@forecast" if one is chosen else "@ink"
        source = "" if one.known.read else "<br>tokens remembered, not read in a source"
        counts = f"N {format_si(one.params)}, D {format_si(one.known.tokens)}, C {format_flops(one.flops)}"
        mark = marks.marker("star", colour, 14) if one is chosen else marks.marker("circle", colour, 7)
        point = marks.points(x[at : at + 1], y[at : at + 1], mark, [f"{escape(one.known.id)}<br>{counts}{source}"])
        if at in sides:
            named = {"mode": "markers+text", "text": [escape(one.known.id)], "textposition": sides[at]}
            point |= {**named, "textfont": {"color": colour, "size": LETTERS}}
        data.append(point)
    caption = (
        f"Trained networks (points), the optimum of {law.id} (line) and {ratio:.3g} tokens per "
        "parameter (dashed); thin lines are equal in the third quantity."
    )
    return drawing.figure(caption, data, _axis(pair[0]), _axis(pair[1]))


def _sides(x: FloatArray, y: FloatArray, names: list[str], pair: tuple[str, str], first: int) -> dict[int, str]:
    """On which side of its point each name has room, the chosen network's first; a name without room is left out."""
    across, up = (
        np.log(values / RANGES[axis][0]) / np.log(RANGES[axis][1] / RANGES[axis][0])
        for values, axis in zip((x, y), pair, strict=True)
    )
    high, taken = LETTER[1], [(u, v, LETTER[0], LETTER[1] / 2) for u, v in zip(across, up, strict=True)]
    found: dict[int, str] = {}
    for at in sorted(range(x.size), key=lambda index: index != first):
        wide = LETTER[0] * (len(names[at]) + 1)
        for side, (right, above) in SIDES.items():
            box = (across[at] + right * wide / 2, up[at] + above * high, wide, high)
            within = wide / 2 <= box[0] <= 1 - wide / 2 and high / 2 <= box[1] <= 1 - high / 2
            if within and not any(_overlap(box, other) for k, other in enumerate(taken) if k != at):
                found[at] = side
                taken.append(box)
                break
    return found


def _overlap(one: Box, other: Box) -> bool:
    return abs(one[0] - other[0]) < (one[2] + other[2]) / 2 and abs(one[1] - other[1]) < (one[3] + other[3]) / 2


def _axis(which: str) -> dict[str, object]:
    if which == "C":
        return flops_axis(*RANGES["C"])
    return drawing.count_axis({"N": "parameters N", "D": "tokens D"}[which], *RANGES[which])


def _contours(pair: tuple[str, str]) -> list[Trace]:
    """Lines of one third quantity, each a power of ten, named where it enters the drawing."""
    third = next(name for name in "CND" if name not in pair)
    name = format_flops if third == "C" else count_label
    low, high = RANGES[third]
    traces: list[Trace] = []
    for value in 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1):
        x = drawing.spaced(*RANGES[pair[0]])
        y = x / (6 * value) if pair[0] == "C" else value / (6 * x)
        inside = (y > RANGES[pair[1]][0] * 1.2) & (y < RANGES[pair[1]][1] / 1.2)
        if np.any(inside):
            traces.append(marks.line(x, y, "@rule"))
            at = np.flatnonzero(inside)[-1 if pair[0] == "C" else 0]
            position = "bottom left" if pair[0] == "C" else "middle right"
            traces.append(drawing.words(x[at], y[at], f"{third} {name(value)}", "@muted", position, 11))
    return traces


def _distances(networks: tuple[Placed, ...], chosen: Placed) -> Figure:
    """D/N of every network over the optimum's at its own compute."""
    ordered = sorted(networks, key=lambda one: one.ratio_over_optimal)
    ratios, names = [one.ratio_over_optimal for one in ordered], [escape(one.known.id) for one in ordered]
    hover = [
        f"{one.known.id}: {format_number(one.ratio_over_optimal, 2)} times, {one.wasted:.0%} of its compute"
        for one in ordered
    ]
    marker = marks.marker("circle", "@ink", 8) | {
        "color": ["@forecast" if one is chosen else "@ink" for one in ordered]
    }
    data = [marks.points(ratios, names, marker, hover)]
    x = log_axis("D/N over the optimum's", *log_span([*ratios, 0.4, 2.5]), lambda at: f"{at:g}")
    y = marks.names_axis(names) | {"tickfont": {"size": 11}, "dtick": 1}
    caption = (
        "How far each network is from the optimum at its own compute; within a factor of two, shaded, little is lost."
    )
    shapes = [marks.beyond(0.5, 2.0), drawing.upright(1.0, "@law", "solid")]
    return drawing.figure(caption, data, x, y, shapes=shapes)


PLAYGROUND = Playground(
    id="three_axes",
    title="Compute, parameters and tokens",
    paper="Hoffmann et al. 2022, arXiv 2203.15556",
    sentences=(
        "Training compute is six times parameters times tokens, so that two of the three fix the third: where do "
        "networks that were trained lie?",
        "Choose two axes, a law and a network, and move the line of equal tokens per parameter.",
        "Networks of 2020 and 2021 lie far on the side of too few tokens, the small ones of today, which are served "
        "much, far on the other; the optimum itself is nearly a straight line.",
    ),
    controls=(
        Control("axes", "axes", "N against C", tuple(AXES)),
        Control("law", "law of the optimum", LAWS[0], LAWS),
        Control("network", "network", "chinchilla-70b", NETWORKS),
        Control("ratio", "tokens per parameter", 20.0, low=1.0, high=5000.0, log=True),
    ),
    answer=answer,
)

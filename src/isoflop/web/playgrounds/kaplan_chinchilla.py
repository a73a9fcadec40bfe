"""Kaplan against Chinchilla: one law, two ways of counting, two exponents."""

from __future__ import annotations

import numpy as np

from isoflop.conventions import ParamsConvention
from isoflop.laws import OMEGA, Law, Recounted, convert
from isoflop.planning.recount import VOCAB
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import flops_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

WITHOUT, ALL = "without embeddings", "all parameters"
KAPLAN, CHINCHILLA = 0.73, 0.50
BUDGETS = 100
FAR = 1e24
SHOWN = (1e10, 1e26)
"""Budgets that are drawn at least."""


def answer(settings: Settings) -> Answer:
    """The exponent that a line through the optima of the chosen budgets has, and the local one behind it."""
    law = drawing.law_at_its_point(settings.choices["constants"])
    blocks = convert(law, ParamsConvention.NON_EMBEDDING, OMEGA * settings.numbers["vocabulary"] / VOCAB)
    counts_blocks = settings.choices["count"] == WITHOUT
    counted: Law | Recounted = blocks if counts_blocks else law
    allocation = law.allocation()
    assert allocation is not None
    a = allocation[0]

    first = settings.numbers["smallest"]
    last = first * 10 ** settings.numbers["decades"]
    C = drawing.spaced(first, last, BUDGETS)
    N = counted.optimum(C).params
    line = np.polyfit(np.log(C), np.log(N), 1)
    ends = blocks.local_exponent([first, last]) if counts_blocks else (a, a)
    there = float(np.exp(np.polyval(line, np.log(FAR))) / counted.optimum(FAR).params)
    fitted = float(line[0])
    numbers = (
        Number("fitted exponent", fitted, f"{fitted:.3f}"),
        Number("local exponent at the smallest budget", float(ends[0]), f"{ends[0]:.3f}"),
        Number("local exponent at the largest budget", float(ends[1]), f"{ends[1]:.3f}"),
        Number("exponent of the law, all parameters counted", a, f"{a:.3f}"),
        Number("optimal networks there, smallest", float(N[0]), format_si(N[0])),
        Number("optimal networks there, largest", float(N[-1]), format_si(N[-1])),
        Number("N* that the line foretells at 1e24 FLOPs, over the law's", there, f"{there:.2f}"),
    )
    wide = drawing.spaced(min(first, SHOWN[0]), max(last, SHOWN[1]))
    line_there = np.exp(np.polyval(line, np.log(wide)))
    figures = {
        "exponent": _exponents(blocks, a, wide, (first, last), fitted),
        "frontier": _frontier(wide, counted.optimum(wide).params, line_there, (first, last), counts_blocks),
    }
    return Answer(numbers, _sentence(fitted, a, first, last, counts_blocks), figures)


def _sentence(fitted: float, a: float, first: float, last: float, counts_blocks: bool) -> str:
    where = f"between {format_flops(first)} and {format_flops(last)} FLOPs"
    if not counts_blocks:
        return (
            f"With every parameter counted N* grows as C^{fitted:.2f} {where}, as everywhere: the law's own exponent."
        )
    nearer = "Kaplan et al.'s .73" if abs(fitted - KAPLAN) < abs(fitted - CHINCHILLA) else "Hoffmann et al.'s .50"
    return (
        f"Counting the blocks alone, a line through the optima {where} has the exponent {fitted:.2f}, nearer to "
        f"{nearer}, though the law behind it has {a:.2f}."
    )


def _exponents(blocks: Recounted, a: float, C: FloatArray, fitted: tuple[float, float], exponent: float) -> Figure:
    local = blocks.local_exponent(C)
    ends = (float(C[0]), float(C[-1]))
    top = float(C[local.argmax()])
    data = [
        *drawing.level_line(ends, KAPLAN, "Kaplan et al. .73"),
        marks.line(ends, (CHINCHILLA, CHINCHILLA), "@muted", "dot"),
        marks.line(ends, (a, a), "@forecast"),
        drawing.words(ends[0], a, f"all parameters, {a:.3f}", "@forecast", "top right"),
        drawing.words(
            ends[1], CHINCHILLA, "Hoffmann et al. .50", "@muted", "bottom left" if a > CHINCHILLA else "top left"
        ),
        marks.line(C, local, "@law"),
        drawing.words(top, float(local.max()), "without embeddings", "@law"),
        marks.line(fitted, (exponent, exponent), "@ink", "dash"),
        drawing.words(fitted[1], exponent, f"the line {exponent:.2f}", "@ink", "top left"),
    ]
    y = drawing.number_axis("local exponent d ln N* / d ln C", 0.4, 1.05)
    caption = "How fast N* grows with C, by what is counted. The range of the fit is shaded, its exponent dashed."
    return drawing.figure(caption, data, flops_axis(*ends), y, shapes=[marks.beyond(*fitted)])


def _frontier(
    C: FloatArray, N: FloatArray, line: FloatArray, fitted: tuple[float, float], counts_blocks: bool
) -> Figure:
    data = [marks.line(C, N, "@law"), marks.line(C, line, "@ink", "dash")]
    data.append(drawing.words(C[-1], N[-1], "optimum", "@law", "bottom left"))
    data.append(drawing.words(C[-1], line[-1], "line", "@ink", "top left"))
    title = "N* (blocks alone)" if counts_blocks else "N* (all parameters)"
    shown = np.concatenate([N, line])
    y = drawing.count_axis(title, float(shown.min()) / 2, float(shown.max()) * 4)
    bent = "bends, and a straight line through the shaded range, dashed, goes astray beyond it."
    straight = "is a straight line, wherever it is fitted."
    caption = f"The compute-optimal N* {bent if counts_blocks else straight}"
    return drawing.figure(caption, data, flops_axis(C[0], C[-1]), y, shapes=[marks.beyond(*fitted)])


PLAYGROUND = Playground(
    id="kaplan_chinchilla",
    title="Kaplan against Chinchilla",
    paper="Pearce & Song 2024, arXiv 2406.12907",
    sentences=(
        "Kaplan et al. found that compute-optimal parameters grow as C^0.73, Hoffmann et al. as C^0.50: can one law of "
        "the loss give both?",
        "Move the budgets over which a straight line is fitted, and choose whether embeddings count as parameters.",
        "Small networks are mostly embeddings, so without them the exponent is .7 to 1 at small budgets and falls to "
        "the law's own at large ones; counted, it is the same everywhere.",
    ),
    controls=(
        Control("constants", "constants of the law", "besiroglu2024", ("besiroglu2024", "hoffmann2022")),
        Control("count", "what counts as N, and in C = 6 N D", WITHOUT, (WITHOUT, ALL)),
        Control(
            "smallest",
            "smallest budget (FLOPs)",
            10**12.95,
            low=1e10,
            high=1e20,
            log=True,
            help="Pearce & Song's budgets are 10^12.95 to 10^20.7: those of Kaplan et al.'s networks.",
        ),
        Control("decades", "range of the budgets (powers of ten)", 7.75, low=0.5, high=10.0),
        Control(
            "vocabulary",
            "vocabulary (tokens)",
            float(VOCAB),
            low=1e3,
            high=256e3,
            log=True,
            help="Embeddings take parameters in proportion to it.",
        ),
    ),
    answer=answer,
)

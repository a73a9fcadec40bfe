"""Training and serving paid together: the optimum moves to smaller networks that are trained longer."""

from __future__ import annotations

from isoflop.laws import Law
from isoflop.planning.lifecycle import HIGH_RATIO, Demand, Lifecycle, lifecycle
from isoflop.planning.questions import tokens_for_loss
from isoflop.quantities import format_flops, format_si
from isoflop.reports.axes import log_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings

LAWS = ("hoffmann2022", "hoffmann2022_rounded", "besiroglu2024", "sardana2023")
SMALLEST, LARGEST = 0.02, 4.0
"""Networks that are drawn, over N*, where they reach the loss at all."""
SERVED = (1e9, 1e16)


def answer(settings: Settings) -> Answer:
    """The cheapest network of one loss (planning.lifecycle), beside the one that training alone would choose."""
    law = drawing.law_at_its_point(settings.choices["constants"])
    served = settings.numbers["served"]
    found = lifecycle(law, _budget(law, settings.numbers["params"]), Demand(prompt_tokens=served))
    N, D, saved = float(found.params.value), float(found.tokens.value), float(found.saving.value)
    longer = D / float(found.baseline_tokens)
    numbers = (
        Number("parameters", N, format_si(N)),
        Number("training tokens", D, format_si(D)),
        Number("tokens per parameter", D / N, f"{D / N:.3g}"),
        Number("training tokens over those of training alone", longer, f"{longer:.2f}"),
        Number("saved of all compute", saved, f"{saved:.1%}"),
        Number("compute, training and serving (FLOPs)", float(found.cost), format_flops(float(found.cost))),
        Number("loss of both", float(found.loss), f"{float(found.loss):.3f}"),
    )
    line = _same_loss(law, found)
    figures = {"cost": _costs(law, found, line, served), "demand": _demand(law, line, found)}
    return Answer(numbers, _sentence(found, served), figures)


def _budget(law: Law, params: float) -> float:
    """C at which N* is so large: N* is a power of C."""
    allocation = law.allocation()
    assert allocation is not None
    return float((params / float(law.optimum(1.0).params)) ** (1 / allocation[0]))


def _same_loss(law: Law, found: Lifecycle) -> FloatArray:
    """N from the smallest network that is drawn to the largest, all of which reach the loss."""
    c, best = law.coefficients, float(found.baseline_params)
    least = (c["A"] / (float(found.loss) - c["E"])) ** (1 / c["alpha"])  # would need infinitely many tokens
    return drawing.spaced(max(1.02 * least, SMALLEST * best), LARGEST * best)


def _sentence(found: Lifecycle, served: float) -> str:
    N, N0, ratio = (
        float(found.params.value),
        float(found.baseline_params),
        float(found.tokens.value / found.params.value),
    )
    beyond = (
        f"; laws fitted at ordinary ratios overstate the gain at {ratio:.0f} tokens a parameter"
        if ratio > HIGH_RATIO
        else ""
    )
    return (
        f"Serving {format_si(served)} tokens makes a network of {format_si(N)} parameters the cheapest in place of "
        f"{format_si(N0)}: the same loss for {float(found.saving.value):.1%} less compute in all{beyond}."
    )


def _costs(law: Law, found: Lifecycle, N: FloatArray, served: float) -> Figure:
    train = 6 * N * tokens_for_loss(law, N, float(found.loss)).value
    serve = 2 * N * served
    best, alone = float(found.params.value), float(found.baseline_params)
    cost, cost_alone = float(found.cost), float(found.baseline_cost)
    data = [
        marks.line(N, train, "@muted", "dash"),
        marks.line(N, serve, "@muted", "dot"),
        marks.line(N, train + serve, "@law"),
        drawing.words(N[-10], train[-10], "training", "@muted", "bottom left"),
        drawing.words(N[20], serve[20], "serving", "@muted", "bottom right"),
        marks.points(
            [alone], [cost_alone], marks.marker("circle-open", "@ink", 11), [f"training alone: {format_si(alone)}"]
        ),
        marks.points([best], [cost], marks.marker("star", "@forecast", 14), [f"cheapest: {format_si(best)}"]),
    ]
    low, high = cost / 30, 8 * max(cost, cost_alone)
    caption = (
        "Compute of networks of one loss: training, serving and both; the cheapest is a star, that of training alone a "
        "circle."
    )
    x = drawing.count_axis("parameters N", N[0] / 1.1, N[-1] * 1.1)
    return drawing.figure(caption, data, x, log_axis("FLOPs", low, high, format_flops))


def _demand(law: Law, N: FloatArray, found: Lifecycle) -> Figure:
    """The cheapest N against served tokens: along one loss, the demand that makes each N the cheapest.

    At the cheapest network eps_N / eps_D = 1 + served / (3 D), eps the elasticities of the loss (planning.lifecycle).
    """
    c, best = law.coefficients, float(found.baseline_params)
    smaller = drawing.spaced(N[0], best * (1 - 1e-9))
    D = tokens_for_loss(law, smaller, float(found.loss)).value
    beta = c.get("beta", c["alpha"])
    ratio = c["alpha"] * c["A"] * smaller ** -c["alpha"] / (beta * c["B"] * D**-beta)
    served = 3 * D * (ratio - 1)
    data = [
        *drawing.level_line(SERVED, best, "training alone"),
        marks.line(served, smaller, "@law"),
        marks.points([found.served], [float(found.params.value)], marks.marker("star", "@forecast", 14), ["as set"]),
    ]
    caption = "The cheapest network of this loss against the tokens that it will serve."
    y = drawing.count_axis("cheapest parameters N", N[0] / 1.3, best * 2)
    return drawing.figure(caption, data, drawing.count_axis("tokens served", *SERVED), y)


PLAYGROUND = Playground(
    id="inference",
    title="A network that will be served",
    paper="Sardana et al. 2023, arXiv 2401.00448",
    sentences=(
        "Training costs 6 N D FLOPs and every served token 2 N more: which network reaches a loss at the least cost of "
        "both?",
        "Move how many tokens will be served and how good the network must be, and change the constants of the law.",
        "The more is served, the smaller the cheapest network and the longer it is trained; how much that saves "
        "depends on the constants more than on anything else.",
    ),
    controls=(
        Control("constants", "constants of the law", LAWS[0], LAWS),
        Control("params", "as good as a compute-optimal network of (parameters)", 13e9, low=1e9, high=1e12, log=True),
        Control("served", "tokens served", 2e12, low=1e10, high=1e15, log=True),
    ),
    answer=answer,
)

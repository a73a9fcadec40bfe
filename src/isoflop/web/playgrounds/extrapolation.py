"""The extrapolation simulator: the playground of `isoflop design --playground`, drawn."""

from __future__ import annotations

import numpy as np

from isoflop.laws import Law
from isoflop.quantities import format_si
from isoflop.reports.axes import flops_axis
from isoflop.reports.figures import Figure, marks
from isoflop.runs.table import FloatArray
from isoflop.sweeps.playground import CRITERIA, MOST_DECIMALS, REGIONS, TRUTH, Played, playground
from isoflop.web.playgrounds import _drawing as drawing
from isoflop.web.playgrounds._playground import Answer, Control, Number, Playground, Settings


def answer(settings: Settings) -> Answer:
    """The fit of the region's runs and what it foretells."""
    played = playground(
        settings.choices["region"],
        decimals=round(settings.numbers["decimals"]),
        bias=settings.numbers["bias"],
        target_params=settings.numbers["target"],
        objective=settings.choices["criterion"],
    )
    truth = drawing.law_at_its_point(TRUTH)
    return Answer(
        _numbers(played, truth), _sentence(played), {"loss": _losses(played, truth), "error": _errors(played, truth)}
    )


def _numbers(played: Played, truth: Law) -> tuple[Number, ...]:
    law, true_exponents = played.fit.fitted, truth.allocation()
    assert true_exponents is not None
    exponents = None if law is None else law.allocation()
    fitted = {name: None if law is None else law.coefficients[name] for name in ("alpha", "beta", "E")}
    rows = [
        ("error at the target", played.error, "+.4f"),
        ("predicted loss", played.predicted_loss, ".4f"),
        ("true loss", played.true_loss, ".4f"),
        ("exponent a of N*, fitted", None if exponents is None else exponents[0], ".4f"),
        ("exponent a of N*, true", true_exponents[0], ".4f"),
        *((f"{name}, fitted (true {truth.coefficients[name]:.4f})", value, ".4f") for name, value in fitted.items()),
    ]
    return tuple(Number(label, value, "refused" if value is None else f"{value:{form}}") for label, value, form in rows)


def _sentence(played: Played) -> str:
    at = f"a network of {format_si(played.target_params)} parameters"
    if played.error is None:
        reasons = "; ".join(note.message.rstrip(".") for note in played.fit.verdict.notes if note.code != "no_draws")
        return f"The fit is refused, so that nothing is foretold of {at}: {reasons}."
    share, side = abs(played.error) / played.true_loss, "above" if played.error > 0 else "below"
    return (
        f"{played.used.sum()} runs of up to {format_si(played.params[played.used].max())} parameters foretell a "
        f"loss of {played.predicted_loss:.3f} for {at}, {side} the truth by "
        f"{abs(played.error):.4f}, or {share:.2%}."
    )


def _budgets(played: Played) -> tuple[FloatArray, float]:
    """Budgets from below the first run to the target's, and the largest that a fitted run had."""
    C = 6 * played.params * played.tokens
    target = 6 * played.target_params * played.target_tokens
    return drawing.spaced(float(C.min()) / 3, 3 * target), float(C[played.used].max())


def _losses(played: Played, truth: Law) -> Figure:
    C, largest = _budgets(played)
    law, target = played.fit.fitted, 6 * played.target_params * played.target_tokens
    data = []
    for used, marker in ((False, marks.marker("circle-open", "@muted", 6)), (True, marks.marker("circle", "@law", 7))):
        rows = played.used == used
        columns = zip(played.params[rows], played.tokens[rows], played.loss[rows], strict=True)
        hover = [f"N {format_si(N)}, D {format_si(D)}<br>loss {L:g}" for N, D, L in columns]
        flops = 6 * played.params[rows] * played.tokens[rows]
        data.append(marks.points(flops, played.loss[rows], marker, hover))
    true = truth.optimum(C).loss
    data += [
        marks.line(C, true, "@forecast", "dot"),
        drawing.words(C[30], true[30], "true frontier", "@forecast", "bottom left"),
    ]
    data.append(marks.points([target], [played.true_loss], marks.marker("star", "@forecast", 13), ["the truth"]))
    if law is not None and played.predicted_loss is not None:
        seen, past = marks.seen_and_beyond(C[0], largest, C[-1])
        data += [
            marks.line(seen, law.optimum(seen).loss, "@law"),
            marks.line(past, law.optimum(past).loss, "@law", "dash"),
        ]
        mark = marks.marker("diamond-open", "@law", 11)
        data.append(marks.points([target], [played.predicted_loss], mark, ["what the fit foretells"]))
    caption = (
        "Loss against compute: runs that were fitted (filled) and that were not (open), the fitted frontier, dashed "
        "beyond its runs, and the true one; at the target the fit's loss is a diamond and the truth a star."
    )
    y = {"title": {"text": "loss (nats per token)"}}
    return drawing.figure(caption, data, flops_axis(C[0], C[-1]), y, shapes=[marks.beyond(largest, C[-1])])


def _errors(played: Played, truth: Law) -> Figure:
    """The fit's loss less the true one at the networks that are optimal under the truth."""
    C, largest = _budgets(played)
    law, best, target = played.fit.fitted, truth.optimum(C), 6 * played.target_params * played.target_tokens
    data = [marks.line((C[0], C[-1]), (0.0, 0.0), "@forecast", "dot")]
    if law is not None and played.error is not None:
        side = "top left" if played.error > 0 else "bottom left"
        error = law.predict(best.params, best.tokens) - best.loss
        data.append(marks.line(C, error, "@law"))
        data.append(marks.points([target], [played.error], marks.marker("diamond-open", "@law", 11), ["at the target"]))
        data.append(drawing.words(target, played.error, f"{played.error:+.4f}", "@law", side))
    else:
        data.append(drawing.words(float(np.sqrt(C[0] * C[-1])), 0.0, "the fit is refused", "@refused"))
    caption = "Fitted less true loss at truly compute-optimal networks; what lies beyond the fitted runs is shaded."
    y = {"title": {"text": "error of the loss (nats per token)"}}
    return drawing.figure(caption, data, flops_axis(C[0], C[-1]), y, shapes=[marks.beyond(largest, C[-1])])


PLAYGROUND = Playground(
    id="extrapolation",
    title="How badly can an extrapolation go?",
    paper="Weng 2026, https://lilianweng.github.io/posts/2026-06-24-scaling-laws/, whose truth is "
    "Besiroglu et al. 2024, arXiv 2404.10102",
    sentences=(
        "Thirty-six networks of 1e8 to 7e10 parameters are measured and a law is fitted to some of them: how wrong is "
        "the loss that it foretells for one that is a million times larger than the largest of the small ones?",
        "Move which runs are fitted, to how many decimals losses are known, a smooth bias that all of them share, and "
        "how far away the target is.",
        "A rounding or a bias that nobody would see among the runs becomes tenths of a nat at the target, and the "
        "allocation exponent goes with it.",
    ),
    controls=(
        Control(
            "region",
            "runs that are fitted",
            "small",
            tuple(REGIONS),
            help="small: 1e8 to 1e9 parameters; medium: 7e8 to 1e10.",
        ),
        Control("decimals", "decimals of a loss", float(MOST_DECIMALS), low=0, high=MOST_DECIMALS, step=1),
        Control("bias", "bias of the losses (thousandths of a nat)", 0.0, low=-200, high=200, step=5),
        Control("target", "parameters of the target", 1e15, low=1e11, high=1e15, log=True),
        Control("criterion", "what the fit minimises", CRITERIA[0], CRITERIA),
    ),
    answer=answer,
)

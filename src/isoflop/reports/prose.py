"""What the report says in words. Every sentence here is plain text: the page escapes it."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.conventions import ParamsConvention
from isoflop.fitting import Fit, Forecast, Outcome
from isoflop.quantities import format_flops, format_interval, format_si
from isoflop.reports.rounding import count_with_interval, loss_text, rounded, with_interval
from isoflop.runs import Runs

COUNTING_NAMES = {
    ParamsConvention.NON_EMBEDDING: "non-embedding",
    ParamsConvention.MATRICES_AND_HEAD: "matrices and head",
    ParamsConvention.TOTAL: "total",
    ParamsConvention.UNSTATED: "as the table counts",
}
COUNTING_MEANINGS = {
    ParamsConvention.NON_EMBEDDING: "blocks only, as Kaplan et al. 2020 count",
    ParamsConvention.MATRICES_AND_HEAD: "blocks and output head: every weight that costs FLOPs",
    ParamsConvention.TOTAL: "every trained weight, as Hoffmann et al. 2022 count",
    ParamsConvention.UNSTATED: "the table does not say what N counts",
}


@dataclass(frozen=True)
class PublishedExponent:
    """An exponent a of N* ∝ C^a as its authors printed it."""

    name: str
    a: float
    quoted: str
    source: str


PUBLISHED_EXPONENTS = (
    PublishedExponent("Kaplan et al. 2020", 0.73, "0.73, N without embeddings", "arXiv 2001.08361, table 6"),
    PublishedExponent(
        "Hoffmann et al. 2022", 0.50, "0.50 by approach 1, 0.49 by approach 2", "arXiv 2203.15556, table 2 (Chinchilla)"
    ),
)

WHY_COUNTING_MATTERS = (
    "The same runs give different exponents because in a small network the embeddings and the output head are a large "
    "share of the weights, and that share shrinks as networks grow: leave them out, and N* seems to grow faster with "
    "compute. This is most of the distance between the exponents of Kaplan et al. and Hoffmann et al. (Pearce & Song "
    "2024, arXiv 2406.12907; Porian et al. 2024, arXiv 2406.19146). An exponent without its way of counting "
    "means little."
)


def run_names(runs: Runs) -> list[str]:
    """The run ids, or the rows' numbers where the table has no ids."""
    ids = runs.columns.get("run_id")
    return [f"row {row + 1}" for row in range(len(runs))] if ids is None else [str(name) for name in ids]


def evidence(fit: Fit) -> str:
    """How many runs at how many budgets; a profile of fewer than three sizes is not counted as one."""
    return f"{_count(len(fit.runs), 'run')} at {_count(len(fit.minima), 'budget')}"


def verdict_line(fit: Fit) -> str:
    """The answer, its interval, the evidence and the verdict, in one line."""
    if fit.allocation is None:
        return f"No law from {evidence(fit)}: the fit was refused"
    a = with_interval(fit.allocation[0], fit.intervals.get("a"))
    return f"N* ∝ C^{a} from {evidence(fit)}: {fit.verdict.describe()}"


def introduction(fit: Fit) -> str:
    """One paragraph for someone who has never seen an isoFLOP profile."""
    budgets = _count(len(fit.minima), "budget")
    text = (
        "A training budget of C FLOPs can be spent on a large network that sees few tokens or on a small one that sees "
        "many. Between the two lies a number of parameters N* at which the loss is lowest. Here networks of several "
        f"sizes were trained at each of {budgets}, the lowest loss was located at each, and a line "
        " through those minima says how N* and the matching number of tokens D* grow with compute. "
    )
    if fit.allocation is None:
        return text + "That line could not be drawn from these runs; the reasons are below, each with what to do."
    a, b = fit.allocation
    text += (
        f"Within these budgets, ten times the compute is best spent on {10**a:.2g} times the parameters and "
        f"{10**b:.2g} times the tokens."
    )
    if not fit.intervals:
        return text
    return text + (
        f" Brackets hold {fit.level:.0%} intervals: how far the noise between seeds alone could have moved a number."
    )


def forecast_sentence(forecast: Forecast) -> str:
    """What was forecast, when, and from which runs."""
    N = count_with_interval(forecast.params, forecast.params_interval)
    D = count_with_interval(forecast.tokens, forecast.tokens_interval)
    L = with_interval(forecast.loss, forecast.loss_interval)
    return (
        f"Written down on {forecast.made_at}, from the runs with digest {forecast.runs_digest[:12]}, before the run "
        f"that tests it: at {format_flops(forecast.flops)} FLOPs, {forecast.times_largest_budget:.3g} times the "
        f"largest budget of the fit, N* is {N}, D* is {D}, and the loss there is {L}. One run of "
        f"{format_si(forecast.run_params)} parameters was to end within {format_interval(*forecast.run_interval)} "
        f"({forecast.level:.0%}), an interval that also holds the noise of one seed and what is lost by missing N*."
    )


def outcome_sentence(forecast: Forecast, outcome: Outcome | None) -> str:
    """What came out, and whether the interval held."""
    if outcome is None:
        return "The run that would test it has not been made, so the forecast stands untested."
    came = (
        f"The run {outcome.run_id} ended at {loss_text(outcome.loss)}: the forecast of {loss_text(forecast.loss)} was "
        f"{abs(outcome.error):.2%} too {'high' if outcome.error > 0 else 'low'}"
    )
    if outcome.inside:
        return f"{came}, and the interval held. One run that lands inside is a check passed, not a proof."
    return f"{came}, and the interval did not hold. Treat the intervals on this page as too narrow."


def exponent_line(fit: Fit) -> str:
    """The exponents of a fit in one line, or that there are none."""
    if fit.allocation is None:
        return "no exponents"
    a, b = fit.allocation
    return f"a = {with_interval(a, fit.intervals.get('a'))}, b = {with_interval(b, fit.intervals.get('b'))}"


def surface_line(frontier: Fit, surface: Fit) -> str:
    """The verdict of approach 3, and its exponents beside those of approach 2 where both have some."""
    line = f"{surface.family.capitalize()} surface: {surface.verdict.describe()}"
    if surface.allocation is None or frontier.allocation is None:
        return line
    return f"{line}. {exponent_line(surface)}; by profiles {exponent_line(frontier)}"


def isoflop_caption(fit: Fit, with_star: bool) -> str:
    """The legend of the isoFLOP figure in words, since every mark is explained by shape."""
    text = (
        "Loss against parameters, one profile for each budget of compute (darker, or brighter on a dark page: more "
        "compute; the budget in FLOPs stands under each minimum). Markers are runs; the line is the parabola through "
        "the runs it was fitted to; "
    )
    if fit.intervals:
        text += f"the diamond is its minimum, with a bar for the {fit.level:.0%} interval of N*. "
    else:
        text += "the diamond is its minimum. "
    if any(len(found.used) < len(found.rows) for found in fit.minima):
        text += "Open markers are runs too far from the best one for the parabola. "
    if sum(len(found.rows) for found in fit.minima) < len(fit.runs):
        text += "Crosses are runs at budgets with fewer than three sizes. "
    if any(not found.interior for found in fit.minima):
        text += "An open diamond marks a profile whose minimum was refused: it is not in the fit. "
    return text + ("The star is the run that tested the forecast; it is not in the fit either." if with_star else "")


def noise_sentence(fit: Fit) -> str:
    """What the intervals stand on."""
    if not fit.noise:
        return "No noise between seeds could be measured, so there are no intervals."
    return (
        f"Intervals assume that the loss moves by {rounded(fit.noise, (0.95 * fit.noise, 1.05 * fit.noise))} between "
        f"seeds (standard deviation, from {fit.noise_source}); they do not hold the error of the form itself."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

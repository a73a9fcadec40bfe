"""What the report says in words. Every sentence here is plain text: the page escapes it."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.fitting import Fit, Forecast, Outcome
from isoflop.quantities import format_estimate, format_flops, format_interval, format_level, format_si, format_value
from isoflop.reports.rounding import count_with_interval, loss_text
from isoflop.runs import Runs


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
    """How many runs at how many budgets; a budget of fewer than three networks has no profile and is not counted."""
    return f"{_count(len(fit.runs), 'run')} at {_count(len(fit.minima), 'budget')}"


def verdict_line(fit: Fit) -> str:
    """The answer, its interval, the evidence and the verdict, in one line."""
    if fit.allocation is None:
        return f"No law from {evidence(fit)}: the fit was refused"
    a = format_estimate(fit.allocation[0], fit.intervals.get("a"))
    missed = any(note.code == "forecast_missed" for note in fit.verdict.notes)
    return f"N* ∝ C^{a} from {evidence(fit)}: {fit.verdict.describe()}{'; its own forecast missed' if missed else ''}"


def introduction(fit: Fit) -> str:
    """One paragraph for someone who has never seen an isoFLOP profile."""
    budgets = _count(len(fit.minima), "budget")
    text = (
        "A training budget of C FLOPs can be spent on a large network that sees few tokens or on a small one that sees "
        "many. Between the two lies a number of parameters N* at which the loss is lowest. Here networks from small to "
        f"large were trained at each of {budgets}, the lowest loss was located at each, and a line through those "
        "minima says how N* and the matching number of tokens D* grow with compute. "
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
        f" Brackets hold {format_level(fit.level)} intervals: how far the noise between seeds alone could have moved a "
        "number."
    )


def forecast_sentence(forecast: Forecast) -> str:
    """What was forecast, when, and from which runs."""
    N = count_with_interval(forecast.params, forecast.params_interval)
    D = count_with_interval(forecast.tokens, forecast.tokens_interval)
    L = format_estimate(forecast.loss, forecast.loss_interval)
    return (
        f"Written down on {forecast.made_at}, from the runs with digest {forecast.runs_digest[:12]}, before the run "
        f"that tests it: at {format_flops(forecast.flops)} FLOPs, {forecast.times_largest_budget:.3g} times the "
        f"largest budget of the fit, N* is {N}, D* is {D}, and the loss there is {L}. One run of "
        f"{format_si(forecast.run_params)} parameters was to end within {format_interval(*forecast.run_interval)} "
        f"({format_level(forecast.level)}). That interval holds the noise between seeds, what is lost by missing N*, "
        "and what is not known of the irreducible loss E. It does not hold the error of the form, so expect it to miss "
        "more often than its level says. One run tests the forecast of the loss; it says nothing about N*, for "
        "which a whole profile would have to be trained."
    )


def staleness_sentence(forecast: Forecast, fit: Fit) -> str:
    """What to know when the runs are no longer those that the forecast was made from; empty when they are."""
    digest = fit.runs.digest()
    if digest == forecast.runs_digest:
        return ""
    return (
        f"The runs have changed since: the fit on this page is to runs with digest {digest[:12]}. The forecast "
        "stands as it was written, and the outcome judges it as it was written."
    )


def outcome_sentence(forecast: Forecast, outcome: Outcome | None) -> str:
    """What came out, and whether the interval held."""
    if outcome is None:
        return (
            "The run that would test it has no result: it was not trained to its end, or it diverged. "
            "The forecast stands untested."
        )
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
    return f"a = {format_estimate(a, fit.intervals.get('a'))}, b = {format_estimate(b, fit.intervals.get('b'))}"


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
        text += f"the diamond is its minimum, with a bar for the {format_level(fit.level)} interval of N*. "
    else:
        text += "the diamond is its minimum. "
    if any(len(found.used) < len(found.rows) for found in fit.minima):
        text += "Open markers are runs too far from the best one for the parabola. "
    if sum(len(found.rows) for found in fit.minima) < len(fit.runs):
        text += "Crosses are runs at budgets with fewer than three networks, which have no profile. "
    if any(not found.interior for found in fit.minima):
        text += "An open diamond marks a profile whose minimum was refused: its budget is left out of the law. "
    return text + ("The star is the run that tested the forecast; no line here was fitted to it." if with_star else "")


def noise_sentence(fit: Fit) -> str:
    """What the intervals stand on."""
    if not fit.noise:
        return "No noise between seeds could be measured, so there are no intervals."
    noise = format_value(fit.noise, (0.95 * fit.noise, 1.05 * fit.noise))
    return (
        f"Intervals assume that the loss moves by {noise} between seeds (standard deviation, from "
        f"{fit.noise_source}); they do not hold the error of the form itself."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""The sections of the report, in a doubter's order: seen, fitted, forecast, counted, checked, whence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from isoflop.fitting import Fit
from isoflop.reports import figures, prose, tables
from isoflop.reports.axes import conventions_sentence
from isoflop.reports.figures import Figure
from isoflop.reports.study_page import StudyPage
from isoflop.reports.svg import isoflop_svg
from isoflop.reports.typeset import typeset

WITHOUT_SCRIPT = "<noscript><p>This figure is drawn by JavaScript; its numbers are in the tables.</p></noscript>"


@dataclass(frozen=True)
class Section:
    """A heading, the HTML under it, and the figures that the HTML leaves room for, by element id."""

    id: str
    heading: str
    body: str
    figures: Mapping[str, Figure] = field(default_factory=dict)


def sections(page: StudyPage) -> list[Section]:
    """The sections that this study has something to say in."""
    found = [_profiles(page)]
    if page.frontier.fitted is not None:
        found += [_frontier(page), _forecast(page)]
    if page.counting:
        found.append(_counting(page))
    if page.surface is not None:
        found.append(_surface(page.frontier, page.surface))
    return [*found, _runs(page), Section("provenance", "Provenance", tables.provenance_table(page.provenance))]


def notes(fit: Fit) -> str:
    """The reservations of a verdict as a list; empty when there are none."""
    refused = fit.verdict.status == "refused"
    words = ["refused" if refused else "caution" if note.cautions else "note" for note in fit.verdict.notes]
    said = zip(words, fit.verdict.notes, strict=True)
    items = "".join(f"<li><strong>{word}</strong> {escape(note.message)}</li>" for word, note in said)
    return f'<ul class="notes {fit.verdict.status}">{items}</ul>' if items else ""


def _profiles(page: StudyPage) -> Section:
    fit, forecast, outcome = page.frontier, page.forecast, page.outcome
    caption = prose.isoflop_caption(fit, with_star=outcome is not None)
    still = f"<noscript>{isoflop_svg(fit, forecast, outcome)}</noscript>"
    label = f"Loss against parameters at {len(fit.minima)} budgets. {prose.verdict_line(fit)}."
    body = _figure("isoflop", label, caption, still) + tables.minima_table(fit)
    body += f'<p class="quiet">{escape(prose.noise_sentence(fit))}</p>'
    drawn = {"isoflop": figures.isoflop_figure(fit, forecast, outcome)}
    return Section("profiles", "IsoFLOP profiles", body, drawn)


def _frontier(page: StudyPage) -> Section:
    fit, forecast = page.frontier, page.forecast
    exponents = prose.exponent_line(fit)
    star = " The open star is the forecast." if forecast else ""
    caption = (
        f"Diamonds are the minima above, the line is the fitted power law ({exponents}), the band its {fit.level:.0%} "
        "interval. Dashed on grey: past the largest budget, where nothing in the fit was observed." + star
    )
    left = _figure("optimal-params", f"N* against compute. {exponents}.", "", WITHOUT_SCRIPT, "small")
    right = _figure("optimal-tokens", f"D* against compute. {exponents}.", "", WITHOUT_SCRIPT, "small")
    body = f'<div class="pair">{left}{right}</div><p class="quiet">{escape(caption)}</p>{tables.coefficient_table(fit)}'
    drawn = {
        "optimal-params": figures.optimum_figure(fit, "params", forecast),
        "optimal-tokens": figures.optimum_figure(fit, "tokens", forecast),
    }
    return Section("frontier", "The compute-optimal frontier", body, drawn)


def _forecast(page: StudyPage) -> Section:
    fit, forecast, outcome = page.frontier, page.forecast, page.outcome
    drawn = {"loss": figures.loss_figure(fit, forecast, outcome)}
    caption = (
        f"Loss on the frontier: minima with {fit.level:.0%} intervals, the law and its band, dashed past the data."
    )
    if forecast is None:
        body = _figure("loss", caption, caption, WITHOUT_SCRIPT, "small")
        return Section("forecast", "Loss on the frontier", body, drawn)
    drawn["forecast-close"] = figures.forecast_figure(forecast, outcome, fit.runs.conventions)
    said = (prose.forecast_sentence(forecast), prose.staleness_sentence(forecast, fit))
    sentences = (*filter(None, said), prose.outcome_sentence(forecast, outcome))
    caption += " The heavy bar is the interval forecast for one run" + (", the star that run." if outcome else ".")
    close = f"The forecast close up, {forecast.level:.0%} intervals" + (" and the measured loss." if outcome else ".")
    body = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    body += f'<div class="pair">{_figure("loss", caption, caption, WITHOUT_SCRIPT, "small")}'
    body += f"{_figure('forecast-close', ' '.join(sentences), close, WITHOUT_SCRIPT, 'small')}</div>"
    return Section("forecast", "Forecast and outcome", body, drawn)


def _counting(page: StudyPage) -> Section:
    label = "The exponent a under each way of counting parameters, beside two published values."
    caption = (
        f"The exponent a with its {page.frontier.level:.0%} interval; open diamonds are published values, for context."
    )
    body = f"<p>{escape(prose.WHY_COUNTING_MATTERS)}</p>"
    body += _figure("exponents", label, caption, WITHOUT_SCRIPT, "strip") + tables.counting_table(page.counting)
    drawn = figures.exponents_figure(page.counting)
    return Section("counting", "What N counts", body, {"exponents": drawn})


def _surface(frontier: Fit, surface: Fit) -> Section:
    body = (
        f'<p class="verdict {surface.verdict.status}"><span class="light" aria-hidden="true"></span>'
        f"<span>{typeset(prose.surface_line(frontier, surface))}</span></p>{notes(surface)}"
    )
    if surface.fitted is not None:
        body += tables.coefficient_table(surface)
    return Section("surface", "A loss surface beside it (approach 3)", body)


def _runs(page: StudyPage) -> Section:
    button = (
        '<p class="needs-script"><button id="download-csv" type="button" hidden>Download all runs as CSV</button></p>'
    )
    conventions = f'<p class="quiet">{escape(conventions_sentence(page.runs.conventions))}</p>'
    body = conventions + button + tables.runs_table(page.runs) + tables.dropped_table(page.runs)
    return Section("runs", "Runs", body)


def _figure(name: str, label: str, caption: str, still: str, kind: str = "") -> str:
    """Room for a figure, what it shows for those who cannot see it, and what stands there without JavaScript."""
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    plot = f'<div class="plot" id="{name}" role="img" aria-label="{escape(label)}"></div>'
    return f'<figure class="{kind}">{plot}{still}{said}</figure>'

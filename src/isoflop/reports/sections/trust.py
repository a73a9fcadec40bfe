"""How far the answer can be trusted: extrapolation, a forecast's test, other choices, other counts, a checklist."""

from __future__ import annotations

from html import escape

from isoflop.quantities import format_level
from isoflop.reports import prose, tables
from isoflop.reports.checklist import Line, State, count
from isoflop.reports.evidence import Evidence
from isoflop.reports.sections._section import Room, Section, absent, quiet, shown


def extrapolation(evidence: Evidence) -> Section:
    """The fan to the target, and how such questions went before."""
    heading = "How far it reaches"
    if evidence.leading.allocation is None:
        return Section("extrapolation", heading, absent("there is no law to extrapolate."))
    caption = (
        "The law's loss on the frontier up to the target, with the band of its draws; on grey, past the largest run. "
        "The bar at the target holds the error of the form too, where backtests have taught it. A diamond with its bar "
        "is a backtest: predicted from the runs up to there, of the run at the circle; filled where its interval held. "
        "In the table, best so far guesses the lowest loss below the split, and line a straight line in ln L and ln C."
    )
    body, drawn = shown(evidence, (Room("fan", "Loss on the frontier against compute, to the target.", caption),))
    found, reason = evidence.seek("backtest")
    body += absent(f"backtests: {reason}") if found is None else tables.backtest_table(found) + quiet(evidence.sampled)
    return Section("extrapolation", heading, body, drawn)


def forecast(evidence: Evidence) -> Section:
    """A forecast that was written down beforehand, and what came out."""
    made, outcome, fit = evidence.forecast, evidence.outcome, evidence.profiles
    assert made is not None
    said = (prose.forecast_sentence(made), prose.staleness_sentence(made, fit))
    sentences = (*filter(None, said), prose.outcome_sentence(made, outcome))
    over = "Loss on the frontier: minima, the law and its band, dashed past the data. The heavy bar is the interval "
    over += "forecast for one run" + (", the star that run." if outcome else ".")
    measured = " and the measured loss." if outcome else "."
    close = f"The forecast close up, {format_level(made.level)} intervals{measured}"
    rooms = (
        Room("loss", over, over, "small"),
        Room("forecast-close", " ".join(sentences), close, "small"),
    )
    body, drawn = shown(evidence, rooms)
    lead = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return Section("forecast", "Forecast and outcome", lead + body, drawn)


def specification(evidence: Evidence) -> Section:
    """N* under every combination of choices."""
    heading = "Other defensible choices"
    found, reason = evidence.seek("specification")
    if found is None:
        return Section("specification", heading, absent(reason))
    caption = (
        f"N* at {evidence.describe_target()} by every combination of criterion, outlier rule, count of N and cut of "
        "the smallest runs, from least to most; the dots under each say which. The band is the interval of the plain "
        "fit: where the curve leaves it, the choice matters more than the noise."
    )
    label = "N* under every specification, sorted."
    body, drawn = shown(evidence, (Room("specification", label, caption),))
    return Section("specification", heading, body + quiet(evidence.sampled), drawn)


def counting(evidence: Evidence) -> Section:
    """The exponents under each way of counting N."""
    found, reason = evidence.seek("counting")
    if found is None:
        return Section("counting", "What N counts", absent(reason))
    level = format_level(evidence.profiles.level)
    caption = f"The exponent a with its {level} interval; open diamonds are published values, for context."
    label = "The exponent a under each way of counting parameters, beside two published values."
    body, drawn = shown(evidence, (Room("exponents", label, caption, "strip"),))
    lead = f"<p>{escape(prose.WHY_COUNTING_MATTERS)}</p>"
    return Section("counting", "What N counts", lead + body + tables.counting_table(found), drawn)


def checklist(lines: tuple[Line, ...]) -> Section:
    """Every line, met, missing or not applicable."""
    met, missing = count(lines, State.MET), count(lines, State.MISSING)
    rest = len(lines) - met - missing
    head = f"<p>{met} met, {missing} missing, {rest} not applicable.</p>"
    items = "".join(
        f'<li class="{line.state.name.lower().replace("_", "-")}"><strong>{line.state}</strong> '
        f"<span><b>{escape(line.asks)}.</b> {escape(line.says)}</span></li>"
        for line in lines
    )
    return Section("checklist", "What a trustworthy study states", f'{head}<ol class="checklist">{items}</ol>')

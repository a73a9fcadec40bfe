"""The loss surface: contours, what it leaves, and what is known of its coefficients."""

from __future__ import annotations

from isoflop.quantities import format_level
from isoflop.reports import prose, tables
from isoflop.reports.evidence import Evidence
from isoflop.reports.sections._section import Room, Section, absent, quiet, shown
from isoflop.reports.sections.observed import light, verdict


def contours(evidence: Evidence) -> Section:
    """L(N, D) with the runs, the frontier and a budget to move."""
    fit = evidence.surface
    line = prose.surface_line(evidence.profiles, fit)
    # The notes of the fit that leads stand at the head of the page.
    body = verdict(fit, line) if fit is not evidence.leading else light(fit, line)
    if fit.fitted is None:
        return Section("contours", "The loss surface", body)
    caption = (
        "Loss of N parameters on D tokens as the fitted surface has it; points are the runs. The heavy line is the "
        "compute-optimal frontier, the thin ones hold compute. Move the budget along the frontier."
    )
    more, drawn = shown(evidence, (Room("contours", "Contours of the loss over N and D, with the runs.", caption),))
    return Section("contours", "The loss surface", body + more, drawn)


def residuals(evidence: Evidence) -> Section:
    """Residuals against N, D and C, and their quantiles."""
    fit = evidence.surface
    if fit.fitted is None:
        return Section("residuals", "What the surface leaves", absent("there is no surface."))
    names = {"params": "N", "tokens": "D", "flops": "C"}
    rooms = [
        Room(f"residuals-{axis}", f"Residuals of the loss against {letter}.", kind="small")
        for axis, letter in names.items()
    ]
    rooms.append(Room("residuals-quantiles", "Quantiles of the residuals against the normal.", kind="small"))
    body, drawn = shown(evidence, tuple(rooms))
    caption = (
        "Observed over fitted loss, in per cent, against N, D and C: a law that holds leaves no pattern. The heavy "
        "line is a running median, the band one robust standard deviation. Last, their quantiles against the normal's: "
        "Huber's criterion does not ask for a line there, but a bend says which runs it has set aside."
    )
    return Section("residuals", "What the surface leaves", body + quiet(caption), drawn)


def coefficients(evidence: Evidence) -> Section:
    """Intervals of two kinds, draws in pairs, and the numbers."""
    fit = evidence.surface
    heading, leading = "Coefficients", evidence.leading
    others = tables.coefficient_table(leading) if leading.fitted is not None and leading is not fit else ""
    if fit.fitted is None:
        return Section("coefficients", heading, others or absent("there is no law."))
    _, why = evidence.seek("likelihood")
    caption = (
        f"Each coefficient with its {format_level(fit.level)} interval from the joint draws and by profile likelihood, "
        "in units of the interval; where the two differ, the runs bound the coefficient on one side only, or the draws "
        "have tails. Open diamonds are published values of the same form, arrows those off the scale. Beside it, "
        "draws in pairs: a coefficient that moves with another is not known alone."
    )
    rooms = (
        Room("coefficients", "Coefficients with intervals by bootstrap and by profile.", kind="small"),
        Room("pairs", "Draws of the coefficients in pairs.", kind="small"),
    )
    body, drawn = shown(evidence, rooms)
    body += quiet(caption) + quiet(
        f"No profiles: {why}" if why else evidence.sampled and f"Profiles: {evidence.sampled}"
    )
    return Section("coefficients", heading, body + others + tables.coefficient_table(fit), drawn)

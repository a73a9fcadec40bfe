"""What the runs show before any surface is laid through them: profiles, the frontier, the envelope."""

from __future__ import annotations

from html import escape

from isoflop.fitting import Fit
from isoflop.quantities import format_level
from isoflop.reports import prose, tables
from isoflop.reports.evidence import Evidence
from isoflop.reports.figures.frontier import comparable
from isoflop.reports.sections._section import Room, Section, absent, quiet, shown
from isoflop.reports.typeset import typeset

FOLDED = 12
"""A table of more profiles than this is folded."""


def profiles(evidence: Evidence) -> Section:
    """What approach 2 sees, minima that were refused too."""
    fit = evidence.profiles
    if not fit.minima:
        reasons = "; ".join(note.message for note in fit.verdict.notes)
        return Section("profiles", "IsoFLOP profiles", absent(reasons or "no budget has three networks."))
    caption = prose.isoflop_caption(fit, with_star=evidence.outcome is not None)
    label = f"Loss against parameters at {len(fit.minima)} budgets. {prose.verdict_line(fit)}."
    body, drawn = shown(evidence, (Room("isoflop", label, caption, drawn_still=True),))
    line = prose.verdict_line(fit)
    said = light(fit, line) if fit is evidence.leading else verdict(fit, line)
    lead = f"<p>{escape(prose.introduction(fit))}</p>{said}"
    body = lead + body + _minima(fit) + quiet(prose.noise_sentence(fit))
    return Section("profiles", "IsoFLOP profiles", body, drawn)


def _minima(fit: Fit) -> str:
    """The table of minima, folded where it is long."""
    body, count = tables.minima_table(fit), len(fit.minima)
    if count <= FOLDED:
        return body
    held = sum(found.interior for found in fit.minima)
    return f"<details><summary>{count} profiles: {held} bracketed, {count - held} refused</summary>{body}</details>"


def frontier(evidence: Evidence) -> Section:
    """N* and D* against compute, published laws and the other approaches beside them."""
    fit = evidence.leading
    if fit.allocation is None:
        return Section("frontier", "The compute-optimal frontier", absent(_why_not(fit)))
    exponents = prose.exponent_line(fit)
    star = " The open star is the forecast." if evidence.forecast else ""
    caption = (
        f"The line is {_named(fit)} ({exponents}), the band its {format_level(fit.level)} interval; diamonds are "
        "the minima of the profiles. Dashed on grey: past the largest budget, where nothing was observed. "
        f"{_published(evidence)}{star}"
    )
    rooms = (
        Room("optimal-params", f"N* against compute. {exponents}.", kind="small"),
        Room("optimal-tokens", f"D* against compute. {exponents}.", kind="small"),
    )
    body, drawn = shown(evidence, rooms)
    plan, reason = evidence.seek("plan")
    body += quiet(caption) + (absent(reason) if plan is None else tables.plan_table(plan))
    strip = Room("approaches", "The exponent a by each approach, with intervals.", APPROACHES, "strip")
    more, also = shown(evidence, (strip,))
    return Section("frontier", "The compute-optimal frontier", body + more, {**drawn, **also})


def _published(evidence: Evidence) -> str:
    """Which laws stand behind, and which cannot: what N counts has to be the same."""
    drawn = [law.id for law in evidence.published if comparable(evidence.leading, law, "params")]
    apart = [law.id for law in evidence.published if law.id not in drawn]
    said = f"Thin lines are {', '.join(drawn)}, fitted to other networks on other text." if drawn else ""
    return f"{said} {', '.join(apart)} count N otherwise and stand in the table alone.".strip() if apart else said


def envelope(evidence: Evidence) -> Section:
    fit = evidence.envelope
    told = "" if fit.fitted is not None else f" No law was drawn from it: {_why_not(fit)}"
    caption = (
        "Every run, coloured by N; thin lines join runs of one size. The steps are the lower envelope, the best loss "
        "that any run reached with so much compute, the dark line the law's frontier." + told
    )
    label = "Loss against training compute, with its envelope."
    body, drawn = shown(evidence, (Room("envelope", label, caption, drawn_still=not evidence.profiles.minima),))
    return Section("envelope", "Loss against compute", body, drawn)


def verdict(fit: Fit, line: str) -> str:
    """A fit's verdict as a line with its light, and its notes."""
    return light(fit, line) + notes(fit)


def light(fit: Fit, line: str) -> str:
    lamp = '<span class="light" aria-hidden="true"></span>'
    return f'<p class="verdict {fit.verdict.status}">{lamp}<span>{typeset(line)}</span></p>'


def notes(fit: Fit) -> str:
    """The reservations of a verdict as a list; empty when there are none."""
    refused = fit.verdict.status == "refused"
    words = ["refused" if refused else "caution" if note.cautions else "note" for note in fit.verdict.notes]
    said = zip(words, fit.verdict.notes, strict=True)
    items = "".join(f"<li><strong>{word}</strong> {escape(note.message)}</li>" for word, note in said)
    return f'<ul class="notes {fit.verdict.status}">{items}</ul>' if items else ""


APPROACHES = (
    "The exponent a of N* ∝ C^a by each approach with its interval, and as printed elsewhere (open). The envelope and "
    "profiles see the frontier only; the surface weighs every run and trusts its form."
)
_NAMED = {1: "the envelope's power law", 2: "the power law through the minima", 3: "the surface's frontier"}


def _named(fit: Fit) -> str:
    return _NAMED[fit.approach]


def _why_not(fit: Fit) -> str:
    return "; ".join(note.message for note in fit.verdict.notes)

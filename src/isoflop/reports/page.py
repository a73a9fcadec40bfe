"""The report: one HTML file that holds its own data, figures, code and words, and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from isoflop.files import write_atomic
from isoflop.laws import law_to_toml
from isoflop.reports.answers import answers, decision_line, status
from isoflop.reports.checklist import checklist
from isoflop.reports.document import as_object
from isoflop.reports.evidence import Evidence
from isoflop.reports.palette import SCHEMES, css_variables, scheme_roles
from isoflop.reports.sections import Section, notes, sections
from isoflop.reports.typeset import typeset

__all__ = ["render", "write_report"]


def render(evidence: Evidence) -> str:
    """The page as HTML: about 5 MB, nearly all of it plotly's JavaScript.

    The content security policy names the scripts by their hashes, so that nothing in the data of a
    run, a file name or a title could run even if its escaping failed, and no address may be asked.
    """
    lines = checklist(evidence)
    found = sections(evidence, lines)
    drawn = {name: figure for section in found for name, figure in section.figures.items()}
    scripts = [_with_unix_lines(text) for text in (get_plotlyjs(), template("draw.js"), template("page.js"))]
    plotly, draw, script = scripts
    downloads = {"runs.csv": evidence.runs.to_csv(), "report.json": json.dumps(as_object(evidence), indent=1)}
    if evidence.leading.fitted is not None:
        downloads["law.toml"] = law_to_toml(evidence.law)
    return Template(template("page.html")).substitute(
        title=escape(evidence.title),
        css=stylesheet(),
        status=status(evidence, lines),
        decision=typeset(decision_line(evidence)),
        answers="".join(_answer(*vars(one).values()) for one in answers(evidence, lines)),
        cautions=notes(evidence.leading),
        contents=" ".join(f'<a href="#{section.id}">{escape(section.heading)}</a>' for section in found),
        downloads=" ".join(f'<button type="button" data-file="{name}">{name}</button>' for name in downloads),
        sections="\n".join(_section(section) for section in found),
        figures=embedded(drawn),
        palette=embedded(palette()),
        files=embedded(downloads),
        script_hashes=" ".join(_hash(text) for text in scripts),
        plotly=plotly,
        draw=draw,
        script=script,
    )


def write_report(evidence: Evidence, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_atomic(path, render(evidence))


def stylesheet() -> str:
    """The styles of every page of isoflop, its colours in them."""
    return Template(template("page.css")).substitute({name: css_variables(name) for name in SCHEMES})


def palette() -> dict[str, Any]:
    """What draw.js paints roles with, by scheme."""
    return {name: scheme_roles(name) for name in SCHEMES}


def template(name: str) -> str:
    """The text of a file that pages are made of."""
    return (resources.files("isoflop.reports") / "templates" / name).read_text(encoding="utf-8")


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element: no "<" is left that could end it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _answer(asks: str, says: str, see: str) -> str:
    return f'<div><dt><a href="#{see}">{escape(asks)}</a></dt><dd>{typeset(says)}</dd></div>'


def _section(section: Section) -> str:
    heading = f'<h2 id="{section.id}">{escape(section.heading)}</h2>'
    return f'<section aria-labelledby="{section.id}">{heading}\n{section.body}</section>'


def _with_unix_lines(text: str) -> str:
    # A browser turns CRLF into LF before it hashes a script.
    return text.replace("\r\n", "\n")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

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
from isoflop.reports.palette import SCHEMES, css_variables, scheme_roles
from isoflop.reports.prose import introduction, verdict_line
from isoflop.reports.sections import Section, notes, sections
from isoflop.reports.study_page import StudyPage
from isoflop.reports.typeset import typeset

__all__ = ["StudyPage", "render", "write_report"]


def render(page: StudyPage) -> str:
    """The page as HTML: about 5 MB, nearly all of it plotly's JavaScript.

    The content security policy names the scripts by their hashes, so that nothing in the data of a
    run, a file name or a title could run even if its escaping failed, and no address may be asked.
    """
    found = sections(page)
    drawn = {name: figure for section in found for name, figure in section.figures.items()}
    scripts = [_with_unix_lines(text) for text in (get_plotlyjs(), _template("draw.js"), _template("page.js"))]
    plotly, draw, script = scripts
    return Template(_template("page.html")).substitute(
        title=escape(page.title),
        css=Template(_template("page.css")).substitute({name: css_variables(name) for name in SCHEMES}),
        status=page.frontier.verdict.status,
        verdict=typeset(verdict_line(page.frontier)),
        introduction=escape(introduction(page.frontier)),
        cautions=notes(page.frontier),
        contents=" ".join(f'<a href="#{section.id}">{escape(section.heading)}</a>' for section in found),
        sections="\n".join(_section(section) for section in found),
        figures=_json(drawn),
        palette=_json({name: scheme_roles(name) for name in SCHEMES}),
        csv=_json(page.runs.to_csv()),
        script_hashes=" ".join(_hash(text) for text in scripts),
        plotly=plotly,
        draw=draw,
        script=script,
    )


def write_report(page: StudyPage, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_atomic(path, render(page))


def _section(section: Section) -> str:
    heading = f'<h2 id="{section.id}">{escape(section.heading)}</h2>'
    return f'<section aria-labelledby="{section.id}">{heading}\n{section.body}</section>'


def _template(name: str) -> str:
    return (resources.files("isoflop.reports") / "templates" / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can stand inside a script element: no "<" is left that could end it."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _with_unix_lines(text: str) -> str:
    # A browser turns CRLF into LF before it hashes a script.
    return text.replace("\r\n", "\n")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

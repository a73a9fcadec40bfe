"""The files of the page: read once, when the server starts, and served by name. No path reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib import resources
from string import Template

from plotly.offline import get_plotlyjs

from isoflop.reports.page import embedded, palette, stylesheet, template

NAV = {"/": "Planner", "/studies": "Studies", "/tables": "Tables", "/playgrounds": "Playgrounds"}
SCRIPTS = (
    "ask.js",
    "show.js",
    "controls.js",
    "planner.js",
    "studies.js",
    "tables.js",
    "playgrounds.js",
    "playground.js",
)
YEAR = "max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    body: bytes
    media: str
    cache: str = "no-cache"

    @cached_property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    @cached_property
    def packed(self) -> bytes:
        """The body compressed, for a network that is slower than this machine; made when it is first asked for."""
        return gzip.compress(self.body, 5, mtime=0)


def assets() -> dict[str, Asset]:
    """Every static file, by name."""
    found = {
        "plotly.js": Asset(get_plotlyjs().encode(), "text/javascript", YEAR),
        "draw.js": Asset(template("draw.js").encode(), "text/javascript"),
        "page.css": Asset(f"{stylesheet()}\n{_text('web.css')}".encode(), "text/css"),
    }
    return found | {name: Asset(_text(name).encode(), "text/javascript") for name in SCRIPTS}


def page(
    name: str, path: str, title: str, version: str, fill: Mapping[str, str] | None = None, script: str = ""
) -> str:
    """A page of the site: what ``name``.html holds, under the navigation with ``path`` marked. ``fill`` are further
    words of it, which are escaped here; ``script`` the module that it runs, where that is not its own; ``version`` is
    that of plotly's file, which is kept for a year."""
    body = Template(_text(f"{name}.html")).substitute({key: escape(value) for key, value in (fill or {}).items()})
    links = "".join(_link(to, text, to == path) for to, text in NAV.items())
    words = {"title": escape(title), "nav": links, "body": body, "script": script or name, "plotly": version}
    words |= {"palette": embedded(palette())}
    return Template(_text("shell.html")).substitute(words)


def _link(to: str, text: str, here: bool) -> str:
    return f'<a href="{to}"{" aria-current=page" if here else ""}>{text}</a>'


def _text(name: str) -> str:
    return (resources.files("isoflop.web.pages") / name).read_text(encoding="utf-8")

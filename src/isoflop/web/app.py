"""The application: pages, static files, the API, behind the guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from isoflop.web.api import Shown, api_routes
from isoflop.web.pages import Asset, assets, page
from isoflop.web.playgrounds import PLAYGROUNDS
from isoflop.web.security import Guard, names_of

PACKED = 100_000
"""Bytes above which a file is sent compressed: Plotly's, which is five megabytes, to one and a half."""
Endpoint = Callable[[Request], Response]


def application(shown: Shown, *, host: str = "127.0.0.1", token: str = "") -> ASGIApp:
    """The page as an ASGI application that answers on ``host``; with a ``token``, only to who has it."""
    files = assets()
    version = files["plotly.js"].tag.strip('"')[:12]
    pages = [
        Route("/", _shows(page("planner", "/", "Planner", version))),
        Route("/studies", _shows(page("studies", "/studies", "Studies", version))),
        Route("/tables", _shows(page("tables", "/tables", "Tables", version))),
        Route("/playgrounds", _shows(page("playgrounds", "/playgrounds", "Playgrounds", version))),
        *(_playground(name, one.title, version) for name, one in PLAYGROUNDS.items()),
        Route("/favicon.ico", lambda _: Response(status_code=204)),
    ]
    static = [Route(f"/static/{name}", _serves(asset)) for name, asset in files.items()]
    missing = page("missing", "", "Nothing is here", version, script="show")
    handlers: dict[Any, Any] = {HTTPException: _refuses(missing), Exception: _unforeseen}
    app = Starlette(routes=[*pages, *static, *api_routes(shown)], exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, names_of(host), token)


def _playground(name: str, title: str, version: str) -> Route:
    path = f"/playgrounds/{name}"
    fill = {"id": name, "title": title}
    return Route(path, _shows(page("playground", "/playgrounds", title, version, fill)))


def _shows(html: str) -> Endpoint:
    return lambda _: HTMLResponse(html, headers={"cache-control": "no-cache"})


def _serves(asset: Asset) -> Endpoint:
    headers = {"etag": asset.tag, "cache-control": asset.cache, "vary": "accept-encoding"}

    def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        if len(asset.body) > PACKED and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.packed, media_type=asset.media, headers=headers | {"content-encoding": "gzip"})
        return Response(asset.body, media_type=asset.media, headers=headers)

    return serve


def _refuses(missing: str) -> Callable[[Request, HTTPException], Response]:
    """What answers to an address without a page: the page ``missing`` to a reader, a sentence to a program."""

    def refuse(request: Request, error: HTTPException) -> Response:
        reads = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
        if error.status_code == 404 and reads:
            return HTMLResponse(missing, 404)
        said = {404: "there is nothing at this address.", 405: "this address answers to other methods."}
        sentence = said.get(error.status_code, error.detail)
        return JSONResponse({"error": sentence}, error.status_code, headers=error.headers)

    return refuse


def _unforeseen(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"unexpected {type(error).__name__}; the terminal says where."}, 500)

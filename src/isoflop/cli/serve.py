"""``isoflop serve``: the planner, studies, tables and playgrounds as a page in the browser."""

from __future__ import annotations

import errno
import os
import re
import socket
import webbrowser
from contextlib import suppress
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

import typer

from isoflop.errors import UsageError

Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="RUNS|STUDY", help="Tables to report on and studies to watch.", show_default=False),
]


def serve(
    paths: Paths = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any that is free.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on; another than this machine's needs a token.")] = (
        "127.0.0.1"
    ),
    token: Annotated[
        str | None, typer.Option(help="Only who has it may look; made up for a host of others.", show_default=False)
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show the planner, studies as they run, tables that are dropped and playgrounds, in the browser.

    It answers to this machine alone, asks the network for nothing, and writes no file. Ctrl-C ends it.
    """
    try:
        from isoflop.web.api import shown_of
        from isoflop.web.app import application
        from isoflop.web.security import is_everywhere, is_loopback
        from isoflop.web.server import run
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise UsageError("the page needs Starlette and uvicorn: pip install 'isoflop[web]' adds them.") from None
    if token and not re.fullmatch(r"[A-Za-z0-9._~-]+", token):
        raise UsageError("a token has letters, digits and . _ ~ - alone, for it stands in an address; give another.")
    if token == "" or (token is None and not is_loopback(host)):
        token = token_urlsafe(16)
    shown = shown_of(paths or [])
    with _listen(host, port) as listening:
        name = _name_of_this_machine() if is_everywhere(host) else f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}/{shown.first_page}"
        address += f"?token={token}" if token else ""
        typer.echo(address)
        if open_:
            webbrowser.open(address)
        with suppress(KeyboardInterrupt):  # that is how it ends
            run(application(shown, host=host, token=token or ""), listening)


def _listen(host: str, port: int) -> socket.socket:
    """A socket there; UsageError where somebody else listens, and for a host that is not this machine."""
    if not host.strip():
        raise UsageError("--host is empty; give an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number in (errno.EADDRINUSE, errno.EACCES):
            raise UsageError(f"cannot listen on {host}:{port} ({os.strerror(number)}); give another --port.") from None
        raise UsageError(
            f"no address of this machine is called {host!r}; give one as --host, or 0.0.0.0 for all."
        ) from None


def _name_of_this_machine() -> str:
    """The name by which others find it; 127.0.0.1 where it has none that is known."""
    try:
        socket.gethostbyname(name := socket.gethostname())
    except OSError:
        return "127.0.0.1"
    return name

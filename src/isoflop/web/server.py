"""Running the application until Ctrl-C."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Answer on a socket that listens already. Raises KeyboardInterrupt when it is ended, as uvicorn does."""
    # A browser keeps its connections open: who ends the server does not wait for them.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listening])

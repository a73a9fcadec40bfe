"""Who may talk to the page: this machine alone, or whoever has the token; and what a browser may do with an answer.

A page on the web can make a browser ask anything of 127.0.0.1, and a name that resolves to it (DNS rebinding) lets it
read the answers. So the name that was asked for must be one of ours, and what changes anything must come from our own
pages.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE = "isoflop_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A report brings its own, narrower policy, which names its scripts by their hashes; both hold."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, which nobody else can reach.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether it is the address that stands for all addresses of this machine.

    >>> is_everywhere("0.0.0.0"), is_everywhere("::"), is_everywhere("box.lan")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def names_of(host: str) -> frozenset[str] | None:
    """The names that a page served on ``host`` may be asked for by; None for any, where it is served on all."""
    return None if is_everywhere(host) else LOOPBACK | {host.lower()}


@dataclass(frozen=True)
class Guard:
    """An application behind a door. ``names`` are the hosts it answers to, None for any; with a ``token`` ("" for none)
    every question needs it: as ``Authorization: Bearer``, as the cookie, or once in the address, which sets it."""

    app: ASGIApp
    names: frozenset[str] | None
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead of the page; None where the question may pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.names is not None and _name(host) not in self.names:
            return _refuse(421, "this page answers to the name it was started for; open the address it printed.")
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin, host):
            return _refuse(403, "another site's page may ask nothing here; open this page itself.")
        if not self.token:
            return None
        return self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        if self._is_token(headers.get("authorization", "").removeprefix("Bearer ")):
            return None
        if self._is_token(_cookie(headers.get("cookie", ""))):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and any(name == "token" and self._is_token(text) for name, text in query):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            # One slash, or "//elsewhere" would be another host.
            path = "/" + scope["path"].lstrip("/")
            answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return answer
        return _refuse(401, "the token is missing or wrong; open the address that isoflop serve printed.")

    def _is_ours(self, origin: str, host: str) -> bool:
        """Whether an origin is this page's own. With a token it may stand behind a proxy that encrypts."""
        schemes = ("http", "https") if self.token else ("http",)
        return origin in [f"{scheme}://{host}" for scheme in schemes] and bool(host)

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self.token.encode())


def _name(host: str) -> str:
    """The name in a Host header, without its port: ports are forwarded.

    >>> _name("localhost:8000"), _name("[::1]:8000")
    ('localhost', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)

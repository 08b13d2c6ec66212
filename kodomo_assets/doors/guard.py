"""What stands before Dagster's web server: only what comes from the UI itself gets through.

Dagster's server takes changes from any page that a browser of this machine has open (cross-site GET, form posts, any
Host header). This is no login: a proxy with one may stand before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Lets through what comes from the UI itself: a known Host, no foreign Origin, no change that a link can make."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app, self.hosts = app, _LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        why = self._why_not(scope)
        if why is None:
            await self.app(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            # before it is accepted: the handshake is answered with 403
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(f"{why}\n", 403)(scope, receive, send)

    def _why_not(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(f"//{host}") not in self.hosts:
            return "refused: this address is not one of the UI's (name it with --allow-host where a proxy uses it)"
        if origin is not None and not self._own(origin, host):
            return "refused: the request comes from a page of another origin"
        method = "GET" if scope["type"] == "websocket" else scope["method"]
        navigation = headers.get("sec-fetch-mode") == "navigate" and method == "GET"
        if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"} and not (navigation or origin):
            return "refused: the request comes from another site"
        if scope["type"] == "websocket":
            return None if origin is not None else "refused: a WebSocket says where it comes from"
        return _why_not_change(scope, method, headers)

    def _own(self, origin: str, host: str) -> bool:
        """The page's origin is the address asked for, or one that a proxy in front is known by."""
        name = _name(origin)
        return urlsplit(origin).netloc.lower() == host.lower() or name in self.hosts - _LOOPBACK


def _why_not_change(scope: Scope, method: str, headers: Mapping[str, str]) -> str | None:
    if method in _LOOKING:
        asks = scope["path"].rstrip("/").endswith("/graphql") and scope["query_string"]
        return "refused: /graphql is asked by POST, which no link and no picture can send" if asks else None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return "refused: a change is sent as application/json, which no form of another page can send"
    return None


def _name(address: str) -> str:
    """The host's name in an origin or a Host header, without its port; empty where it is none."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _unframed(send: Send) -> Send:
    """Nobody else's page shows the UI in a frame to have its buttons pressed."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Frame-Options"] = "DENY"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
        await send(message)

    return sending

"""Who may look at the page.

On loopback anybody on the machine may, but no page of another site in a browser: so `Host` must be a name under which
this server is known (a site could else give its own name our address), and `Origin`, where a browser says one, must be
that same host. On any other address a token is required besides.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.websockets import WebSocketClose

from monitor.links import LOOPBACK_NAMES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "stress_monitor"
TOKEN: Final = "token"  # noqa: S105 - the name of the query's part
OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})
"""Told to whoever knows the host, without a token: probes have none."""
POLICY_VIOLATION: Final = 1008
HEADERS: Final = {
    # Plotly writes styles, never scripts.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_ASK: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Token wanted</title></head><body><main>'
    "<h1>A token is wanted</h1><p>This monitor listens beyond its own machine. Its token is what <code>http.token"
    '</code> or <code>http.token_file</code> of the settings says.</p><form method="get" action="/"><label>Token '
    '<input type="password" name="token" autocomplete="current-password" required></label> <button>Open</button>'
    "</form></main></body></html>"
)


@dataclass(frozen=True)
class Guard:
    """What is asked of whoever connects.

    Attributes:
        hosts: names under which the server is known, in small letters, besides those of loopback.
        token: None: none is asked for.
    """

    hosts: frozenset[str] = frozenset()
    token: str | None = None

    def refuses(self, headers: Headers) -> str | None:
        """Why a request is refused by its host or its origin; None if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            name = (urlsplit(f"//{host}").hostname or "") if _is_plain(host) else ""
            from_elsewhere = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        except ValueError:
            return "the name of the host, or the origin, cannot be read"
        if name not in LOOPBACK_NAMES | self.hosts:
            return "this host name is not one of the monitor's: add it to http.allowed_hosts"
        return "a page of another site has no business here" if from_elsewhere else None

    def knows(self, connection: HTTPConnection) -> bool:
        """Whether a request brings the token, in its header, its cookie or its query."""
        if self.token is None:
            return True
        scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
        given = (
            bearer if scheme.lower() == "bearer" else "",
            connection.cookies.get(COOKIE, ""),
            connection.query_params.get(TOKEN, ""),
        )
        return any(hmac.compare_digest(each.encode(), self.token.encode()) for each in given)


class Guarded:
    """An application behind a guard; every answer has the headers that keep a browser safe."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if scope["type"] == "websocket":
            if refusal is not None:
                await WebSocketClose(POLICY_VIOLATION, "refused")(scope, receive, send)
                return
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await (refusal or self._app)(scope, receive, send_safe)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        why = self._guard.refuses(connection.headers)
        if why is not None:
            return PlainTextResponse(f"refused: {why}\n", status_code=HTTPStatus.MISDIRECTED_REQUEST)
        if connection.url.path in OPEN_PATHS:
            return None
        if not self._guard.knows(connection):
            headers = {"www-authenticate": "Bearer"}
            return HTMLResponse(_ASK, status_code=HTTPStatus.UNAUTHORIZED, headers=headers)
        if self._guard.token is not None and TOKEN in connection.query_params and connection.scope["type"] == "http":
            return self._without_token(connection)
        return None

    def _without_token(self, connection: HTTPConnection) -> Response:
        """The same page, the token in a cookie: an address is bookmarked, and shown."""
        rest = urlencode([(name, value) for name, value in parse_qsl(connection.url.query) if name != TOKEN])
        path = "/" + connection.url.path.lstrip("/")  # two strokes would name another host
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), HTTPStatus.SEE_OTHER)
        # Lax: a link in a chat or a mail must lead there, and nothing here is done by a request.
        answer.set_cookie(COOKIE, self._guard.token or "", httponly=True, samesite="lax")
        return answer


def _is_plain(host: str) -> bool:
    """Whether it is a name and a port, as a browser says it, and not a URL's other parts."""
    return not any(sign in host for sign in "/@?#\\ ") and host != ""

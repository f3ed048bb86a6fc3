"""The HTTP face: metrics, whether the monitor is healthy and ready, and the server of both faces."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.sinks.base import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

SERVICE_UNAVAILABLE: Final = 503
UNREAD_SECONDS: Final = 10.0
"""Who takes nothing of what was sent for so long is gone: the system lets go of the connection, where it can."""
_POLL_SECONDS: Final = 0.02
_BACKLOG: Final = 128
_MOST_HEARD_BYTES: Final = 1_024
"""Of a page's message: it has nothing to say."""


def metrics_app(
    page: Callable[[str], tuple[bytes, str]],
    not_ready_because: Callable[[], str | None],
    pages: Sequence[BaseRoute] = (),
) -> Starlette:
    """The application behind the metrics port.

    Args:
        page: what `/metrics` shows, and its content type, for a request's `accept`.
        not_ready_because: a sentence while the monitor is not ready, else None.
        pages: others that are served, as the runbooks.
    """

    def metrics(request: Request) -> Response:
        text, content_type = page(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return Starlette(routes=[Route("/metrics", metrics), *probes(not_ready_because), *pages])


def probes(not_ready_because: Callable[[], str | None]) -> list[BaseRoute]:
    """Whether the monitor runs, and whether what it says can be relied on.

    Args:
        not_ready_because: a sentence while the monitor is not ready, else None.
    """

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def ready(_: Request) -> Response:
        reason = not_ready_because()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=SERVICE_UNAVAILABLE)

    return [Route("/-/healthy", healthy), Route("/-/ready", ready)]


class HttpServer:
    """Serves an application from a thread of its own.

    Args:
        app: what is served.
        host: the address to listen on.
        port: likewise; 0: the system's choice.
        settings: the names in [http] of the host and the port, for the error where they cannot be had.
        has_lifespan: whether the application wants to be told when it begins and ends.

    Attributes:
        port: the port that it listens on.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        settings: tuple[str, str] = ("host", "metrics_port"),
        has_lifespan: bool = False,
    ) -> None:
        self._host, self.port, self._settings = host, port, settings
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="on" if has_lifespan else "off",
                ws="websockets-sansio",  # the one that waits while a reader takes nothing
                ws_max_size=_MOST_HEARD_BYTES,
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; SinkError if the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            why = str(error.strerror).partition(" (")[0]
            host, port = self._settings
            raise SinkError(
                f"{self._host}:{self.port} cannot be listened on ({why}): is another monitor running? Set "
                f"http.{host} and http.{port} in the settings, or MONITOR_HTTP__{host.upper()} and "
                f"MONITOR_HTTP__{port.upper()}"
            ) from error
        self.port = listening.getsockname()[1]
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # each connection inherits it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1_000 * UNREAD_SECONDS))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="http", daemon=True)
        self._thread.start()
        while not self._server.started:
            self._thread.join(_POLL_SECONDS)
            if not self._thread.is_alive():
                raise SinkError(f"{self._host}:{self.port} is not served: the server failed at its start")

    def stop(self, timeout_seconds: float) -> None:
        """Answer what was asked, within that time, and end; does nothing if it was not started."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout_seconds / 2)
        self._server.force_exit = True
        self._thread.join(timeout_seconds / 2)

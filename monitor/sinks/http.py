"""The HTTP face: metrics, and whether the monitor is healthy and ready."""

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

SERVICE_UNAVAILABLE: Final = 503
_POLL_SECONDS: Final = 0.02
_BACKLOG: Final = 128


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

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def ready(_: Request) -> Response:
        reason = not_ready_because()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=SERVICE_UNAVAILABLE)

    own = [Route("/metrics", metrics), Route("/-/healthy", healthy), Route("/-/ready", ready)]
    return Starlette(routes=[*own, *pages])


class HttpServer:
    """Serves an application from a thread of its own.

    Attributes:
        port: the port that it listens on; of 0 the system's choice.
    """

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self._host, self.port = host, port
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; SinkError if the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listening = socket.create_server((self._host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            why = str(error.strerror).partition(" (")[0]
            raise SinkError(
                f"{self._host}:{self.port} cannot be listened on ({why}): is another monitor running? Set http.host "
                "and http.metrics_port in the settings, or MONITOR_HTTP__HOST and MONITOR_HTTP__METRICS_PORT"
            ) from error
        self.port = listening.getsockname()[1]
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

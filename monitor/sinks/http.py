"""The HTTP face: metrics, and whether the monitor is healthy and ready."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.sinks.base import SinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request

SERVICE_UNAVAILABLE: Final = 503
_POLL_SECONDS: Final = 0.02


def metrics_app(registry: CollectorRegistry, not_ready_because: Callable[[], str | None]) -> Starlette:
    """The application behind the metrics port.

    Args:
        registry: what `/metrics` shows, as Prometheus or OpenMetrics text, as the scraper asks.
        not_ready_because: a sentence while the monitor is not ready, else None.
    """

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def ready(_: Request) -> Response:
        reason = not_ready_because()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=SERVICE_UNAVAILABLE)

    return Starlette(routes=[Route("/metrics", metrics), Route("/-/healthy", healthy), Route("/-/ready", ready)])


class HttpServer:
    """Serves an application from a thread of its own.

    Attributes:
        port: the port that it listens on; of 0 the system's choice.
    """

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self._host, self.port = host, port
        config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Listen; SinkError if the address cannot be had."""
        self._thread.start()
        while not self._server.started:
            self._thread.join(_POLL_SECONDS)
            if not self._thread.is_alive() and not self._server.started:
                raise SinkError(
                    f"{self._host}:{self.port} cannot be listened on: is another monitor running? "
                    "Set [http] metrics_port in the settings, or MONITOR_HTTP__METRICS_PORT"
                ) from self._failure
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self, timeout_seconds: float) -> None:
        """Answer what was asked, within that time, and end."""
        self._server.should_exit = True
        self._thread.join(timeout_seconds / 2)
        self._server.force_exit = True
        self._thread.join(timeout_seconds / 2)

    def _serve(self) -> None:
        try:
            self._server.run()
        except (OSError, SystemExit) as failure:  # uvicorn exits when it cannot bind
            self._failure = failure

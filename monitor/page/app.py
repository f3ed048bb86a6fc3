"""The page's application: the page, what it is made of, its push, and what programs may ask."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from monitor.page.guard import Guarded
from monitor.page.hub import Hub
from monitor.page.state import Standing, StateBuilder, key_of
from monitor.sinks.http import probes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp
    from starlette.websockets import WebSocket

    from monitor.page.guard import Guard
    from monitor.page.sink import PageSink
    from monitor.sinks.snapshot import MetricOfSignal

_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_STATE_MARK: Final = "@STATE@"
_PLOTLY_MARK: Final = "@PLOTLY@"
_FOR_EVER: Final = {"cache-control": "private, max-age=31536000, immutable"}


@dataclass(frozen=True)
class Page:
    """What the page is made of.

    Attributes:
        signals: the catalogue, as the metrics know it.
        sink: has the histories.
        standing: the run.
    """

    signals: Sequence[MetricOfSignal]
    sink: PageSink
    standing: Standing


def page_app(page: Page, guard: Guard, others: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The application behind the page's port.

    Args:
        page: what is shown.
        guard: who may look.
        others: routes besides, as the runbooks.
    """
    builder = StateBuilder(page.signals, page.sink, page.standing)
    hub = Hub(builder.state)
    labels = {signal.name: len(signal.labels) for signal in page.signals}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        pushing = asyncio.create_task(hub.push())
        try:
            yield
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError):
                await pushing

    async def index(_: Request) -> Response:
        return HTMLResponse(_page(hub.whole()))

    async def live(socket: WebSocket) -> None:
        said = socket.query_params
        version = said.get("version", "")
        await hub.serve(socket, said.get("run"), int(version) if version.isascii() and version.isdigit() else None)

    # These may take a while, and run beside the loop.
    def signals(_: Request) -> Response:
        return _json(builder.signals())

    def alerts(_: Request) -> Response:
        return _json(builder.alerts())

    def history(request: Request) -> Response:
        signal, values = key_of(request.query_params.get("series", ""))
        if labels.get(signal) != len(values):
            return PlainTextResponse("no such series: SIGNAL|LABEL|..., as /api/signals has them\n",
                                     status_code=HTTPStatus.NOT_FOUND)  # fmt: skip
        points = page.sink.series(signal, values)
        return _json([[point.tick, point.value] for point in points])

    own = [
        Route("/", index),
        Route("/static/{name}", _static),
        Route("/plotly-{tag}.js", _plotly),
        Route("/favicon.ico", _icon),
        Route("/api/signals", signals),
        Route("/api/alerts", alerts),
        Route("/api/history", history),
        WebSocketRoute("/ws", live),
        *probes(page.standing.not_ready_because),
    ]
    return Guarded(Starlette(routes=[*own, *others], lifespan=lifespan), guard)


def _json(what: Any) -> Response:  # noqa: ANN401 - whatever it is made of
    return Response(msgspec.json.encode(what), media_type="application/json")


def _page(whole: str) -> str:
    """The page with the state in it, so that it can be drawn before anything is pushed."""
    state = whole.replace("<", "\\u003c")  # nothing in it can end the element that it stands in
    return _text("index.html").replace(_PLOTLY_MARK, _plotly_tag()).replace(_STATE_MARK, state)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _statics():
        return PlainTextResponse("not found\n", status_code=HTTPStatus.NOT_FOUND)
    return Response(_text(name), media_type=_TYPES[name[name.rindex(".") :]])


async def _icon(_: Request) -> Response:
    return Response(_text("icon.svg"), media_type="image/svg+xml")


async def _plotly(request: Request) -> Response:
    is_packed = "gzip" in request.headers.get("accept-encoding", "")
    text = await run_in_threadpool(_packed_plotly if is_packed else _plotly_script)
    packed = {"content-encoding": "gzip"} if is_packed else {}
    return Response(text, media_type="text/javascript", headers=_FOR_EVER | packed | {"vary": "accept-encoding"})


@cache
def _statics() -> frozenset[str]:
    there = (each.name for each in (files("monitor.page") / "static").iterdir())
    return frozenset(name for name in there if name[name.rindex(".") :] in _TYPES)


@cache
def _text(name: str) -> str:
    return (files("monitor.page") / "static" / name).read_text(encoding="utf-8")


@cache
def _plotly_script() -> bytes:
    """The one that the Python package ships."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_bytes()


@cache
def _packed_plotly() -> bytes:
    return gzip.compress(_plotly_script(), mtime=0)


@cache
def _plotly_tag() -> str:
    return sha256(_plotly_script()).hexdigest()[:16]

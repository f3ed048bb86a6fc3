"""Feed servers on loopback: each connection is a thread, and is served by a function of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

Serve = Callable[[ServerConnection], None]


@dataclass
class FeedServer:
    """A server that runs.

    Attributes:
        url: of it, without a path.
        connections: those that were made, in order.
        heard: by connection, the messages that it has sent before the test's function was called.
    """

    url: str
    connections: list[ServerConnection] = field(default_factory=list)
    heard: list[list[str | bytes]] = field(default_factory=list)


@contextmanager
def serving(
    serve_one: Serve, *, subscribes: int = 0, tls: SSLContext | None = None, **options: Any
) -> Iterator[FeedServer]:
    """A server whose connections are served by `serve_one`, and closed when it returns.

    Args:
        serve_one: called in the connection's thread; it may be left by ConnectionClosed.
        subscribes: so many messages of the client are read first.
        tls: None: without TLS.
        options: of the library's `serve`.
    """
    threads: list[threading.Thread] = []
    feed = FeedServer("")

    def handle(connection: ServerConnection) -> None:
        threads.append(threading.current_thread())
        try:
            heard = [connection.recv(timeout=10) for _ in range(subscribes)]
            feed.connections.append(connection)
            feed.heard.append(heard)
            serve_one(connection)
        except (ConnectionClosed, OSError):
            return

    options = {"close_timeout": 0.2, "ping_interval": None, **options}
    server: Server = serve(handle, "127.0.0.1", 0, ssl=tls, **options)
    scheme = "wss" if tls else "ws"
    feed.url = f"{scheme}://127.0.0.1:{server.socket.getsockname()[1]}"
    runner = threading.Thread(target=server.serve_forever)
    runner.start()
    try:
        yield feed
    finally:
        server.shutdown()
        runner.join(10)
        for connection in feed.connections:
            connection.close_socket()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads), "a connection's thread goes on"


def until_closed(connection: ServerConnection) -> None:
    """Say nothing until the client has gone; pings are answered."""
    while True:
        connection.recv()

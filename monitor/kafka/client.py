"""kafka-python's network client, such that one that reaches no broker says why, and leaves nothing behind.

By itself the library tells only that the time is over, goes on with its thread and sockets for ever although the
constructor raised, leaves every refused socket to the garbage collector, waits for ever for an answer to its TLS
handshake, drops an answer that comes together with the end of the connection (as a wrong password's does), tries a
wrong password until the time is over, and lets one broker that does not answer take the time of all.
"""

from __future__ import annotations

import ssl
from collections import deque
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from monitor.kafka.reasons import is_settled, most_telling, reason_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from kafka.net.connection import KafkaConnection as Wire
    from kafka.protocol.metadata import MetadataResponse

REMEMBERED: Final = 16
"""So many failed connections of a client are remembered."""


class Failures:
    """Why connections failed lately; noted by the library's thread, read by any."""

    def __init__(self) -> None:
        self._errors: deque[BaseException] = deque(maxlen=REMEMBERED)

    def note(self, error: BaseException) -> None:
        """Another one failed."""
        self._errors.append(error)

    def clear(self) -> None:
        """All is well again."""
        self._errors.clear()

    def most_telling(self) -> BaseException | None:
        """The one that tells most; None: none failed."""
        return most_telling(tuple(self._errors))

    def reason(self) -> str | None:
        """Its line for people; None: none failed."""
        error = self.most_telling()
        return None if error is None else reason_of(error)


def client_maker(failures: Failures | None) -> Callable[..., KafkaNetClient]:
    """What a consumer, producer or admin is given as `kafka_client`.

    Args:
        failures: is told of every connection that fails while the client lives.
    """

    def make(**config: object) -> KafkaNetClient:
        net = NetworkSelector(**config)
        return KafkaNetClient(net, _Manager(net, Failures() if failures is None else failures, config))

    return make


class _Manager(KafkaConnectionManager):
    """Knows why connections fail, and ends with the search for a first broker if that finds none."""

    def __init__(self, net: NetworkSelector, failures: Failures, config: dict[str, object]) -> None:
        self._failures = failures
        self._noted: WeakSet[Wire] = WeakSet()
        self._refused: dict[int | str, BaseException] = {}
        self._share_ms: float | None = None
        super().__init__(net, **config)

    def bootstrap(self, timeout_ms: float | None = None, refresh: bool = True) -> None:
        """Find a first broker; what fails is raised from what tells most of why."""
        is_first = not self.bootstrapped
        if timeout_ms is not None:  # one that does not answer leaves the others their share
            self._share_ms = timeout_ms / len(self.cluster.bootstrap_brokers())
        try:
            super().bootstrap(timeout_ms, refresh)
        except BaseException as error:
            if is_first:  # its constructor raises, so nobody could close it
                self.close()
                self._net.close()
            why = self._failures.most_telling()
            if isinstance(error, KafkaError) and why is not None and why is not error:
                raise error from why
            raise

    def get_connection(self, node_id: int | str, timeout_ms: float | None = None, **how: Any) -> Wire:  # noqa: ANN401
        """A connection to a broker, whose failure is noted; raises at once if all brokers refuse us for good."""
        if self.cluster.is_bootstrap(node_id):
            if self._refused.keys() >= {broker.node_id for broker in self.cluster.bootstrap_brokers()}:
                why = most_telling(tuple(self._refused.values()))
                self._refused.clear()
                raise KafkaTimeoutError("every broker refuses us") from why
            if timeout_ms is not None and self._share_ms is not None:
                timeout_ms = min(timeout_ms, self._share_ms)
        connection = super().get_connection(node_id, timeout_ms=timeout_ms, **how)
        if connection not in self._noted:
            self._noted.add(connection)
            connection.close_future.add_errback(lambda error: self._note(node_id, error))
        return connection

    async def _build_transport(self, node: MetadataResponse, timeout_at: float | None = None) -> _Tcp:
        """A connected transport; what cannot be connected is closed."""
        where = (node.host, node.port, self.config["socket_options"])
        sock = await create_connection(self._net, *where, proxy_url=_ClosingSocket.URL, timeout_at=timeout_at)
        transport = None
        try:
            if self.ssl_enabled:
                transport = _Tls(self._net, sock, host=node.host, ssl_context=self.config["ssl_context"])
                transport.timeout_at = timeout_at
            else:
                transport = _Tcp(self._net, sock, host=node.host)
            await transport.handshake()
        except BaseException as error:
            if transport is None:
                sock.close()
            else:
                transport.abort(error)
            if isinstance(error, Exception):
                raise KafkaConnectionError(f"Handshake failed: {error}") from error
            raise
        return transport

    def _note(self, node_id: int | str, error: BaseException) -> None:
        if self.closed:
            return
        self._failures.note(error)
        if self.cluster.is_bootstrap(node_id) and is_settled(error):
            self._refused[node_id] = error


class _ClosingSocket(KafkaNetSocket):
    """Connects without a proxy, and closes the socket that cannot be connected.

    The library finds it by the scheme of a proxy's address.
    """

    SCHEMES = ("monitor-direct",)
    URL: Final = "monitor-direct://"

    async def sock_connect(
        self,
        net: NetworkSelector,
        sock: socket.socket,
        sockaddr: tuple[object, ...],
        timeout_at: float | None = None,
    ) -> socket.socket:
        try:
            await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise
        return sock


class _Tcp(KafkaTCPTransport):
    """Hands over what came before it tells that the connection ended."""

    ended: BaseException | None = None

    def _sock_recv(self) -> tuple[bytes, BaseException | None]:
        if self.ended is not None:
            return b"", self.ended
        received, self.ended = super()._sock_recv()
        return received, None if received else self.ended


class _Tls(_Tcp, KafkaSSLTransport):
    """The same over TLS; its handshake ends in time."""

    timeout_at: float | None = None

    async def handshake(self) -> None:
        while True:
            try:
                self._sock.do_handshake()
            except ssl.SSLWantReadError:
                await self._net.wait_read(self._sock, timeout_at=self.timeout_at)
            except ssl.SSLWantWriteError:
                await self._net.wait_write(self._sock, timeout_at=self.timeout_at)
            else:
                return

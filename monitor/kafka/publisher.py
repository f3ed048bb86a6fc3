"""Sends messages, and says which of them the brokers have acknowledged."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import InvalidTopicError, KafkaError, KafkaTimeoutError
from kafka.partitioner import DefaultPartitioner, murmur2

from monitor.kafka.connection import Failures, KafkaConnectionError, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from monitor.kafka.connection import KafkaConnection

CONNECT_SECONDS: Final = 10.0
MAX_MESSAGE_BYTES: Final = 8 << 20
"""The largest message that is sent; a broker may be set to take less, and then refuses it."""
MOST_UNACKNOWLEDGED: Final = 65_536
MOST_UNACKNOWLEDGED_BYTES: Final = 64 << 20
"""So many messages, so large together, are under way at most: the client itself would take any number."""
DELIVERY_SECONDS: Final = 120.0
_REQUEST_SECONDS: Final = 30.0
"""A broker that has not answered a request by then is taken for gone, and the request is repeated."""
_BATCH_BYTES: Final = 256 << 10
_LOOK_SECONDS: Final = 2.0
MISSING_SECONDS: Final = 5.0
"""A topic that brokers do not know after so long is missing; until then they may be making it."""
_KEYS_REMEMBERED: Final = 65_536


class PublishError(KafkaConnectionError):
    """What was sent was not acknowledged; the message says what, where, and what to do."""


class PublishTimeoutError(PublishError):
    """Nothing was refused, but the brokers have not answered in time: what was sent is still being sent."""


class Publisher:
    """Sends messages to any topic, those of one partition in the order in which they were sent.

    Used by one thread. Acknowledged means: by all replicas that are in sync. A message that brokers do not answer
    to is sent again until it is acknowledged, and arrives once all the same: brokers know a repeated one. So while
    nothing but `PublishTimeoutError` is raised, and the messages of that time are not sent anew by the caller,
    nothing is lost, doubled or out of order, also when brokers go away and come back.

    Whatever brokers refuse, for example a message that is too large for them, is the end of the publisher: the
    library then aborts all that is under way, and sends nothing more. It is to be closed, and another one made.

    Args:
        connection: how the brokers are reached.
        linger_ms: so long a message waits for others to go with it.
        wait_seconds: the longest that `send` waits for room or for the topic.
        delivery_seconds: a message that is not acknowledged after so long is given up, which is an error.

    Raises:
        KafkaConnectionError: no broker can be reached, within `CONNECT_SECONDS`.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        linger_ms: int = 5,
        wait_seconds: float = 10.0,
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        self._connection, self._wait_seconds = connection, wait_seconds
        self._failures = Failures()
        try:
            self._producer = KafkaProducer(
                **connection.client_options(self._failures),
                bootstrap_timeout_ms=int(CONNECT_SECONDS * 1_000),
                acks="all",
                enable_idempotence=True,
                linger_ms=linger_ms,
                batch_size=_BATCH_BYTES,
                max_request_size=MAX_MESSAGE_BYTES,
                max_block_ms=int(wait_seconds * 1_000),
                request_timeout_ms=int(_REQUEST_SECONDS * 1_000),
                delivery_timeout_ms=int(max(delivery_seconds, _REQUEST_SECONDS + 1) * 1_000),
                metrics_enabled=False,  # nobody reads the client's own, and they cost time for every message
                partitioner=_Partitioner(),
            )
        except (KafkaError, OSError) as error:
            raise KafkaConnectionError(self._said(error)) from error
        self._pending: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._refused: BaseException | None = None
        self._unknown_since: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the brokers; what was not flushed may be lost."""
        self.close(0.5)

    @property
    def unacknowledged(self) -> int:
        """How many messages are under way, or of unknown fate, at most."""
        return len(self._pending)

    def prepare(self, topic: str) -> int:
        """How many partitions a topic has; brokers that may make topics make it.

        Afterwards the topic is known, so that brokers may go away without a word when something is sent to it.

        Raises:
            PublishTimeoutError: no broker answers.
            PublishError: there is no such topic and none may be made, or we may not write to it.
        """
        asked_at = time.monotonic()
        try:
            return len(self._producer.partitions_for(topic))
        except KafkaTimeoutError as error:
            raise self._unknown(topic, asked_at, error) from error
        except (KafkaError, ValueError) as error:
            raise PublishError(f"{topic}: {self._said(error)}") from error

    def partition_of(self, topic: str, key: bytes) -> int:
        """Where the messages of a key go; as `prepare` otherwise."""
        return _hash(key) % self.prepare(topic)

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> None:
        """Hand a message over to be sent; it waits for room.

        Raises:
            PublishTimeoutError: no room came, or no broker told of the topic; the message was not taken.
            PublishError: there is no such topic and none may be made, this message is larger than
                `MAX_MESSAGE_BYTES`, or one before it was refused, see `flush`.
        """
        size = len(value or b"") + len(key or b"")
        self._settle()
        if self._is_full(size):
            self._make_room(size)
        if self._refused is not None:
            self._raise_refused()
        asked_at = time.monotonic()
        try:
            future = self._producer.send(
                topic, value, key=key, headers=list(headers), partition=partition, timestamp_ms=timestamp_ms
            )
        except KafkaTimeoutError as error:
            raise self._unknown(topic, asked_at, error) from error
        except KafkaError as error:
            raise PublishError(f"{topic}: {self._said(error)}") from error
        except ValueError as error:  # a name that no topic can have
            raise PublishError(f"{topic}: {self._said(error)}") from InvalidTopicError(str(error))
        if future.is_done and future.failed():
            raise PublishError(f"{topic}: {self._said(future.exception)}") from future.exception
        self._pending.append((future, size))
        self._bytes += size

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything that was sent is acknowledged.

        Raises:
            PublishTimeoutError: not all is acknowledged by now; it is still being sent, and another call goes on
                waiting.
            PublishError: a message was refused, or given up after `delivery_seconds`; its cause is what the brokers
                said. Of what was sent since the last flush nobody knows what arrived: whoever wants it to arrive
                sends it again, by another publisher.
        """
        ends_at = time.monotonic() + timeout_seconds
        # It wakes the sender, so that nothing lingers. What it raises says less than the messages themselves do.
        with suppress(KafkaError):
            self._producer.flush(timeout_seconds)
        while self._pending:
            self._wait_for(self._pending[0][0], ends_at - time.monotonic())
            if not self._pending[0][0].is_done:
                # What is not waited for any more is still judged: the next flush tells of it.
                raise self._slow(f"{len(self._pending):,} messages are not acknowledged after {timeout_seconds:g} s")
            self._settle()
        self._failures.clear()
        if self._refused is not None:
            self._raise_refused()

    def close(self, timeout_seconds: float) -> None:
        """Let go of the brokers, within about that time; what is not acknowledged by then is not sent any more."""
        try:
            self._producer.close(timeout=timeout_seconds)
        except KafkaError:
            # It could not flush, and has then let go of nothing; it would go on sending, and has no call that ends it.
            self._producer._sender.force_close()  # noqa: SLF001
            with suppress(KafkaError):
                self._producer.close(timeout=1.0)
        self._pending.clear()
        self._bytes = 0

    def _settle(self) -> None:
        """Forget the messages that are acknowledged, and remember the first that was refused."""
        pending = self._pending
        while pending and pending[0][0].is_done:
            future, size = pending.popleft()
            self._bytes -= size
            if self._refused is None and future.failed():
                self._refused = future.exception

    def _is_full(self, more: int) -> bool:
        return bool(self._pending) and (
            len(self._pending) >= MOST_UNACKNOWLEDGED or self._bytes + more > MOST_UNACKNOWLEDGED_BYTES
        )

    def _make_room(self, more: int) -> None:
        ends_at = time.monotonic() + self._wait_seconds
        # For a good part of it at once: waiting for each single message would cost more than sending it.
        self._wait_for(self._pending[len(self._pending) // 4][0], self._wait_seconds)
        self._settle()
        while self._is_full(more):
            self._wait_for(self._pending[0][0], ends_at - time.monotonic())
            if not self._pending[0][0].is_done:
                raise self._slow(f"no room for a message within {self._wait_seconds:g} s")
            self._settle()

    @staticmethod
    def _wait_for(future: Any, timeout_seconds: float) -> None:  # noqa: ANN401 - the client has no types
        """Wait until a message is acknowledged or refused, or that time is over."""
        with suppress(KafkaError):  # how it ended is read from the future itself
            future.get(timeout=max(0.0, timeout_seconds))

    def _raise_refused(self) -> None:
        refused, self._refused = self._refused, None
        if refused is not None:
            raise PublishError(self._said(refused)) from refused

    def _slow(self, what: str) -> PublishTimeoutError:
        why = self._failures.reason()
        return PublishTimeoutError(f"{self._brokers}: {what}{f' ({why})' if why else ''}; they are still being sent")

    def _unknown(self, topic: str, asked_at: float, error: KafkaError) -> PublishError:
        """Why nothing is known of a topic: the brokers do not answer, or they have none of that name."""
        try:
            looking = KafkaAdminClient(
                **self._connection.client_options(), bootstrap_timeout_ms=int(_LOOK_SECONDS * 1_000)
            )
            try:
                there = looking.list_topics()
            finally:
                looking.close()
        except (KafkaError, OSError) as gone:
            self._unknown_since.pop(topic, None)
            return PublishTimeoutError(f"{topic}: {self._said(gone)}")
        if topic in there or time.monotonic() - self._unknown_since.setdefault(topic, asked_at) < MISSING_SECONDS:
            return PublishTimeoutError(f"{topic}: {self._said(error)}")
        return PublishError(
            f"{topic}: {self._brokers} have no such topic, and make none by themselves; create it, for example by "
            f"kafka-topics.sh --bootstrap-server {self._connection.brokers[0]} --create --topic {topic}"
        )

    @property
    def _brokers(self) -> str:
        return ", ".join(self._connection.brokers)

    def _said(self, error: BaseException) -> str:
        return f"{self._brokers}: {reason_of(error)}"


class _Partitioner(DefaultPartitioner):
    """The partition of a key as all Kafka clients choose it, but worked out once a key: it is slow in Python."""

    def partition(
        self,
        topic: str,
        key: bytes | None,
        serialized_key: bytes | None,
        value: object,
        serialized_value: object,
        cluster: Any,  # noqa: ANN401 - the client has no types
    ) -> int:
        """The partition of a message; of one without a key any that can be written to."""
        if serialized_key is None:
            return int(super().partition(topic, key, serialized_key, value, serialized_value, cluster))
        return _hash(serialized_key) % len(cluster.partitions_for_topic(topic))


@lru_cache(maxsize=_KEYS_REMEMBERED)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFF_FFFF

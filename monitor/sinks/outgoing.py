"""What sinks need of the way by which messages leave for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Header = tuple[str, bytes]


class Outbox(Protocol):
    """Takes messages, and never makes anybody wait for the brokers."""

    @property
    def waiting(self) -> int:
        """How many messages are not acknowledged yet."""

    @property
    def dropped(self) -> int:
        """How many messages will never arrive."""

    def put(self, topic: str, value: bytes, *, key: bytes | None = None, headers: Sequence[Header] = ()) -> None:
        """Take a message; those of a topic arrive in this order, each at least once unless it is dropped."""

    def close(self, timeout_seconds: float) -> int:
        """Send what waits, within that time; how many messages were lost."""

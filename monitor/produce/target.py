"""The contract of whatever events are published to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.produce.events import Event


class TargetError(Exception):
    """Events cannot be published there; the message says where, what is wrong, and what to do."""


class Target(ABC):
    """Takes events, from one thread."""

    def begin(self) -> None:  # noqa: B027 - most need not wait
        """Wait until somebody is there to take events, where that matters; called once, before the first of them."""

    @abstractmethod
    def send(self, events: Sequence[Event]) -> None:
        """Take a chunk of events, in the order of arrival; TargetError if that cannot be."""

    @abstractmethod
    def flush(self) -> None:
        """Wait until all that was taken is safely there; TargetError if it does not get there."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, at once; what was not flushed may be lost."""

"""Commits: positions noted by the name of the group, for people who watch the lag, and for a partition's next owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from kafka.structs import OffsetAndMetadata

from monitor.kafka.connection import reason_of
from monitor.sources.base import LINES_A_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafka import TopicPartition

    from monitor.sources.base import Mark
    from monitor.sources.kafka.client import Client

_log = structlog.get_logger(__name__)


class Commits:
    """Commits what is new, and waits for no answer.

    Args:
        name: the source's.
        client: commits.
    """

    def __init__(self, name: str, client: Client) -> None:
        self._name, self._client = name, client
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}

    def note(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Commit the oldest open offset of every partition, with its watermark as the commit's metadata."""
        offsets = {
            tp: OffsetAndMetadata(mark.position // LINES_A_MESSAGE, mark_text(mark), -1) for tp, mark in marks.items()
        }
        new = {tp: offset for tp, offset in offsets.items() if self._committed.get(tp) != offset}
        if new:
            self._committed |= new
            self._client.commit(new, self._answered)

    def forget(self, tp: TopicPartition) -> None:
        """A partition is ours no longer: what others commit of it is not known."""
        self._committed.pop(tp, None)

    def _answered(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], answer: object) -> None:
        """Called by a thread of the client."""
        if isinstance(answer, Exception):
            # The next marks are tried again; nothing depends on these but what is seen of the lag.
            for tp, offset in offsets.items():
                if self._committed.get(tp) == offset:
                    self._committed.pop(tp, None)
            _log.debug("offsets could not be committed", source=self._name, error=reason_of(answer))


def mark_text(mark: Mark) -> str:
    """What stands beside a committed offset: how far event time had come there.

    >>> from monitor.sources.base import Mark
    >>> mark_text(Mark(7, 1_700_000_000_000_000))
    'watermark_us=1700000000000000'
    """
    watermark = "" if mark.watermark_us is None else f"watermark_us={mark.watermark_us}"
    return " ".join(filter(None, (watermark, mark.note)))

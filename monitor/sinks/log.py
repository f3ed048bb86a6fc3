"""The run in words: alert transitions as sentences, refused events, and now and then how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from polars import col as c

from monitor.results import BLIND, Level
from monitor.sinks.base import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from monitor.results import Ingested, Output

EVERY_SECONDS: Final = 2.0
"""Wall time between two lines that say how things stand."""

_log = structlog.get_logger(__name__)


class LogSink(Sink):
    """Tells people what happens.

    Args:
        headlines: the signals whose newest values are told.
        wall: a monotonic clock in seconds.
    """

    def __init__(self, headlines: Collection[str], wall: Callable[[], float]) -> None:
        self._headlines = list(headlines)
        self._wall = wall
        self._told_at = wall() - EVERY_SECONDS

    def ingested(self, what: Ingested) -> None:
        """Warn of what was refused or came too late, with the first as an example."""
        if what.rejects:
            first = what.rejects[0]
            _log.warning(
                "events refused", stream=what.stream, count=len(what.rejects),
                first_reason=first.reason, first_detail=first.detail, first_position=first.position,
            )  # fmt: skip
        if what.late:
            _log.warning("events came too late to count", stream=what.stream, count=what.late)

    def wrote(self, output: Output) -> None:
        """Tell the transitions, and the newest of the headlines' values."""
        for transition in output.transitions:
            is_bad = transition.after in {Level.CRITICAL.word, BLIND}
            tell = _log.error if is_bad else _log.warning if transition.after == Level.WARNING.word else _log.info
            tell(transition.sentence, alert=transition.alert, to=transition.after, notify=transition.notify)
        headlines = output.steps.filter(
            c("signal").is_in(self._headlines), c("level").is_not_null(), c("value").is_not_null()
        )
        if headlines.height and self._wall() - self._told_at >= EVERY_SECONDS:
            self._told_at = self._wall()
            newest = headlines.unique("signal", keep="last", maintain_order=True).sort("signal")
            values = dict(zip(newest["signal"], newest["value"], strict=True))
            _log.info("how it stands", value_date=str(newest["value_date"].max()), **values)

    def close(self) -> None:
        """Nothing is held open."""

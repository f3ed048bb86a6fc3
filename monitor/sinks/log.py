"""The run in words: alert transitions as sentences, refused events, and now and then how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from polars import col as c

from monitor.results import BLIND, Level
from monitor.sinks.base import SYNTHETIC, Sink, synthetic_sentence
from monitor.sinks.files import rfc3339

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
        is_synthetic: whether the events are made up; every line then says so.
    """

    def __init__(self, headlines: Collection[str], wall: Callable[[], float], *, is_synthetic: bool = False) -> None:
        self._mark = {SYNTHETIC: True} if is_synthetic else {}
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
                **self._mark,
            )  # fmt: skip
        if what.late:
            _log.warning("events came too late to count", stream=what.stream, count=what.late, **self._mark)

    def wrote(self, output: Output) -> None:
        """Tell the transitions, and of each headline the worst value that changed last."""
        for transition in output.transitions:
            is_bad = transition.after in {Level.CRITICAL.word, BLIND}
            tell = _log.error if is_bad else _log.warning if transition.after == Level.WARNING.word else _log.info
            said = synthetic_sentence(transition.sentence) if self._mark else transition.sentence
            clock = {"clock": "wall"} if transition.by_wall_clock else {}
            tell(said, alert=transition.alert, to=transition.after, notify=transition.notify, **clock)
        shown = output.steps.filter(
            c("signal").is_in(self._headlines), c("level").is_not_null(), c("value").is_not_null()
        )
        if shown.height and self._wall() - self._told_at >= EVERY_SECONDS:
            self._told_at = self._wall()
            now = shown.filter(c("tick") == c("tick").max().over("signal"))
            worst = now.sort("level", "value", descending=True, maintain_order=True).unique("signal", keep="first")
            values = {
                signal: float(f"{value:.4g}") for signal, value in worst.sort("signal").select("signal", "value").rows()
            }
            _log.info("worst of each", event_time=rfc3339(output.until), **self._mark, **values)

    def close(self) -> None:
        """Nothing is held open."""

"""Alert transitions as lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.results import BLIND, Level
from monitor.sinks.base import Sink

if TYPE_CHECKING:
    from monitor.results import Ingested, Output

_log = structlog.get_logger(__name__)


class LogSink(Sink):
    """Tells people what happens: a sentence a transition, and refused events in one line a batch."""

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
        """Tell the transitions."""
        for transition in output.transitions:
            bad = transition.after in {Level.CRITICAL.word, BLIND}
            tell = _log.error if bad else _log.warning if transition.after == Level.WARNING.word else _log.info
            tell(transition.sentence, alert=transition.alert, to=transition.after, notify=transition.notify)

    def close(self) -> None:
        """Nothing is held open."""

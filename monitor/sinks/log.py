"""The run in words: regimes and alert transitions as sentences, refused events, and now and then how things stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from polars import col as c

from monitor.results import BLIND, REGIMES, SEGMENTS, Level, rfc3339
from monitor.sinks.base import SYNTHETIC, Sink, synthetic_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from monitor.results import Ingested, Output

EVERY_SECONDS: Final = 2.0
"""Wall time between two lines that say how things stand."""

_NAMED: Final = 2
"""So many of the largest segments are named."""

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
        self._regime, self._is_capped = REGIMES[0], False

    def ingested(self, what: Ingested) -> None:
        """Warn of what was refused or came too late, with the first as an example."""
        if what.rejects:
            first = what.rejects[0]
            _log.warning(
                "events refused", stream=what.stream, count=sum(each.events for each in what.rejects),
                first_reason=first.reason, first_detail=first.detail, first_position=first.position,
                **self._mark,
            )  # fmt: skip
        if what.late:
            _log.warning("events came too late to count", stream=what.stream, count=what.late, **self._mark)

    def wrote(self, output: Output) -> None:
        """Tell regimes and transitions, and of each headline the worst value that changed last."""
        self._tell_regimes(output)
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

    def _tell_regimes(self, output: Output) -> None:
        if output.index.is_empty():
            return
        changes = c("regime").ne(c("regime").shift(1, fill_value=self._regime))
        changes |= c("capped") & ~c("capped").shift(1, fill_value=self._is_capped)
        for row in output.index.filter(changes).iter_rows(named=True):
            is_worse = REGIMES.index(row["regime"]) > REGIMES.index(self._regime)
            said = regime_sentence(row, self._regime)
            tell = _log.warning if is_worse or row["capped"] else _log.info
            tell(synthetic_sentence(said) if self._mark else said, event_time=rfc3339(row["tick"]), **self._mark)
            self._regime = row["regime"]
        self._is_capped = output.index["capped"][-1]

    def close(self) -> None:
        """Nothing is held open."""


def regime_sentence(row: dict[str, Any], before: str) -> str:
    """A row of the index as a sentence about the regime.

    >>> regime_sentence({"regime": "elevated", "capped": False, "stress_index": 0.12, "low": 0.1, "high": 0.35,
    ...     "coverage": 0.85, "contribution_treasury": 0.07, "contribution_repo": 0.05}, "calm")
    'regime: calm -> elevated, index 0.12 (0.10-0.35), coverage 85 %, largest: treasury, repo'
    """
    parts = {segment: row.get(f"contribution_{segment}") or 0.0 for segment in SEGMENTS}
    largest = [segment for segment in sorted(SEGMENTS, key=parts.__getitem__, reverse=True) if parts[segment]]
    index = "unknown" if row["stress_index"] is None else f"{row['stress_index']:.2f}"
    said = [
        f"regime: {before} -> {row['regime']}",
        f"index {index} ({row['low']:.2f}-{row['high']:.2f})",
        f"coverage {row['coverage']:.0%}".replace("%", " %"),
    ]
    if largest:
        said.append(f"largest: {', '.join(largest[:_NAMED])}")
    if row["capped"]:
        said.append("capped: a crisis by the index, and too little of the market is seen or bad to call it one")
    return ", ".join(said)

"""Results for other programs: alert transitions and the stress index as keyed messages.

The last message of a key says how it stands. So that this holds whatever happened before (a kill, an earlier run,
messages that were dropped), every label set is also told as it stands, marked `standing`: when this process sees it for
the first time, and when messages were lost on the way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from polars import col as c

from monitor.results import rfc3339, word
from monitor.sinks.base import SYNTHETIC, Sink, synthetic_sentence
from monitor.sinks.files import index_rows, transition_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from monitor.results import Ingested, Output
    from monitor.sinks.outgoing import Outbox
    from monitor.sinks.snapshot import MetricOfSignal

INDEX_KEY: Final = "stress-index"
STANDING: Final = "standing"
"""Marks a message that tells how it stands, and no change."""

_BY_WALL: Final = {"clock": "wall"}


def alert_key(alert: str, labels: Mapping[str, str]) -> str:
    """The key of a label set's messages: its labels by name, their values as in JSON.

    >>> alert_key("RepoTailBp", {"window": "30m", "instrument": "GC-ON"})
    'RepoTailBp{instrument="GC-ON",window="30m"}'
    """
    inside = ",".join(f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in sorted(labels))
    return f"{alert}{{{inside}}}"


class PublishSink(Sink):
    """Sends alert transitions to one topic, and the rows of the index to another.

    Args:
        outbox: closed with the sink.
        signals: those that may have alerts.
        alerts_topic: None: alerts are not sent.
        index_topic: None: the index is not sent.
        close_within_seconds: so long the end may wait for what is still to be sent.
        is_synthetic: whether the events are made up; every message then says so.
    """

    def __init__(
        self,
        outbox: Outbox,
        signals: Sequence[MetricOfSignal],
        *,
        alerts_topic: str | None,
        index_topic: str | None,
        close_within_seconds: float,
        is_synthetic: bool = False,
    ) -> None:
        self._outbox, self._close_within = outbox, close_within_seconds
        self._signals = {each.name: each for each in signals if each.has_levels}
        self._alerts_topic, self._index_topic = alerts_topic, index_topic
        self._is_synthetic = is_synthetic
        self._mark = {SYNTHETIC: True} if is_synthetic else {}
        self._alerts: dict[str, dict[str, Any]] = {}
        self._index: dict[str, Any] | None = None
        self._lost = 0

    def ingested(self, what: Ingested) -> None:
        """Events go nowhere from here."""

    def wrote(self, output: Output) -> None:
        """Send transitions and rows of the index, and how label sets stand that were not heard of before."""
        self._repair()
        if self._alerts_topic is not None:
            for each in output.transitions:
                said = {"sentence": synthetic_sentence(each.sentence)} if self._is_synthetic else {}
                self._tell(alert_key(each.alert, each.labels), transition_line(each) | said | self._mark)
            for key, line in self._first_heard_of(output).items():
                self._tell(key, line | self._mark)
        if self._index_topic is not None:
            self._tell_index(output)

    def close(self) -> None:
        """Send what waits."""
        self._outbox.close(self._close_within)

    def _tell(self, key: str, line: dict[str, Any]) -> None:
        self._alerts[key] = line
        if self._alerts_topic is not None:
            self._outbox.put(self._alerts_topic, _json(line), key=key.encode())

    def _first_heard_of(self, output: Output) -> dict[str, dict[str, Any]]:
        """By key, the newest state of label sets with thresholds of which nothing was told so far, calm ones too."""
        found: dict[str, dict[str, Any]] = {}
        days: dict[str, date | None] = {}
        ruled = output.steps.filter(c("level").is_not_null(), c("signal").is_in(list(self._signals)))
        for row in ruled.iter_rows(named=True):
            signal = self._signals[row["signal"]]
            labels = {name: row[name] for name in signal.labels if row[name] is not None}
            key = alert_key(signal.alert, labels)
            if key in self._alerts:
                continue
            before = days.get(key)
            if before and row["value_date"] and row["value_date"] < before:
                continue  # a revision of a day that is past: what stands now is newer
            days[key] = row["value_date"]
            found[key] = _standing_line(row, signal, labels) | (_BY_WALL if row["tick"] > output.until else {})
        return found

    def _tell_index(self, output: Output) -> None:
        # No tick is run for what the wall clock decides: such a row is newer than the newest tick.
        by_wall = (output.index["tick"] > output.until).to_list()
        for row, is_by_wall in zip(index_rows(output.index).iter_rows(named=True), by_wall, strict=True):
            at = {"ts": f"{row['ts']:%Y-%m-%dT%H:%M:%SZ}"}
            is_first = {STANDING: True} if self._index is None else {}
            self._index = row | at | (_BY_WALL if is_by_wall else {}) | self._mark
            self._send_index(self._index | is_first)

    def _send_index(self, line: dict[str, Any]) -> None:
        if self._index_topic is not None:
            self._outbox.put(self._index_topic, _json(line), key=INDEX_KEY.encode())

    def _repair(self) -> None:
        """Messages were dropped: once all others are through, tell how everything stands."""
        dropped = self._outbox.dropped
        if dropped == self._lost or self._outbox.waiting:
            return
        self._lost = dropped
        for key, line in self._alerts.items():
            self._tell(key, line | {STANDING: True})
        if self._index is not None:
            self._send_index(self._index | {STANDING: True})


def _standing_line(row: dict[str, Any], signal: MetricOfSignal, labels: dict[str, str]) -> dict[str, Any]:
    """A step as a line of `alerts.jsonl`: what only a change has is null, and a blind label set's level is `from`."""
    level = word(row["level"], blind=False)
    return {
        "ts": rfc3339(row["tick"]),
        "value_date": row["value_date"].isoformat() if row["value_date"] else None,
        "alert": signal.alert,
        "signal": signal.name,
        "segment": signal.segment,
        "labels": labels,
        "from": level if row["blind"] else None,
        "to": word(row["level"], blind=row["blind"]),
        "since": None,
        "value": row["value"],
        "threshold": None,
        "contributors": [],
        "runbook": f"/runbooks/{signal.alert}",
        "notify": None,
        "sentence": None,
        STANDING: True,
    }


def _json(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode()

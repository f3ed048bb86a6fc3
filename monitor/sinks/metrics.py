"""The names, types and labels of all metrics but the signals' values: each stands here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "market_"
"""Before a signal's name."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: as it is scraped; a counter's without its `_total`.
        kind: its type.
        help: one sentence.
        labels: their names; those of a signal come besides where `has_signal_labels`.
        has_signal_labels: whether each series has the labels of its signal too.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram", "info"]
    help: str
    labels: tuple[str, ...] = ()
    has_signal_labels: bool = False

    @property
    def scraped(self) -> str:
        """The name as it stands on the page."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


SIGNAL_LEVEL: Final = Family(
    "market_signal_level", "gauge", "0 calm, 1 warning, 2 critical; stays while blind.", ("signal",),
    has_signal_labels=True,
)  # fmt: skip
SIGNAL_BLIND: Final = Family(
    "market_signal_blind", "gauge", "1 while the input is lost, stale or repeated.", ("signal",),
    has_signal_labels=True,
)  # fmt: skip
SIGNAL_SCORE: Final = Family(
    "market_signal_score_ratio", "gauge", "How bad a value is: 0 calm, 0.5 at warning, 0.9 at critical.", ("signal",),
    has_signal_labels=True,
)  # fmt: skip
SIGNAL_THRESHOLD: Final = Family(
    "market_signal_threshold", "gauge", "The thresholds in force on today's value date, in the signal's unit.",
    ("signal", "row", "level", "edge"),
)  # fmt: skip
SIGNAL_INFO: Final = Family(
    "market_signal_info", "gauge", "What a signal is: names for people, its segment, and who is told of its alert.",
    ("signal", "title", "segment", "unit", "alert", "notify"),
)  # fmt: skip
SIGNAL_SINCE: Final = Family(
    "market_signal_since_timestamp_seconds", "gauge",
    "Event time since when a level that is not calm has stood; while it is calm there is no series.", ("signal",),
    has_signal_labels=True,
)  # fmt: skip
SIGNAL_CROSSED: Final = Family(
    "market_signal_crossed_threshold", "gauge",
    "The threshold at which the level that stands was entered, in the signal's unit; while calm there is no series.",
    ("signal",), has_signal_labels=True,
)  # fmt: skip
SIGNAL_BLIND_SINCE: Final = Family(
    "market_signal_blind_since_timestamp_seconds", "gauge",
    "Event time since when the input is lost, stale or repeated; while it is sound there is no series.", ("signal",),
    has_signal_labels=True,
)  # fmt: skip
CALENDAR_FLAG: Final = Family(
    "market_calendar_flag", "gauge",
    "1 on today's calendar flags: Y, Q, M: first or last business day of a year, a quarter, a month; C: the 15th or "
    "the business day after it; E: within an announcement of the settings.", ("flag",),
)  # fmt: skip
ALERT_LEVEL: Final = Family("market_alert_level", "gauge", "Highest level over an alert's label sets.", ("alert",))
SEGMENT_LEVEL: Final = Family("market_segment_level", "gauge", "Highest level of a segment's signals.", ("segment",))
SEGMENT_BLIND: Final = Family(
    "market_segment_blind", "gauge", "1 while a headline signal of the segment is blind.", ("segment",)
)
INDEX: Final = Family("market_stress_index_ratio", "gauge", "How bad it is, and how much of it at once: 0 to 1.")
INDEX_LOW: Final = Family("market_stress_index_low_ratio", "gauge", "The index if all that is absent were calm.")
INDEX_HIGH: Final = Family(
    "market_stress_index_high_ratio", "gauge", "The index if all that is absent were at its worst."
)
COVERAGE: Final = Family("market_stress_coverage_ratio", "gauge", "The weight of the segments that are present.")
SEGMENT_SCORE: Final = Family("market_stress_segment_ratio", "gauge", "How bad a segment is: 0 to 1.", ("segment",))
CONTRIBUTION: Final = Family(
    "market_stress_contribution_ratio", "gauge", "A segment's part of the index; they sum to it.", ("segment",)
)
REGIME: Final = Family("market_stress_regime", "gauge", "1 for the regime that it is.", ("regime",))
REGIME_CAPPED: Final = Family(
    "market_stress_regime_capped", "gauge", "1 if it were a crisis, were there enough that shows it."
)

EVENTS: Final = Family(
    "monitor_events", "counter", "Events that met their contract; goes on after a restart with its state.", ("stream",)
)
REJECTED: Final = Family("monitor_events_rejected", "counter", "Events refused.", ("stream", "reason"))
LATE: Final = Family("monitor_events_late", "counter", "Events too late to count.", ("stream",))
DOUBLED: Final = Family(
    "monitor_events_doubled", "counter", "Events dropped because they repeat a producer's id.", ("stream",)
)
LAST_EVENT: Final = Family(
    "monitor_last_event_timestamp_seconds", "gauge", "Newest event time of a stream.", ("stream",)
)
WATERMARK: Final = Family(
    "monitor_watermark_timestamp_seconds", "gauge", "Event time up to which a stream is sealed.", ("stream",)
)
SOURCE_UP: Final = Family("monitor_source_up", "gauge", "Whether a source is connected.", ("source",))
SOURCE_INFO: Final = Family("monitor_source_info", "gauge", "The sources and their kinds.", ("source", "kind"))
SOURCE_STATE: Final = Family(
    "monitor_source_state", "gauge", "1 for the state that a source is in.", ("source", "state")
)
FEED_CONNECTIONS: Final = Family(
    "monitor_feed_connections", "counter", "Times that a source was connected.", ("source",)
)
FEED_FRAMES: Final = Family("monitor_feed_frames", "counter", "Frames that a feed has sent.", ("source",))
FEED_BYTES: Final = Family("monitor_feed_bytes", "counter", "Bytes of a feed's frames, unpacked.", ("source",))
FEED_MISSING: Final = Family(
    "monitor_feed_missing", "counter", "By the feed's own numbers: what it sent and never came, or not within 5 s.",
    ("source",),
)  # fmt: skip
FEED_REPEATED: Final = Family(
    "monitor_feed_repeated", "counter", "By the feed's own numbers: what came again, and was dropped.", ("source",)
)
FEED_OUT_OF_ORDER: Final = Family(
    "monitor_feed_out_of_order", "counter", "By the feed's own numbers: what came after a later number.", ("source",)
)
FEED_DROPPED: Final = Family(
    "monitor_feed_dropped", "counter", "What the drop rules of a source's mapping have left out.", ("source",)
)
LAG: Final = Family(
    "monitor_consumer_lag_records", "gauge", "Messages that wait in a partition, as of the brokers' last word.",
    ("topic", "partition"),
)  # fmt: skip
OFFSET: Final = Family(
    "monitor_consumer_offset_records", "gauge", "The first message of a partition that was not read yet.",
    ("topic", "partition"),
)  # fmt: skip
LOST: Final = Family(
    "monitor_consumer_lost_records", "gauge",
    "Messages that were gone, or damaged, before they could be read, since the source was connected.",
    ("topic", "partition"),
)  # fmt: skip
EMPTY: Final = Family(
    "monitor_consumer_empty_records", "gauge", "Messages without content, since the source was connected.",
    ("topic", "partition"),
)  # fmt: skip
PARTITION_ARRIVAL: Final = Family(
    "monitor_partition_last_arrival_timestamp_seconds", "gauge", "Wall time at which a partition brought something.",
    ("topic", "partition"),
)  # fmt: skip
OUTBOX_WAITING: Final = Family(
    "monitor_outbox_waiting_messages", "gauge", "Messages for other programs that are not acknowledged yet.", ("sink",)
)
OUTBOX_SENT: Final = Family(
    "monitor_outbox_sent", "counter", "Messages for other programs that were acknowledged, or kept.", ("sink",)
)
OUTBOX_DROPPED: Final = Family(
    "monitor_outbox_dropped", "counter", "Messages for other programs that will never arrive.", ("sink",)
)
SYNTHETIC: Final = Family(
    "monitor_synthetic", "gauge", "1 if the events are made up: no number here is of a real market."
)
RESUMED: Final = Family(
    "monitor_resumed",
    "gauge",
    "1 once this process was ready for the first time: from then on what it says takes the place of what was known "
    "before. Of processes that evaluate signals.",
)
TURNS: Final = Family(
    "monitor_turns", "counter", "Turns of the main loop: while it stands still, nothing is taken in or evaluated."
)
READY: Final = Family(
    "monitor_ready",
    "gauge",
    "1 while all sources are connected and caught up, and after a restart it is where it was, as /-/ready says.",
)
CLOCK: Final = Family(
    "monitor_clock_timestamp_seconds", "gauge",
    "What time it is for the monitor: the wall's, or the story's while one is played.",
)  # fmt: skip
WALL: Final = "wall"
"""A clock that goes with the world's."""
CLOCK_INFO: Final = Family(
    "monitor_clock_info", "gauge", "1: which clock that is: wall, story, or feed, the newest event's.", ("clock",)
)
STATE_WRITABLE: Final = Family("monitor_state_writable", "gauge", "0 while the durable state cannot be written.")
TICK_DURATION: Final = Family(
    "monitor_tick_duration_seconds", "histogram", "Wall time that an advance of the ticks took."
)
EVENT_TO_METRIC: Final = Family(
    "monitor_event_to_metric_seconds", "histogram",
    "Wall time from an event's arrival until its whole second shows on this page.",
)  # fmt: skip
SERIES_DROPPED: Final = Family(
    "monitor_series_dropped", "counter", "Steps not exported, because their signal has too many label sets.",
    ("signal",),
)  # fmt: skip
SERIES: Final = Family("monitor_signal_series", "gauge", "Label sets of a signal that are exported.", ("signal",))
SERIES_LIMIT: Final = Family(
    "monitor_signal_series_limit", "gauge", "So many label sets a signal are exported at most."
)
BUILD: Final = Family("monitor_build", "info", "The version of the monitor.", ("version",))

FAMILIES: Final = tuple(each for each in list(globals().values()) if isinstance(each, Family))
"""All of them, in this order."""

"""The board of the monitor itself: whether what it says can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, panels
from monitor.generate.boards.layout import Board, Fold, Row, side_by_side
from monitor.generate.boards.panels import About
from monitor.generate.boards.queries import MOST_LINES, legend_of, over_range, quantile, said
from monitor.generate.rules.own import JOB
from monitor.generate.rules.recording import LAG, REJECTED, newest
from monitor.links import PIPELINE
from monitor.results import SEGMENTS
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.generate.boards.manner import Unit
    from monitor.generate.boards.panels import Placed

NO_TOPIC: Final = "no topic is read"
NO_FEED: Final = "no feed is read over WebSocket"
NO_NUMBERS: Final = "no feed with numbers is read"
NO_OUTBOX: Final = "nothing is sent to other programs"
_OF_JOB: Final = f'{{job="{JOB}"}}'
MOST_FEEDS: Final = MOST_LINES // 4
MEMORY: Final = "process_resident_memory_bytes"
STARTED: Final = "process_start_time_seconds"
CPU: Final = "process_cpu_seconds_total"
FILES: Final = "process_open_fds"
MOST_FILES: Final = "process_max_fds"


def board() -> Board:
    """Events in, numbers out."""
    return Board(
        PIPELINE,
        "The monitor's pipeline",
        "What comes in, what of it is refused or late, how far it has come, and whether the monitor is well.",
        (
            Row(7, (_events(), _rejects(), _late())),
            Row(7, (_watermark(), _lag(), _durations())),
            Row(7, (_sources(), _series(), _process())),
            Row(6, (_replicas(), _trouble())),
        ),
        (Fold("Details", side_by_side(_details(), 7)),),
        marks=head.marks(SEGMENTS),
        since="now-1h",
    )


def _lines(
    about: About, queries: Sequence[tuple[str, str]], unit: Unit, width: int, none: str = "no value", **how: float
) -> Placed:
    made = [said(expr, none, legend) for expr, legend in queries]
    return panels.lines(about, made, unit, width, low=how.get("low"))


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


def _events() -> Placed:
    return _lines(
        About(
            "events", "Events taken", "How many events met their contract, by stream.",
            "A stream that stops in its session: look at its source below.",
        ),
        [(_rate(metrics.EVENTS.scraped, "stream"), "{{stream}}")], manner.A_SECOND, 8, low=0,
    )  # fmt: skip


def _rejects() -> Placed:
    by_reason = (
        f"topk({MOST_LINES}, sum by (stream, reason) (increase({metrics.REJECTED.scraped}[$__rate_interval])) > 0)"
    )
    share = f"max by (stream) ({REJECTED.name}) > 0"
    placed = _lines(
        About(
            "rejects", "Events refused, by reason",
            "How many events broke their contract, by stream and reason; and on the right the part of a stream's "
            "events that was refused in the last 5 minutes. They are kept, and can be put back by `stress-monitor "
            "redrive`.",
            "One reason all at once: a producer was changed. Open the runbook of RejectsHigh.",
        ),
        [(by_reason, "{{stream}} {{reason}}"), (share, "{{stream}}, part refused")],
        manner.COUNT, 8, none="none refused", low=0,
    )  # fmt: skip
    right = {"unit": "percentunit", "decimals": 1, "custom_axisPlacement": "right"}
    return panels.overridden(placed, "/part refused$/", **right)


def _late() -> Placed:
    return _lines(
        About(
            "late", "Late and doubled events",
            "Events that came after their second was sealed, and those that repeat a producer's id: neither counts.",
            "Late events: a producer or a network is slow. Doubled ones do no harm.",
        ),
        [
            (_rate(metrics.LATE.scraped, "stream"), "{{stream}}, late"),
            (_rate(metrics.DOUBLED.scraped, "stream"), "{{stream}}, doubled"),
        ],
        manner.A_SECOND, 8, low=0,
    )  # fmt: skip


def _watermark() -> Placed:
    behind = f"scalar(max({metrics.CLOCK.scraped})) - max by (stream)"
    return _lines(
        About(
            "watermark", "How far behind now",
            "The monitor's clock less the watermark, up to which a stream is sealed, and less its newest event. "
            "Benchmarks, deals and reference series come when they come: only quotes and trades are awaited.",
            "A watermark that falls behind while events arrive: the monitor is stuck, open the runbook of "
            "MonitorStuck.",
        ),
        [
            (f"{behind} ({metrics.WATERMARK.scraped})", "{{stream}}, sealed"),
            (f"{behind} ({metrics.LAST_EVENT.scraped})", "{{stream}}, newest event"),
        ],
        manner.SECONDS, 8, low=0,
    )  # fmt: skip


def _lag() -> Placed:
    one = f"max by (topic, partition) ({metrics.LAG.scraped})"
    at_end = f"max by (topic, partition) (last_over_time({metrics.LAG.scraped}[$__range] @ end()))"
    return _lines(
        About(
            "lag", "Messages that wait, by partition",
            "How many messages of a partition are not read yet, of the partitions with the most; and of each topic.",
            "A lag that only grows: more comes in than is taken. Start another reader of the group.",
        ),
        [
            (f"{one} and topk({MOST_LINES}, {at_end})", "{{topic}} {{partition}}"),
            (f"max by (topic) ({LAG.name})", "{{topic}}, all"),
        ],
        manner.COUNT, 8, none=NO_TOPIC, low=0,
    )  # fmt: skip


def _durations() -> Placed:
    took, under_way = metrics.TICK_DURATION.scraped, metrics.EVENT_TO_METRIC.scraped
    return _lines(
        About(
            "durations", "How long it takes",
            "Ticks: wall time to run what has become due. From an event to its metric: at least the 2 seconds that "
            "late events are waited for. Of 100 the middle one, and the slowest but one.",
            "A tick of more than a second: fewer instruments, shorter windows, or two stages.",
        ),
        [
            (quantile(0.5, took), "tick, the middle one"),
            (quantile(0.99, took), "tick, the slowest of 100"),
            (quantile(0.5, under_way), "event to metric, the middle one"),
            (quantile(0.99, under_way), "event to metric, the slowest of 100"),
        ],
        manner.FEW_SECONDS, 8, none="nothing was timed", low=0,
    )  # fmt: skip


def _sources() -> Placed:
    state = metrics.SOURCE_STATE.scraped
    info = metrics.SOURCE_INFO.scraped
    known = f"max by (source) ({metrics.SOURCE_UP.scraped})"
    expr = f"({known}) * on (source) group_left (kind) max by (source, kind) ({info})"
    states = f"max by (source, state) ({state}) == 1"
    return panels.states(
        About(
            "sources", "Sources",
            "Each source: whether it is connected; and below the states that it was in.",
            "Not connected: the log says why, and it is tried again by itself with growing pauses.",
        ),
        [
            said(expr, "no source", "{{source}} ({{kind}})"),
            said(states, "no state", "{{source}}: {{state}}"),
        ],
        10, [manner.words({0: ("no", manner.CALM_AREA), 1: ("yes", manner.INFORMATION)}), manner.unknown("not known")],
    )  # fmt: skip


def _series() -> Placed:
    return _lines(
        About(
            "series", "Label sets against their limit",
            "How many label sets the largest signals have, against how many of one are exported at most; and what was "
            "left out.",
            "Near the limit: choose fewer instruments in the settings. Beyond it some are on no board and in no alert.",
        ),
        [
            (f"{newest(metrics.SERIES.scraped)} and topk(6, {over_range(metrics.SERIES.scraped)})", "{{signal}}"),
            (f"max({metrics.SERIES_LIMIT.scraped})", "limit of each"),
            (f"sum by (signal) ({metrics.SERIES_DROPPED.scraped}) > 0", "{{signal}}, steps left out"),
        ],
        manner.COUNT, 7, none="nothing left out", low=0,
    )  # fmt: skip


def _process() -> Placed:
    placed = _lines(
        About(
            "process", "Memory, and restarts in 15 minutes",
            "What each process of the monitor holds; on the right how often it was started.",
            "Memory that grows for hours: note the hour, keep the log, restart. Starts: its log says why it ended.",
        ),
        [
            (f"max by (instance) ({MEMORY}{_OF_JOB})", "{{instance}}, memory"),
            (f"max by (instance) (changes({STARTED}{_OF_JOB}[15m]))", "{{instance}}, restarts"),
        ],
        manner.BYTES, 7, none="no process answers", low=0,
    )  # fmt: skip
    return panels.overridden(placed, "/restarts$/", unit="none", decimals=0, custom_axisPlacement="right", min=0)


def _replicas() -> Placed:
    index = metrics.INDEX.scraped
    level = metrics.SIGNAL_LEVEL.scraped
    expr = f"max({index}) - min({index})"
    apart = f"{newest(level)} - min without (instance, job) ({level})"
    levels = f"count(({apart}) > 0) or 0 * count({level})"
    return _lines(
        About(
            "replicas", "Do replicas agree?",
            "The index of the replica that says the most less that of the one that says the least, and how many levels "
            "they do not agree on. Both run the same ticks, so both must be 0 but for the moment of a scrape.",
            "A difference that stays: one of them reads something else. Compare their settings and positions.",
        ),
        [(expr, "index, difference"), (levels, "levels that differ")], manner.INDEX, 12, low=0,
    )  # fmt: skip


def _trouble() -> Placed:
    version = f"max by (version) ({metrics.BUILD.scraped})"
    placed = panels.numbers(
        About(
            "well", "Is the monitor well?",
            "How many of its processes answer, whether it is ready, whether its state can be written, and its version.",
            "Its state cannot be written: the disk may be full. After a restart it would begin where it last could.",
        ),
        [
            said(f"sum(up{_OF_JOB})", "no target", "Processes that answer"),
            said(f"max({metrics.READY.scraped})", "no answer", "Ready"),
            said(f"min({metrics.STATE_WRITABLE.scraped})", "keeps no state", "State"),
            said(version, "unknown", f"Version {legend_of('version')}"),
        ],
        manner.COUNT, 12,
    )  # fmt: skip
    ready = manner.words({0: ("▲ not ready", manner.WARNING), 1: ("ready", manner.TEXT)})
    written = manner.words({0: ("◆ cannot be written", manner.CRITICAL), 1: ("is written", manner.TEXT)})
    panels.overridden(placed, "Ready", mappings=[ready, manner.unknown("not known")])
    panels.overridden(placed, "State", mappings=[written, manner.unknown("none")])
    runs = manner.words({1: ("runs", manner.TEXT)})
    return panels.overridden(placed, "/^Version/", mappings=[runs, manner.unknown("not known")])


@dataclass(frozen=True, slots=True)
class _Detail:
    """A line a label set of one metric, which helps to find a cause."""

    key: str
    title: str
    tells: str
    metric: str
    by: str
    unit: Unit
    none: str
    rate: bool = False

    def panel(self) -> Placed:
        one = _rate(self.metric, self.by) if self.rate else f"max by ({self.by}) ({self.metric})"
        last = f"topk({MOST_LINES}, max by ({self.by}) (last_over_time({self.metric}[$__range] @ end())))"
        legend = " ".join(f"{{{{{label}}}}}" for label in self.by.split(", "))
        about = About(self.key, self.title, self.tells, "It helps to find a cause; by itself it asks for nothing.")
        return _lines(about, [(f"{one} and {last}", legend)], self.unit, 8, none=self.none, low=0)


_PLACE: Final = "topic, partition"
_DETAILS: Final = (
    _Detail(
        "offsets", "Read up to", "The first message of a partition that was not read yet.",
        metrics.OFFSET.scraped, _PLACE, manner.COUNT, NO_TOPIC,
    ),
    _Detail(
        "lost", "Messages lost", "Messages that were gone, or damaged, before they could be read.",
        metrics.LOST.scraped, _PLACE, manner.COUNT, NO_TOPIC,
    ),
    _Detail(
        "empty", "Messages without content", "They count for nothing.",
        metrics.EMPTY.scraped, _PLACE, manner.COUNT, NO_TOPIC,
    ),
    _Detail(
        "connections", "Connections", "How often a source was connected: each is a gap in a feed over WebSocket.",
        metrics.FEED_CONNECTIONS.scraped, "source", manner.COUNT, "no source",
    ),
    _Detail(
        "frames", "Frames of feeds", "What feeds over WebSocket send, in frames.",
        metrics.FEED_FRAMES.scraped, "source", manner.A_SECOND, NO_FEED, rate=True,
    ),
    _Detail(
        "feed-bytes", "Bytes of feeds", "The same in bytes, unpacked.",
        metrics.FEED_BYTES.scraped, "source", manner.BYTES_A_SECOND, NO_FEED, rate=True,
    ),
    _Detail(
        "outbox-waiting", "Messages not acknowledged", "For other programs, by sink.",
        metrics.OUTBOX_WAITING.scraped, "sink", manner.COUNT, NO_OUTBOX,
    ),
    _Detail(
        "outbox-sent", "Messages sent", "For other programs, acknowledged or kept.",
        metrics.OUTBOX_SENT.scraped, "sink", manner.A_SECOND, NO_OUTBOX, rate=True,
    ),
    _Detail(
        "outbox-dropped", "Messages lost for others", "They will never arrive: what reads them has gaps.",
        metrics.OUTBOX_DROPPED.scraped, "sink", manner.COUNT, NO_OUTBOX,
    ),
)  # fmt: skip


def _details() -> list[Placed]:
    age = f"max by ({_PLACE}) (time() - {metrics.PARTITION_ARRIVAL.scraped})"
    last = f"max by ({_PLACE}) (last_over_time({metrics.PARTITION_ARRIVAL.scraped}[$__range] @ end()))"
    arrival = _lines(
        About(
            "arrival", "Silence of partitions", "How long ago, by the wall's clock, a partition brought something.",
            "One that is silent alone: its producer is gone, or has nothing to say.",
        ),
        [(f"{age} and bottomk({MOST_LINES}, {last})", "{{topic}} {{partition}}")],
        manner.SECONDS, 8, none=NO_TOPIC, low=0,
    )  # fmt: skip
    processor = _lines(
        About(
            "cpu", "Processor", "How much of one core each process uses.",
            "Near 100 %: ticks get slower, and events wait.",
        ),
        [(f"max by (instance) (rate({CPU}{_OF_JOB}[$__rate_interval]))", "{{instance}}")], manner.PERCENT, 8, low=0,
    )  # fmt: skip
    files = _lines(
        About(
            "files", "Open files", "Files and connections that are open, and how many may be.",
            "Near the limit: connections leak, restart and tell the maintainers.",
        ),
        [
            (f"max by (instance) ({FILES}{_OF_JOB})", "{{instance}}, open"),
            (f"max by (instance) ({MOST_FILES}{_OF_JOB})", "{{instance}}, limit"),
        ],
        manner.COUNT, 8, low=0,
    )  # fmt: skip
    counted = (
        (metrics.FEED_MISSING, "never came"), (metrics.FEED_OUT_OF_ORDER, "came late"),
        (metrics.FEED_REPEATED, "came again"), (metrics.FEED_DROPPED, "left out by its mapping"),
    )  # fmt: skip
    lost = _lines(
        About(
            "feeds", "What feeds lost",
            "By the feed's own numbers: what never came, what came after later ones, and what came again and was "
            "dropped; and what the drop rules of its mapping have left out.",
            "What never came is lost: open the runbook of FeedMissing. The others do no harm.",
        ),
        [
            (f"topk({MOST_FEEDS}, {_rate(metric.scraped, 'source')})", f"{{{{source}}}}, {what}")
            for metric, what in counted
        ],
        manner.A_SECOND, 8, none=NO_NUMBERS, low=0,
    )  # fmt: skip
    return [*(detail.panel() for detail in _DETAILS), lost, arrival, processor, files]

"""What the core hands to the sinks: the shapes of its results, and nothing of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

MICROSECONDS_PER_SECOND: Final = 1_000_000


class Level(IntEnum):
    """How bad: the number that `market_signal_level` exports."""

    CALM = 0
    WARNING = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """The level as it stands in files and sentences."""
        return self.name.lower()


BLIND: Final = "blind"
"""Stands where a level's word would, while the input of a signal is lost, stale or repeated."""


def rfc3339(epoch_second: int) -> str:
    """An event time as files, lines of the log and sentences have it.

    >>> rfc3339(1568721600)
    '2019-09-17T12:00:00Z'
    """
    return datetime.fromtimestamp(epoch_second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def label_columns(labels: Iterable[str]) -> dict[str, pl.DataType]:
    """A String column a label, null where a signal does not have that label."""
    return {label: pl.String() for label in labels}


STEP_COLUMNS: Final[dict[str, pl.DataType]] = {
    "tick": pl.Int64(),  # epoch seconds: when it became known, on the whole second
    "value_date": pl.Date(),
    "signal": pl.String(),
    "value": pl.Float64(),  # in the unit of the signal's name; null: absent or blind
    "blind": pl.Boolean(),
    "level": pl.Int8(),  # a Level, latched while blind or absent; null: the row has no thresholds
    "row": pl.String(),  # the id of the threshold row in force; null without
    "score": pl.Float64(),  # how bad the value is, 0 to 1; null without a value or a score
    "is_partial": pl.Boolean(),  # something that belongs to the value is missing: it may be worse
    "is_over": pl.Boolean(),  # the label set is at its end
}
"""The columns of a frame of steps, to which come the label columns. A step is a row that changed something."""


SEGMENTS: Final = ("treasury", "repo", "newissue", "cds", "credit")
"""The market segments, in the order in which they stand everywhere."""

REGIMES: Final = ("calm", "elevated", "stressed", "crisis")
"""The states of the market as a whole, the worst last."""

INDEX_COLUMNS: Final[dict[str, pl.DataType]] = (
    {
        "tick": pl.Int64(),  # epoch seconds
        "stress_index": pl.Float64(),  # 0 to 1; null while no segment is present
        "low": pl.Float64(),  # if all that is absent were calm
        "high": pl.Float64(),  # if all that is absent were at its worst, and with everything else
    }
    | {segment: pl.Float64() for segment in SEGMENTS}  # its score, 0 to 1; null: absent
    | {f"contribution_{segment}": pl.Float64() for segment in SEGMENTS}  # they sum to the index; null: absent
    | {
        "coverage": pl.Float64(),  # the weights of the segments that are present, 0 to 1
        "regime": pl.String(),  # one of REGIMES
        "capped": pl.Boolean(),  # it would be a crisis, were there enough that shows it
    }
    | {f"level_{segment}": pl.Int8() for segment in SEGMENTS}  # the highest Level of its signals; null: it has none
    | {f"blind_{segment}": pl.Boolean() for segment in SEGMENTS}  # a label set that it is scored by is blind
)
"""The columns of a frame of the index. A row is there where any of the others changed."""


def word(level: int | None, *, blind: bool) -> str | None:
    """The word of a state: `calm`, `warning`, `critical`, `blind`, or None without thresholds."""
    if blind:
        return BLIND
    return None if level is None else Level(level).word


@dataclass(frozen=True, slots=True)
class Contributor:
    """One label set of a signal, and its value."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of one label set's state: a line of `alerts.jsonl`.

    Attributes:
        tick: when, epoch seconds of event time.
        value_date: the day that the value is for.
        alert: the alert's id: the signal's name in CamelCase.
        signal: the signal's name.
        segment: the market segment.
        labels: the label set.
        before: the word of the state that ends.
        after: the word of the state that begins.
        since: epoch seconds: since when the level named by `after` has stood (a level outlives a blind spell).
        value: the value that decided; None while blind.
        threshold: the threshold that was crossed; None into and out of blindness.
        contributors: up to five label sets of the signal with their values, worst first.
        runbook: the path of the alert's runbook.
        notify: who is told: `none`, `desk` or `on-call`.
        sentence: all of it in words.
        by_wall_clock: whether the wall clock decided, as all input had stopped; a replay does not find it again.
    """

    tick: int
    value_date: date | None
    alert: str
    signal: str
    segment: str
    labels: dict[str, str]
    before: str
    after: str
    since: int
    value: float | None
    threshold: float | None
    contributors: tuple[Contributor, ...]
    runbook: str
    notify: str
    sentence: str
    by_wall_clock: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """One label set that is not calm, or that is blind, as it stands.

    Attributes:
        signal: the signal's name.
        labels: the label set.
        level: how bad; that of a blind one is the last that was known.
        since: epoch seconds: since when the level has stood.
        threshold: at which the level was entered, in the signal's unit; None if it is calm.
        blind_since: epoch seconds; None while the input is sound.
    """

    signal: str
    labels: dict[str, str]
    level: Level
    since: int
    threshold: float | None
    blind_since: int | None


@dataclass(frozen=True, slots=True)
class ThresholdInForce:
    """One threshold as it holds on the clock's value date."""

    signal: str
    row: str
    level: str
    edge: str
    value: float


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """One refused payload, as the sinks write it.

    Attributes:
        stream: the contract that it broke.
        reason: out of a closed list.
        detail: what was wrong, in words.
        source: the name of the source.
        partition: the file, the connection, or the topic and number of a Kafka partition (`treasury.quotes/3`).
        offset: its position there.
        raw: the bytes as they came.
        line: which line of a message of several, from 1; None where a message, or line, is one event.
        is_mapped: a mapping looked at it: its bytes are a whole message as its vendor wrote it, in no shape of ours.
        events: how many events of the message were refused so.
    """

    stream: str
    reason: str
    detail: str
    source: str
    partition: str
    offset: int
    raw: bytes
    line: int | None = None
    is_mapped: bool = False
    events: int = 1

    @property
    def position(self) -> str:
        """Where it stands, in words.

        >>> RejectedEvent("repo", "not_json", "", "feeds", "repo.rates/3", 17, b"", line=2).position
        'repo.rates/3:17, line 2'
        """
        # A message of a single event, as most are, needs no number of its line.
        line = f", line {self.line}" if self.line is not None and self.line > 1 else ""
        return f"{self.partition}:{self.offset}{line}"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one batch brought, for one stream.

    Attributes:
        stream: the contract's name.
        events: how many met their contract.
        late: how many of them came after their second was sealed, and were dropped.
        doubles: how many of them repeat a producer's id, and were dropped.
        first_event_us: the oldest event time of the batch; None without events.
        last_event_us: the newest event time of the batch; None without events.
        rejects: what was refused.
    """

    stream: str
    events: int
    late: int
    doubles: int
    first_event_us: int | None
    last_event_us: int | None
    rejects: tuple[RejectedEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What the ticks up to and including `until` brought.

    Attributes:
        until: epoch seconds: the newest tick run; the event clock.
        steps: a frame of `STEP_COLUMNS` and the label columns, in the order of ticks.
        transitions: the changes of state, in the same order.
        thresholds: those in force on the clock's value date.
        watermarks_us: by stream, the event time up to which everything is sealed.
        index: a frame of `INDEX_COLUMNS`, in the order of ticks.
        alarms: every label set that is not calm, or is blind, at `until`.
        flags: by calendar flag, whether the clock's value date has it.
    """

    until: int
    steps: pl.DataFrame
    transitions: tuple[Transition, ...] = ()
    thresholds: tuple[ThresholdInForce, ...] = ()
    watermarks_us: dict[str, int] = field(default_factory=dict)
    index: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=INDEX_COLUMNS))
    alarms: tuple[Alarm, ...] = ()
    flags: dict[str, bool] = field(default_factory=dict)

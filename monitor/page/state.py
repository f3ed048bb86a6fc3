"""What the page shows, as one flat state: key to JSON.

The keys:

head                how bad, since when, how far it can be trusted
clock               how new the newest event is
segment/SEGMENT     one of the five
about/SIGNAL        what does not change of a signal
thresholds          by signal and row those in force
edges               where each regime begins
series/ID, now/ID   a label set, and what stands of it
alert/ID            what fires, and what is blind
told/NUMBER         a transition
index/TICK          a point of the index
mark/TICK           of the transitions into a level, the worst of a stretch of time
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.alerts.sentence import quantity, sentence
from monitor.index.constants import BANDS
from monitor.page.sink import MAX_SERIES, PageSink, SeriesKey
from monitor.results import BLIND, MICROSECONDS_PER_SECOND, SEGMENTS, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from monitor.results import Alarm
    from monitor.sinks.snapshot import MetricOfSignal, Now, Snapshot

CALM_EVERY_SECONDS: Final = 5.0
"""What is calm, and stays calm, is told so often: the eye needs no more, and a line has room for little."""
STILL_SECONDS: Final = 10
"""If the main loop has not gone round for so long, what is shown is old, though the server answers."""
SHOWN_TOLD: Final = 50
"""So many transitions are on the page."""
MAX_ALERTS: Final = 500
"""So many of what fires or is blind are told one by one, the worst first; all are counted, and in the table."""
_FINE: Final = frozenset({"up", "ended"})
_HOUR, _DAY = 3_600, 86_400
_FIGURES: Final = 4


@dataclass(frozen=True)
class Standing:
    """What the page asks the run.

    Attributes:
        snapshot: what the metrics show.
        not_ready_because: a sentence while it is not ready, else None.
        now_us: what time it is for the monitor, epoch microseconds.
        turned_at: when the main loop last went round, monotonic seconds; None before it first did.
        sources: the state of each source.
        is_over: whether the story that is played is over.
        title: what is shown, in words.
        is_synthetic: whether the events are made up.
        speed: seconds of event time a second; None: it is live.
        version: of the monitor.
        grafana_url: of the boards.
    """

    snapshot: Callable[[], Snapshot]
    not_ready_because: Callable[[], str | None]
    now_us: Callable[[], int]
    turned_at: Callable[[], float | None]
    sources: Callable[[], Mapping[str, str]]
    is_over: Callable[[], bool]
    title: str
    is_synthetic: bool
    speed: float | None
    version: str
    grafana_url: str


class _Row(NamedTuple):
    """What stands of one label set, as the table has it."""

    value: float | None
    level: int | None
    blind: bool
    score: float | None
    value_date: str | None
    since: int | None
    row: str | None

    @property
    def is_calm(self) -> bool:
        return not self.level and not self.blind


class _Market(NamedTuple):
    """What a snapshot gives: keys and JSON, the rows by id, and how many label sets there are."""

    state: dict[str, Any]
    rows: dict[str, _Row]
    series: int


class StateBuilder:
    """Makes the state of what the sink keeps and the run says; from one thread.

    Args:
        signals: the catalogue, as the metrics know it.
        sink: has the histories.
        standing: the run.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        signals: Sequence[MetricOfSignal],
        sink: PageSink,
        standing: Standing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signals = {signal.name: signal for signal in signals}
        self._sink, self._standing, self._monotonic = sink, standing, monotonic
        self._about = {f"about/{signal.name}": _about(signal) for signal in signals}
        self._seen: Snapshot | None = None
        self._market = _Market({}, {}, 0)
        self._rows: dict[str, _Row] = {}
        self._calm_at = float("-inf")

    def state(self) -> dict[str, Any]:
        """The state now."""
        snapshot = self._standing.snapshot()
        if snapshot is not self._seen:  # ticks are seconds apart, and the page is told four times a second
            self._seen, self._market = snapshot, self._of_market(snapshot)
        market = self._market
        return {
            "head": self._head(snapshot, series=market.series, shown=len(market.rows)),
            "clock": self._clock(),
            **market.state,
            **self._about,
            **{f"now/{name}": row for name, row in self._paced(market.rows).items()},
            **{
                f"told/{number}": [each.tick, each.after, each.before, each.sentence, each.runbook, each.segment]
                for number, each in self._sink.told()[-SHOWN_TOLD:]
            },
            **{f"index/{point.tick}": point.value for point in self._sink.index()},
            **{f"mark/{point.tick}": point.value for point in self._sink.marks()},
        }

    def _of_market(self, snapshot: Snapshot) -> _Market:
        rows = dict(self._all_rows(snapshot))
        shown = dict(self._shown(rows))
        worst = sorted(snapshot.alarms, key=lambda each: (each.level, each.blind_since is None), reverse=True)
        state: dict[str, Any] = {
            **{f"segment/{segment}": _segment(segment, snapshot, self._signals) for segment in SEGMENTS},
            "thresholds": _thresholds(snapshot),
            "edges": {regime: band.enter for regime, band in BANDS.items()},
            **{f"series/{_id(key)}": [key[0], *key[1]] for key in shown},
            **{
                f"alert/{_id(_key(alarm, self._signals))}": self._alarm(alarm, snapshot) for alarm in worst[:MAX_ALERTS]
            },
        }
        return _Market(state, {_id(key): row for key, row in shown.items()}, len(rows))

    def signals(self) -> list[dict[str, Any]]:
        """Every label set as it stands, for programs."""
        found = []
        for (name, labels), row in self._all_rows(self._standing.snapshot()):
            signal = self._signals[name]
            found.append({
                "signal": name, "title": signal.title, "unit": signal.unit, "segment": signal.segment,
                "labels": _labels(signal, labels), "value": row.value, "blind": row.blind, "score": row.score,
                "level": None if row.level is None else Level(row.level).word, "value_date": row.value_date,
                "since": row.since,
            })  # fmt: skip
        return found

    def alerts(self) -> dict[str, Any]:
        """What fires or is blind, and what was told last, for programs."""
        snapshot = self._standing.snapshot()
        told = [
            {
                "tick": each.tick, "alert": each.alert, "signal": each.signal, "segment": each.segment,
                "labels": each.labels, "from": each.before, "to": each.after, "since": each.since,
                "value": each.value, "threshold": each.threshold, "sentence": each.sentence, "runbook": each.runbook,
                "synthetic": self._standing.is_synthetic,
            }
            for _, each in self._sink.told()
        ]  # fmt: skip
        return {"firing": [self._alarm(alarm, snapshot) for alarm in snapshot.alarms], "told": told}

    def _head(self, snapshot: Snapshot, *, series: int, shown: int) -> dict[str, Any]:
        index, standing = snapshot.index or {}, self._standing
        regime = self._sink.regime_since()
        now = index.get("stress_index")
        return {
            "until": self._sink.until,
            "regime": index.get("regime"),
            "since": regime[0] if regime else None,
            "since_at_least": regime[1] if regime else False,
            "index": _rounded(now),
            "low": _rounded(index.get("low")),
            "high": _rounded(index.get("high")),
            "coverage": _rounded(index.get("coverage")),
            "capped": bool(index.get("capped")),
            "hour": self._change(now, _HOUR),
            "day": self._change(now, _DAY),
            "critical": sum(each.level is Level.CRITICAL for each in snapshot.alarms),
            "warning": sum(each.level is Level.WARNING for each in snapshot.alarms),
            "blind": sum(each.blind_since is not None for each in snapshot.alarms),
            "series": series,
            "shown": shown,
            "not_ready": standing.not_ready_because(),
            "away": sorted(f"{name} ({state})" for name, state in standing.sources().items() if state not in _FINE),
            "over": standing.is_over(),
            "title": standing.title,
            "synthetic": standing.is_synthetic,
            "speed": standing.speed,
            "version": standing.version,
            "grafana": standing.grafana_url,
        }

    def _clock(self) -> dict[str, int | None]:
        """The newest event, epoch seconds; where it is live its age; how long nothing was computed. In seconds."""
        newest_us, turned_at = self._sink.newest_us, self._standing.turned_at()
        still = 0 if turned_at is None else int(self._monotonic() - turned_at)
        clock = {"event": None, "age": None, "still": still if still >= STILL_SECONDS else None}
        if newest_us is not None:
            clock["event"] = newest_us // MICROSECONDS_PER_SECOND
            if self._standing.speed is None:
                # By a feed's own clock its newest event is always new: then it counts when something came.
                heard_at = self._sink.heard_at
                silent = 0 if heard_at is None else int(self._monotonic() - heard_at)
                age = (self._standing.now_us() - newest_us) // MICROSECONDS_PER_SECOND
                clock["age"] = max(0, age, silent)
        return clock

    def _change(self, now: float | None, seconds: int) -> float | None:
        """How much the index is higher than it was so long ago; None if that is not known."""
        until = self._sink.until
        before = None if until is None else self._sink.index_at(until - seconds)
        return None if now is None or before is None else _rounded(now - before)

    def _all_rows(self, snapshot: Snapshot) -> Iterator[tuple[SeriesKey, _Row]]:
        since = {
            _key(alarm, self._signals): alarm.since if alarm.blind_since is None else alarm.blind_since
            for alarm in snapshot.alarms
        }
        for name, states in snapshot.states.items():
            for labels, state in states.items():
                yield (name, labels), _row(state, since.get((name, labels)))

    def _shown(self, rows: dict[SeriesKey, _Row]) -> Iterator[tuple[SeriesKey, _Row]]:
        """All, or of too many those that are not calm, then those of headlines, then others."""
        if len(rows) <= MAX_SERIES:
            yield from rows.items()
            return
        chosen = sorted(rows, key=lambda key: (rows[key].is_calm, not self._signals[key[0]].headline))[:MAX_SERIES]
        yield from ((key, rows[key]) for key in chosen)

    def _paced(self, rows: dict[str, _Row]) -> dict[str, _Row]:
        """The rows, of which those that stay calm stand as they were told last."""
        now = self._monotonic()
        if now - self._calm_at >= CALM_EVERY_SECONDS:
            self._calm_at = now
            self._rows = rows
        else:
            before = self._rows
            self._rows = {
                name: before[name] if row.is_calm and name in before and before[name].is_calm else row
                for name, row in rows.items()
            }
        return self._rows

    def _alarm(self, alarm: Alarm, snapshot: Snapshot) -> dict[str, Any]:
        signal = self._signals[alarm.signal]
        _, labels = _key(alarm, self._signals)
        state = snapshot.states[alarm.signal].get(labels)
        is_blind = alarm.blind_since is not None
        said = sentence(
            signal,
            alarm.labels,
            BLIND if is_blind else alarm.level.word,
            alarm.blind_since if alarm.blind_since is not None else alarm.since,
            state.value if state and not is_blind else None,
            None if is_blind else alarm.threshold,
            None,
        )
        return {
            "alert": signal.alert,
            "signal": signal.name,
            "segment": signal.segment,
            "labels": alarm.labels,
            "headline": signal.headline and state is not None and _is_headline(signal, state.row),
            "level": int(alarm.level),
            "since": alarm.since,
            "blind_since": alarm.blind_since,
            "score": _rounded(state.score) if state else None,
            "sentence": said,
            "runbook": f"/runbooks/{signal.alert}",
        }


def _is_headline(signal: MetricOfSignal, row: str | None) -> bool:
    return signal.headline_rows is None or row in signal.headline_rows


def _about(signal: MetricOfSignal) -> dict[str, Any]:
    return {
        "title": signal.title, "help": signal.help, "unit": signal.unit, "segment": signal.segment,
        "labels": list(signal.labels), "levels": signal.has_levels,
        "runbook": f"/runbooks/{signal.alert}" if signal.has_levels else None,
    }  # fmt: skip


def _segment(segment: str, snapshot: Snapshot, signals: dict[str, MetricOfSignal]) -> dict[str, Any]:
    index = snapshot.index or {}
    of_it = [
        (state.score, name, labels, state)
        for name, signal in signals.items()
        if signal.segment == segment and signal.headline
        for labels, state in snapshot.states.get(name, {}).items()
        if state.score is not None and not state.blind and state.value is not None
    ]
    worst = max(of_it, key=lambda each: each[:3], default=None)
    said = None
    if worst is not None and worst[3].value is not None:
        signal = signals[worst[1]]
        where = ", ".join(filter(None, worst[2]))
        said = f"{f'{signal.title} {where}'.strip()}: {quantity(worst[3].value, signal.unit)}"
    return {
        "score": _rounded(index.get(segment)),
        "contribution": _rounded(index.get(f"contribution_{segment}")),
        "level": index.get(f"level_{segment}"),
        "blind": bool(index.get(f"blind_{segment}")),
        "worst": said,
    }


def _thresholds(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in snapshot.thresholds:
        found.setdefault(each.signal, {}).setdefault(each.row, {})[f"{each.level}_{each.edge}"] = each.value
    return found


def _row(state: Now, since: int | None) -> _Row:
    value = None if state.value is None or state.blind else float(f"{state.value:.{_FIGURES}g}")
    day = state.value_date.isoformat() if state.value_date else None
    score = None if state.score is None else round(state.score, 2)
    return _Row(value, state.level, state.blind, score, day, since, state.row)


def _key(alarm: Alarm, signals: dict[str, MetricOfSignal]) -> SeriesKey:
    return alarm.signal, tuple(alarm.labels.get(label, "") for label in signals[alarm.signal].labels)


def _id(key: SeriesKey) -> str:
    """A label set's id: it stands in the page's address.

    >>> _id(("repo_tail_bp", ("GC-ON", "30m")))
    'repo_tail_bp|GC-ON|30m'
    """
    return "|".join((key[0], *(label.replace("%", "%25").replace("|", "%7C") for label in key[1])))


def key_of(series: str) -> SeriesKey:
    """The label set of an id.

    >>> key_of("repo_tail_bp|A%7CB|30m")
    ('repo_tail_bp', ('A|B', '30m'))
    """
    signal, *labels = series.split("|")
    return signal, tuple(label.replace("%7C", "|").replace("%25", "%") for label in labels)


def _labels(signal: MetricOfSignal, labels: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in zip(signal.labels, labels, strict=True) if value}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

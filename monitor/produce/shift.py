"""Moves events in time, such that a story begins now.

The time of each event moves by the same microseconds, and every date that an event names (of a benchmark's value, of
a rate's effect, of a maturity) by the same whole days: those from the New York date of the story's beginning to
today's. So terms to maturity stay, and a rate stays as many days behind its day as it was. Weekends stay where the
calendar has them: on a Saturday a story has no session, and its past has Saturdays where it had Fridays.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from monitor.calendar import MarketCalendar
from monitor.produce.events import BOM, UNREADABLE, Event
from monitor.produce.feeds import text_time_us
from monitor.streams import EARLIEST_TS_US, LATEST_TS_US, MICROSECONDS_PER_SECOND, STREAMS, Kind

_DATE_FIELDS: Final = {
    name: tuple(field.name for field in stream.fields if field.kind is Kind.DATE) for name, stream in STREAMS.items()
}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ANY: Final = msgspec.json.Decoder().decode


class Shift:
    """From one moment to another.

    Args:
        from_us: the moment that becomes `to_us`, epoch microseconds.
        to_us: what it becomes.
    """

    def __init__(self, from_us: int, to_us: int) -> None:
        self.by_us = to_us - from_us
        days = MarketCalendar.new_york_date(to_us) - MarketCalendar.new_york_date(from_us)
        self.by_days = days.days

    def event(self, event: Event) -> Event:
        """The event, moved; bytes that are no object, and times and dates that are none, stay as they stand."""
        try:
            parts = _PARTS(event.payload.removeprefix(BOM))
            if "ts" in parts:
                self._move(parts, "ts", self._time)
            for name in _DATE_FIELDS[event.stream]:
                if name in parts:
                    self._move(parts, name, self._date)
        except UNREADABLE:
            return event
        return Event(event.stream, msgspec.json.encode(parts))

    @staticmethod
    def _move(parts: dict[str, msgspec.Raw], name: str, how: Any) -> None:  # noqa: ANN401 - of any JSON to any
        value = _ANY(parts[name])
        moved = how(value)
        if moved != value:
            parts[name] = msgspec.Raw(msgspec.json.encode(moved))

    def _time(self, ts: object) -> object:
        if isinstance(ts, int) and not isinstance(ts, bool):
            return ts + self.by_us if EARLIEST_TS_US <= ts < LATEST_TS_US else ts
        if not isinstance(ts, str):
            return ts
        try:
            at_us = text_time_us(ts)
            if not EARLIEST_TS_US <= at_us < LATEST_TS_US:
                return ts
            if ts.isdigit():
                return str(at_us + self.by_us)
            zone = datetime.fromisoformat(ts.upper()).tzinfo
            moved_us = at_us + self.by_us
            whole = datetime.fromtimestamp(moved_us // MICROSECONDS_PER_SECOND, zone)
            return whole.replace(microsecond=moved_us % MICROSECONDS_PER_SECOND).isoformat()
        except (ValueError, OverflowError):
            return ts

    def _date(self, text: object) -> object:
        if not isinstance(text, str) or not _DATE.fullmatch(text):
            return text
        try:
            return (date.fromisoformat(text) + timedelta(days=self.by_days)).isoformat()
        except (ValueError, OverflowError):
            return text

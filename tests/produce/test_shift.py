"""Events moved in time: all that hangs together stays together."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.produce.events import Event
from monitor.produce.feeds import event_time_us
from monitor.produce.shift import Shift

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = int(datetime(2025, 11, 24, 14, tzinfo=UTC).timestamp()) * 1_000_000  # 09:00 New York
MOMENTS = st.integers(min_value=1_500_000_000_000_000, max_value=2_000_000_000_000_000)


def moved(shift: Shift, stream: str = "repo", **fields: object) -> dict[str, object]:
    event = shift.event(Event(stream, json.dumps(fields).encode()))
    assert event.stream == stream
    made = json.loads(event.payload)
    assert isinstance(made, dict)
    return made


@given(MOMENTS, MOMENTS, st.lists(MOMENTS, min_size=1, max_size=4))
def test_all_times_move_by_the_same_microseconds(start: int, now: int, times: list[int]) -> None:
    shift = Shift(start, now)
    assert moved(shift, ts=start)["ts"] == now
    for at in times:
        text = (EPOCH + timedelta(microseconds=at)).isoformat()
        for ts in (at, str(at), text, text.replace("+00:00", "Z")):
            assert event_time_us(json.dumps(moved(shift, ts=ts)).encode()) == at + now - start


@given(MOMENTS, MOMENTS, st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_all_dates_move_by_the_days_between_both_beginnings(start: int, now: int, day: date) -> None:
    by = MarketCalendar.new_york_date(now) - MarketCalendar.new_york_date(start)
    shift = Shift(start, now)
    assert moved(shift, ts=start, value_date=str(day))["value_date"] == str(day + by)
    assert moved(shift, "reference", ts=start, effective_date=str(day))["effective_date"] == str(day + by)
    assert moved(shift, "treasury", ts=start, maturity=str(day))["maturity"] == str(day + by)


@given(MOMENTS)
def test_a_benchmark_stays_as_far_behind_its_day_as_it_was_and_is_never_ahead_of_it(now: int) -> None:
    published = START - 3_600_000_000  # 08:00 of the story's day, for the Friday before
    made = moved(Shift(START, now), ts=published, kind="benchmark", value_date="2025-11-21")
    ts = made["ts"]
    assert isinstance(ts, int)
    behind = MarketCalendar.new_york_date(ts) - date.fromisoformat(str(made["value_date"]))
    assert behind in (timedelta(days=2), timedelta(days=3))


def test_a_text_keeps_its_offset() -> None:
    shift = Shift(START, START + 90_500_000)
    assert moved(shift, ts="2025-11-24T09:00:00-05:00")["ts"] == "2025-11-24T09:01:30.500000-05:00"


@pytest.mark.parametrize("ts", [1_763_992_800, "yesterday", "2025-11-24T09:00:00", None, True, 1.5, [1], -5])
def test_a_time_that_is_none_stays_as_it_is(ts: object) -> None:
    assert moved(Shift(START, 2 * START), ts=ts)["ts"] == ts


@pytest.mark.parametrize("day", ["2025-02-30", "today", "20250101", None, 7, "9999-12-31"])
def test_a_date_that_is_none_stays_as_it_is(day: object) -> None:
    later = START + 10 * 86_400_000_000
    assert moved(Shift(START, later), ts=START, value_date=day) == {"ts": later, "value_date": day}


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b"\xff", b'"x"'])
def test_what_is_no_object_stays_as_it_is(payload: bytes) -> None:
    assert Shift(START, 0).event(Event("repo", payload)).payload == payload


def test_nothing_else_is_touched() -> None:
    text = b'{"rate":5.3100000000000000001,"ts":%d,"id":"2025-11-21","x":{"ts":1}}' % START
    later = Shift(START, START + 1).event(Event("repo", text)).payload
    assert later == text.replace(b"%d" % START, b"%d" % (START + 1))

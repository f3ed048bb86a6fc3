"""What the bar log keeps: two sessions of seconds, a hundred of periods, the latest ids, days and prints for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.engine import retention
from monitor.engine.bars import KINDS
from monitor.engine.retention import kept_from, pruned
from monitor.engine.sealer import IDS_REMEMBERED
from monitor.engine.tiers import PRINTS

CALENDAR = MarketCalendar()
NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
properties = settings(deadline=None, max_examples=80)


def tick_at(day: date, at: time) -> int:
    return int(datetime.combine(day, at, NEW_YORK).timestamp())


def session_starts(tick: int, sessions: int) -> list[int]:
    """The last so many beginnings of sessions at or before a tick, found a day at a time; the oldest first."""
    found: list[int] = []
    day = datetime.fromtimestamp(tick, UTC).astimezone(NEW_YORK).date()
    while len(found) < sessions:
        session = CALENDAR.session(day)
        if session is not None and session[0] <= tick:
            found.append(session[0])
        day -= DAY
    return found[::-1]


class TestSessions:
    @pytest.mark.parametrize("sessions", [1, 2, 100])
    @properties
    @given(st.dates(date(1998, 1, 1), date(2090, 1, 1)), st.integers(0, 86_399))
    def test_the_last_so_many(self, sessions: int, day: date, second: int) -> None:
        tick = tick_at(day, time()) + second
        assert kept_from(CALENDAR, tick, sessions) == session_starts(tick, sessions)[0]

    @pytest.mark.parametrize(
        ("day", "at", "first"),
        [
            (date(2025, 1, 8), time(12), date(2025, 1, 7)),
            (date(2025, 1, 8), time(1), date(2025, 1, 6)),  # its session has not begun
            (date(2025, 1, 11), time(12), date(2025, 1, 9)),  # Saturday
            (date(2025, 1, 13), time(12), date(2025, 1, 10)),  # Monday: Friday's
            (date(2025, 1, 20), time(12), date(2025, 1, 16)),  # Martin Luther King's day
            (date(2025, 1, 21), time(12), date(2025, 1, 17)),
            (date(2024, 12, 26), time(12), date(2024, 12, 24)),  # Christmas
        ],
    )
    def test_about_weekends_and_holidays(self, day: date, at: time, first: date) -> None:
        session = CALENDAR.session(first)
        assert session is not None
        assert kept_from(CALENDAR, tick_at(day, at), 2) == session[0]

    def test_a_session_begins_at_its_own_second(self) -> None:
        monday, friday = CALENDAR.session(date(2025, 1, 13)), CALENDAR.session(date(2025, 1, 10))
        assert monday is not None
        assert friday is not None
        assert kept_from(CALENDAR, monday[0] - 1, 1) == friday[0]
        assert kept_from(CALENDAR, monday[0], 1) == monday[0]

    def test_before_the_calendar_begins_everything_is_kept_that_is_there(self) -> None:
        tick = tick_at(date(1990, 1, 1), time(1))
        assert kept_from(CALENDAR, tick, 2) <= tick


def rows_of(shape: dict[str, pl.DataType], rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=shape)


TICK = tick_at(date(2025, 1, 13), time(12))
TWO, HUNDRED = session_starts(TICK, 2)[0], session_starts(TICK, 100)[0]


class TestTiers:
    @pytest.mark.parametrize("stream", KINDS)
    def test_seconds_of_two_sessions_and_the_last_of_each_series(self, stream: str) -> None:
        kind = KINDS[stream]
        name = kind.series[0]
        seconds = {
            "old": [TWO - 900, TWO - 500, TWO - 500], "both": [TWO - 900, TWO - 1, TWO], "young": [TWO, TICK],
        }  # fmt: skip
        rows = [{"second": second, name: series} for series, its in seconds.items() for second in its]
        kept = pruned(f"{stream}_seconds", rows_of(kind.seconds, rows), CALENDAR, TICK)
        assert dict(kept.schema) == kind.seconds
        assert kept.select(name, "second").rows() == [
            ("old", TWO - 500), ("old", TWO - 500), ("both", TWO), ("young", TWO), ("young", TICK),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("stream", "a", "b"),
        [
            ("treasury", {"instrument": "A", "partition": "p0"}, {"instrument": "A", "partition": "p1"}),
            ("cds", {"entity": "A", "tenor_e3": 5_000}, {"entity": "A", "tenor_e3": 10_000}),
            ("repo", {"instrument": "A", "segment": None}, {"instrument": "A", "segment": "gcf"}),
        ],
    )
    def test_what_names_a_series(self, stream: str, a: dict[str, Any], b: dict[str, Any]) -> None:
        rows = [a | {"second": TWO - 9}, b | {"second": TWO - 8}, a | {"second": TWO - 7}]
        kept = pruned(f"{stream}_seconds", rows_of(KINDS[stream].seconds, rows), CALENDAR, TICK)
        assert kept["second"].to_list() == [TWO - 8, TWO - 7]

    @pytest.mark.parametrize("stream", KINDS)
    def test_periods_of_a_hundred_sessions(self, stream: str) -> None:
        rows = [{"period": at} for at in (HUNDRED - 300, HUNDRED, HUNDRED + 300, TICK)]
        kept = pruned(f"{stream}_periods", rows_of(KINDS[stream].periods, rows), CALENDAR, TICK)
        assert kept["period"].to_list() == [HUNDRED, HUNDRED + 300, TICK]

    def test_a_hundred_sessions_are_no_fewer_because_of_holidays(self) -> None:
        days = (datetime.fromtimestamp(TICK, UTC).date() - datetime.fromtimestamp(HUNDRED, UTC).date()).days
        assert days > 145

    @pytest.mark.parametrize("tier", [*PRINTS, *(f"{stream}_days" for stream in KINDS)])
    def test_days_and_prints_for_ever(self, tier: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "ROWS_OF_OTHERS", 1)
        rows = pl.DataFrame({"value_date": [date(1999, 1, 4), date(2025, 1, 13)], "tick": [1, TICK]})
        assert pruned(tier, rows, CALENDAR, TICK).equals(rows)

    def test_the_latest_ids_of_each_partition_and_stream(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "IDS_REMEMBERED", 2)
        rows = [
            ("p0", "repo", "a", 0), ("p0", "repo", "b", 1), ("p1", "repo", "a", 0), ("p0", "cds", "a", 2),
            ("p0", "repo", "c", 3), ("p0", "cds", "b", 4), ("p0", "cds", "c", 5),
        ]  # fmt: skip
        ids = pl.DataFrame(rows, schema=["partition", "stream", "id", "offset"], orient="row")
        assert pruned("ids", ids, CALENDAR, TICK).rows() == [rows[i] for i in (1, 2, 4, 5, 6)]

    def test_a_million_ids_are_remembered(self) -> None:
        assert IDS_REMEMBERED == 1_000_000

    def test_of_other_things_the_latest_rows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "ROWS_OF_OTHERS", 3)
        rows = pl.DataFrame({"ran": range(5)})
        assert pruned("releases", rows, CALENDAR, TICK)["ran"].to_list() == [2, 3, 4]

    @pytest.mark.parametrize("stream", KINDS)
    def test_of_nothing_nothing_is_kept(self, stream: str) -> None:
        kind = KINDS[stream]
        for tier, shape in (("seconds", kind.seconds), ("periods", kind.periods), ("days", kind.days)):
            assert pruned(f"{stream}_{tier}", pl.DataFrame(schema=shape), CALENDAR, TICK).is_empty()

    @pytest.mark.parametrize("stream", KINDS)
    def test_what_a_ladder_needs_to_go_on_is_kept(self, stream: str) -> None:
        """The seconds that still act on a period not summed yet, and the periods of a day not over."""
        kind = KINDS[stream]
        assert kind.reach_seconds + 2 * 86_400 > kind.kept_seconds >= 1_800
        for day in (date(2025, 1, 13), date(2025, 1, 11), date(2025, 1, 20)):
            begin = CALENDAR.session(day)
            tick = (begin[0] if begin else tick_at(day, time())) + 1
            assert kept_from(CALENDAR, tick, 2) <= tick - kind.reach_seconds - 300
            assert kept_from(CALENDAR, tick, 100) <= tick_at(day, time())

"""End-of-day Treasury quotes against their definition in plain Python, and worked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.bars.treasury import SPREAD
from monitor.engine.decode import Decoder
from monitor.engine.tiers import TierStore
from monitor.signals.end_of_day import EndOfDay, EndOfDayExcess
from monitor.signals.model import Evaluation
from monitor.signals.treasury.measures import time_weighted
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, Event, S, batches, new_york_us
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Window

E9: Final = 1_000_000_000
UNIT: Final = E9 // 64
"""A 64th of a point."""
WINDOWS: Final[tuple[Window, ...]] = (EndOfDay(), EndOfDayExcess())


# The log: prints, each with the tick from which on it can count, and quotes, all of which were there before.


@dataclass(frozen=True)
class Print:
    """A print as it came; prices in 64ths, None is no such side."""

    ts_us: int
    came: int
    issue: str
    bid: int | None
    ask: int | None
    close: int
    tenor: int | None = None
    on_the_run: bool | None = None


def tiers_of(prints: Sequence[Print], quotes: Sequence[Event] = ()) -> Tiers:
    store, decoder = TierStore(CALENDAR), Decoder()

    def add(events: list[Event], next_tick: int, first: int) -> None:
        for piece in batches(events):
            for _, batch in piece:
                positions = range(first, first + len(batch))
                store.add(
                    decoder.decode(type(batch)(batch.source, batch.stream, batch.partition, positions, batch.payloads)),
                    next_tick,
                )

    add(list(quotes), BEFORE_ALL, 0)
    for n, each in enumerate(prints):
        fields: dict[str, Any] = {
            "bid": None if each.bid is None else each.bid / 64,
            "ask": None if each.ask is None else each.ask / 64,
            "close": each.close / 64,
            "tenor_years": each.tenor,
            "on_the_run": each.on_the_run,
        }
        add([quote_event("prints", each.issue, each.ts_us, 0, **fields)], each.came, n)
    store.finish()
    return store.tiers()


def ticks_of(window: Window, tiers: Tiers) -> pl.Series:
    return window.ticks(tiers, BEFORE_ALL, AFTER_ALL)


def rows_of(window: Window, tiers: Tiers, ticks: pl.Series | None = None) -> pl.DataFrame:
    return Evaluation(tiers, ticks_of(window, tiers) if ticks is None else ticks).rows(window)


# The definition, slowly.


@dataclass(frozen=True)
class Version:
    tick: int
    order: tuple[int, int]
    key: tuple[str, date]
    figures: tuple[int | None, int | None, int]
    said: tuple[int | None, bool | None]


@dataclass(frozen=True)
class State:
    """What is known of a value date of an issue."""

    spread: int | None
    blind: bool
    is_over: bool
    is_there: bool
    tenor: int | None
    on_the_run: bool | None


def next_sessions(day: date, count: int) -> list[date]:
    found: list[date] = []
    while len(found) < count:
        day += timedelta(days=1)
        if CALENDAR.is_bond_business_day(day):
            found.append(day)
    return found


def last_sessions(day: date, count: int) -> list[date]:
    found: list[date] = []
    while len(found) < count:
        day -= timedelta(days=1)
        if CALENDAR.is_bond_business_day(day):
            found.append(day)
    return found


def session(day: date) -> tuple[int, int]:
    found = CALENDAR.session(day)
    assert found is not None
    return found


class Plain:
    """Answers for a log."""

    def __init__(self, prints: Sequence[Print], quotes: Sequence[Event]) -> None:
        every = [
            Version(
                max(-(-p.ts_us // S), p.came),
                (p.ts_us, n),
                (p.issue, CALENDAR.new_york_date(p.ts_us)),
                (p.bid, p.ask, p.close),
                (p.tenor, p.on_the_run),
            )
            for n, p in enumerate(prints)
        ]
        # What is known only when a later version of its key is, is never looked at.
        self.versions = sorted(
            (v for v in every if not any(w.key == v.key and w.order > v.order and w.tick <= v.tick for w in every)),
            key=lambda v: (v.tick, v.order),
        )
        self.issues = sorted({v.key[0] for v in self.versions})
        self.quotes = [(e.fields["instrument"], e.fields["ts"], e.fields["tenor_years"]) for e in quotes]

    def version(self, key: tuple[str, date], tick: int) -> Version | None:
        known = [v for v in self.versions if v.key == key and v.tick <= tick]
        return max(known, key=lambda v: v.order, default=None)

    def said(self, issue: str, upto: Version | None, tick: int) -> tuple[int | None, bool | None]:
        """Tenor and whether it is on the run, as last said up to a version, or up to a tick."""
        tenor: int | None = None
        on_the_run: bool | None = None
        for v in self.versions:
            if v.key[0] == issue and v.tick <= tick:
                tenor = tenor if v.said[0] is None else v.said[0]
                on_the_run = on_the_run if v.said[1] is None else v.said[1]
            if v is upto:
                break
        return tenor, on_the_run

    def is_copy(self, version: Version) -> bool:
        issue, day = version.key
        earlier = [self.version((issue, each), version.tick) for each in last_sessions(day, 5)]
        return version.figures in [each.figures for each in earlier if each is not None]

    def newest(self, issue: str, tick: int) -> tuple[date, int] | None:
        """The newest value date of an issue, and when it was first known."""
        known = [v for v in self.versions if v.key[0] == issue and v.tick <= tick]
        if not known:
            return None
        day = max(v.key[1] for v in known)
        return day, min(v.tick for v in known if v.key[1] == day)

    def is_quoted(self, issue: str, tick: int) -> bool:
        """Whether its newest quote was in this session or one of the five before, or it is retired at this tick."""
        newest = max(
            (ts_us // S for quoted, ts_us, _ in self.quotes if quoted == issue and ts_us // S < tick), default=None
        )
        if newest is None:
            return False
        day = CALENDAR.new_york_date(newest * S)
        after = next_sessions(day, 6 if CALENDAR.is_bond_business_day(day) else 7)
        return tick <= session(after[-1])[0]

    def is_tenor_quoted(self, tenor: int, tick: int) -> bool:
        tenors = {issue: each for issue, ts_us, each in self.quotes if ts_us // S < tick}
        return any(each == tenor and self.is_quoted(issue, tick) for issue, each in tenors.items())

    def state(self, issue: str, day: date, tick: int) -> State:
        version = self.version((issue, day), tick)
        if version is not None:
            is_repeated = any(self.is_copy(v) for v in self.versions if v.key == version.key and v.tick <= tick)
            bid, ask, _ = version.figures
            is_sound = bid is not None and ask is not None and ask >= bid and not is_repeated
            spread = ask - bid if is_sound and bid is not None and ask is not None else None
            return State(spread, is_repeated, False, True, *self.said(issue, version, tick))
        late = over = False
        if newest := self.newest(issue, tick):
            after = next_sessions(newest[0], 6)
            late = at(after[0], "17:00") <= tick < session(after[5])[0] and day >= after[0]
            over = session(after[5])[0] <= tick and day >= after[5]
        return State(None, late, over, False, *self.said(issue, None, tick))

    @cached_property
    def ticks(self) -> list[int]:
        ticks = {v.tick for v in self.versions}
        for v in self.versions:
            after = next_sessions(v.key[1], 6)
            ticks |= {max(v.tick, at(after[0], "17:00")), max(v.tick, session(after[5])[0])}
        return sorted(ticks)

    def told_keys(self, tick: int) -> set[tuple[str, date]]:
        told = {v.key for v in self.versions if v.tick == tick}
        for issue in self.issues:
            newest = self.newest(issue, tick)
            if newest is None:
                continue
            day, came = newest
            after = next_sessions(day, 6)
            due, ends = at(after[0], "17:00"), session(after[5])[0]
            if max(came, due) == tick < ends:
                told.add((issue, after[0]))
            if max(came, ends) == tick:
                told.add((issue, after[5]))
        return {key for key in told if not self.is_quoted(key[0], tick)}

    def told(self) -> set[tuple[object, ...]]:
        found: set[tuple[object, ...]] = set()
        for tick in self.ticks:
            for issue, day in self.told_keys(tick):
                s = self.state(issue, day, tick)
                found.add((tick, day, s.blind, issue, s.is_over, s.spread, s.tenor, s.on_the_run))
        return found

    def told_excess(self) -> set[tuple[object, ...]]:
        found: set[tuple[object, ...]] = set()
        for tick in self.ticks:
            touched: set[tuple[date, int | None]] = set()
            for issue, day in self.told_keys(tick):
                now, before = self.state(issue, day, tick), self.state(issue, day, tick - 1)
                if now.is_over:
                    left = [each for each in self.issues if self.is_left(each, day, now.tenor, tick)]
                    if not left and now.tenor is not None and not self.is_tenor_quoted(now.tenor, tick):
                        found.add((tick, day, False, now.tenor, None, None, False, True))
                    continue
                touched.add((day, now.tenor))
                if before.is_there:
                    touched.add((day, before.tenor))
            for day, tenor in touched:
                if tenor is not None and not self.is_tenor_quoted(tenor, tick):
                    found.add((tick, day, *self.excess(day, tenor, tick)))
        return found

    def is_left(self, issue: str, day: date, tenor: int | None, tick: int) -> bool:
        state = self.state(issue, day, tick)
        is_known = self.newest(issue, tick) is not None
        return is_known and not state.is_over and state.tenor == tenor

    def excess(self, day: date, tenor: int, tick: int) -> tuple[object, ...]:
        """Blind, tenor, median of the off-the-runs and spread of the on-the-run in 64ths, partial, over."""
        every = {issue: self.state(issue, day, tick) for issue in self.issues if not self.is_quoted(issue, tick)}
        here = {issue: s for issue, s in every.items() if s.tenor == tenor and (s.is_there or s.blind)}
        on = max(((s.is_there, issue) for issue, s in here.items() if s.on_the_run), default=None)
        off = [s for s in here.values() if s.on_the_run is False]
        silent = sum(s.blind for s in off)
        widths = sorted(s.spread for s in off if s.spread is not None)
        middle = (widths[(len(widths) - 1) // 2] + widths[len(widths) // 2]) / 2 if widths else None
        blind = (on is not None and here[on[1]].blind) or 2 * silent > len(off)
        return blind, tenor, middle, None if on is None else here[on[1]].spread, len(widths) < len(off), False


# Random logs.

SPANS: Final = (
    date(2020, 4, 6),  # an early close on the 9th, Good Friday on the 10th
    date(2019, 8, 28),  # Labor Day on September 2
    date(2019, 10, 31),  # clocks go back
    date(2019, 12, 27),  # the end of a year
)
ISSUES: Final = ("A", "B", "C", "D")


@st.composite
def print_logs(draw: st.DrawFn) -> tuple[list[Print], list[Event]]:
    start = draw(st.sampled_from(SPANS))
    prints: list[Print] = []
    figures: list[tuple[int | None, int | None, int]] = []
    for _ in range(draw(st.integers(1, 24))):
        day = start + timedelta(days=draw(st.integers(0, 11)))
        moment = draw(
            st.sampled_from([time(15, 30), time(15, 30), time(15, 30), time(7), time(17), time(18, 30, 0, 1)])
        )
        ts_us = new_york_us(day, moment)
        late = draw(st.sampled_from([0, 0, 0, 0, 1, 5_400, 86_400, 3 * 86_400, 8 * 86_400, 14 * 86_400]))
        bid = 6_400 + draw(st.integers(0, 2))
        wanted = draw(
            st.sampled_from([(bid, bid), (bid, bid + 1), (bid, bid + 5), (bid, None), (None, bid), (bid, bid - 1)])
        )
        new = (*wanted, 6_400 + draw(st.integers(0, 2)))
        if figures and draw(st.integers(0, 2)) == 0:
            new = draw(st.sampled_from(figures))
        figures.append(new)
        prints.append(
            Print(
                ts_us,
                ts_us // S + late,
                draw(st.sampled_from(ISSUES)),
                *new,
                tenor=draw(st.sampled_from([30, 30, 30, None, 10])),
                on_the_run=draw(st.sampled_from([True, False, False, None])),
            )
        )
    prints.sort(key=lambda each: each.came)
    quotes = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        day = start + timedelta(days=draw(st.integers(0, 11)))
        moment = draw(
            st.sampled_from([time(4, 25), time(4, 30), time(6, 5), time(7, 30), time(15, 29, 59), time(15, 30)])
        )
        ts_us = new_york_us(day, moment) + draw(st.sampled_from([0, 1, 59 * S]))
        sides = {"bid": 100, "ask": 100.5, "tenor_years": draw(st.sampled_from([30, 10])), "on_the_run": True}
        quotes.append(quote_event("quotes", draw(st.sampled_from(ISSUES)), ts_us, 0, **sides))
    return prints, sorted(quotes, key=lambda each: each.arrived_us)


def as_told(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    """The rows with spreads in 64ths and tenors in years."""
    rows = rows.with_columns(c("tenor_e3") // 1_000)
    if SPREAD in rows.columns:
        assert (rows[SPREAD].drop_nulls() % UNIT == 0).all()
        names = ["instrument", "is_over", c(SPREAD) // UNIT, "tenor_e3", "on_the_run"]
    else:
        names = ["tenor_e3", c("off_32nds") * 2, c("on_32nds") * 2, "is_partial", "is_over"]
    return rows.select("tick", "value_date", "blind", *names).rows()


@given(print_logs())
@settings(deadline=None, max_examples=60)
def test_prints_are_told_as_defined(log: tuple[list[Print], list[Event]]) -> None:
    plain, tiers = Plain(*log), tiers_of(*log)
    found = as_told(rows_of(EndOfDay(), tiers))
    assert len(found) == len(set(found))
    assert set(found) == plain.told()


@given(print_logs())
@settings(deadline=None, max_examples=60)
def test_the_excess_is_told_as_defined(log: tuple[list[Print], list[Event]]) -> None:
    plain, tiers = Plain(*log), tiers_of(*log)
    found = as_told(rows_of(EndOfDayExcess(), tiers))
    assert len(found) == len(set(found))
    assert set(found) == plain.told_excess()


@given(print_logs(), st.data())
@settings(deadline=None, max_examples=10)
@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: type(window).__name__)
def test_all_ticks_pieces_of_them_and_one_are_the_same(
    window: Window, log: tuple[list[Print], list[Event]], data: st.DataObject
) -> None:
    tiers = tiers_of(*log)
    ticks = ticks_of(window, tiers)
    whole = rows_of(window, tiers, ticks)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, ticks.len() - 1)), max_size=3)))
    pieces = [rows_of(window, tiers, ticks[a:b]) for a, b in pairwise([0, *cuts, ticks.len()])]
    assert_frame_equal(pl.concat(pieces), whole, check_exact=True)
    for tick in ticks:
        then = tiers.known_by(tick)
        assert window.ticks(then, BEFORE_ALL, tick).to_list() == ticks.filter(ticks <= tick).to_list()
        one = rows_of(window, then, pl.Series("tick", [tick]))
        assert_frame_equal(one, whole.filter(c("tick") == tick), check_exact=True)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: type(window).__name__)
def test_nothing_known_gives_nothing(window: Window) -> None:
    tiers = TierStore(CALENDAR).tiers()
    assert ticks_of(window, tiers).is_empty()
    for ticks in ([], [1_568_635_200]):
        rows = rows_of(window, tiers, pl.Series("tick", ticks, dtype=pl.Int64))
        assert rows.is_empty()
        assert rows.columns == rows_of(window, tiers_of([printed(MONDAY)])).columns


# Worked by hand: Monday 2019-09-16 and the days after it.

MONDAY: Final = date(2019, 9, 16)
NEXT: Final = [MONDAY, *next_sessions(MONDAY, 12)]


def printed(
    day: date, width: int | None = 1, *, bid: int = 6_400, close: int = 6_401, came: int = 0, issue: str = "A",
    tenor: int | None = 30, on_the_run: bool | None = True, moment: time = time(15, 30),
) -> Print:  # fmt: skip
    ask = None if width is None else bid + width
    return Print(new_york_us(day, moment), came, issue, bid, ask, close, tenor, on_the_run)


def at(day: date, moment: str) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def test_the_value_is_that_of_the_formula_for_quotes() -> None:
    rows = rows_of(EndOfDay(), tiers_of([printed(MONDAY, 53), printed(NEXT[1], 0, bid=6_399), printed(NEXT[2], None)]))
    values = rows.select("value_date", value=time_weighted(SPREAD, E9 // 32)).rows()
    assert values[:3] == [(MONDAY, 26.5), (NEXT[1], 0.0), (NEXT[2], None)]


def test_it_stands_to_the_end_of_the_next_session_and_is_retired_at_the_start_of_the_sixth() -> None:
    rows = rows_of(EndOfDay(), tiers_of([printed(MONDAY)]))
    assert rows.select("tick", "value_date", "blind", "is_over").rows() == [
        (at(MONDAY, "15:30"), MONDAY, False, False),
        (at(NEXT[1], "17:00"), NEXT[1], True, False),
        (at(NEXT[6], "07:00"), NEXT[6], False, True),
    ]


def test_an_early_close_does_not_bring_the_prints_forward() -> None:
    rows = rows_of(EndOfDay(), tiers_of([printed(date(2020, 4, 8)), printed(date(2020, 4, 9), bid=6_300)]))
    assert rows.select("tick", "value_date", "blind").rows()[:2] == [
        (at(date(2020, 4, 8), "15:30"), date(2020, 4, 8), False),
        (at(date(2020, 4, 9), "15:30"), date(2020, 4, 9), False),
    ]


def test_a_print_that_comes_late_is_told_and_the_one_after_it_is_overdue_at_once() -> None:
    late = printed(NEXT[1], bid=6_399, came=at(NEXT[3], "09:00"))
    rows = rows_of(EndOfDay(), tiers_of([printed(MONDAY), late]))
    assert rows.select("tick", "value_date", "blind").rows()[1:4] == [
        (at(NEXT[1], "17:00"), NEXT[1], True),
        (at(NEXT[3], "09:00"), NEXT[1], False),
        (at(NEXT[3], "09:00"), NEXT[2], True),
    ]


@pytest.mark.parametrize(
    ("after", "changed", "is_repeated"),
    [
        (1, {}, True),
        (5, {}, True),
        (6, {}, False),
        (1, {"close": 6_402}, False),
        (1, {"bid": 6_399, "width": 2}, False),
        (1, {"width": 2}, False),
        (1, {"issue": "B"}, False),
    ],
)
def test_a_copy_of_one_of_the_five_sessions_before_it_is_blind(
    after: int, changed: dict[str, Any], is_repeated: bool
) -> None:
    between = [printed(NEXT[n], bid=6_300 + n) for n in range(1, after)]
    rows = rows_of(EndOfDay(), tiers_of([printed(MONDAY), *between, printed(NEXT[after], **changed)]))
    told = rows.filter(c("value_date") == NEXT[after], c("tick") == at(NEXT[after], "15:30"))
    assert told["blind"].to_list() == [is_repeated]
    assert told[SPREAD].is_null().to_list() == [is_repeated]


def test_recovery_comes_with_the_next_days_print_and_with_no_revision() -> None:
    log = [
        printed(MONDAY),
        printed(NEXT[1]),
        printed(NEXT[1], bid=6_300, moment=time(16)),
        printed(MONDAY, bid=6_301, moment=time(15, 31), came=at(NEXT[1], "16:30")),
        printed(NEXT[2], bid=6_302),
    ]
    rows = rows_of(EndOfDay(), tiers_of(log))
    assert rows.select("value_date", "blind").rows()[:5] == [
        (MONDAY, False), (NEXT[1], True), (NEXT[1], True), (MONDAY, False), (NEXT[2], False),
    ]  # fmt: skip


def test_what_a_print_leaves_out_stands_as_it_was_said() -> None:
    log = [printed(MONDAY), printed(NEXT[1], bid=6_399, tenor=None, on_the_run=None)]
    rows = rows_of(EndOfDay(), tiers_of(log)).filter(c("value_date") == NEXT[1])
    assert rows.select("tenor_e3", "on_the_run").rows() == [(30_000, True)]


@pytest.mark.parametrize(("moment", "is_told"), [("15:30", True), ("15:29:59", False), ("06:00", False)])
def test_an_issue_that_is_quoted_goes_by_its_quotes(moment: str, is_told: bool) -> None:
    ts_us = new_york_us(MONDAY, time.fromisoformat(moment))
    quote = quote_event("quotes", "A", ts_us, 0, bid=100, ask=100.5, on_the_run=True)
    rows = rows_of(EndOfDay(), tiers_of([printed(MONDAY), printed(MONDAY, issue="B")], [quote]))
    told = rows.filter(c("tick") == at(MONDAY, "15:30"))["instrument"].to_list()
    assert told == (["A", "B"] if is_told else ["B"])


@pytest.mark.parametrize(("sessions_later", "is_told"), [(5, False), (6, True)])
def test_it_goes_by_prints_again_when_its_quotes_are_over(sessions_later: int, is_told: bool) -> None:
    quote = quote_event("quotes", "A", new_york_us(MONDAY, time(9)), 0, bid=100, ask=100.5, on_the_run=True)
    day = NEXT[sessions_later]
    rows = rows_of(EndOfDay(), tiers_of([printed(day)], [quote]))
    assert (day in rows["value_date"].to_list()) == is_told


def test_the_excess_is_the_median_of_the_off_the_runs_beside_the_on_the_run() -> None:
    off = {"X": 5, "Y": 10}
    log = [
        printed(MONDAY, 2, issue="NEW"),
        *(printed(MONDAY, width, issue=name, on_the_run=False) for name, width in off.items()),
        printed(MONDAY, 99, issue="EITHER", on_the_run=None),
        printed(MONDAY, 3, issue="TEN", tenor=10),
        printed(MONDAY, 3, issue="WHICH", tenor=None),
    ]
    rows = rows_of(EndOfDayExcess(), tiers_of(log)).filter(c("tick") == at(MONDAY, "15:30"))
    told = rows.select("tenor_e3", "off_32nds", "on_32nds", "blind").rows()
    assert told == [(10_000, None, 1.5, False), (30_000, 3.75, 1.0, False)]


def test_of_two_on_the_run_it_is_the_greater_name_that_is_printed() -> None:
    log = [
        printed(MONDAY, 2, issue="OLD"),
        printed(MONDAY, 1, issue="NEW"),
        printed(MONDAY, 9, issue="X", on_the_run=False),
        printed(NEXT[1], 1, issue="NEW", bid=6_399),
        printed(NEXT[1], 9, issue="X", bid=6_399, on_the_run=False),
    ]
    rows = rows_of(EndOfDayExcess(), tiers_of(log)).filter(c("on_32nds").is_not_null())
    # When the old one is overdue, the new one goes on.
    assert rows.select("value_date", "on_32nds", "blind").rows() == [
        (MONDAY, 1.0, False), (NEXT[1], 0.5, False), (NEXT[1], 0.5, False),
    ]  # fmt: skip


def test_the_excess_is_blind_if_a_side_is_and_over_when_both_are() -> None:
    log = [
        printed(MONDAY, 2, issue="NEW"),
        printed(MONDAY, 9, issue="X", on_the_run=False),
        printed(NEXT[1], 2, issue="NEW", bid=6_399),
    ]
    rows = rows_of(EndOfDayExcess(), tiers_of(log))
    assert rows.select("tick", "value_date", "blind", "is_over").rows() == [
        (at(MONDAY, "15:30"), MONDAY, False, False),
        (at(NEXT[1], "15:30"), NEXT[1], False, False),
        (at(NEXT[1], "17:00"), NEXT[1], True, False),
        (at(NEXT[2], "17:00"), NEXT[2], True, False),
        (at(NEXT[7], "07:00"), NEXT[7], False, True),
    ]


@pytest.mark.parametrize("others_blind", [1, 2])
def test_the_excess_is_partial_if_an_off_the_run_is_blind_and_blind_if_more_than_half_are(others_blind: int) -> None:
    """Two off-the-runs print a copy, or one does; a third is sound."""
    log = [printed(MONDAY, 5, issue=name, on_the_run=False) for name in "XYZ"]
    log += [printed(NEXT[1], 2, issue="NEW")]
    log += [
        printed(NEXT[1], 5, issue=name, on_the_run=False, close=6_401 if n < others_blind else 6_402)
        for n, name in enumerate("XYZ")
    ]
    rows = rows_of(EndOfDayExcess(), tiers_of(log)).filter(c("tick") == at(NEXT[1], "15:30"))
    assert rows.select("blind", "is_partial").rows() == [(others_blind == 2, True)]


def test_a_tenor_with_a_quoted_issue_goes_by_quotes() -> None:
    log = [printed(MONDAY, 2, issue="NEW"), printed(MONDAY, 9, issue="X", on_the_run=False)]
    fields = {"bid": 100, "ask": 100.5, "on_the_run": True, "tenor_years": 30}
    quote = quote_event("quotes", "Q", new_york_us(MONDAY, time(9)), 0, **fields)
    told = rows_of(EndOfDayExcess(), tiers_of(log, [quote]))["tick"].to_list()
    assert at(MONDAY, "15:30") not in told
    assert at(MONDAY, "15:30") in rows_of(EndOfDayExcess(), tiers_of(log))["tick"].to_list()

"""The window of the curve's noise against its definition in plain Python, and worked by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.minutes import TREASURY_MINUTE
from monitor.engine.tiers import TierStore
from monitor.signals.model import Evaluation, evaluate
from monitor.signals.svensson import curve_noise_bp
from monitor.signals.thresholds import Notify
from monitor.signals.treasury import curve_noise
from monitor.signals.treasury.curve_noise import CurveNoise, signals
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.quote_logs import quote_event
from tests.signals.test_svensson import CALM, DAY, Quote, quotes

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers

ROWS: Final = {"treasury_curve_noise_bp": {(): "curve"}}
"""Which threshold row a label set has: read by `test_contract`."""

(SIGNAL,) = signals(TreasuryParameters())
WINDOW: Final = CurveNoise()
FEW: Final = 4
"""Issues that are enough, in place of 30, where no curve is fitted."""


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def minutes(rows: list[tuple[int, str, int | None, int | None, date | None]]) -> Tiers:
    """Of minute, instrument, mid2, coupon, maturity."""
    names = ("minute", "instrument", "mid2_e9", "coupon_e6", "maturity")
    shape = {name: TREASURY_MINUTE[name] for name in names}
    frame = pl.DataFrame(sorted(rows, key=lambda row: row[:2]), shape, orient="row")
    frame = frame.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in TREASURY_MINUTE.items() if name not in names
    ).select(*TREASURY_MINUTE)
    return replace(TierStore(CALENDAR).tiers(), treasury_minutes=frame)


def told(tiers: Tiers, ticks: pl.Series | None = None) -> pl.DataFrame:
    every = WINDOW.ticks(tiers, BEFORE_ALL, AFTER_ALL) if ticks is None else ticks
    return Evaluation(tiers, every).rows(WINDOW)


# Against the definition.


class Plain:
    """What is told, from the rows of minutes."""

    def __init__(self, rows: list[tuple[int, str, int | None, int | None, date | None]]) -> None:
        self.quoted: dict[int, dict[str, Quote]] = defaultdict(dict)
        for minute, issue, mid2, coupon, maturity in rows:
            if mid2 is not None and coupon is not None and maturity is not None:
                self.quoted[minute][issue] = (coupon, maturity, mid2)

    @staticmethod
    def is_measured(quote: Quote, day: date) -> bool:
        return day.replace(year=day.year + 1) <= quote[1] <= day.replace(year=day.year + 10)

    def row(self, tick: int) -> tuple[bool, bool, int | None] | None:
        """Blind, partial, noise; None: nothing is told."""
        day = CALENDAR.new_york_date(tick * S)
        session = CALENDAR.session(day)
        if session is None or not session[0] < tick <= session[1] or (tick % 300 and tick != session[1]):
            return None
        seen = {
            issue
            for minute, quoted in self.quoted.items()
            if session[0] <= minute <= tick - 60
            for issue, quote in quoted.items()
            if self.is_measured(quote, day)
        }
        if not seen:
            return None
        if tick == session[1]:
            return False, False, None
        now: dict[str, Quote] = {}
        for minute in range(tick - 300, tick, 60):
            now |= self.quoted.get(minute, {})
        present = {issue for issue, quote in now.items() if self.is_measured(quote, day)}
        missing = len(seen - present)
        if len(seen) >= FEW and (missing > len(seen) / 10 or len(present) < FEW):
            return True, missing > 0, None
        noise = (
            round(sum(quote[2] for issue, quote in now.items() if issue != "LONG") / 1e6 * 1e9)
            if len(present) >= FEW
            else None
        )
        return False, missing > 0, noise


ISSUES: Final = [f"N{n}" for n in range(14)]
TERMS: Final[dict[str, tuple[int, date]]] = {
    issue: (1_000_000 + n, date(2021 + n // 2, 3, 15)) for n, issue in enumerate(ISSUES)
} | {"OLD": (1, date(2020, 1, 15)), "LONG": (2, date(2040, 1, 15)), "EDGE": (3, date(2020, 9, 17))}
STARTS: Final = tuple(
    at(moment, day)
    for day in (DAY, date(2019, 9, 17))
    for moment in ("06:50", "06:58", "07:00", "09:00", "09:03", "16:50", "16:55", "17:10")
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, str, int | None, int | None, date | None]]:
    """Clusters of minutes in which nearly all of some issues are quoted."""
    rows: dict[tuple[int, str], tuple[int | None, int | None, date | None]] = {}
    for start in draw(st.lists(st.sampled_from(STARTS), min_size=1, max_size=3)):
        issues = draw(st.sampled_from([ISSUES[:3], ISSUES[:5], ISSUES, ISSUES[4:], [*ISSUES, "OLD", "LONG", "EDGE"]]))
        for n in range(draw(st.integers(1, 14))):
            gone = set(draw(st.lists(st.sampled_from(issues), max_size=2)))
            for issue in issues:
                coupon, maturity = TERMS[issue]
                if issue not in gone:
                    rows[start + 60 * n, issue] = (200 + n, coupon, maturity)
                elif draw(st.booleans()):
                    rows[start + 60 * n, issue] = draw(
                        st.sampled_from([(None, coupon, maturity), (200, None, maturity), (200, coupon, None)])
                    )
    return [(minute, issue, *said) for (minute, issue), said in rows.items()]


@given(histories(), st.lists(st.integers(-20, 200), max_size=8), st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_told_is_as_defined_at_any_ticks(rows, steps, data) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(curve_noise, "curve_noise_bp", lambda some, _: sum(mid2 for _, _, mid2 in some) / 1e6)
        patched.setattr(curve_noise, "FEWEST", FEW)
        tiers, plain = minutes(rows), Plain(rows)
        ticks = WINDOW.ticks(tiers, BEFORE_ALL, AFTER_ALL)
        near = [
            at("07:00", day) + 300 * n for day in (DAY, date(2019, 9, 17), date(2019, 9, 18)) for n in range(-2, 123)
        ]
        expected = {tick: row for tick in near if (row := plain.row(tick)) is not None}
        assert ticks.to_list() == sorted(expected)
        whole = told(tiers)
        found = {row[0]: row[1:] for row in whole.select("tick", "blind", "is_partial", "noise_e9").iter_rows()}
        assert found == expected
        assert whole["value_date"].to_list() == [CALENDAR.new_york_date(tick * S) for tick in whole["tick"]]
        # At other ticks too, at a few, and at one on what was known then.
        others = pl.Series("tick", sorted({*near, *(near[n % len(near)] + n for n in steps)}))
        assert_frame_equal(told(tiers, others), whole)
        if ticks.len():
            cut = data.draw(st.integers(0, ticks.len()))
            parts = [WINDOW.ticks(tiers, a, b) for a, b in ((BEFORE_ALL, ticks[cut - 1]), (ticks[cut - 1], AFTER_ALL))]
            assert pl.concat(parts).to_list() == ticks.to_list()
            assert_frame_equal(pl.concat([told(tiers, part) for part in parts]), whole)
            tick = data.draw(st.sampled_from(ticks.to_list()))
            then = tiers.known_by(tick)
            assert WINDOW.ticks(then, tick - 1, tick).to_list() == [tick]
            assert_frame_equal(told(then, pl.Series("tick", [tick])), whole.filter(c("tick") == tick))


# Worked by hand.

COUNT: Final = 40
FIRST: Final = at("09:00")


def standing(some: list[Quote], first: int, count: int) -> list[tuple[int, str, int | None, int | None, date | None]]:
    """Each issue at each minute."""
    return [
        (first + 60 * n, f"N{k:02}", mid2, coupon, maturity)
        for n in range(count)
        for k, (coupon, maturity, mid2) in enumerate(some)
    ]


def last_values(rows: list[Any]) -> dict[int, tuple[float | None, bool, bool]]:
    found = evaluate(SIGNAL, minutes(rows), WINDOW.ticks(minutes(rows), BEFORE_ALL, AFTER_ALL))
    return {row["tick"]: (row["value"], row["blind"], row["is_partial"]) for row in found.iter_rows(named=True)}


def test_the_value_is_the_noise_of_the_last_mids_of_five_minutes() -> None:
    calm, wild = quotes(CALM, COUNT), quotes(CALM, COUNT, 9)
    values = last_values(standing(calm, FIRST, 9) + standing(wild, FIRST + 9 * 60, 2))
    first, second = values[FIRST + 300], values[FIRST + 600]
    expected = curve_noise_bp(wild, DAY)
    assert expected is not None
    assert expected > 8
    assert first[0] is not None
    assert first[0] < 0.1
    assert second[0] == pytest.approx(expected, abs=1e-9)
    assert second[1:] == (False, False)


def test_when_quotes_cease_it_is_blind_to_the_end_of_the_session_and_then_absent() -> None:
    values = last_values(standing(quotes(CALM, COUNT), FIRST, 5))
    assert values[FIRST + 300][0] is not None
    rest = range(FIRST + 600, at("17:00"), 300)
    assert all(values[tick] == (None, True, True) for tick in rest)
    assert values[at("17:00")] == (None, False, False)
    assert max(values) == at("17:00")
    assert len(values) == 2 + len(rest)


def test_a_tenth_may_be_missing_and_says_so_and_more_is_blind() -> None:
    some = quotes(CALM, COUNT)
    values = last_values(
        standing(some, FIRST, 1) + standing(some[4:], FIRST + 60, 9) + standing(some[5:], FIRST + 600, 5)
    )
    assert values[FIRST + 300][1:] == (False, False)  # one minute of the five is enough
    assert values[FIRST + 600][0] is not None
    assert values[FIRST + 600][1:] == (False, True)
    assert values[FIRST + 900] == (None, True, True)


def test_below_thirty_it_is_absent_or_blind_if_there_were_more() -> None:
    some = quotes(CALM, 31)
    assert set(last_values(standing(some[2:], FIRST, 480)).values()) == {(None, False, False)}
    values = last_values(standing(some, FIRST, 5) + standing(some[2:], FIRST + 300, 5))
    assert values[FIRST + 300][0] is not None
    assert values[FIRST + 600] == (None, True, True)  # 29 of 31: less than a tenth is missing


def test_a_session_begins_anew() -> None:
    """What was quoted yesterday, or before the session, is not missed."""
    some = quotes(CALM, COUNT)
    rows = standing(some, at("16:50", date(2019, 9, 13)), 10) + standing(some, at("06:50"), 10)
    values = last_values(rows + standing(some[:31], FIRST, 5))
    assert values[FIRST + 300][0] is not None
    assert values[FIRST + 300][1:] == (False, False)
    assert min(tick for tick in values if tick > at("00:00")) == FIRST + 300


def test_it_is_made_of_quotes_as_they_come() -> None:
    log = []
    for n, (coupon_e6, maturity, mid2) in enumerate(quotes(CALM, COUNT)):
        mid = round(mid2 / 2e9, 6)
        terms: dict[str, Any] = {"coupon": coupon_e6 / 1e6, "maturity": maturity.isoformat()}
        log.append(
            quote_event(
                "quotes-0", f"N{n:02}", new_york_us(DAY, time(9, 1)) + n, bid=mid - 0.01, ask=mid + 0.01, **terms
            )
        )
    tiers = tiers_of(log)
    values = evaluate(SIGNAL, tiers, WINDOW.ticks(tiers, BEFORE_ALL, AFTER_ALL))
    assert values["tick"][:4].to_list() == [at(moment) for moment in ("09:05", "09:10", "09:15", "09:20")]
    assert values["value"][0] == pytest.approx(0, abs=0.1)
    assert values["value"][0] == values["value"][1] == values["value"][2]
    # A quote stands for 15 minutes, and its last mid counts for the five that it ends in.
    assert values["blind"][:5].to_list() == [False, False, False, False, True]


def test_the_curve_is_for_the_desk() -> None:
    (row,) = SIGNAL.thresholds
    assert SIGNAL.labels == ()
    assert row.notify is Notify.DESK
    assert (row.calm, row.enters(""), row.hold_in.seconds, row.hold_out.seconds) == (2, (4, 8), 600, 1_800)

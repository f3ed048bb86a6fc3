"""The share of issues that are quoted against its definition in plain Python, and worked by hand."""

from __future__ import annotations

from datetime import date, time
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from monitor.alerts.evaluator import Evaluator
from monitor.signals.model import evaluate
from monitor.signals.treasury import two_sided
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.dense_logs import SEEDS
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.plain import day_of
from tests.signals.plain_quotes import ABSENT, BLIND, PRESENT, is_open, patience_ends
from tests.signals.quote_logs import quote_event
from tests.signals.test_excess import PlainIssues, issue_log

if TYPE_CHECKING:
    from monitor.signals.model import Signal
    from tests.signals.events import Event, Log

ROWS: Final = {"treasury_two_sided_ratio": {(): "all"}}
"""Which threshold row a label set has: read by `test_contract`."""

MONDAY, TUESDAY = date(2019, 9, 16), date(2019, 9, 17)
LISTED: Final = ("A", "NEVER")


def signal(*expected: str) -> Signal:
    [found] = two_sided.signals(TreasuryParameters(expected=expected))
    return found


def change_points(log: Log, its: Signal) -> pl.Series:
    return its.over[0].window.ticks(tiers_of(log), BEFORE_ALL, AFTER_ALL)


class PlainTwoSided(PlainIssues):
    """How many issues are expected, and how many have a fresh quote of two sides in any partition."""

    def fresh(self, issue: str, tick: int) -> list[bool]:
        """By partition with a fresh quote, whether that has two sides."""
        found = []
        for quotes in self.seen(issue, tick):
            quote = quotes[-1]
            if tick < patience_ends(quote.second + 1, 30 if quote.on_the_run else 900):
                found.append(quote.figure("spread") is not None)
        return found

    def share(self, expected: tuple[str, ...], tick: int) -> tuple[str, float | None]:
        """The state and the value; no issue that is awaited is no state at all."""
        awaited = [issue for issue in self.issues if self.seen(issue, tick) and not self.is_over(issue, tick)]
        if not awaited:
            return "", None
        on = [issue for issue in awaited if self.attributes(issue, tick)[1]]
        if on:
            last = max(quotes[-1].second for issue in on for quotes in self.seen(issue, tick))
            is_blind = tick >= patience_ends(last + 1, 120)
        else:
            is_blind = not any(self.fresh(issue, tick) for issue in awaited)
        if is_blind:
            return BLIND, None
        if not is_open(tick):
            return ABSENT, None
        count = len({*awaited, *expected})
        return PRESENT, sum(any(self.fresh(issue, tick)) for issue in awaited) / count


def state_of(row: dict[str, Any]) -> tuple[str, float | None]:
    return (BLIND if row["blind"] else ABSENT if row["value"] is None else PRESENT), row["value"]


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_it_is_as_defined(seed: int) -> None:
    log, random = issue_log(seed), Random(seed)
    expected = random.choice([(), LISTED])
    its = signal(*expected)
    plain, ticks = PlainTwoSided(log), change_points(log, its).to_list()
    extra = [random.choice(ticks) + random.choice([1, 7, 60, 400]) for _ in range(8)]
    every = sorted({*ticks, *extra})
    values = evaluate(its, tiers_of(log), pl.Series("tick", every))
    found = {row["tick"]: state_of(row) for row in values.iter_rows(named=True)}
    for tick in every:
        state, share = plain.share(expected, tick)
        session = CALENDAR.session(day_of(tick))
        if state and session and session[0] <= tick <= session[1]:
            assert found.pop(tick) == (state, share), tick
    assert found == {}


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_every_change_has_its_tick(seed: int) -> None:
    """At any second of a session it is what it was at the last tick, also when nothing comes."""
    log, random, its = issue_log(seed), Random(seed), signal(*LISTED)
    plain = PlainTwoSided(log)
    values = evaluate(its, tiers_of(log), change_points(log, its))
    said = [(row["tick"], state_of(row)) for row in values.iter_rows(named=True)]
    starts = [session[0] for tick, _ in said if (session := CALENDAR.session(day_of(tick)))]
    for tick in {tick + random.choice([-1, 0, 1, 29, 30, 119, 120, 299, 3_000]) for tick, _ in said} | {*starts}:
        state = plain.share(LISTED, tick)
        if is_open(tick) and state[0]:
            before = [each for at, each in said if at <= tick]
            assert (before[-1] if before else (ABSENT, None)) == state, tick


@given(SEEDS)
@settings(deadline=None, max_examples=8)
def test_a_tick_by_itself_says_what_it_says_among_all(seed: int) -> None:
    log, random, its = issue_log(seed), Random(seed), signal()
    tiers, ticks = tiers_of(log), change_points(log, its)
    whole = evaluate(its, tiers, ticks)
    for tick in random.sample(ticks.to_list(), min(6, ticks.len())):
        alone = evaluate(its, tiers.known_by(tick), pl.Series("tick", [tick]))
        assert_frame_equal(alone, whole.filter(pl.col("tick") == tick), check_exact=True)


# Worked by hand.


def quote(name: str, moment: str, day: date = MONDAY, **more: Any) -> Event:
    fields: dict[str, Any] = {"bid": 100, "ask": 100.5, "tenor_years": 10, "on_the_run": name.startswith("ON")}
    partition = str(more.pop("partition", "quotes-0"))
    return quote_event(partition, name, new_york_us(day, time.fromisoformat(moment)), 0, **(fields | more))


def at(moment: str, day: date = MONDAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def share(log: Log, moment: str, day: date = MONDAY, its: Signal | None = None) -> tuple[float | None, bool]:
    """The value and whether it is blind, as it stands at a moment."""
    its = its or signal()
    log = sorted(log, key=lambda event: event.arrived_us)
    values = evaluate(its, tiers_of(log), change_points(log, its)).filter(pl.col("tick") <= at(moment, day))
    return values.tail(1).select("value", "blind").row(0)


OFF: Final = [quote(name, "09:00") for name in "ABC"]


def test_of_four_issues_one_without_a_bid_and_one_crossed_are_a_half() -> None:
    log = [quote("ON", "09:00"), quote("A", "09:00"), quote("B", "09:00", bid=None), quote("C", "09:00", bid=101)]
    assert share(log, "09:00:01") == (0.5, False)


def test_an_on_the_run_is_fresh_for_30_seconds_and_an_off_the_run_for_15_minutes() -> None:
    log = [quote("ON", "09:00"), *OFF, quote("ON", "09:13"), quote("ON", "09:15")]
    assert share(log, "09:00:30") == (1.0, False)
    assert share(log, "09:00:31") == (0.75, False)
    assert share(log, "09:15:00") == (0.75, False)
    assert share(log, "09:15:01") == (0.25, False)


def test_a_two_sided_quote_in_any_partition_will_do() -> None:
    log = [quote("ON", "09:00"), quote("ON", "09:00:01", bid=None, partition="quotes-1")]
    assert share(log, "09:00:05") == (1.0, False)


def test_a_silent_feed_is_blind_after_two_minutes_and_never_critical() -> None:
    """Half a minute after the last quote nothing is fresh any more; a level would take two minutes more."""
    log = [quote("ON", "08:59:00"), quote("ON", "09:00"), quote("ON-B", "09:00")]
    assert share(log, "09:00:31") == (0.0, False)
    assert share(log, "09:02:00") == (0.0, False)
    assert share(log, "09:02:01") == (None, True)
    its, tiers = signal(), tiers_of(log)
    output = Evaluator([its], CALENDAR).advance(
        {its.name: evaluate(its, tiers, change_points(log, its))}, at("16:00")
    )  # fmt: skip
    assert output.steps["level"].max() == 0
    assert [each.after for each in output.transitions] == ["blind"]


def test_a_quote_that_does_not_say_on_the_run_keeps_the_feed_awake_and_has_its_own_end_of_patience() -> None:
    again = quote("ON", "09:01", partition="quotes-1", on_the_run=None)
    assert share([quote("ON", "09:00"), *OFF, again], "09:03:00") == (1.0, False)
    assert share([quote("ON", "09:00"), *OFF, again], "09:03:01") == (None, True)


def test_off_session_it_is_absent_but_who_is_blind_stays_so() -> None:
    log = [quote("ON", "16:00"), quote("A", "16:50")]
    assert share(log, "16:59:59") == share(log, "17:00") == share(log, "07:00", TUESDAY) == (None, True)
    awake = [*log, quote("ON", "16:59:50")]
    assert share(awake, "16:59:59") == (1.0, False)
    assert share(awake, "17:00") == (None, False)


def test_it_is_told_when_the_session_begins() -> None:
    assert share([quote("ON", "06:50"), quote("A", "06:50", bid=None)], "07:00") == (0.5, False)
    assert share([quote("ON", "16:59:50"), quote("A", "09:00")], "07:00", TUESDAY) == (0.5, False)


def test_freshness_goes_on_with_the_session_clock() -> None:
    log = [quote("ON", "16:59:50"), quote("A", "16:50")]
    assert share(log, "07:00:20", TUESDAY) == (1.0, False)
    assert share(log, "07:00:21", TUESDAY) == (0.5, False)
    assert share(log, "07:01:51", TUESDAY) == (None, True)


def test_who_was_quoted_in_one_of_the_last_five_sessions_is_missed_and_then_retired() -> None:
    """Quoted on Monday: missed until the Monday after."""
    later = [quote("ON", "09:00", date(2019, 9, day)) for day in (23, 24)]
    log = [quote("ON", "09:00"), *OFF, *later]
    assert share(log, "09:00:01", date(2019, 9, 23)) == (0.25, False)
    assert share(log, "09:00:01", date(2019, 9, 24)) == (1.0, False)


def test_who_has_matured_is_missed_no_longer() -> None:
    log = [quote("ON", "09:00"), quote("A", "09:00", maturity="2019-09-16"), quote("B", "09:00", maturity="2019-09-17")]
    assert share([*log, quote("ON", "09:00", TUESDAY)], "09:00:01", TUESDAY) == (0.5, False)


@pytest.mark.parametrize("early", [None, date(2019, 9, 3)])
def test_a_quote_after_maturity_counts_for_its_day_whatever_is_known_of_earlier_days(early: date | None) -> None:
    log = [quote("ON", "09:00"), quote("A", "09:00", maturity="2019-09-10"), quote("ON", "09:00", TUESDAY)]
    if early:
        log.append(quote("ON", "09:00", early))
    assert share([*log, quote("ON", "09:01")], "09:01:01") == (1.0, False)
    assert share([*log, quote("B", "09:00", TUESDAY, bid=None)], "09:00:01", TUESDAY) == (0.5, False)


def test_who_is_listed_is_missed_in_any_case_and_counted_once() -> None:
    log = [quote("ON", "09:00"), *OFF]
    assert share(log, "09:00:01", its=signal("A", "NEVER")) == (0.8, False)
    assert share(log, "09:00:01", its=signal("A", "B")) == (1.0, False)
    assert share(log, "09:00:01", its=signal("N1", "N2", "N3", "N4")) == (0.5, False)


def test_without_an_on_the_run_it_is_blind_when_nothing_is_fresh() -> None:
    assert share(OFF, "09:15:00") == (1.0, False)
    assert share(OFF, "09:15:01") == (None, True)


def test_a_stale_issue_is_not_quoted_and_the_value_is_partial() -> None:
    """Three rise by ten ticks in half an hour and one stands still."""
    log: Log = []
    for n in range(40):
        moment = f"09:{n:02}:00"
        rise = n / 3 / 64
        log += [quote(name, moment, bid=100 + rise, ask=100.5 + rise) for name in ("A", "B", "ON")]
        log += [quote("STILL", moment)]
    its = signal()
    values = evaluate(its, tiers_of(log), pl.Series("tick", [at("09:30:01"), at("09:31:01")]))
    assert values.select("value", "is_partial").rows() == [(1.0, False), (0.75, True)]

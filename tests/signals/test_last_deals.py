"""The last deals, worked by hand, and against their definition where more are priced than are shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.pipeline import Pipeline
from monitor.signals.model import Evaluation, change_ticks
from monitor.signals.newissue.last_deals import MOST_TRANCHES, Ages, LastDeals, signals
from monitor.signals.newissue.parameters import NewIssueParameters
from tests.signals.deal_logs import BUSY, busy_log, deal_event, deal_logs, tiers_as_they_came
from tests.signals.deal_plain import Labels, PlainDeals
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us
from tests.test_pipeline import Feed, Run

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal
    from tests.signals.events import Event, Log

CONCESSION, SIZE = "newissue_deal_concession_bp", "newissue_deal_size_busd"
AGE, NEWER = "newissue_deal_age_days", "newissue_deal_newer_count"
NAMES: Final = (CONCESSION, SIZE, AGE, NEWER)
ROWS: Final[dict[str, dict[tuple[str | None, ...], str | None]]] = {
    name: {("ALPHA", "10y", "ai", "a-0"): None, (None, None, "rest", "a-0"): None} for name in NAMES
}
"""Which threshold row a label set has: read by `test_contract`."""

FEW: Final = 3
LOGS: Final = deal_logs(BUSY, most=8) | deal_logs(most=4)
SETTINGS: Final = settings(deadline=None, max_examples=30, phases=(Phase.explicit, Phase.generate))
MONDAY: Final = date(2019, 9, 16)
Key = tuple[str, Labels]


def signals_of(most: int) -> tuple[Signal, ...]:
    """All of them, of so many tranches."""

    def shorter(signal: Signal) -> Signal:
        [view] = signal.over
        last = LastDeals(most)
        return replace(signal, over=(replace(view, window=last if isinstance(view.window, LastDeals) else Ages(last)),))

    return tuple(shorter(signal) for signal in signals(NewIssueParameters()))


def said(
    deal: str, status: str = "priced", day: date = MONDAY, hour: int = 10, late_us: int = 0, **terms: Any
) -> Event:
    return deal_event(deal, status, new_york_us(day, time(hour)), late_us, **{"size": 1_000} | terms)


def table(log: Log, day: date = MONDAY, moment: time = time(12), most: int = MOST_TRANCHES) -> dict[Key, float]:
    """What stands at a moment, by signal and labels; what is absent is not in it."""
    tiers = tiers_as_they_came(sorted(log, key=lambda event: event.arrived_us))
    tick, found = new_york_us(day, moment) // S, {}
    for signal in signals_of(most):
        values = Evaluation(tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)).values(signal)
        for row in values.filter(c("tick") <= tick).iter_rows(named=True):
            key = signal.name, tuple(row[label] for label in signal.labels)
            found[key] = row["value"]
    return {key: value for key, value in found.items() if value is not None}


def deals(found: dict[Key, float], signal: str = SIZE) -> set[str | None]:
    return {labels[-1] for name, labels in found if name == signal}


# By hand.


def test_the_example() -> None:
    """Twelve basis points above its own curve, and one of which no curve is known; both of a day ago."""
    alpha: dict[str, Any] = {
        "issuer": "ALPHA",
        "tenor_years": 10,
        "size": 4_000,
        "spread": 112,
        "fair_value_spread": 100,
    }
    log = [said("a-0", themes=["cloud", "ai"], **alpha)]
    log.append(said("b-0", hour=11, issuer="BETA", tenor_years=5, size=1_500, spread=80))
    a, b = ("ALPHA", "10y", "ai", "a-0"), ("BETA", "5y", "rest", "b-0")
    expected: dict[Key, float] = {(CONCESSION, a): 12, (SIZE, a): 4, (SIZE, b): 1.5, (AGE, a): 1, (AGE, b): 1}
    expected |= {(NEWER, a): 1, (NEWER, b): 0}
    assert table(log, MONDAY + timedelta(days=1)) == expected
    today = expected | {(AGE, a): 0, (AGE, b): 0}
    assert table(log, MONDAY, time(23, 59, 59)) == today
    assert table(log, MONDAY + timedelta(days=1), time()) == expected


def test_days_are_those_of_the_calendar_also_over_a_weekend() -> None:
    friday = date(2019, 9, 13)
    for after in range(5):
        [age] = [
            v for (name, _), v in table([said("a", day=friday)], friday + timedelta(days=after)).items() if name == AGE
        ]
        assert age == after


def test_newer_ones_push_out_the_oldest_by_the_time_of_pricing() -> None:
    log = [said(f"d{hour}", hour=hour) for hour in (9, 8, 11, 10)]
    found = table(log, most=3)
    assert {labels[-1]: v for (name, labels), v in found.items() if name == NEWER} == {"d11": 0, "d10": 1, "d9": 2}
    assert deals(found) == deals(found, AGE) == {"d9", "d10", "d11"}
    assert deals(table(log, moment=time(10, 30), most=3)) == {"d8", "d9", "d10"}
    # Of the same time the first by name; what is heard of late takes its place in the order, and not the first.
    same = [said(name, hour=9) for name in "cabd"]
    assert deals(table(same, most=3)) == {"a", "b", "c"}
    late = said("late", hour=8, late_us=3 * 3_600 * S)
    assert deals(table([*log, late], moment=time(11, 30), most=3)) == {"d9", "d10", "d11"}
    late = said("late", hour=10, late_us=3 * 3_600 * S, status="priced")
    assert deals(table([*log[:3], late], moment=time(13, 30), most=3)) == {"d9", "late", "d11"}


def test_the_time_of_pricing_is_that_of_the_day_that_it_counts_on() -> None:
    """The earliest that is known; one that was pulled and begins anew is as new as its second pricing."""
    log = [said("a", hour=10), said("b", hour=11), said("b", hour=9, late_us=3 * 3_600 * S)]
    assert deals(table(log, moment=time(11, 59), most=1)) == {"b"}
    assert deals(table(log, moment=time(12), most=1)) == {"a"}
    friday = date(2019, 9, 13)
    again = [said("b", day=friday), said("b", "pulled", friday, hour=11), said("b", hour=11), said("a", hour=10)]
    assert deals(table(again, most=1)) == {"b"}


def test_one_that_leaves_gives_its_place_to_the_one_before() -> None:
    """Pulled after pricing, it was never placed."""
    log = [said(f"d{hour}", hour=hour) for hour in (8, 9, 10, 11)] + [said("d11", "pulled", hour=13)]
    assert deals(table(log, most=3)) == {"d9", "d10", "d11"}
    assert deals(table(log, moment=time(13), most=3)) == {"d8", "d9", "d10"}
    assert deals(table(log, moment=time(13), most=3), AGE) == {"d8", "d9", "d10"}


def test_it_is_as_amended() -> None:
    """Terms freeze at pricing, and what was not known then is filled once; a name makes a label set of its own."""
    log = [said("a", spread=100), said("a", "trading", hour=11, issuer="ALPHA", fair_value_spread=95, spread=500)]
    assert table(log, moment=time(10)) == {
        (SIZE, (None, None, "rest", "a")): 1,
        (AGE, (None, None, "rest", "a")): 0,
        (NEWER, (None, None, "rest", "a")): 0,
    }
    named = "ALPHA", None, "rest", "a"
    assert table(log, moment=time(11)) == {(SIZE, named): 1, (AGE, named): 0, (NEWER, named): 0, (CONCESSION, named): 5}


def test_a_floating_one_has_no_concession_and_one_without_a_size_is_not_in_it() -> None:
    spreads: dict[str, Any] = {"spread": 100, "fair_value_spread": 95}
    found = table([said("a", coupon_type="float", **spreads), said("b", size=0, **spreads), said("c", **spreads)])
    assert deals(found) == deals(found, AGE) == {"a", "c"}
    assert deals(found, CONCESSION) == {"c"}


def test_it_ends_after_sixty_business_days() -> None:
    """With the Monday they end on Wednesday, 2019-12-11: Columbus, Veterans and Thanksgiving Day are none."""
    log, last = [said("a")], date(2019, 12, 11)
    assert deals(table(log, last, time(23, 59, 59)), AGE) == {"a"}
    assert table(log, last + timedelta(days=1), time()) == {}
    # Nothing is looked at until the next one comes, which nobody could have known then.
    [age] = [signal for signal in signals_of(3) if signal.name == AGE]
    tiers = tiers_as_they_came([*log, said("b", day=date(2020, 3, 2))])
    ended, begun = new_york_us(last + timedelta(days=1)) // S, new_york_us(date(2020, 3, 2), time(10)) // S
    assert change_ticks([age], tiers, ended - 1, begun).to_list() == [ended, begun]


def test_it_is_asked_at_deals_and_midnights_only_and_told_only_what_changed() -> None:
    log = [said(f"d{hour}", hour=hour) for hour in (8, 9)] + [said("d8", "trading", hour=11, book=5)]
    tiers = tiers_as_they_came(log)
    nine = new_york_us(MONDAY, time(9)) // S
    tuesday = new_york_us(MONDAY + timedelta(days=1)) // S
    for signal in signals_of(3):
        ticks = change_ticks([signal], tiers, nine - 1, tuesday)
        assert ticks.to_list() == [nine, nine + 2 * 3_600] + [tuesday] * (signal.name == AGE)
        values = Evaluation(tiers, ticks).values(signal)
        # The first one has a newer one from nine on; what is said of it at eleven is none of this.
        midnight = [(tuesday, "d8"), (tuesday, "d9")] if signal.name == AGE else []
        assert values.select("tick", "deal_id").rows() == [(nine, "d8"), (nine, "d9"), *midnight]


# Against the definition.


def assert_as_defined(tiers: Tiers, most: int, ticks: list[int]) -> None:
    plain = PlainDeals(tiers, NewIssueParameters(), most)
    for signal in signals_of(most):
        values = Evaluation(tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)).values(signal)
        assert not values["blind"].any()
        for tick in ticks:
            stands = values.filter(c("tick") <= tick).group_by(*signal.labels).agg(c("value").last())
            found = {row[:-1]: row[-1] for row in stands.iter_rows() if row[-1] is not None}
            expected = {key: float(v) for key, v in plain.answers[signal.name](tick).items() if v is not None}
            assert found == expected, (signal.name, tick)


@given(data=st.data())
@SETTINGS
def test_what_stands_is_as_defined(data: st.DataObject) -> None:
    tiers = tiers_as_they_came(data.draw(LOGS))
    ticks = change_ticks(signals_of(FEW), tiers, BEFORE_ALL, AFTER_ALL).to_list()
    if ticks:
        step = st.tuples(st.sampled_from(ticks), st.sampled_from([0, 0, -1, 1, 50_000]))
        assert_as_defined(tiers, FEW, [tick + by for tick, by in data.draw(st.lists(step, max_size=8))])


@pytest.mark.parametrize(("seed", "most"), [(0, FEW), (1, FEW), (2, MOST_TRANCHES)])
def test_what_stands_in_a_busy_market_is_as_defined(seed: int, most: int) -> None:
    tiers = tiers_as_they_came(busy_log(seed))
    ticks = change_ticks(signals_of(most), tiers, BEFORE_ALL, AFTER_ALL)
    assert_as_defined(tiers, most, ticks.gather_every(7).to_list())


@given(LOGS, st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
@SETTINGS
def test_no_row_depends_on_what_comes_later(log: Log, places: list[int]) -> None:
    """One tick at a time on what was known then, and all at once: the same ticks, the same bits."""
    tiers, every = tiers_as_they_came(log), signals_of(FEW)
    ticks = change_ticks(every, tiers, BEFORE_ALL, AFTER_ALL)
    whole = Evaluation(tiers, ticks)
    for place in places if ticks.len() else ():
        tick = ticks[place % ticks.len()]
        known = tiers.known_by(tick)
        near = change_ticks(every, known, tick - 10**6, tick)
        assert near.to_list() == ticks.filter(ticks.is_between(tick - 10**6, tick, closed="right")).to_list()
        alone = Evaluation(known, pl.Series("tick", [tick]))
        for signal in every:
            assert_frame_equal(alone.values(signal), whole.values(signal).filter(c("tick") == tick), check_exact=True)


@given(LOGS)
@SETTINGS
def test_there_are_never_more_than_are_shown(log: Log) -> None:
    tiers = tiers_as_they_came(log)
    for signal in signals_of(FEW):
        stands: dict[Labels, float] = {}
        values = Evaluation(tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)).values(signal)
        for _, rows in values.group_by("tick", maintain_order=True):
            for *labels, value in rows.select(*signal.labels, "value").iter_rows():
                stands.pop(tuple(labels), None)
                if value is not None:
                    stands[tuple(labels)] = value
            assert len(stands) <= FEW


# Restarts.


class DealsRun(Run):
    """A run of these signals alone."""

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(signals_of(FEW), CALENDAR, ticks_at_once=self.ticks_at_once)


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(seed: int) -> None:
    """What leaves the table after a restart is what stood in it before."""
    feed, random = Feed(busy_log(seed, issues=24)), Random(seed)
    run, unbroken = DealsRun(feed), DealsRun(feed)
    crashes = 0
    while run.waiting:
        run.ingest("deals", random.choice([1, 3, 8]))
        run.advance_with_care()
        if random.random() < 0.5:
            run.commit()
        if crashes < 5 and random.random() < 0.3:
            run.crash()
            crashes += 1
    for each in (run, unbroken):
        each.finish()
    assert crashes > 2
    assert_frame_equal(run.told[0], unbroken.told[0], check_exact=True)
    assert run.told[0].filter(c("value").is_null()).height > FEW

"""Stale quotes against their definition in plain Python, and worked by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, time
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.signals.model import Evaluation
from monitor.signals.stale import stale_spells
from monitor.signals.treasury.measures import ISSUES, QUOTED
from tests.signals.dense_logs import SEEDS
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.plain_quotes import PlainTreasury, exact, session_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from monitor.engine.tiers import Tiers
    from tests.signals.events import Event, Log

MINUTE, HALF_HOUR = 60, 1_800
TICKS: Final = {2: 4, 3: 8, 5: 8, 7: 16, 10: 16, 20: 16, 30: 16}
"""By tenor, in 1/1024 of a point: an eighth, a quarter, half of a 32nd."""
DAYS: Final = (date(2019, 9, 16), date(2019, 7, 3))
Spell = tuple[str, int, int]


def noisy_log(seed: int) -> Log:
    """Half a session of several issues: some move, some stand still for long, lose a side, or are not quoted."""
    random, log = Random(seed), []
    day = random.choice(DAYS)
    begin = random.choice([new_york_us(day, time(moment)) for moment in (6, 8, 11)])
    pace = random.choice([0, 1, 2])
    for n in range(random.randint(3, 9)):
        tenor = random.choice([2, 5, 7, 10, 30, None])
        on_the_run = random.choice([True, False])
        step, mid, now = random.choice([1 / 256, 1 / 32, 1 / 16]), 100.0, begin + random.randint(0, 1_800) * S
        while now < begin + 3 * 3_600 * S:
            still = random.random() < 0.4
            width, until = random.choice([1 / 256, 1 / 64]), now + random.choice([300, 1_500, 2_500, 5_000]) * S
            while now < until:
                mid += 0 if still else random.choice([-1, 0, 1, pace]) * step
                fields: dict[str, object] = {"bid": mid - width, "ask": mid + width}
                if random.random() < 0.03:
                    fields |= random.choice([{"bid": None}, {"ask": mid - 2 * width}])
                terms = {"tenor_years": tenor, "on_the_run": on_the_run}
                log.append(quote_event(f"quotes-{n % 2}", f"UST-{n}", now, 0, **fields, **terms))
                now += random.choice([20, 60, 200, 290] if random.random() < 0.98 else [400, 1_000]) * S
    return sorted(log, key=lambda event: event.arrived_us)


def plain_spells(log: Log) -> list[Spell]:
    """(issue, since, until), by a walk over the ends of minutes."""
    stands: dict[int, dict[str, tuple[Fraction, Fraction] | None]] = defaultdict(dict)
    tenors: dict[str, float | None] = {}
    for issue, partitions in PlainTreasury(log).issues.items():
        [quotes] = partitions.values()
        for quote, then in pairwise([*quotes, None]):
            assert quote is not None
            tenors[issue] = quote.tenor
            last = quote.ts + quote.hold * S
            if then is not None:
                last = min(last, then.second * S)  # a second is seen when it is over
            bid, ask = quote.fields.get("bid"), quote.fields.get("ask")
            two = quote.figure("spread") is not None
            said = (exact(bid), exact(ask)) if two and bid is not None and ask is not None else None
            for end in range((quote.second // MINUTE + 1) * MINUTE, last // S + 1, MINUTE):
                session = session_of(end)
                if session and session[0] < end <= session[1]:
                    stands[end][issue] = said
    begin: dict[str, int] = {}
    last_said: dict[str, tuple[Fraction, Fraction] | None] = {}
    since: dict[str, int] = {}
    found: list[Spell] = []
    for end in sorted(stands):
        quoted = {issue: said for issue, said in stands[end].items() if said is not None}
        movers = 0
        for issue in quoted:
            earlier = [stands.get(at, {}).get(issue) for at in range(end - HALF_HOUR, end + 1, MINUTE)]
            mids = [sum(said) / 2 for said in earlier if said is not None]
            movers += max(mids) - min(mids) >= exact(10 * TICKS.get(int(tenors[issue] or 0), 16) / 1_024)
        for issue, said in stands[end].items():
            if issue not in last_said or last_said[issue] != said:
                if issue in since:
                    found.append((issue, since.pop(issue), end))
                begin[issue], last_said[issue] = end, said
            is_still = said is not None and end - begin[issue] >= HALF_HOUR
            if is_still and movers >= 3 and 4 * movers >= len(quoted):
                since.setdefault(issue, end)
    for issue, tick in since.items():
        session = session_of(tick)
        assert session is not None
        found.append((issue, tick, session[1]))
    return sorted(found)


@given(SEEDS)
@settings(deadline=None, max_examples=30)
def test_spells_are_as_defined(seed: int) -> None:
    log = noisy_log(seed)
    assert stale_spells(tiers_of(log)).rows() == plain_spells(log)


def test_the_random_logs_have_spells_of_all_sorts() -> None:
    found = [spell for seed in range(25) for spell in plain_spells(noisy_log(seed))]
    ends = [until for *_, until in found]
    closes = {session[1] for day in DAYS if (session := CALENDAR.session(day))}
    assert len(found) > 20
    assert any(until in closes for until in ends)
    assert any(until not in closes for until in ends)


@given(SEEDS, st.lists(st.integers(0, 1 << 20), min_size=8, max_size=8))
@settings(deadline=None, max_examples=10)
def test_a_tick_by_itself_says_what_it_says_among_all(seed: int, places: list[int]) -> None:
    """On what was known then; and the spells' ticks among them."""
    tiers = tiers_of(noisy_log(seed))
    ticks = ISSUES.ticks(tiers, BEFORE_ALL, AFTER_ALL)
    rows = Evaluation(tiers, ticks).rows(ISSUES)
    edges = [tick for spell in stale_spells(tiers).select("since", "until").rows() for tick in spell]
    assert set(edges) <= set(ticks)
    for tick in {*edges, *(ticks[place % ticks.len()] for place in places)}:
        alone = Evaluation(tiers.known_by(tick), pl.Series("tick", [tick])).rows(ISSUES)
        assert_frame_equal(alone, rows.filter(pl.col("tick") == tick), check_exact=True)


# Worked by hand.

NINE: Final = CALENDAR.at_new_york(DAYS[0], time(9))
TEN_TICKS: Final = 10 / 64
"""In points, of the 10-year."""


def quotes(
    name: str, mid: Callable[[int], float], minutes: range, width: Callable[[int], float] = lambda _: 1 / 64
) -> list[Event]:
    """An off-the-run 10-year, quoted at the begin of these minutes after nine."""
    return [
        quote_event(
            "quotes-0", name, (NINE + n * MINUTE) * S, 0,
            bid=mid(n) - width(n), ask=mid(n) + width(n), tenor_years=10, on_the_run=False,
        )
        for n in minutes
    ]  # fmt: skip


def still(_: int) -> float:
    return 100.0


def rising(n: int) -> float:
    """A tick in three minutes: ten of them in half an hour."""
    return 100 + n / 3 * TEN_TICKS / 10


def tiers(*issues: list[Event]) -> Tiers:
    return tiers_of(sorted((event for issue in issues for event in issue), key=lambda event: event.arrived_us))


def spells(*issues: list[Event]) -> list[Spell]:
    """(issue, since, until), in minutes after nine."""
    rows = stale_spells(tiers(*issues)).rows()
    return [(name, (since - NINE) // MINUTE, (until - NINE) // MINUTE) for name, since, until in rows]


HOUR: Final = range(60)
PEERS: Final = [quotes(f"P{n}", rising, HOUR) for n in range(3)]
CLOSE: Final = 8 * 60
"""17:00, in minutes after nine."""


def test_who_repeats_a_quote_for_half_an_hour_while_three_others_move_is_stale_to_the_end_of_the_session() -> None:
    """The first minute ends at 09:01, and at 09:31 nothing has changed for 30 minutes; the peers rose by ten ticks."""
    assert spells(quotes("X", still, HOUR), *PEERS) == [("X", 31, CLOSE)]


def test_a_change_of_the_mid_or_of_the_spread_alone_or_the_loss_of_a_side_ends_it() -> None:
    assert spells(quotes("X", lambda n: 100 + (n >= 45) / 256, HOUR), *PEERS) == [("X", 31, 46)]
    wider = quotes("X", still, HOUR, lambda n: 1 / 64 + (n >= 45) / 256)
    assert spells(wider, *PEERS) == [("X", 31, 46)]
    one_sided = [
        event if n < 45 else quote_event("quotes-0", "X", event.fields["ts"], 0, bid=99, tenor_years=10)
        for n, event in enumerate(quotes("X", still, HOUR))
    ]
    assert spells(one_sided, *PEERS) == [("X", 31, 46)]


def test_it_is_not_over_when_the_peers_calm_down_or_are_quoted_no_more() -> None:
    def calm(n: int) -> float:
        return rising(min(n, 31))

    long = range(150)
    assert spells(quotes("X", still, long), *(quotes(f"P{n}", calm, long) for n in range(3)))[0] == ("X", 31, CLOSE)
    assert spells(quotes("X", still, long), *PEERS) == [("X", 31, CLOSE)]


def test_not_while_nobody_moves_nor_with_two_movers_nor_with_less_than_ten_ticks() -> None:
    long = range(100)
    assert spells(*(quotes(f"X{n}", still, long) for n in range(5))) == []
    assert spells(quotes("X", still, HOUR), *PEERS[:2]) == []

    def slower(n: int) -> float:
        return 100 + n * 0.99 * TEN_TICKS / 30

    assert spells(quotes("X", still, long), *(quotes(f"P{n}", slower, long) for n in range(5))) == []


@pytest.mark.parametrize(("idle", "is_found"), [(9, True), (10, False)])
def test_a_quarter_of_all_that_are_quoted_must_move(idle: int, is_found: bool) -> None:
    """Three of twelve, and three of thirteen."""
    found = spells(*(quotes(f"X{n:02}", still, HOUR) for n in range(idle)), *PEERS)
    assert found == ([(f"X{n:02}", 31, CLOSE) for n in range(idle)] if is_found else [])


def test_a_change_of_a_minute_ago_starts_the_half_hour_anew() -> None:
    """Quoted anew in the 20th minute, it is stale thirty minutes after the end of that."""
    assert spells(quotes("X", lambda n: 100 + (n >= 20) / 256, range(70)), *PEERS) == [("X", 51, CLOSE)]


def test_a_session_begins_anew() -> None:
    """At 07:00 the last quote of the night before is none of the new session."""
    early = range(-140, 60)  # 06:40 to 10:00
    found = spells(quotes("X", still, early), *(quotes(f"P{n}", rising, early) for n in range(3)))
    assert found == [("X", 31 - 120, CLOSE)]


def test_a_stale_issue_is_blind_from_its_half_hour_to_the_end_of_the_minute_in_which_it_changes() -> None:
    known = tiers(quotes("X", lambda n: 100 + (n >= 45) / 256, HOUR), *PEERS)
    ticks = QUOTED.ticks(known, BEFORE_ALL, AFTER_ALL)
    assert {NINE + 31 * MINUTE, NINE + 46 * MINUTE} <= set(ticks)
    rows = Evaluation(known, ticks).rows(QUOTED).filter(pl.col("instrument") == "X", pl.col("blind"))
    minutes = sorted((tick - NINE) // MINUTE for tick in rows["tick"].to_list() if tick < NINE + 60 * MINUTE)
    assert set(minutes) == set(range(31, 46))
    assert rows["tick"].min() == NINE + 31 * MINUTE

"""Half-hours of dense quotes, as windows of minutes want them, and which mids stood in them in plain Python."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.signals.model import Evaluation, evaluate
from monitor.signals.treasury.measures import QUOTED
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.plain import day_of
from tests.signals.plain_quotes import PlainTreasury, exact, session_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal
    from tests.signals.events import Event, Log
    from tests.signals.plain_quotes import Quote

DAYS: Final = (date(2019, 9, 16), date(2019, 7, 3), date(2021, 4, 2))
"""A Monday, an early close at 14:00, and one at noon."""
BEGINS: Final = tuple(map(time.fromisoformat, ("06:40", "06:55", "09:00", "11:20", "13:20", "16:10")))
MINUTE: Final = 60
_ISSUES: Final = {"UST-10Y": (10, True), "912828XX0": (7, False), "UST-NEW": (None, True)}
_GAPS: Final = ((1, 2, 5, 20), (5, 20, 40), (20, 60, 61, 125), (5, 20, 299, 300, 301, 310), (30, 60, 899, 905))
_TERMS: Final[tuple[dict[str, object], ...]] = (
    {"coupon": 4.0, "maturity": "2029-08-15"}, {"coupon": 1.625, "maturity": "2049-08-15"}, {},
    {"coupon": 2.0, "maturity": "2021-05-15"}, {"coupon": 0.0, "maturity": "2019-09-17"},
)  # fmt: skip


def _quotes(random: Random) -> list[Event]:
    instrument = random.choice(list(_ISSUES))
    tenor, is_new = _ISSUES[instrument]
    partitions = random.choice([["quotes-0"], ["quotes-1"], ["quotes-0", "quotes-1"]])
    gaps, terms = random.choice(_GAPS), random.choice(_TERMS)
    step = random.choice([1 / 256, 1 / 64, 1 / 8])
    odd, traded = random.choice([0.0, 0.0, 0.1, 0.4]), random.choice([0.0, 0.02, 0.3])
    day, begin = random.choice(DAYS), random.choice(BEGINS)
    now = new_york_us(day, begin) + random.choice([0, 1, 59]) * S
    end = now + random.choice([400, 1_200, 3_000, 5_000]) * S
    mid, log = 100.0, []
    while now < end:
        mid += random.choice([-2, -1, 0, 0, 0, 1, 2]) * step
        fields: dict[str, object] = {"bid": mid - step, "ask": mid + step, "tenor_years": tenor, "on_the_run": is_new}
        fields |= terms
        if random.random() < odd:
            fields |= random.choice([{"bid": None}, {"ask": None}, {"ask": mid - 2 * step}, {"ask": mid - step}])
        if random.random() < traded:
            size = random.choice([0.5, 5, 5, 50, 250])
            fields |= {"last_price": mid, "last_size": size, "aggressor": random.choice(["buy", "sell", None])}
        late_us = random.choice([0, 0, 0, 1, S, 2 * S])
        log.append(quote_event(random.choice(partitions), instrument, now, late_us, **fields))
        now += random.choice(gaps) * S + random.choice([0, 0, 1, 250_000, 999_999])
        now -= now % S * random.choice([0, 1])
    return log


def dense_log(seed: int) -> Log:
    """Up to an hour and a half of quotes of a few issues, in the order of arrival."""
    random = Random(seed)
    parts = [_quotes(random) for _ in range(random.randint(1, 4))]
    return sorted((event for part in parts for event in part), key=lambda event: event.arrived_us)


SEEDS: Final = st.integers(0, 1 << 32)
"""Of `dense_log`: a log is too long to be shown."""
PLACES: Final = st.lists(st.integers(0, 1 << 20), min_size=8, max_size=8)
"""Where to look."""


class PlainMids:
    """Which mids stood, of a log that was read to its end before anything ran."""

    def __init__(self, log: Log) -> None:
        self.issues = PlainTreasury(log).issues
        self._terms: dict[tuple[str, int], dict[str, Any]] = {}
        for partitions in self.issues.values():
            for quotes in partitions.values():
                terms: dict[str, Any] = {}
                for quote in quotes:
                    terms = terms | {
                        name: quote.fields[name] for name in ("coupon", "maturity") if name in quote.fields
                    }
                    self._terms[quote.partition, quote.offset] = terms

    def terms(self, quote: Quote) -> dict[str, Any]:
        """Coupon and maturity, as its issue was last said to have them in its partition."""
        return self._terms[quote.partition, quote.offset]

    def newest(self, issue: str, tick: int) -> Quote | None:
        """The newest quote before a tick, in whatever partition."""
        seen = [quote for quotes in self.issues[issue].values() for quote in quotes if quote.second < tick]
        # Of equal times the later of a partition; `max` would give the first.
        return max(reversed(seen), key=lambda quote: (quote.ts, quote.partition, quote.offset), default=None)

    def mid(self, issue: str, tick: int) -> Fraction | None:
        """The mid in points that stands just before a tick."""
        quote = self.newest(issue, tick)
        if quote is None or quote.ts + quote.hold * S < tick * S or quote.figure("spread") is None:
            return None
        return (exact(quote.fields["bid"]) + exact(quote.fields["ask"])) / 2

    def changes(self, issue: str, tick: int, minutes: int) -> dict[int, tuple[Fraction, Fraction]]:
        """By the end of a minute, the mids at its begin and end, of so many minutes of the session before a tick."""
        session = session_of(tick)
        if session is None or not session[0] <= tick < session[1]:
            return {}
        ends = [end for end in range(tick - minutes * MINUTE, tick + 1, MINUTE) if end > session[0]]
        mids = {end: self.mid(issue, end) for end in ends}
        pairs = {end: (mids[begin], mids[end]) for begin, end in pairwise(ends)}
        return {end: (a, b) for end, (a, b) in pairs.items() if a is not None and b is not None}


def all_ticks(signal: Signal, tiers: Tiers) -> pl.Series:
    """Every tick at which it may change."""
    return signal.over[0].window.ticks(tiers, BEFORE_ALL, AFTER_ALL)


def some_of(ticks: pl.Series, places: Sequence[int]) -> pl.Series:
    """The ticks at these places, counted around."""
    return ticks.gather(sorted({place % ticks.len() for place in places})) if ticks.len() else ticks


def speaking(tiers: Tiers, ticks: pl.Series) -> dict[tuple[int, str], bool]:
    """(tick, issue) of the quotes that speak, and whether they are blind."""
    rows = Evaluation(tiers, ticks).rows(QUOTED)
    return {(row["tick"], row["instrument"]): row["blind"] for row in rows.iter_rows(named=True)}


def speaking_at_minutes(tiers: Tiers, ticks: pl.Series) -> dict[tuple[int, str], bool]:
    """The same for what is told at the ends of minutes, and when an issue goes blind, absent or over."""
    rows = Evaluation(tiers, ticks).rows(QUOTED).select("tick", "instrument", "blind", "is_over").rows()
    return {
        (tick, issue): is_blind for tick, issue, is_blind, is_over in rows
        if tick % MINUTE == 0 or is_blind or is_over or not in_session(tick)
    }  # fmt: skip


def in_session(tick: int) -> bool:
    session = CALENDAR.session(day_of(tick))
    return session is not None and session[0] <= tick < session[1]


def assert_same_in_every_mode(signal: Signal, tiers: Tiers, places: Sequence[int]) -> None:
    """All ticks at once, pieces of them, and one at a time on what was known then: to the bit."""
    ticks = all_ticks(signal, tiers)
    whole = evaluate(signal, tiers, ticks)
    cuts = sorted({0, ticks.len(), *(place % (ticks.len() + 1) for place in places[:3])})
    pieces = [evaluate(signal, tiers, ticks[a:b]) for a, b in pairwise(cuts)]
    assert_frame_equal(pl.concat([whole.clear(), *pieces]), whole, check_exact=True)
    apart = some_of(ticks, places)
    some = evaluate(signal, tiers, apart)
    assert_frame_equal(some, whole.filter(pl.col("tick").is_in(apart.implode())), check_exact=True)
    for tick in apart:
        alone = evaluate(signal, tiers.known_by(tick), pl.Series("tick", [tick]))
        assert_frame_equal(alone, whole.filter(pl.col("tick") == tick), check_exact=True)
        then = signal.over[0].window.ticks(tiers.known_by(tick), tick - 500, tick)
        assert then.to_list() == ticks.filter(ticks.is_between(tick - 500, tick, closed="right")).to_list()


def check_at_minutes(
    signal: Signal,
    log: Log,
    places: list[int],
    plain_value: Callable[[PlainMids, str, int], float | None],
    rel: float,
    abs: float,  # noqa: A002 - as `pytest.approx` has it
) -> None:
    """That a signal of minutes says of every issue, at some of its ticks, what the plain reference says."""
    tiers, mids = tiers_of(log), PlainMids(log)
    ticks = all_ticks(signal, tiers)
    asked = some_of(ticks.filter(ticks % MINUTE == 0), places)
    asked = pl.concat([asked, some_of(ticks, places)]).unique().sort()
    rows = {(row["tick"], row["instrument"]): row for row in evaluate(signal, tiers, asked).iter_rows(named=True)}
    spoken = speaking_at_minutes(tiers, asked)
    assert rows.keys() == spoken.keys()
    for (tick, issue), row in rows.items():
        assert row["blind"] == spoken[tick, issue]
        expected = None if row["blind"] else plain_value(mids, issue, tick)
        assert row["value"] == (None if expected is None else pytest.approx(expected, rel=rel, abs=abs))

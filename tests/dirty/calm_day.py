"""A calm day of Treasury quotes at the pace of a real feed, and what a feed does to it: bad prints, or a true jump.

On-the-runs are quoted every 2 to 5 seconds, off-the-runs every 20. Mids follow one random walk of yields, with a tick
of noise of their own, and lie on the grid of the issue's ticks. Sparse sessions before the day are there for the
baselines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import cache
from math import sqrt
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.sources.scenario.securities import SECURITIES, UNITS_PER_POINT, price_by_yield
from tests.signals.events import CALENDAR, S, new_york_us
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.signals.events import Log

DAY: Final = date(2026, 5, 12)
BEGIN: Final = new_york_us(DAY, time(7))
HOUR: Final = 3_600 * S
SHARE_OF_BAD: Final = 0.003
_SPARSE: Final = 12
"""Sessions of which each half-hour has a few quotes."""
_YIELD_BP_A_DAY: Final = 2.0
_FARTHEST_BP: Final = 12.0
"""The walk is reflected there."""
_WIDER_SHARE, _ASIDE_SHARE = 0.04, 0.04
"""Of the quotes, those that are a tick wider, and those that stand a tick beside the others."""


UNIT: Final = UNITS_PER_POINT
"""Prices are integers of 256ths of a point."""


class Bad(StrEnum):
    """What may be wrong with one quote."""

    ASK_HIGH = "the ask points too high"
    BID_LOW = "the bid points too low"
    BOTH = "both sides points off"
    CROSSED = "the bid points too high"
    SWAPPED = "the sides swapped"
    NO_BID = "a bid of zero"
    NO_ASK = "an ask of zero"


class Quote(NamedTuple):
    """Of an issue, by its place in `SECURITIES`, with bid and ask in 256ths of a point and sizes in USD millions."""

    ts_us: int
    issue: int
    bid: int
    ask: int
    sizes: tuple[int, int]


@dataclass(frozen=True)
class Print:
    """A bad quote: which of the day's, what is wrong with it, and by how many points."""

    place: int
    kind: Bad
    points: int


def _walk(random: Random, seconds: int) -> list[float]:
    """The yield in bp at each second: a random walk that does not go far."""
    step, found, at = _YIELD_BP_A_DAY / sqrt(36_000), [], 0.0
    for _ in range(seconds):
        at += random.gauss(0, step)
        at = max(-_FARTHEST_BP, min(_FARTHEST_BP, at))
        found.append(at)
    return found


def _moments(random: Random, *, on_the_run: bool, begin_us: int, end_us: int) -> Iterator[int]:
    """On the run every 2 to 5 seconds, off it every 20."""
    ts_us = begin_us + random.randrange(20 * S)
    while ts_us < end_us:
        yield ts_us
        ts_us += random.randrange(2 * S, 5 * S) if on_the_run else 20 * S + random.randrange(-S, S)


_PRICES: Final = tuple(price_by_yield(security, DAY) for security in SECURITIES)


def _quote(random: Random, place: int, ts_us: int, bp: float) -> Quote:
    security, (price, by_bp, by_bp2) = SECURITIES[place], _PRICES[place]
    tick, ticks = security.tick, security.spread_ticks + (random.random() < _WIDER_SHARE)
    mid = price + bp * (by_bp + bp * by_bp2)
    aside = random.choice((-1, 1)) if random.random() < _ASIDE_SHARE else 0
    bid = (round(mid / tick - ticks / 2) + aside) * tick
    sizes = (round(security.size_musd * (0.85 + 0.3 * random.random())) for _ in "ab")
    return Quote(ts_us, place, bid, bid + ticks * tick, (next(sizes), next(sizes)))


@cache
def calm(seed: int, hours: int) -> tuple[Quote, ...]:
    """The quotes of the first hours of the session, in the order of time."""
    random = Random(seed)
    walk = _walk(random, hours * 3_600)
    return tuple(sorted(
        _quote(random, place, ts_us, walk[(ts_us - BEGIN) // S])
        for place, security in enumerate(SECURITIES)
        for ts_us in _moments(random, on_the_run=security.on_the_run, begin_us=BEGIN, end_us=BEGIN + hours * HOUR)
    ))  # fmt: skip


def bad_prints(random: Random, quotes: Sequence[Quote], share: float = SHARE_OF_BAD) -> list[Print]:
    """So large a share of all quotes, drawn at random."""
    places = sorted(random.sample(range(len(quotes)), round(share * len(quotes))))
    return [Print(place, random.choice(list(Bad)), random.choice((-5, -3, -2, -1, 1, 2, 3, 5))) for place in places]


def spoiled(quote: Quote, bad: Print) -> Quote:
    """The quote with what is wrong with it."""
    off, (bid, ask) = abs(bad.points) * UNIT, (quote.bid, quote.ask)
    sides = {
        Bad.ASK_HIGH: (bid, ask + off),
        Bad.BID_LOW: (bid - off, ask),
        Bad.BOTH: (bid + bad.points * UNIT, ask + bad.points * UNIT),
        Bad.CROSSED: (bid + off, ask),
        Bad.SWAPPED: (ask, bid),
        Bad.NO_BID: (0, ask),
        Bad.NO_ASK: (bid, 0),
    }[bad.kind]
    return quote._replace(bid=sides[0], ask=sides[1])


def with_bad_prints(quotes: Sequence[Quote], prints: Sequence[Print]) -> list[Quote]:
    found = list(quotes)
    for each in prints:
        found[each.place] = spoiled(found[each.place], each)
    return found


@dataclass(frozen=True)
class Jump:
    """Within a window of time all prices stand points away, to and fro, and all spreads are many times as wide."""

    begin_us: int
    end_us: int
    points: int
    times_as_wide: int


def with_jump(quotes: Sequence[Quote], jump: Jump) -> list[Quote]:
    """Prices go down and halfway up again, twice, in four equal parts of the window."""
    found = []
    for quote in quotes:
        moved = quote
        if jump.begin_us <= quote.ts_us < jump.end_us:
            part = 4 * (quote.ts_us - jump.begin_us) // (jump.end_us - jump.begin_us)
            off = jump.points * UNIT // (1 + part % 2)
            wider = (jump.times_as_wide - 1) * (quote.ask - quote.bid) // 2
            moved = quote._replace(bid=quote.bid - off - wider, ask=quote.ask - off + wider)
        found.append(moved)
    return found


def log_of(quotes: Sequence[Quote]) -> Log:
    """As a feed brings them."""
    log = []
    for quote in quotes:
        security = SECURITIES[quote.issue]
        sides: dict[str, Any] = {"bid": quote.bid / UNIT, "ask": quote.ask / UNIT}
        sides |= dict(zip(("bid_size", "ask_size"), quote.sizes, strict=True))
        sides |= {"tenor_years": security.tenor_years, "on_the_run": security.on_the_run}
        sides |= {"coupon": security.coupon, "maturity": security.maturity.isoformat()}
        log.append(quote_event(f"quotes-{quote.issue % 2}", security.instrument, quote.ts_us, **sides))
    return log


@cache
def past(hours: int) -> Log:
    """The first hours of sparse sessions before the day."""
    random, quotes, day = Random("past"), [], DAY
    for _ in range(_SPARSE):
        day = CALENDAR.previous_sofr_business_day(day)
        begin_us, bp = new_york_us(day, time(7)), random.gauss(0, 2)
        for ts_us in range(begin_us, begin_us + hours * HOUR, 280 * S):
            bp += random.gauss(0, 0.2)
            quotes += [_quote(random, place, ts_us + random.randrange(5 * S), bp) for place in range(len(SECURITIES))]
    return log_of(sorted(quotes))

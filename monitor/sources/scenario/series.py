"""Published series: a year of daily, weekly and monthly values before a story, and how they move on its day.

Spreads of indices come in percent, as FRED publishes them, each on the business day after its own. On the story's day
every series is told as it stands, with that day as its effective date: later values of the day revise earlier ones.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.calendar import MarketCalendar
from monitor.sources.scenario.contracts import CONTRACTS, INDEX_NUMBER, calm_part, phases_of
from monitor.sources.scenario.credit import Auction
from monitor.sources.scenario.securities import curve_percent
from monitor.sources.scenario.story import US_PER_MINUTE
from monitor.sources.scenario.timeline import Chronicle
from monitor.streams import MICROSECONDS_PER_SECOND, UNIT_BP, UNIT_INDEX, UNIT_PERCENT, UNIT_RATIO, UNIT_USD_BN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.sources.scenario.story import Credit, Scenario
    from monitor.sources.scenario.timeline import Block

_PAST_DAYS: Final = 371
"""Calendar days: the trailing year of every series is whole."""


class _Series(NamedTuple):
    """How a series is published.

    Attributes:
        name: of the series.
        unit: on the wire.
        digits: after the point, on the wire.
        days: calm values, in the unit in which the series is kept, by calendar days before the story; between them
            straight lines.
        noise: how far a value is off the line at most.
        at: New York time.
        lag: business days from the day of the value to that of its publication.
        weekday: the only day of the week that has a value; None: every business day.
        floor: no value is below it.
    """

    name: str
    unit: str
    digits: int
    days: Mapping[int, float]
    noise: float
    at: time
    lag: int = 0
    weekday: int | None = None
    floor: float = 0.0

    def text(self, value: float) -> float:
        """The value as it is published."""
        return round(value / 100 if self.name.endswith("_OAS") else value, self.digits)


def _yield(tenor_years: int) -> _Series:
    level = curve_percent(tenor_years)
    days = {back: level + swing for back, swing in ((371, 0.12), (230, -0.16), (150, 0.14), (60, -0.05), (0, 0.0))}
    return _Series(f"DGS{tenor_years}", UNIT_PERCENT, 2, days, 0.03, time(8, 15), lag=1)


_WEDNESDAY: Final = 2
_SERIES: Final = (
    # The year's low, 74 bp, is 63 days back: a Monday, as the story's day is.
    _Series(
        "IG_OAS", UNIT_PERCENT, 2,
        {371: 84.0, 313: 80.0, 230: 119.0, 162: 88.0, 101: 78.0, 63: 74.0, 35: 77.0, 10: 80.0, 0: 80.0},
        1.4, time(8, 30), lag=1, floor=74.0,
    ),
    _Series(
        "HY_OAS", UNIT_PERCENT, 2,
        {371: 262.0, 313: 258.0, 230: 421.0, 162: 300.0, 101: 268.0, 63: 259.0, 35: 268.0, 10: 275.0, 0: 275.0},
        4.0, time(8, 30), lag=1, floor=259.0,
    ),
    _Series("MOVE", UNIT_INDEX, 2, {371: 95.0, 230: 139.0, 162: 92.0, 63: 76.0, 0: 79.0}, 2.5, time(17, 15)),
    _yield(2), _yield(10), _yield(30),
    _Series("ON_RRP_VOLUME", UNIT_USD_BN, 1, {371: 180.0, 200: 110.0, 90: 30.0, 0: 6.0}, 4.0, time(13, 15)),
    _Series("SRF_VOLUME", UNIT_USD_BN, 1, {371: 0.0, 0: 0.0}, 0.0, time(13, 45)),
    _Series("TGA", UNIT_USD_BN, 1, {371: 740.0, 150: 400.0, 90: 620.0, 0: 870.0}, 15.0, time(16), lag=1),
    _Series(
        "RESERVES", UNIT_USD_BN, 1, {371: 3_280.0, 150: 3_330.0, 0: 2_890.0}, 25.0, time(16, 30), lag=1,
        weekday=_WEDNESDAY,
    ),
)  # fmt: skip
_CALM_DAYS: Final = 7
"""In so many calendar days before the story nothing strays from its line."""
_CDX_IG: Final = _Series("CDX_IG", UNIT_BP, 2, {}, 0.0, time(17, 15))
"""Its values are the mids of the index that is quoted."""

_MATURING_BUSD: Final = {12: 1_004.0, 6: 1_030.0, 0: 1_050.0}
"""By months before the story's: what matures of investment grade within a year; told at the start of each month."""
_AUCTION_BP: Final = 0.9
_AUCTION_COVERS: Final = {10: 2.52, 30: 2.40}
_AUCTION_DEALERS: Final = {10: 0.13, 30: 0.15}
_AUCTION_DAYS: Final = {10: 11, 30: 13}
"""Of the month; on the next business day if it is none."""
_AUCTION_AT: Final = time(13, 1)

_STORY_EVERY_US: Final = 5 * US_PER_MINUTE
"""On the story's day a series is told anew at most so often."""

Row = tuple[int, str]


def count(scenario: Scenario, seed: int, block: Block) -> int:
    """How many values are published in the block."""
    return _of(scenario, scenario.credit, seed).count(block) if scenario.credit else 0


def rows(scenario: Scenario, seed: int, block: Block) -> list[Row]:
    """(arrival, JSON) of the values that are published in a block."""
    return _of(scenario, scenario.credit, seed).rows(block) if scenario.credit else []


def _of(scenario: Scenario, credit: Credit, seed: int) -> Chronicle:
    return _chronicle(credit, scenario.story_start_us, scenario.story_end_us, seed)


@lru_cache(maxsize=2)
def _chronicle(credit: Credit, story_start_us: int, story_end_us: int, seed: int) -> Chronicle:
    story_day = MarketCalendar.new_york_date(story_start_us)
    phases = phases_of(seed)[INDEX_NUMBER]

    def index_mid(us: int) -> float:
        return CONTRACTS[INDEX_NUMBER].mid * calm_part(phases, us - story_start_us)

    made: list[Row] = []
    for series in _SERIES:
        made += _past(series, story_day, seed)
        made += _story(series, _line(series.days, 0), credit, story_day, range(story_start_us, story_end_us))
    for day in _business_days(story_day):
        ts_us = _us(day, _CDX_IG.at)
        made.append(_row(ts_us, _CDX_IG.name, round(index_mid(ts_us), 2), UNIT_BP, day))
    made += _story(_CDX_IG, index_mid(story_start_us), credit, story_day, range(story_start_us, story_end_us))
    made += _maturing(story_day)
    for auction in (*_past_auctions(story_day, seed), *credit.auctions):
        made += _of_auction(auction)
    return Chronicle(made)


def _past(series: _Series, story_day: date, seed: int) -> Iterator[Row]:
    calendar = MarketCalendar()
    rnd = Random(f"{seed}:series:{series.name}").random  # noqa: S311 - a story, no secret
    for day in _business_days(story_day):
        back = (story_day - day).days
        stray = series.noise * (2 * rnd() - 1)
        if series.weekday is not None and day.weekday() != series.weekday:
            continue
        exact = back in series.days or back <= _CALM_DAYS
        value = max(series.floor, _line(series.days, back) + (0 if exact else stray))
        published = calendar.add_sofr_business_days(day, series.lag) if series.lag else day
        yield _row(_us(published, series.at), series.name, series.text(value), series.unit, day)


def _story(series: _Series, calm: float, credit: Credit, story_day: date, span_us: range) -> Iterator[Row]:
    """The values of the story's day, whenever one is another than the last."""
    course = credit.series.get(series.name)
    if course is None:
        return
    last = series.text(calm)
    for ts_us in span_us[_STORY_EVERY_US::_STORY_EVERY_US]:
        value = series.text(max(series.floor, calm + course.at(ts_us)))
        if value != last:
            yield _row(ts_us, series.name, value, series.unit, story_day)
            last = value


def _maturing(story_day: date) -> Iterator[Row]:
    calendar = MarketCalendar()
    for back in range(max(_MATURING_BUSD) + 1):
        year, month = divmod(story_day.year * 12 + story_day.month - 1 - back, 12)
        day = calendar.add_sofr_business_days(date(year, month + 1, 1), 0)
        value = round(_line(_MATURING_BUSD, back), 1)
        yield _row(_us(day, time(8, 30)), "IG_MATURING_12M", value, UNIT_USD_BN, day)


def _past_auctions(story_day: date, seed: int) -> Iterator[Auction]:
    """One a month of each tenor: they go through within a bp of where they traded."""
    calendar = MarketCalendar()
    rnd = Random(f"{seed}:auctions").random  # noqa: S311
    for back in range(12, -1, -1):
        year, month = divmod(story_day.year * 12 + story_day.month - 1 - back, 12)
        for tenor, day_of_month in _AUCTION_DAYS.items():
            day = calendar.add_sofr_business_days(date(year, month + 1, day_of_month), 0)
            tail_bp = round(_AUCTION_BP * (2 * rnd() - 1), 1)
            cover = round(_AUCTION_COVERS[tenor] - 0.08 * tail_bp, 2)
            dealers = round(_AUCTION_DEALERS[tenor] + 0.03 * tail_bp, 3)
            if day < story_day:
                yield Auction(_us(day, _AUCTION_AT), tenor, tail_bp, cover, dealers)


def _of_auction(auction: Auction) -> Iterator[Row]:
    day = MarketCalendar.new_york_date(auction.ts_us)
    for family, value, unit in (
        ("TAIL", auction.tail_bp, UNIT_BP),
        ("COVER", auction.cover, UNIT_RATIO),
        ("DEALER_SHARE", auction.dealer_share, UNIT_RATIO),
    ):
        yield _row(auction.ts_us, f"AUCTION_{family}_{auction.tenor_years}Y", value, unit, day)


def _row(ts_us: int, series: str, value: float, unit: str, effective: date) -> Row:
    return ts_us, f'{{"ts":{ts_us},"series":"{series}","value":{value},"unit":"{unit}","effective_date":"{effective}"}}'


def _line(days: Mapping[int, float], back: int) -> float:
    """The value so many days (or months) before the story: on straight lines between those that are given."""
    for (b0, v0), (b1, v1) in pairwise(days.items()):
        if back >= b1:
            return v0 + (v1 - v0) * (b0 - min(back, b0)) / (b0 - b1)
    return days[min(days)]


@lru_cache(maxsize=2)
def _business_days(story_day: date) -> tuple[date, ...]:
    calendar = MarketCalendar()
    days = (story_day - timedelta(days=back) for back in range(_PAST_DAYS, 0, -1))
    return tuple(day for day in days if calendar.is_sofr_business_day(day))


def _us(day: date, at: time) -> int:
    return MarketCalendar.at_new_york(day, at) * MICROSECONDS_PER_SECOND

"""What is known of each deal, and since when: the states that every new-issue signal is computed from.

A deal is a tranche. It counts once, at its latest state, whatever the order in which its events come: of each field
the latest that was said holds, later by (ts, partition, offset), among the events that are known at a tick.

- It is *priced* from its first `priced` event on. Its terms freeze there: what was said up to and with that event
  holds, and what was not said by then is filled by the first later event that says it. Its break spread is the first
  one said with or after that event. It counts on the New York date of the event, whenever that came to be known.
- It is *pulled* while `pulled` is its latest status, since the first of the `pulled` in a row. That ends it, also if it
  had been priced: its supply never came. A later event of another status begins it anew: only a `priced` after the
  last `pulled` prices it then, and what was said before still holds.
- It is *waiting* while it is neither priced nor pulled and its latest status comes before pricing. A deal of which no
  `priced` was heard is not priced, even if it trades.
- Its issue is the latest that was said; an event that leaves the issue out says nothing about it.
- What does not say how it pays is fixed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE, FIRST_TICK, LAST_DATE, new_york_dates
from monitor.engine.tiers import EVER

if TYPE_CHECKING:
    from datetime import date

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers

WEEK, MONTH, QUARTER, YEAR_TO_DATE, YEAR, PATIENCE = "5bd", "20bd", "60bd", "ytd", "12m", "30bd"
"""Periods that end today: business days of the bond market, the calendar year so far, and the last twelve months."""
_BUSINESS_DAYS: Final = {WEEK: 5, MONTH: 20, QUARTER: 60, PATIENCE: 30}
PERIODS: Final = (*_BUSINESS_DAYS, YEAR_TO_DATE, YEAR)

_ORDER: Final = ("ts_us", "partition", "offset")
_TERMS: Final = (
    "issuer", "size_kusd", "ipt_spread_e6", "spread_e6", "fair_value_spread_e6", "yield_e6", "book_kusd", "sector",
    "theme_row", "rating", "tenor_e3", "coupon_type", "purpose",
)  # fmt: skip
_BEFORE_PRICING: Final = ("announced", "ipt", "guidance", "launched")
_REACH: Final = timedelta(days=400)
"""No period is longer."""
_MARGIN_S: Final = 10 * 86_400


def year_of(tick: int) -> int:
    """The year of a tick, within what the calendar knows: what lay a whole year before it cannot matter to it."""
    if tick < FIRST_TICK:
        return FIRST_DATE.year
    last = int(datetime(LAST_DATE.year, 12, 31, tzinfo=UTC).timestamp())
    return datetime.fromtimestamp(min(tick, last), UTC).year


def states(tiers: Tiers, year: int) -> pl.DataFrame:
    """A row a deal and a tick since which something else is known of it.

    Columns: `deal_id`, `issue_id`, `since` and `until` (epoch seconds; the row holds from the one until before the
    other), `is_priced`, `priced_date`, `is_pulled`, `pulled_date`, `is_waiting`, `heard_date` (New York; of the
    newest event, while it waits), the terms, `break_spread_e6`, `themes`, `is_fixed`.

    Args:
        tiers: what is known.
        year: deals that were last heard of before the year before it are left out.
    """
    return tiers.once(("newissue states", year), lambda: _states(_heard_lately(tiers.deals, year)), of=("deals",))


def _heard_lately(deals: pl.DataFrame, year: int) -> pl.DataFrame:
    if year <= FIRST_DATE.year + 1:
        return deals
    begin = int(datetime(year - 1, 1, 1, tzinfo=UTC).timestamp()) - _MARGIN_S
    heard = deals.filter(c("tick") >= begin).select("deal_id").unique()
    return deals.join(heard, on="deal_id", how="semi", maintain_order="left")


def _states(deals: pl.DataFrame) -> pl.DataFrame:
    events = deals.with_columns(c("deal_id").rank("dense").cast(pl.Int64).alias("deal")).with_row_index("row")
    events = events.with_columns(theme_row=pl.when(c("themes").is_not_null()).then("row"))
    shown = _looks(events)
    pulled, priced = c("status") == "pulled", c("status") == "priced"
    shown = shown.with_columns(
        life=_since(c("is_new") | pulled),  # the place of the event that it began with
        issue_id=pl.when(c("issue_id") != c("deal_id")).then("issue_id"),
        pulled_us=pl.when(pulled & (c("is_new") | ~pulled.shift(1, fill_value=False))).then("ts_us"),
    )
    shown = shown.with_columns(_latest(name, "run") for name in ("issue_id", "pulled_us", *_TERMS))
    shown = shown.with_columns(
        is_pulled=pulled,
        is_priced=_since(priced).ge(c("life")).fill_null(value=False) & ~pulled,
        priced_us=_first(pl.when(priced).then("ts_us"), "life"),
    )
    frozen = {name: _first(pl.when("is_priced").then(name), "life") for name in (*_TERMS, "break_spread_e6")}
    shown = shown.with_columns(
        **{name: pl.when("is_priced").then(expr).otherwise(name) for name, expr in frozen.items()},
        is_waiting=~c("is_priced") & c("status").is_in(_BEFORE_PRICING),
    )
    shown = shown.unique(["run", "at"], keep="last", maintain_order=True).select(
        "deal_id",
        c("issue_id").fill_null(c("deal_id")),
        "at",
        "is_priced",
        "is_pulled",
        "is_waiting",
        *_TERMS,
        priced_date=pl.when("is_priced").then(_date(c("priced_us"))),
        pulled_date=pl.when("is_pulled").then(_date(c("pulled_us"))),
        heard_date=pl.when("is_waiting").then(_date(c("ts_us"))),
        break_spread_e6=pl.when("is_priced").then("break_spread_e6"),
    )
    shown = shown.sort("deal_id", "at")
    said = [c(name).ne_missing(c(name).shift(1)) for name in shown.columns if name != "at"]
    shown = shown.filter(pl.any_horizontal(said) | (pl.int_range(pl.len()) == 0))
    return shown.with_columns(
        since="at",
        until=c("at").shift(-1).over("deal_id").fill_null(EVER),
        themes=events["themes"].gather(shown["theme_row"]),
        is_fixed=c("coupon_type").ne_missing(pl.lit("float")),
    ).drop("at", "theme_row")


def _looks(events: pl.DataFrame) -> pl.DataFrame:
    """The events in order, a *run* for each look: `at` is the tick of the look that a row is the newest event of.

    Of a deal whose events came in order one run is enough, whose rows are the looks. If one came after a later one,
    every look sees other events: each has a run of its own.
    """
    events = events.sort("deal", *_ORDER)
    overtaken = c("tick") < c("tick").shift(1).over("deal")
    late = events.filter(overtaken.fill_null(value=False)).select("deal").unique()
    orderly = events.join(late, on="deal", how="anti", maintain_order="left")
    orderly = orderly.with_columns(look=pl.lit(-1, pl.Int64), at=c("tick"))
    disorderly = events.join(late, on="deal", how="semi", maintain_order="left")
    looks = disorderly.select("deal", look="tick").unique()
    disorderly = disorderly.join(looks, on="deal").filter(c("tick") <= c("look")).with_columns(at=c("look"))
    every = pl.concat([orderly, disorderly.select(orderly.columns)]).sort("deal", "look", *_ORDER)
    is_new = (c("deal") != c("deal").shift(1)) | (c("look") != c("look").shift(1))
    every = every.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64), is_new=is_new.fill_null(value=True))
    return every.with_columns(run=_since(c("is_new")))


# A pass over all rows in order is many times faster than one a run: what was carried over from the run before is known
# by its place.


def _since(flag: pl.Expr) -> pl.Expr:
    """The place of the newest row with the flag, of whatever run."""
    return pl.when(flag).then("place").forward_fill()


def _latest(name: str, run: str) -> pl.Expr:
    """The newest that was said, within a run that began at the place `run`."""
    return pl.when(_since(c(name).is_not_null()) >= c(run)).then(c(name).forward_fill()).alias(name)


def _first(said: pl.Expr, run: str) -> pl.Expr:
    """The first that was said in a run, from there on; null before."""
    is_said = said.is_not_null()
    said_before = _since(is_said).shift(1)  # of whatever run
    is_first = is_said & (said_before < c(run)).fill_null(value=True)
    return pl.when(_since(is_first) >= c(run)).then(pl.when(is_first).then(said).forward_fill())


def _date(ts_us: pl.Expr) -> pl.Expr:
    return new_york_dates(ts_us).clip(FIRST_DATE, LAST_DATE)


def ends_of_periods(calendar: MarketCalendar, dates: pl.Series) -> pl.DataFrame:
    """When a date leaves each period: the midnight in New York (epoch seconds) of the first day that is without it.

    What happens on a day that is no business day counts with the next one, and is in the period from the day on.

    Args:
        calendar: the market calendar.
        dates: New York dates, repeated or not.

    Returns:
        A row a distinct date: `date` and a column a period.
    """
    asked = pl.DataFrame({"date": dates.drop_nulls().unique()}, {"date": pl.Date()})
    if asked.is_empty():
        return asked.with_columns(pl.lit(EVER, pl.Int64).alias(period) for period in PERIODS)
    first, last = _first_and_last(asked["date"])
    days = calendar.days(first, min(LAST_DATE, last + _REACH))
    asked = asked.join(days.select("date", "bond_index"), on="date", how="left")
    business = days.filter("bond_business_day").select("bond_index", "midnight")
    for period, count in _BUSINESS_DAYS.items():
        ends = business.select(c("bond_index") - count, c("midnight").alias(period))
        asked = asked.join(ends, on="bond_index", how="left")
    midnights = days.select("date", "midnight")
    new_year = pl.date(c("date").dt.year() + 1, 1, 1)
    for period, end in ((YEAR_TO_DATE, new_year), (YEAR, c("date").dt.offset_by("1y"))):
        ends = midnights.select(end="date", **{period: c("midnight")})
        asked = asked.with_columns(end=end).join(ends, on="end", how="left").drop("end")
    return asked.select("date", *(c(period).fill_null(EVER) for period in PERIODS))


def _first_and_last(dates: pl.Series) -> tuple[date, date]:
    ordered = dates.sort().to_list()
    return ordered[0], ordered[-1]


def priced(tiers: Tiers, year: int) -> pl.DataFrame:
    """The states of priced deals that have a size, with a column a period: when they leave it, as `states` has them."""

    def make() -> pl.DataFrame:
        rows = states(tiers, year).filter("is_priced", c("size_kusd") > 0)
        ends = ends_of_periods(tiers.calendar, rows["priced_date"])
        return rows.join(ends, left_on="priced_date", right_on="date", how="left", maintain_order="left")

    return tiers.once(("newissue priced", year), make, of=("deals",))


def within(rows: pl.DataFrame, period: str) -> pl.DataFrame:
    """The rows as long as they are in a period: `until` is no later than its end."""
    return rows.with_columns(until=pl.min_horizontal("until", period), period=pl.lit(period)).filter(
        c("since") < c("until")
    )

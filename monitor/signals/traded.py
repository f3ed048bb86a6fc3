"""The windows of repo trades: the volume by rate of the day so far, or of the last half hour.

The percentiles of a window come from its exact volume by rate. That is the difference of two prefix sums, the
volume of each (instrument, rate) before the window's end less that before its beginning, so one formulation
serves one tick and all ticks, and a longer window costs no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.calendar import NEW_YORK, MarketCalendar
from monitor.engine.bars.repo import merge_bars
from monitor.engine.tiers import EVER
from monitor.signals.known import IORB, TARGET_UPPER, compared_with, days_around, in_force, trailing_days
from monitor.signals.model import ROW_COLUMNS, Window
from monitor.signals.published import TRAILING_PRINTS, TRAILING_REACH
from monitor.signals.sessions import new_york_date, sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

HALF_HOUR: Final = 30 * SECONDS_PER_MINUTE
MIN_VOLUME_KUSD: Final = 5 * streams.KUSD_PER_BUSD
"""Below this volume a window has no percentiles: too little data."""

SECONDS_PER_DAY: Final = 86_400
SILENCE: Final = 30 * SECONDS_PER_MINUTE
"""General collateral without a trade for so long, while watched, is blind."""
WATCH_FROM, WATCH_TO = time(8, 30), time(15)
"""New York times between which silence counts: most of a day's repo is done by then, and little after."""

UNITS_PER_RATE_BP: Final = streams.UNITS_PER_PERCENT // 100
PAIR_COLUMNS: Final = ("left", "right", "left_median_e6", "right_median_e6")
"""What a pair's rows carry after `ROW_COLUMNS`."""
_PERCENTILES: Final = {"p1_e6": 1, "p25_e6": 25, "median_e6": 50, "p75_e6": 75, "p99_e6": 99}

GENERAL_COLLATERAL: Final = ("SOFR", "TGCR", "BGCR", "GCF", "TRIPARTY", "DVP", "GC-ON")
"""What is no collateral CUSIP."""
SEGMENT_NAMES: Final = {
    streams.GCF_SEGMENT: "GCF", streams.TRIPARTY_SEGMENT: "TRIPARTY", streams.DVP_SEGMENT: "DVP",
    streams.BILATERAL_SEGMENT: "BILATERAL",
}  # fmt: skip
"""A trade's segment, by the name that the benchmark of that segment has."""

TRADED_COLUMNS: Final = (
    "key", *_PERCENTILES, "volume_kusd", "iorb_e6", "target_upper_e6", "trailing_spread_e6",
)  # fmt: skip
"""What the window's rows carry after `ROW_COLUMNS`: as `published.PUBLISHED_COLUMNS`, by key."""


@dataclass(frozen=True)
class Traded(Window):
    """Overnight repo trades by key, over a window that ends at the tick.

    Attributes:
        span_seconds: the window's length; None: the New York day so far.
        by_segment: the key is the segment's name; otherwise the instrument.
    """

    is_momentary: ClassVar[bool] = True
    span_seconds: int | None
    by_segment: bool = False

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of seconds with trades, their leaving the window, edges of sessions and silences, reference prints."""
        every = self._touched(tiers)["tick"]
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The keys whose window changes at these ticks, in session; all of them absent at its end."""
        touched = self._touched(at.tiers)
        return self.look(at.tiers, touched.filter(c("tick").is_in(at.ticks.implode())).sort("tick", "key"))

    def look(self, tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
        """The windows of these keys at these ticks.

        Args:
            tiers: what is known.
            asked: `tick` and `key`.
        """
        if asked.is_empty():
            return _no_rows()
        bars = self.bars(tiers, asked["tick"])
        days = sessions(tiers.calendar, asked["tick"])
        gaps = _gaps(bars, tiers.calendar).select("key", "due", tick="since").sort("tick")
        asked = (
            asked.join(days, on="tick", how="left", maintain_order="left")
            .sort("tick", "key")
            .join_asof(gaps, on="tick", by="key", check_sortedness=False)
        )
        begin = c("midnight") if self.span_seconds is None else c("tick") - self.span_seconds
        stats = _percentiles(bars, asked.select("tick", "key", begin=begin))
        open_ = (c("tick") >= c("session_start")) & (c("tick") < c("session_end"))
        rows = asked.join(stats, on=["tick", "key"], how="left", maintain_order="left").with_columns(
            pl.when(open_).then(c(column)) for column in (*_PERCENTILES, "volume_kusd")
        )
        rows = rows.with_columns(blind=(c("due") <= c("tick")).fill_null(value=False))
        rows = in_force(rows, tiers.reference, IORB, "iorb_e6")
        rows = in_force(rows, tiers.reference, TARGET_UPPER, "target_upper_e6")
        return self._with_trailing(rows, tiers).select(*ROW_COLUMNS, *TRADED_COLUMNS)

    def bars(self, tiers: Tiers, ticks: pl.Series | None = None) -> pl.DataFrame:
        """(second, key, rate_e6, volume_kusd), by key; trades of no known segment have no segment's key.

        Args:
            tiers: what is known.
            ticks: only what windows at these ticks need: the two days before them, and of what came earlier each
                key's last second; None: all.
        """
        if ticks is None:
            return tiers.once(("traded bars", self.by_segment), lambda: self._keyed(tiers.repo_seconds))
        return self._keyed(_near(tiers.repo_seconds, ticks))

    def _keyed(self, seconds: pl.DataFrame) -> pl.DataFrame:
        """Bars by key in place of instrument and segment."""
        if not self.by_segment:
            return seconds.rename({"instrument": "key"})
        segment = c("segment").replace_strict(SEGMENT_NAMES, default=None)
        named = pl.when(c("instrument").is_in(list(SEGMENT_NAMES.values()))).then("instrument")
        key = pl.when(c("instrument").is_in(list(GENERAL_COLLATERAL))).then(pl.coalesce(segment, named))
        bars = seconds.with_columns(instrument=key).filter(c("instrument").is_not_null())
        return merge_bars(bars).rename({"instrument": "key"})

    def _touched(self, tiers: Tiers) -> pl.DataFrame:
        """(tick, key) of every change of a window or of its blindness, each once."""

        def touched() -> pl.DataFrame:
            bars = self.bars(tiers)
            if bars.is_empty():
                return pl.DataFrame(schema={"tick": pl.Int64(), "key": pl.String()})
            return pl.concat([self._moves(bars, tiers), _silences(bars, tiers.calendar)]).unique()

        return tiers.once(("touched", self), touched)

    def _moves(self, bars: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
        """(tick, key) of every change of a window within a session, edges included."""
        calendar = tiers.calendar
        seconds = bars.select("second", "key").unique()
        # Tick T sees [T - span, T): a second s is first seen at s + 1, and last at s + span.
        moves = [seconds.select(tick=c("second") + 1, key="key")]
        if self.span_seconds is not None:
            moves.append(seconds.select(tick=c("second") + 1 + self.span_seconds, key="key"))
        days = sessions(calendar, bars["second"])
        edges = seconds.join(days, left_on="second", right_on="tick", how="left")
        inside = pl.concat(moves).unique()
        inside = inside.join(sessions(calendar, inside["tick"]), on="tick", how="left").filter(
            c("tick").is_between("session_start", "session_end")
        )
        opens = edges.filter(c("second") < c("session_start")).select(tick="session_start", key="key")
        ends = edges.filter(c("second") < c("session_end")).select(tick="session_end", key="key")
        # What the rates are compared with may change while they stand.
        prints = compared_with(tiers).select("tick", value_date=new_york_date(c("tick"))).unique()
        compared = edges.join(prints, on="value_date").filter(
            c("second") < c("tick"), c("tick").is_between("session_start", "session_end", closed="left")
        )
        return pl.concat([each.select("tick", "key") for each in (inside, opens, ends, compared)]).unique()

    def _with_trailing(self, rows: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
        """The median spread of the trailing days, fixed at the start of each row's session; only for whole days."""
        if self.span_seconds is not None or self.by_segment:
            return rows.with_columns(trailing_spread_e6=pl.lit(None, pl.Float64))
        asked = rows.select("value_date", "key", tick="session_start").unique().drop_nulls()
        back = trailing_days(tiers.calendar, asked["value_date"], TRAILING_REACH)
        daily = _daily_medians(tiers.repo_days, back["value_date"])
        earlier = asked.rename({"value_date": "of"}).join(back, on="of").join(daily, on=["value_date", "key"])
        earlier = in_force(earlier, tiers.reference, IORB, "iorb_e6").sort("days_before", descending=True)
        spread = (c("median_e6") - c("iorb_e6")).drop_nulls().tail(TRAILING_PRINTS)
        median = pl.when(spread.len() == TRAILING_PRINTS).then(spread.median())
        medians = earlier.group_by("key", value_date="of").agg(trailing_spread_e6=median)
        return rows.join(medians, on=["value_date", "key"], how="left", maintain_order="left")


@dataclass(frozen=True)
class TradedPair(Window):
    """Two keys of the same window side by side, at the ticks at which either changes.

    Its columns are `ROW_COLUMNS` and `PAIR_COLUMNS`.

    Attributes:
        traded: the window.
        left: a key, for example `GCF` or `GC-ON`.
        right: a key; None: every key that is no general collateral.
    """

    is_momentary: ClassVar[bool] = True
    traded: Traded
    left: str
    right: str | None

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the window; one at which neither side changes gives no row."""
        return self.traded.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a right side, where the median or the blindness of either side changes; blind if either side is."""
        seen = self.traded.bars(at.tiers, at.ticks).group_by("key").agg(first=c("second").min())
        seen = seen.filter((c("key") == self.left) | self._is_right())
        if at.ticks.is_empty() or seen.is_empty():
            return _no_pairs()
        # What stands just before: a value stands from its change point to the next, so only changes need be looked at.
        before = self.traded.look(at.tiers, seen.select(tick=pl.lit(at.ticks[0] - 1, pl.Int64), key="key"))
        moved = at.rows(self.traded).join(seen, on="key", how="semi")
        points = (
            pl.concat([before.with_columns(is_new=False), moved.with_columns(is_new=True)])
            .select("tick", "key", "median_e6", "blind", "is_new")
            .sort("key", "tick")
        )
        was, was_blind = (c(name).shift(1).over("key") for name in ("median_e6", "blind"))
        is_same = c("median_e6").eq_missing(was) & (c("blind") == was_blind.fill_null(value=False))
        changed = points.filter("is_new", ~is_same)
        by_right = changed.filter(self._is_right()).select("tick", "key")
        by_left = changed.filter(c("key") == self.left).select("tick")
        # A move of the left side moves the pair with every right side that has traded by then.
        rights = seen.filter(self._is_right(), c("key") != self.left)
        with_left = by_left.join(rights, how="cross").filter(c("first") < c("tick")).select("tick", "key")
        asked = pl.concat([by_right, with_left]).unique().sort("tick", "key")
        sides = points.sort("tick").select("tick", "key", "median_e6", "blind")
        pairs = _as_of(asked, sides).rename({"key": "right", "median_e6": "right_median_e6"})
        lefts = _as_of(asked.with_columns(key=pl.lit(self.left)), sides).rename({"median_e6": "left_median_e6"})
        return pairs.with_columns(
            lefts["left_median_e6"],
            left=pl.lit(self.left),
            blind=pairs["blind"].fill_null(value=False) | lefts["blind"].fill_null(value=False),
            value_date=new_york_date(c("tick")),
        ).select(*ROW_COLUMNS, *PAIR_COLUMNS)

    def _is_right(self) -> pl.Expr:
        if self.right is None:
            return ~c("key").is_in(list(GENERAL_COLLATERAL))
        return c("key") == self.right


def _as_of(asked: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """The newest point of each (tick, key), in the order asked."""
    return asked.join_asof(points, on="tick", by="key", check_sortedness=False)


def _no_pairs() -> pl.DataFrame:
    number = pl.Int64()
    shape = {"left": pl.String(), "right": pl.String(), "left_median_e6": number, "right_median_e6": number}
    return pl.DataFrame(schema=ROW_COLUMNS | shape)


def _no_rows() -> pl.DataFrame:
    text, number = pl.String(), pl.Int64()
    shape = ROW_COLUMNS | dict.fromkeys(TRADED_COLUMNS, number)
    return pl.DataFrame(schema=shape | {"key": text, "trailing_spread_e6": pl.Float64()})


def _near(seconds: pl.DataFrame, ticks: pl.Series) -> pl.DataFrame:
    """The bars that windows at these ticks can see, and of what came before them each instrument's last second."""
    first, last = ticks.min(), ticks.max()
    if not isinstance(first, int) or not isinstance(last, int):
        return seconds.clear()
    begin = first - 2 * SECONDS_PER_DAY
    newest = c("second") == c("second").max().over("instrument", "segment")
    near = seconds.filter(c("second") >= begin, c("second") < last)
    return pl.concat([seconds.filter(c("second") < begin).filter(newest), near])


def _gaps(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """For each second with a trade of general collateral: when patience with the silence after it ends.

    Columns: key, since (the tick that first sees the second), then (the tick that sees the next one), due (the tick
    at which the key goes blind; null if the next trade comes before).
    """
    seconds = (
        bars.filter(c("key").is_in([*GENERAL_COLLATERAL, *SEGMENT_NAMES.values()]))
        .select("key", since=c("second") + 1)
        .unique()
        .sort("key", "since")
    )
    days = seconds.with_columns(day=new_york_date(c("since") - 1))
    watches = _watches(calendar, days["day"])
    today = pl.max_horizontal("since", "watch") + SILENCE
    due = pl.when(today <= c("until")).then(today).otherwise(c("next_watch") + SILENCE)
    return (
        days.join(watches, on="day", how="left", maintain_order="left")
        .with_columns(due=due, then=c("since").shift(-1).over("key").fill_null(EVER))
        .select("key", "since", "then", due=pl.when(c("due") < c("then")).then("due"))
    )


def _silences(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """(tick, key) at which general collateral goes blind, and at which a trade ends that, in a session or not."""
    silences = _gaps(bars, calendar).filter(c("due").is_not_null())
    return pl.concat([silences.select("key", tick=edge) for edge in ("due", "then")]).select("tick", "key")


def _watches(calendar: MarketCalendar, dates: pl.Series) -> pl.DataFrame:
    """For each day: when its watch begins and ends (null without one), and when the next business day's begins.

    Columns: day, watch, until, next_watch (epoch seconds).
    """
    begins = c("date").dt.combine(WATCH_FROM).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
    ends = c("date").dt.combine(WATCH_TO).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
    watched = c("sofr_business_day") & c("session_end").is_not_null()
    days = days_around(calendar, dates).with_columns(
        watch=pl.when(watched).then(begins), until=pl.when(watched).then(pl.min_horizontal(ends, "session_end"))
    )
    following = days.select(publication_date="date", next_watch="watch")
    return days.join(following, on="publication_date").select("watch", "until", "next_watch", day="date")


def _percentiles(bars: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Volume-weighted percentiles of the seconds [begin, tick) of each (tick, key): integers.

    Percentile p is the first rate whose cumulative volume reaches p of the total, rounded to the basis point
    (halves up), as the New York Fed publishes SOFR; null below `MIN_VOLUME_KUSD`.
    """
    rates = bars.select("key", "rate_e6").unique()
    before = (
        bars.sort("second")
        .select("key", "rate_e6", "second", so_far=c("volume_kusd").cum_sum().over("key", "rate_e6"))
        .sort("second")
    )

    def volume_before(edge: str) -> pl.Expr:
        frame = wanted.select(second=c(edge) - 1, key="key", rate_e6="rate_e6", row="row").sort("second")
        found = frame.join_asof(before, on="second", by=["key", "rate_e6"], check_sortedness=False)
        return pl.lit(found.sort("row")["so_far"].fill_null(0))

    wanted = asked.join(rates, on="key", how="inner").with_row_index("row")
    volume = volume_before("tick") - volume_before("begin")
    by_rate = wanted.with_columns(volume=volume).filter(c("volume") > 0).sort("tick", "key", "rate_e6")
    return _of_volumes(by_rate, ["tick", "key"])


def _daily_medians(repo_days: pl.DataFrame, days: pl.Series) -> pl.DataFrame:
    """(value_date, key, median_e6) of these New York days, each whole."""
    by_rate = (
        repo_days.filter(c("value_date").is_in(days.unique().implode()))
        .group_by("value_date", "rate_e6", key="instrument")
        .agg(volume=c("volume_kusd").sum())
        .filter(c("volume") > 0)
        .sort("value_date", "key", "rate_e6")
    )
    return _of_volumes(by_rate, ["value_date", "key"]).select("value_date", "key", "median_e6")


def _of_volumes(by_rate: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The percentiles of frames of (by, rate_e6, volume), sorted by rate."""
    reached, total = c("volume").cum_sum() * 100, c("volume").sum()
    half = UNITS_PER_RATE_BP // 2
    percentiles = {
        name: pl.when(total >= MIN_VOLUME_KUSD).then(
            (c("rate_e6").filter(reached >= percent * total).first() + half) // UNITS_PER_RATE_BP * UNITS_PER_RATE_BP
        )
        for name, percent in _PERCENTILES.items()
    }
    return by_rate.group_by(by, maintain_order=True).agg(**percentiles, volume_kusd=total)


def day_so_far(*, by_segment: bool = False) -> Traded:
    """The window of the New York day so far."""
    return Traded(None, by_segment)


def last_half_hour(*, by_segment: bool = False) -> Traded:
    """The window of the last 30 minutes."""
    return replace(day_so_far(by_segment=by_segment), span_seconds=HALF_HOUR)

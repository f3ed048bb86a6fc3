"""What the bars of quotes have in common: a quote stands until the next one, and is weighted by how long it stood.

A bar holds only the records of its own second. Between two bars the last quote stands on, for at most `hold`; that is
added when bars are read into longer stretches, for the coarser tiers here and by the windows of the signals. As
everything added up is an integer, the stretch [a, b) is the running sum at b less the running sum at a, and costs the
same however long it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars.kind import PERIOD_SECONDS, period_of
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHIFT: Final = 1 << 34
"""Above every epoch second: (series code, second) as one sorted integer."""


def area(measure: str) -> str:
    """The column of a measure's sum of value x microseconds."""
    return f"{measure}_area"


def length(measure: str) -> str:
    """The column of the microseconds for which a measure had a value."""
    return f"{measure}_us"


def measure_columns(measures: Sequence[str], sum_type: pl.DataType) -> dict[str, pl.DataType]:
    """The sums of each measure: its area, as `sum_type`, and its length."""
    return {
        name: kind for each in measures for name, kind in ((area(each), sum_type), (length(each), pl.Int64()))
    }  # fmt: skip


def with_standing(events: pl.LazyFrame, series: Sequence[str]) -> pl.LazyFrame:
    """Adds `stood_us`: for how long an event was the newest of its series within its second.

    Args:
        events: sorted by series, time and position; equal times: the last stands, the others never stood.
        series: columns that name a series.
    """
    is_followed = pl.all_horizontal(c(name).eq_missing(c(name).shift(-1)) for name in (*series, "second"))
    stood = pl.when(is_followed).then(c("ts_us").shift(-1) - c("ts_us")).otherwise(0)
    return events.with_columns(stood_us=stood.fill_null(0))


def sums_of_second(measures: Sequence[str]) -> Iterator[pl.Expr]:
    """Aggregations of a (series, second) group: of each measure the last value, the area and the length."""
    for name in measures:
        yield c(name).last()
        yield (c(name) * c("stood_us")).sum().alias(area(name))
        # Not by a filter: that would be run for each of many small groups.
        yield pl.when(c(name).is_not_null()).then("stood_us").otherwise(0).sum().alias(length(name))


class Standing:
    """The bars of some series as running sums, to be looked at as of any second.

    Args:
        bars: bars of seconds, in any order; `first_us`, `last_us`, and of each measure its last value, its area and
            its length.
        series: columns that name a series.
        measures: what is summed.
        hold_us: Int64 expression over a bar: for how long its last quote stands at most.

    Attributes:
        codes: the series, each with its `code`.
        measures: as given.
    """

    def __init__(self, bars: pl.DataFrame, series: Sequence[str], measures: Sequence[str], hold_us: pl.Expr) -> None:
        self.measures = tuple(measures)
        self.codes = bars.select(series).unique().sort(series).with_row_index("code").with_columns(c("code").cast(int))
        rows = bars.join(self.codes, on=list(series), how="left", nulls_equal=True).sort("code", "second")
        rows = rows.with_columns(hold_us=hold_us)
        is_same = (c("code") == c("code").shift(1)).fill_null(value=False)
        gap = pl.min_horizontal(c("first_us") - c("last_us").shift(1), c("hold_us").shift(1))
        rows = rows.with_columns(carried_us=pl.when(is_same).then(gap).otherwise(0))
        sums: list[pl.Expr] = []
        for name in self.measures:
            before = c(name).shift(1).cast(pl.Int128)
            carried = (before * c("carried_us")).fill_null(0)
            carried_us = pl.when(before.is_not_null()).then(c("carried_us")).otherwise(0)
            sums.append((carried + c(area(name))).cum_sum().alias(area(name)))
            sums.append((carried_us + c(length(name))).cum_sum().alias(length(name)))
        self._rows = rows.with_columns(*sums, key=c("code") * _SHIFT + c("second")).set_sorted("key")

    @property
    def longest_hold_us(self) -> int:
        """The longest time for which any of the quotes stands."""
        longest = self._rows["hold_us"].max()
        return longest if isinstance(longest, int) else 0

    def touched(self, period: pl.Expr) -> pl.DataFrame:
        """Every (code, period) in which a bar lies."""
        return self._rows.select("code", period=period).unique()

    def at(self, asked: pl.DataFrame, carry: Sequence[str] = ()) -> pl.DataFrame:
        """The running sums up to the beginning of a second.

        Args:
            asked: `code` and `tick` (epoch seconds), sorted by both.
            carry: columns of the newest bar before the tick to give besides.

        Returns:
            A row a row asked: of each measure its area and its length, the columns of `carry`, and `second`, that of
            the newest bar before the tick; where there is none these are null, and the sums are those to which
            the first bar adds.
        """
        sums = [column for name in self.measures for column in (area(name), length(name))]
        keys = asked.select(c("code").alias("asked_code"), "tick", key=c("code") * _SHIFT + c("tick") - 1)
        found = keys.set_sorted("key").join_asof(self._rows, on="key", check_sortedness=False)
        is_own = c("code") == c("asked_code")
        standing_us = pl.min_horizontal(c("tick") * MICROSECONDS_PER_SECOND - c("last_us"), c("hold_us"))
        values = {}
        for name in self.measures:
            stands = is_own & c(name).is_not_null()
            more = pl.when(stands).then(c(name).cast(pl.Int128) * standing_us).otherwise(0)
            more_us = pl.when(stands).then(standing_us).otherwise(0)
            values[area(name)] = c(area(name)).fill_null(0) + more
            values[length(name)] = c(length(name)).fill_null(0) + more_us
        own = {name: pl.when(is_own).then(c(name)) for name in ("second", *carry) if name not in sums}
        return found.select(**values, **own)


def periods_of(
    bars: pl.DataFrame,
    standing: Standing,
    series: Sequence[str],
    latest: Sequence[str],
    counts: Sequence[str],
    begin: int,
    end: int,
) -> pl.DataFrame:
    """The bars of the periods from `begin` to `end`: exact sums of their seconds, standing quotes among them.

    Args:
        bars: of seconds before `end`, from so long before `begin` that what stood then is among them.
        standing: the same, summed.
        series: columns that name a series.
        latest: columns of which a period has the newest bar's.
        counts: columns of which it has the sum over its own bars; `quotes` among them.
        begin: the first period, epoch seconds.
        end: the first period no longer asked for.

    Returns:
        `period`, the series, the measures' sums, `latest` and `counts`; a row where something stood or was said.
    """
    reach = -(-standing.longest_hold_us // (PERIOD_SECONDS * MICROSECONDS_PER_SECOND))
    after = pl.DataFrame({"after": pl.int_range(0, PERIOD_SECONDS * (reach + 1), PERIOD_SECONDS, eager=True)})
    touched = (
        standing.touched(period_of(c("second")))
        .join(after, how="cross")
        .select("code", period=c("period") + c("after"))
        .filter(c("period").is_between(begin, end, closed="left"))
        .unique()
        .sort("code", "period")
    )
    at_start = standing.at(touched.select("code", tick="period"))
    at_end = standing.at(touched.select("code", tick=c("period") + PERIOD_SECONDS), latest)
    sums = [name for each in standing.measures for name in (area(each), length(each))]
    rows = touched.with_columns(
        *(at_end[name] - at_start[name] for name in sums), *(at_end[name] for name in latest)
    ).join(standing.codes, on="code", maintain_order="left")
    said = (
        bars.filter(c("second").is_between(begin, end, closed="left"))
        .group_by(*series, period=period_of(c("second")))
        .agg(c(*counts).sum())
    )
    rows = rows.join(said, on=["period", *series], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.with_columns(c(*counts).fill_null(0))
    stood = pl.any_horizontal(c(length(each)) > 0 for each in standing.measures)
    return rows.filter(stood | (c("quotes") > 0)).sort("period", *series)


def days_of(
    periods: pl.DataFrame, series: Sequence[str], measures: Sequence[str], latest: Sequence[str], counts: Sequence[str]
) -> pl.DataFrame:
    """The bars of New York days: exact sums of their periods, which carry `value_date`."""
    sums = [name for each in measures for name in (area(each), length(each))]
    return (
        periods.sort("period")
        .group_by("value_date", *series, maintain_order=True)
        .agg(c(*sums, *counts).sum(), c(*latest).last())
        .sort("value_date", *series)
    )

"""What stands when a run begins in the middle: values of hours or weeks ago that nothing has replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.model import change_ticks, evaluate

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal


def with_standing(signal: Signal, values: pl.DataFrame, tiers: Tiers, begin: int) -> pl.DataFrame:
    """The values, and at the first tick those that stand there although they came up before it.

    Of what is published, and mute there, its last value comes too: it is of an earlier value date.

    Args:
        signal: whose values they are; of its momentary windows nothing stands.
        values: as `evaluate` gives them, of ticks from `begin` on.
        tiers: what is known.
        begin: the first tick that is told.
    """
    views = tuple(view for view in signal.over if not view.window.is_momentary)
    slow = replace(signal, over=views)
    reach = max((view.window.stands_seconds for view in views), default=0)
    ticks = change_ticks((slow,), tiers, begin - reach, begin - 1)
    if ticks.is_empty():
        return values
    # Of published values the newest value date stands, of others what came up last.
    order = [pl.when("by_print").then("value_date"), c("tick")]
    standing = evaluate(slow, tiers, ticks).sort(order, maintain_order=True)
    labels = list(signal.labels)

    def last(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.unique(labels, keep="last", maintain_order=True) if labels else rows.tail(1)

    newest = last(standing).with_columns(tick=pl.lit(begin, pl.Int64))
    # What is blind or absent now had a level before: it is told first, or it would stand as never heard of. Of quotes
    # and trades only the newest is at hand.
    mute = newest.filter(c("value").is_null(), "by_print").select(*labels, mute_date="value_date")
    valued = last(standing.filter(c("value").is_not_null())).with_columns(tick=pl.lit(begin, pl.Int64))
    valued = valued.join(mute, on=labels, nulls_equal=True) if labels else valued.join(mute, how="cross")
    valued = valued.filter(c("value_date") < c("mute_date")).select(newest.columns)
    standing = pl.concat([valued, newest])
    key = [*labels, "tick", "value_date"]
    standing = standing.join(values, on=key, how="anti", nulls_equal=True)
    return pl.concat([standing, values]).sort("tick", "value_date", *labels)

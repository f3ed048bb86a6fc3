"""Levels with enter, exit and hold, as an expression over change points; `plain.py` of the tests is the same as a loop.

A level is two latches, one for *warning* and one for *critical*. A latch is set when its enter condition has held
long enough, reset when its exit condition has, and else stays: through absence, blindness and the night. Where no
thresholds apply any more, or none of that level, a latch is let go: nothing else would ever reset it.

How long a condition has held is counted in *weight*: seconds of the session clock for the values of a window,
prints for published values. A missing value neither adds to a count nor ends it; a value on the other side ends
it. A partial value, of which something is missing, counts where it is past an enter, and is as good as missing where it
is low. As the weight between two change points is known, so is the tick between them at which a hold is over, and no
second need be looked at for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar

_ENTER_WARNING, _LEAVE_WARNING = "enter_warning", "leave_warning"
_ENTER_CRITICAL, _LEAVE_CRITICAL = "enter_critical", "leave_critical"


def _enters(latch: str) -> pl.Expr:
    """At or past its enter; of a partial value that is not, nobody knows: null, as if it were missing."""
    is_in = c("signed") >= c(f"{latch}_enter")
    return pl.when(is_in | ~c("is_partial")).then(is_in)


def _leaves(latch: str) -> pl.Expr:
    """Strictly past its exit, likewise."""
    is_out = c("signed") < c(f"{latch}_exit")
    return pl.when(~is_out | ~c("is_partial")).then(is_out)


_CONDITIONS: Final[dict[str, tuple[pl.Expr, str]]] = {
    _ENTER_WARNING: (_enters("warning"), "wait_in"),
    _LEAVE_WARNING: (_leaves("warning"), "wait_out"),
    _ENTER_CRITICAL: (_enters("critical"), "wait_in"),
    _LEAVE_CRITICAL: (_leaves("critical"), "wait_out"),
}
"""Each condition, and the column that says how much weight it needs before it acts."""
_LATCHES: Final = {"warning": (_ENTER_WARNING, _LEAVE_WARNING), "critical": (_ENTER_CRITICAL, _LEAVE_CRITICAL)}
_IS_VOID: Final = {name: c(f"{latch}_exit").is_null() for latch, names in _LATCHES.items() for name in names}
"""By condition, whether there are no thresholds for it."""

RULE_COLUMNS: Final[dict[str, pl.DataType]] = {
    "row": pl.String(),  # the threshold row's id; null: no thresholds, and then the rest is null
    "sign": pl.Int8(),  # -1 where low is bad; the five values below are already multiplied by it
    "calm": pl.Float64(),
    "warning_enter": pl.Float64(),
    "warning_exit": pl.Float64(),
    "critical_enter": pl.Float64(),
    "critical_exit": pl.Float64(),
    "wait_in": pl.Int64(),  # weight that must have been gathered before a value acts
    "wait_out": pl.Int64(),
}
"""The thresholds in force at a change point."""

SIGNED: Final = pl.coalesce("graded", "value") * c("sign")
"""What is compared with the thresholds: the higher, the worse."""

LEVEL_COLUMNS: Final[dict[str, pl.DataType]] = {
    "warning": pl.Boolean(),
    "critical": pl.Boolean(),
    **{f"{name}_so_far": pl.Int64() for name in _CONDITIONS},
}
"""What `fold` adds: the latches, and the weight that each condition had gathered before the change point."""


def fold(points: pl.DataFrame, carried: pl.DataFrame, until: int, calendar: MarketCalendar) -> pl.DataFrame:
    """The latches at each change point, and at each tick between them at which a hold is over.

    Args:
        points: change points in order within their `key`: `key` (String), `tick` (Int64), `value` (Float64; null:
            absent or blind), `graded` (Float64; null: as the value), `by_print` and `is_partial` (Boolean) and
            `RULE_COLUMNS`. Published values are in the
            order of their value dates, all others in that of their ticks.
        carried: the last change point of keys that had any before, with `LEVEL_COLUMNS`; at most one a key.
        until: the tick up to which the last values stand.
        calendar: its session clock is what holds of window values run on.

    Returns:
        `points` with `LEVEL_COLUMNS` and `is_hold_end` (true for an added row, which repeats the change point that
        it follows, with its own tick), by key and in the order of points. Carried points are not in it.
    """
    shape = points.schema
    carried = carried.select(*shape, *LEVEL_COLUMNS).with_columns(is_carried=pl.lit(value=True))
    every = pl.concat([carried, points.with_columns(is_carried=pl.lit(value=False))], how="diagonal")
    every = every.with_columns(place=pl.int_range(pl.len()).over("key")).sort("key", "place")
    every = _with_weights(every, until, calendar)
    every = every.with_columns(
        **{f"{name}_so_far": _gathered_before(name, condition) for name, (condition, _) in _CONDITIONS.items()}
    ).with_columns(
        **{name: condition & (c(f"{name}_so_far") >= c(wait)) for name, (condition, wait) in _CONDITIONS.items()}
    )
    every = pl.concat([every.with_columns(is_hold_end=pl.lit(value=False)), _hold_ends(every, calendar)])
    every = every.sort("key", "place", "tick", "is_hold_end").with_columns(
        **{latch: _latched(latch, *edges) for latch, edges in _LATCHES.items()}
    )
    return every.filter(~c("is_carried") | c("is_hold_end")).select(*shape, *LEVEL_COLUMNS, "is_hold_end")


def _with_weights(every: pl.DataFrame, until: int, calendar: MarketCalendar) -> pl.DataFrame:
    """Adds `clock`, `weight` (of the stretch from a change point to the next) and `stands_before` (the tick there)."""
    clock = calendar.session_seconds_of(every["tick"])
    until_clock = calendar.session_seconds(until) if until >= 0 and not every.is_empty() else 0
    next_clock = c("clock").shift(-1).over("key")
    return every.with_columns(clock=clock, signed=SIGNED).with_columns(
        weight=pl.when("by_print").then(1).otherwise(next_clock.fill_null(until_clock) - c("clock")),
        stands_before=c("tick").shift(-1).over("key").fill_null(until + 1),
    )


def _gathered_before(name: str, condition: pl.Expr) -> pl.Expr:
    """The weight for which the condition has held before a change point, missing values passed over."""
    broken = ((~condition).fill_null(value=False) | _IS_VOID[name]).cum_sum().over("key")
    gain = pl.when(condition).then("weight").otherwise(0)
    gathered = gain.cum_sum().over("key", broken) - gain
    brought = pl.when(broken == 0).then(c(f"{name}_so_far").first().over("key").fill_null(0)).otherwise(0)
    return gathered + brought


def _hold_ends(every: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """A row for each tick between two change points at which a condition has gathered the weight it needs."""
    ends = []
    for name, (condition, wait) in _CONDITIONS.items():
        so_far = c(f"{name}_so_far")
        rows = every.filter(~c("by_print"), condition, so_far < c(wait), so_far + c("weight") >= c(wait)).with_columns(
            clock=c("clock") + c(wait) - so_far
        )
        ticks = [calendar.tick_at_session_seconds(clock) for clock in rows["clock"]]
        acts = {other: pl.lit(other == name) for other in _CONDITIONS}
        rows = rows.with_columns(tick=pl.Series(ticks, dtype=pl.Int64), is_hold_end=pl.lit(value=True), **acts)
        # At the tick of the next change point that point's own value decides.
        ends.append(rows.filter(c("tick") < c("stands_before")))
    # Two conditions may come to their end at the same tick.
    every_end = pl.concat(ends)
    same = [name for name in every_end.columns if name not in _CONDITIONS]
    return every_end.group_by(same, maintain_order=True).agg(c(*_CONDITIONS).any()).select(every_end.columns)


def _latched(latch: str, enter: str, leave: str) -> pl.Expr:
    moved = (
        pl.when(c("is_carried") & ~c("is_hold_end"))
        .then(latch)
        .when(_IS_VOID[enter] | c(leave))
        .then(False)
        .when(enter)
        .then(True)
    )
    return moved.otherwise(None).forward_fill().over("key").fill_null(value=False)

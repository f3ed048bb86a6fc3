"""What sealing needs to know of a stream: which of its events make bars, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

PERIOD_SECONDS: Final = 300
"""The length of the middle tier's bars; they begin on multiples of it, as hours and midnights do."""


@dataclass(frozen=True)
class BarKind:
    """One stream's bars.

    Attributes:
        stream: the contract's name.
        series: columns that name a series within a partition, for example `instrument`.
        inputs: columns of the decoded events that bars are made of, besides `offset`, `ts_us` and `series`.
        attributes: those of the inputs that an event may leave out because they stand until they are said anew: the
            latest by (ts, position) is filled in.
        counts: which events make bars; the others are prints, or are left out.
        has_volume: which events add to a volume, so that one sent twice would count twice; None: none does.
        seconds: the shape of a second's bars, `second` first.
        periods: the shape of the bars of 5 minutes, `period` (its first second) first.
        days: the shape of the bars of New York days, `value_date` first.
        to_seconds: bars of the events of one partition: `partition`, `second`, `offset`, `ts_us`, `series` and
            `inputs`, by series, time and position.
        to_periods: bars of the periods from one epoch second to another, out of the seconds from `reach_seconds`
            before them on.
        to_days: bars of days out of the bars of their periods, which carry `value_date`.
        reach_seconds: how far back of a period its bars still act on it.
        kept_seconds: for so long the bars of seconds are at hand for the windows of signals.
    """

    stream: str
    series: tuple[str, ...]
    inputs: tuple[str, ...]
    attributes: tuple[str, ...]
    counts: pl.Expr
    has_volume: pl.Expr | None
    seconds: dict[str, pl.DataType]
    periods: dict[str, pl.DataType]
    days: dict[str, pl.DataType]
    to_seconds: Callable[[pl.DataFrame], pl.DataFrame]
    to_periods: Callable[[pl.DataFrame, int, int], pl.DataFrame]
    to_days: Callable[[pl.DataFrame], pl.DataFrame]
    reach_seconds: int
    kept_seconds: int

    @property
    def keys(self) -> list[str]:
        """What names a series among the bars: its partition where bars have one, and where a trade was made."""
        return [name for name in ("partition", *self.series, "segment") if name in self.seconds]

    @property
    def open_columns(self) -> tuple[str, ...]:
        """What is kept of an event while its second is open."""
        return ("offset", "ts_us", *self.series, *self.inputs)


def period_of(second: pl.Expr) -> pl.Expr:
    """The first second of the period that a second lies in."""
    return second - second % PERIOD_SECONDS

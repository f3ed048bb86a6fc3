"""How far one partition's event time has come: decided record by record, in the order of the log.

The same records give the same decisions however they are cut into batches; a test holds that. Records that
come later than the allowed lateness are told apart here, once, and never amend what was sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from monitor.streams import MICROSECONDS_PER_SECOND

NEVER_US: Final = -(1 << 62)
"""Before every event time."""

LATENESS_US: Final = 2 * MICROSECONDS_PER_SECOND
"""How far a record may lag behind the newest of its partition and still count."""


@dataclass(slots=True)
class Watermark:
    """The newest event time of a partition less the allowed lateness; it never goes backwards.

    >>> mark = Watermark(lateness_us=2_000_000)
    >>> mark.admit(pl.Series([10_000_000, 13_500_000, 10_999_999, 11_000_000])).to_list()
    [True, True, False, True]
    >>> mark.value_us
    11500000
    """

    lateness_us: int = LATENESS_US
    value_us: int = NEVER_US

    def admit(self, ts_us: pl.Series) -> pl.Series:
        """Whether each record came before its second was sealed; the watermark moves past them all.

        Args:
            ts_us: event times in microseconds, in the order of the log.
        """
        if ts_us.is_empty():
            return pl.Series(dtype=pl.Boolean)
        seen = (ts_us.cum_max().shift(1) - self.lateness_us).fill_null(self.value_us).clip(self.value_us)
        second_end = (ts_us // MICROSECONDS_PER_SECOND + 1) * MICROSECONDS_PER_SECOND
        newest = ts_us.max()
        if not isinstance(newest, int):
            raise TypeError("event times must be integer microseconds")
        self.value_us = max(self.value_us, newest - self.lateness_us)
        return second_end > seen

    def raise_to(self, value_us: int) -> None:
        """Come at least so far, whatever was seen."""
        self.value_us = max(self.value_us, value_us)

    @property
    def sealed_before(self) -> int:
        """The first epoch second that may still receive a record."""
        return self.value_us // MICROSECONDS_PER_SECOND

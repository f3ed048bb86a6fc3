"""What is written once a session: baselines when it begins, and at its end which issues were out of the ordinary.

Signals read both as tiers, so that a value depends on nothing but what was known; the pipeline evaluates no tick beyond
a session's end before that session's record is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import structlog
from polars import col as c

from monitor.engine.retention import BASELINES, DISTURBANCES
from monitor.engine.tiers import BASELINE
from monitor.signals.baselines import (
    DISTURBED,
    FROZEN_SESSIONS,
    LEAST_SESSIONS,
    MEAN,
    SESSIONS,
    baselines_of,
    means_of,
)
from monitor.signals.sessions import sessions
from monitor.signals.treasury.measures import DEPTH_MUSD, SPREAD_32NDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers, TierStore
    from monitor.results import Output
    from monitor.signals.model import Signal

_OPENED, _STANDING, _SEEN = "daily_opened", "daily_standing", "daily_seen"
"""The states."""

_log = structlog.get_logger(__name__)

_KEPT_BASELINES: Final = 3
"""Sessions whose baselines stay at hand: no tick reads those of an earlier session than its own."""

_STANDING_COLUMNS: Final[dict[str, pl.DataType]] = {
    "signal": pl.String(),
    "instrument": pl.String(),
    "freezes": pl.Boolean(),
}
_SEEN_COLUMNS: Final[dict[str, pl.DataType]] = {"instrument": pl.String()}


class DailyValues:
    """Baselines and admission.

    Args:
        signals: the catalogue; those that have a say in admission have a `freezes`, and a label `instrument`.
        calendar: the market calendar.
        store: gives the bars of five minutes, and is given the baselines.
    """

    def __init__(self, signals: Sequence[Signal], calendar: MarketCalendar, store: TierStore) -> None:
        self._freezing = [signal for signal in signals if signal.freezes is not None]
        self._calendar, self._store = calendar, store
        self._means = pl.DataFrame(schema=MEAN)
        self._disturbed = pl.DataFrame(schema=DISTURBED)
        self._standing = pl.DataFrame(schema=_STANDING_COLUMNS)
        self._seen = pl.DataFrame(schema=_SEEN_COLUMNS)
        self._opened: date | None = None
        self._new: dict[str, list[pl.DataFrame]] = {BASELINES: [], DISTURBANCES: []}

    def sessions(self, tiers: Tiers, ticks: pl.Series, after: int) -> list[tuple[date, int]]:
        """The sessions in which these ticks lie, and the one that is not at its end; their dates and ends, in order.

        Which these are follows from the ticks alone, and so is the same however a log is cut into calls. Ticks before
        the first quote of any issue are left out: there is nothing to compare.

        Args:
            tiers: what is known.
            ticks: those that are to be run, all after `after`.
            after: the newest tick that was run.
        """
        found: dict[date, int] = {}
        is_open = None if self._opened is None else self._calendar.session(self._opened)
        if self._opened is not None and is_open is not None and is_open[1] > after:
            found[self._opened] = is_open[1]
        first = tiers.treasury_seconds["second"].min()
        if self._freezing and isinstance(first, int):
            days = sessions(self._calendar, ticks.filter(ticks > first).alias("tick"))
            days = days.filter(c("tick").is_between("session_start", "session_end"))
            found |= dict(days.select("value_date", "session_end").unique().iter_rows())
        return sorted(found.items())

    def open(self, tiers: Tiers, session: date) -> Tiers:
        """Make the baselines of a session, if it has none; all ticks of the sessions before it were run.

        Returns:
            The tiers with them.
        """
        if self._opened is not None and session <= self._opened:
            return tiers
        self._take_periods(session)
        made = baselines_of(self._means, self._disturbed, session, self._calendar)
        self._opened = session
        longest = made["sessions"].max()
        if not isinstance(longest, int) or longest < LEAST_SESSIONS:
            _log.info("baselines are warming up", session=str(session), sessions=longest or 0, wanted=LEAST_SESSIONS)
        if made.height:
            self._new[BASELINES].append(made)
            self._keep_baselines([self._store.baselines, made])
        return tiers.with_baselines(self._store.baselines)

    def saw(self, output: Output) -> None:
        """Remember which issues are out of the ordinary."""
        if output.steps.is_empty() or not self._freezing:
            return
        parts = [
            output.steps.filter(c("signal") == signal.name).select(
                "signal", "instrument", freezes=signal.freezes.fill_null(value=False)
            )
            for signal in self._freezing
            if signal.freezes is not None
        ]
        told = pl.concat(parts)
        if told.is_empty():
            return
        self._seen = pl.concat([self._seen, told.filter("freezes").select("instrument")]).unique().sort("instrument")
        self._standing = pl.concat([self._standing, told]).unique(["signal", "instrument"], keep="last").sort(
            "signal", "instrument"
        )  # fmt: skip

    def close(self, session: date) -> None:
        """Write down which issues are not admitted for a session that has ended."""
        rows = self._seen.select(value_date=pl.lit(session), instrument="instrument")
        if rows.height:
            self._disturbed = pl.concat([self._disturbed, rows])
            self._new[DISTURBANCES].append(rows)
        # What stands overnight stands when the next session begins.
        self._seen = self._standing.filter("freezes").select("instrument").unique().sort("instrument")

    def take_new(self) -> dict[str, pl.DataFrame]:
        """The rows that came since this was last asked, by name."""
        new = {name: pl.concat(frames) for name, frames in self._new.items() if frames}
        for frames in self._new.values():
            frames.clear()
        return new

    def state(self) -> dict[str, pl.DataFrame]:
        """What has not been written as rows, by name."""
        opened = pl.DataFrame({"value_date": [self._opened]}, schema={"value_date": pl.Date()})
        return {_OPENED: opened, _STANDING: self._standing, _SEEN: self._seen}

    def restore(self, appends: Mapping[str, pl.DataFrame], states: Mapping[str, pl.DataFrame]) -> None:
        """Go on from what an earlier process left; the means are made again of the store's periods."""
        self._opened = states[_OPENED]["value_date"][0]
        self._standing, self._seen = states[_STANDING], states[_SEEN]
        self._disturbed = appends.get(DISTURBANCES, self._disturbed)
        self._keep_baselines([appends.get(BASELINES, pl.DataFrame(schema=BASELINE))])

    def _take_periods(self, session: date) -> None:
        """Take in what was summed up, also of later sessions; forget what neither this one nor a later one wants."""
        means = pl.concat([self._means, means_of(self._store.take_periods(), self._calendar, SPREAD_32NDS, DEPTH_MUSD)])
        index: int = self._calendar.days(session, session)["bond_index"][0]
        self._means = means.filter(c("bond_index") >= index - FROZEN_SESSIONS - SESSIONS)

    def _keep_baselines(self, frames: Sequence[pl.DataFrame]) -> None:
        every = pl.concat(frames)
        dates = every["value_date"].unique().sort().tail(_KEPT_BASELINES)
        self._store.baselines = every.filter(c("value_date").is_in(dates.implode()))

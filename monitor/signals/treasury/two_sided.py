"""How many of the issues that should be quoted are: dealers leave before they widen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Signal, View, Window
from monitor.signals.quoted import EXPECTED_SESSIONS, Issues, quoted_lives
from monitor.signals.sessions import due_after, sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ISSUES, SEGMENT
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.treasury.parameters import TreasuryParameters

SILENCE_SECONDS: Final = 2 * SECONDS_PER_MINUTE
"""If no on-the-run was heard of for so long, it is the feed that is gone, and not the dealers.

That is known before a level would follow from it: after half a minute they are no longer fresh, and a level takes two
minutes more.
"""


@dataclass(frozen=True)
class TwoSided(Window):
    """The expected issues: how many there are, and of how many a fresh quote of two sides stands.

    Attributes:
        issues: the window of all issues.
        expected: issues that are expected in any case.
    """

    is_momentary: ClassVar[bool] = True
    issues: Issues
    expected: tuple[str, ...]

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the issues, ends of freshness and of patience with a silence, and begins of sessions.

        At the begin what was quoted before counts, and who is silent then may stay so: no quote would come to say it.
        """
        lives = quoted_lives(tiers)
        tired = _silent_after(tiers)
        days = sessions(tiers.calendar, lives["since"].alias("tick"))
        begins = [days.filter(c("tick") <= c("session_start"))["session_start"], days["next_start"]]
        ends = [lives.filter(c("then") > c("fresh_until"))["fresh_until"], tired, *begins]
        every = pl.concat([each.drop_nulls().alias("tick") for each in ends])
        own = every.filter(every.is_between(after, upto, closed="right"))
        return pl.concat([self.issues.ticks(tiers, after, upto), own]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick in session; one that is absent at its end, unless it is silent: that it stays overnight."""
        known = at.rows(self.issues)
        days = sessions(at.tiers.calendar, at.ticks)
        is_awaited = ~c(IS_OVER)
        heard = pl.when(c("on_the_run").fill_null(value=False) & is_awaited).then("last_us")
        counted = (
            known.group_by("tick", maintain_order=True)
            .agg(
                c("value_date").first(),
                known=is_awaited.sum(),
                listed=(is_awaited & c("instrument").is_in(list(self.expected))).sum(),
                two_sided=(is_awaited & c("is_two_sided") & ~c("is_stale")).sum(),
                newest_us=heard.max(),
                stale=(is_awaited & c("is_stale")).sum(),
                any_fresh=(is_awaited & c("is_fresh")).any(),
            )
            .join(days.drop("value_date"), on="tick", how="left", maintain_order="left")
        )
        since = c("newest_us") // MICROSECONDS_PER_SECOND + 1
        heard_day = sessions(at.tiers.calendar, counted.select(since.alias("since"))["since"].drop_nulls())
        tired = heard_day.with_columns(tired=due_after(c("tick"), pl.lit(SILENCE_SECONDS))).select(
            "tired", since="tick"
        )
        return (
            counted.with_columns(since=since)
            .join(tired, on="since", how="left", maintain_order="left")
            .with_columns(
                expected=c("known") + len(set(self.expected)) - c("listed"),
                # Where nothing is on the run it is silent when nothing at all is fresh.
                blind=pl.when(c("newest_us").is_not_null()).then(c("tick") >= c("tired")).otherwise(~c("any_fresh")),
                is_open=(c("tick") < c("session_end")).fill_null(value=False),
            )
            .filter(c("known") > 0)
            # Of an issue that repeats itself nobody knows whether it has a market: of a few the rest still says enough.
            .with_columns(
                blind=c("blind") | (2 * c("stale") > c("expected")),
                is_partial=c("stale") > 0,
            )
            .select(*ROW_COLUMNS, IS_PARTIAL, "is_open", "expected", "two_sided")
        )


def _silent_after(tiers: Tiers) -> pl.Series:
    """The ticks at which patience with the silence after a quote of an on-the-run ends."""
    # A quote that does not say on or off the run may be of an issue that said it in another partition.
    may_be_on = c("on_the_run").fill_null(value=True)
    since = quoted_lives(tiers).filter(may_be_on, c("then") - c("since") > SILENCE_SECONDS)["since"].alias("tick")
    days = sessions(tiers.calendar, since)
    return days.select(tick=due_after(c("tick"), pl.lit(SILENCE_SECONDS)))["tick"]


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:
    """The share of expected issues that are quoted.

    Example: of 40 issues 3 have lost their bid and one was not heard of for a quarter of an hour: 36/40 = 0.9.
    """
    return (
        Signal(
            name="treasury_two_sided_ratio",
            segment=SEGMENT,
            title="Treasury issues with two sides",
            help="How many of the issues that should be quoted have a fresh quote of two sides.",
            formula="issues with a fresh, two-sided, uncrossed quote / expected issues",
            source=(
                "Duffie, Fleming, Keane, Nelson, Shachar and Van Tassel, Dealer Capacity and U.S. Treasury Market "
                "Functionality, New York Fed Staff Report 1070: dealers leave before they widen"
            ),
            labels=(),
            over=(View(TwoSided(ISSUES, tuple(sorted(set(parameters.expected)))), {}),),
            value=pl.when(c("is_open") & (c("expected") > 0)).then(c("two_sided") / c("expected")),
            window_help=(
                "now, in session: a quote is fresh for 30 s on the run and 15 minutes off it; expected is what was "
                f"quoted in one of the last {EXPECTED_SESSIONS} sessions and has not matured, and what the settings "
                "list; blind when no on-the-run was heard of for 2 minutes"
            ),
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all expected issues",
                    "One issue in ten without a market is more than a quiet hour shows; three in ten is a strike. It "
                    "is left after five minutes: a copy of an earlier day, whose quotes all have two sides, is found "
                    "in three.",
                    headline="two_sided", calm=1.0,
                    warning=Edge(0.90, 0.95), critical=Edge(0.70, 0.85), low_is_bad=True,
                    hold_in=Hold(seconds=2 * SECONDS_PER_MINUTE), hold_out=Hold(seconds=5 * SECONDS_PER_MINUTE),
                ),
            ),
        ),
    )  # fmt: skip

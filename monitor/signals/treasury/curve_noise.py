"""How far the yields of neighbouring issues are apart: the noise about a fitted curve, every five minutes of a session.

Arbitrage keeps the yields of issues of like maturity together. Where its capital is short they come apart, and stay so.
The numbers in the thresholds' reasons are those of Hu, Pan and Wang, 1987 to 2011, in basis points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.quoted import quoted_lives
from monitor.signals.sessions import sessions
from monitor.signals.svensson import FEWEST, curve_noise_bp, is_fitted, is_measured
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, Notify, ThresholdRow
from monitor.signals.treasury.measures import ISSUES, SEGMENT

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.quoted import Issues
    from monitor.signals.treasury.parameters import TreasuryParameters

EVERY_SECONDS: Final = 5 * SECONDS_PER_MINUTE
UNITS_PER_BP: Final = 1_000_000_000
"""The noise is carried as an integer of 1e-9 bp: what a fit gives is equal to that, not to the bit."""
MOST_MISSING_PERCENT: Final = 10
"""Of the issues of a session: when more of them have no mid, the rest do not speak for the market."""

NOISE_COLUMNS: Final[dict[str, pl.DataType]] = {IS_PARTIAL: pl.Boolean(), "noise_e9": pl.Int64()}
"""What the rows of `CurveNoise` carry after `ROW_COLUMNS`."""
_QUOTE: Final = ("coupon_e6", "maturity", "mid2_e9")


@dataclass(frozen=True)
class CurveNoise(Window):
    """The last mids of every five minutes of a session, against the curve fitted to them.

    Columns: `noise_e9` (Int64, 1e-9 bp; null: absent), and `is_partial`: an issue with one to ten years left that was
    quoted lately has no mid now, so the noise of the others may be too low, but hardly too high.

    Attributes:
        issues: says whose quotes are stale.
    """

    is_momentary: ClassVar[bool] = True
    issues: Issues = ISSUES

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Multiples of 300 s, from the session's first mid to its end, and the end itself."""
        if not may_tick(tiers.calendar, after, upto, EVERY_SECONDS):
            return pl.Series("tick", dtype=pl.Int64)
        begun = _seen(tiers).group_by("session_end").agg(c("since").min())
        first = c("since") + (-c("since")) % EVERY_SECONDS
        ticks = begun.select(tick=pl.int_ranges(first, "session_end", EVERY_SECONDS)).explode(
            "tick", empty_as_null=False
        )
        # What was quoted in the session before is missed from the first fit on.
        lives = quoted_lives(tiers)["since"].alias("tick")
        firsts = sessions(tiers.calendar, lives)["next_start"].drop_nulls() + EVERY_SECONDS
        every = pl.concat([each.alias("tick") for each in (ticks["tick"], begun["session_end"], firsts)])
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick from the session's first mid on; at the session's end one that is absent."""
        asked = at_minutes(at.tiers.calendar, at.ticks, EVERY_SECONDS)
        if asked.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | NOISE_COLUMNS)
        # The last mid of five minutes: a quote that has lost a side for a moment is not lost.
        quoted = _quoted(at.tiers).with_columns(tick=(c("minute") // EVERY_SECONDS + 1) * EVERY_SECONDS)
        quoted = quoted.filter(c("tick").is_in(asked["tick"].implode()) & (c("tick") < c("session_end")))
        quoted = quoted.sort("minute", "instrument").unique(["tick", "instrument"], keep="last", maintain_order=True)
        # What repeats itself says nothing of the market: it is as good as missing.
        stale = at.rows(self.issues).filter("is_stale").select("tick", "instrument")
        quoted = quoted.join(stale, on=["tick", "instrument"], how="anti", maintain_order="left")
        present = quoted.group_by("tick").agg(present=c("is_measured").sum().cast(pl.Int64))
        missing = self._expected(at, asked).join(quoted, on=["tick", "instrument"], how="anti")
        rows = (
            asked.join(present, on="tick", how="left", maintain_order="left")
            .join(missing.group_by("tick").agg(missing=pl.len().cast(pl.Int64)), on="tick", how="left")
            .with_columns(c("present", "missing").fill_null(0), is_end=c("tick") == c("session_end"))
            .with_columns(seen=c("present") + c("missing"))
            .filter(c("seen") > 0)
            .sort("tick")
        )
        too_few = (c("present") < FEWEST) | (100 * c("missing") > MOST_MISSING_PERCENT * c("seen"))
        rows = rows.with_columns(
            blind=~c("is_end") & (c("seen") >= FEWEST) & too_few, is_partial=~c("is_end") & (c("missing") > 0)
        )
        told = rows.filter(~c("is_end") & ~c("blind") & (c("present") >= FEWEST)).select("tick")
        noise = _noise(quoted.join(told, on="tick", how="semi"))
        return (
            rows.join(noise, on="tick", how="left", maintain_order="left")
            .select(*ROW_COLUMNS, *NOISE_COLUMNS)
            .sort("tick")
        )

    def _expected(self, at: Evaluation, asked: pl.DataFrame) -> pl.DataFrame:
        """(tick, instrument) of the issues that belong to the curve and were quoted lately, today or before."""
        known = at.rows(self.issues).filter(~c(IS_OVER)).drop_nulls(["coupon_e6", "maturity"]).filter(is_measured())
        today = _seen(at.tiers).join(asked.select("tick", "session_end"), on="session_end")
        today = today.filter(c("since") <= c("tick"))
        both = [each.select("tick", "instrument") for each in (known, today)]
        return pl.concat(both).unique().join(asked.select("tick"), on="tick", how="semi")


def may_tick(calendar: MarketCalendar, after: int, upto: int, every: int) -> bool:
    """Whether (after, upto] has a multiple of so many seconds, or the end of a session.

    A live run asks at each second, nearly always for nothing.
    """
    if upto // every > after // every:
        return True
    days = sessions(calendar, pl.Series("tick", [after + 1, upto], pl.Int64))
    return bool(days["session_end"].is_between(after, upto, closed="right").any())


def at_minutes(calendar: MarketCalendar, ticks: pl.Series, every: int) -> pl.DataFrame:
    """The ticks within a session that are multiples of so many seconds, or its end, as `sessions`, in their order."""
    days = sessions(calendar, ticks).sort("tick")
    is_within = (c("tick") > c("session_start")) & (c("tick") < c("session_end"))
    return days.filter(is_within & (c("tick") % every == 0) | (c("tick") == c("session_end")))


def _quoted(tiers: Tiers) -> pl.DataFrame:
    """The minutes of sessions in which an issue that curves are fitted to had a mid.

    Columns: `minute`, `instrument`, `_QUOTE`, `value_date`, `session_end`, `is_measured`.
    """

    def make() -> pl.DataFrame:
        minutes = tiers.treasury_minutes.select("minute", "instrument", *_QUOTE).drop_nulls()
        days = sessions(tiers.calendar, minutes["minute"]).rename({"tick": "minute"})
        is_open = (c("minute") >= c("session_start")) & (c("minute") < c("session_end"))
        return (
            minutes.join(days, on="minute", how="left", maintain_order="left")
            .filter(is_open & is_fitted())
            .with_columns(is_measured=is_measured())
            .select("minute", "instrument", *_QUOTE, "value_date", "session_end", "is_measured")
        )

    return tiers.once("curve_noise_quoted", make, of=("treasury_minutes",))


def _seen(tiers: Tiers) -> pl.DataFrame:
    """(session_end, instrument, since): from which tick on an issue of a session has had a mid that is measured."""
    return (
        _quoted(tiers)
        .filter("is_measured")
        .group_by("session_end", "instrument")
        .agg(since=c("minute").min() + SECONDS_PER_MINUTE)
    )


def _noise(quoted: pl.DataFrame) -> pl.DataFrame:
    """(tick, noise_e9) of the issues that stand at each tick; null where the fit does not converge."""
    found: list[dict[str, Any]] = []
    for (tick, value_date), rows in quoted.group_by("tick", "value_date", maintain_order=True):
        noise = curve_noise_bp(rows.select(_QUOTE).iter_rows(), value_date)
        found.append({"tick": tick, "noise_e9": None if noise is None else round(noise * UNITS_PER_BP)})
    return pl.DataFrame(found, {"tick": pl.Int64(), "noise_e9": pl.Int64()})


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The noise of the curve."""
    return (
        Signal(
            name="treasury_curve_noise_bp",
            segment=SEGMENT,
            title="Treasury curve noise",
            help="How far the yields of issues of one to ten years are from a smooth curve: scarce arbitrage capital.",
            formula="root mean square of mid yield less the yield at the price of a fitted Svensson curve",
            source="Hu, Pan and Wang, Noise as Information for Illiquidity, Journal of Finance 68 (2013)",
            labels=(),
            over=(View(CurveNoise(), {}),),
            value=divided(c("noise_e9"), UNITS_PER_BP),
            window_help="every five minutes the last mids of them, in session; absent below 30 issues, blind when "
            "more than a tenth of the session's have none, or fewer than 30 are left",
            thresholds=(
                ThresholdRow(
                    "curve",
                    pl.lit(value=True),
                    "the curve",
                    "It was 3.6 bp on average from 1987 to 2011 and lower in calm years; it passed 8 in the crash of "
                    "1987 and in 2008, and 20 after Lehman Brothers failed.",
                    calm=2.0,
                    warning=Edge(4.0, 3.5),
                    critical=Edge(8.0, 6.0),
                    hold_in=Hold(seconds=10 * SECONDS_PER_MINUTE),
                    hold_out=Hold(seconds=30 * SECONDS_PER_MINUTE),
                    notify=Notify.DESK,
                ),
            ),
        ),
    )

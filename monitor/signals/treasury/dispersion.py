"""Dispersion: how far apart the mids of the last five minutes lie, whatever a few bad prints say.

At the end of every second some mid stands, or none. The quartiles are mids that stood: the lower is that of rank
floor((n - 1) / 4) of n, counted from 0, the upper that of rank ceil(3 (n - 1) / 4). A mid that stood for fewer than
about a quarter of the window moves neither, which a standard deviation cannot promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import polars as pl
from polars import col as c

from monitor import streams
from monitor.calendar import EVENT
from monitor.engine.bars import treasury as bars
from monitor.engine.bars.quotes import Standing
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.quoted import ATTRIBUTES, FIVE_MINUTES
from monitor.signals.sessions import is_open, sessions
from monitor.signals.stale import is_within, unmoved_spells
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ADRIAN, QUOTED, SEGMENT
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.treasury.parameters import TreasuryParameters

LEAST_SECONDS: Final = 60
"""With fewer seconds that have a mid there are no quartiles."""

LOWER, UPPER = "lower_mid2_e9", "upper_mid2_e9"
"""The quartiles of bid + ask, 1e-9 of a point."""
_QUARTILES: Final[dict[str, tuple[float, Literal["lower", "higher"]]]] = {
    LOWER: (0.25, "lower"),
    UPPER: (0.75, "higher"),
}
"""(share, which of the two neighbours) of each quartile: ranks are exact, as quarters are exact in binary."""


@dataclass(frozen=True)
class MidQuartiles(Window):
    """The quartiles of the mids standing at each second's end, over a window that ends at the tick.

    The window does not reach into an earlier session. Issues, blindness and attributes are those of the quotes.

    Attributes:
        quoted: who speaks at a tick.
        span_seconds: the window's length.
    """

    is_momentary: ClassVar[bool] = True
    quoted: Window = QUOTED
    span_seconds: int = FIVE_MINUTES

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Those of the quotes, and every tick in session whose window, or the second before it, holds a change of mid.

        Windows of two ticks in a row with no change in them hold one and the same mid, or none.
        """
        changes = _changes(tiers, after - self.span_seconds, upto)
        own = _ticks_after(changes, self.span_seconds).filter(c("tick").is_between(after, upto, closed="right"))
        spells = unmoved_spells(tiers)
        edges = pl.concat([spells["since"], spells["until"]]).alias("tick")
        edges = edges.filter(edges.is_between(after, upto, closed="right"))
        return pl.concat([self.quoted.ticks(tiers, after, upto), own["tick"], edges]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a speaking issue and tick, with `LOWER` and `UPPER`: null below `LEAST_SECONDS` and off session."""
        base = at.rows(self.quoted).select(*ROW_COLUMNS, "instrument", *ATTRIBUTES, IS_OVER)
        days = sessions(at.tiers.calendar, base["tick"]).filter(is_open()).sort("tick")
        windows = days.select("tick", begin=pl.max_horizontal(c("tick") - self.span_seconds, "session_start"))
        quartiles = _quartiles(at.tiers, windows.filter(c("begin") < c("tick")), self.span_seconds)
        rows = base.join(quartiles, on=["tick", "instrument"], how="left", maintain_order="left")
        # A quote that comes as it was for minutes is not known to follow the market: that it lies still is no calm yet.
        return rows.with_columns(is_within(rows, unmoved_spells(at.tiers)).alias(IS_PARTIAL))


def _newest(seconds: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    """The newest quote of each issue and second, in whatever partition, in the order of seconds.

    Args:
        seconds: bars, as `TREASURY_SECOND`, in the order of seconds.
        begin: epoch second; of what is older, only what may still stand then is looked at.
        end: epoch second after the last.
    """
    key = ["instrument", "second"]
    columns = (*key, "partition", "first_us", "last_us", "mid2_e9", "on_the_run")
    recent = seconds.filter(c("second").is_between(begin - bars.OFF_THE_RUN_HOLD_SECONDS, end, closed="left"))
    old = recent.filter(c("second") < begin).select(columns)
    old = old.unique(list(bars.SERIES), keep="last", maintain_order=True)
    some = pl.concat([old, recent.filter(c("second") >= begin).select(columns)])
    if some["partition"].n_unique() == 1:
        return some  # one bar an issue and second, as the sealer made them
    return some.sort("second", "last_us", "partition").unique(key, keep="last", maintain_order=True)


def _changes(tiers: Tiers, begin: int, end: int) -> pl.DataFrame:
    """The seconds of sessions from `begin` to `end` at whose end another mid of some issue stands than before.

    Returns:
        `second`, sorted and distinct, and `session_end`.
    """
    is_same, is_followed = ((c("instrument") == c("instrument").shift(n)).fill_null(value=False) for n in (1, -1))
    expires = (c("last_us") + bars.HOLD_US) // MICROSECONDS_PER_SECOND
    mids = (
        _newest(tiers.treasury_seconds, begin, end)
        .sort("instrument", "second")
        .with_columns(then=pl.when(is_followed).then(c("second").shift(-1)))
        .with_columns(until=pl.min_horizontal(expires, "then"))
    )
    before = pl.when(is_same & (c("until").shift(1) == c("second"))).then(c("mid2_e9").shift(1))
    new = mids.filter(c("mid2_e9").ne_missing(before))["second"]
    over = mids.filter(c("mid2_e9").is_not_null() & c("until").ne_missing(c("then")))["until"]
    # What stands when a session begins is new to it, as windows do not reach further back.
    days = sessions(tiers.calendar, mids["second"]).select("session_start", second="tick")
    opens = mids.join(days, on="second").filter(c("session_start").is_between("second", c("until") - 1))
    seconds = pl.concat([each.alias("tick") for each in (new, over, opens["session_start"])])
    seconds = seconds.filter(seconds.is_between(begin, end, closed="left"))
    return sessions(tiers.calendar, seconds).filter(is_open()).select("session_end", second="tick").sort("second")


def _ticks_after(changes: pl.DataFrame, span_seconds: int) -> pl.DataFrame:
    """`tick`: those of a session that are at most `span_seconds` later than one of its changes."""
    first = c("second") + 1
    stretches = changes.select(begin=first, end=pl.min_horizontal(first + span_seconds, "session_end"))
    return _seconds_of(stretches.filter(c("begin") < c("end"))).rename({"second": "tick"})


def _seconds_of(stretches: pl.DataFrame) -> pl.DataFrame:
    """`second`: each that lies in one of [`begin`, `end`), once; `stretch`: a number for those that overlap.

    Args:
        stretches: sorted by `begin` and by `end`.
    """
    is_apart = (c("begin") >= c("end").shift(1)).fill_null(value=False)
    return (
        stretches.group_by(stretch=is_apart.cast(pl.Int64).cum_sum(), maintain_order=True)
        .agg(c("begin").first(), c("end").last())
        .select("stretch", second=pl.int_ranges("begin", "end", dtype=pl.Int64))
        .explode("second")
    )


def _quartiles(tiers: Tiers, windows: pl.DataFrame, span_seconds: int) -> pl.DataFrame:
    """`tick`, `instrument`, `LOWER` and `UPPER` of the seconds from `begin` to `tick`.

    Args:
        tiers: what is known.
        windows: `begin` and `tick`, sorted by both.
        span_seconds: the longest of them.
    """
    empty = pl.DataFrame(schema={"tick": pl.Int64(), "instrument": pl.String()} | dict.fromkeys(_QUARTILES, pl.Int64()))
    if windows.is_empty():
        return empty
    newest = _newest(tiers.treasury_seconds, windows["begin"][0], windows["tick"][-1])
    if newest.is_empty():
        return empty
    standing = Standing(newest, ("instrument",), (), bars.HOLD_US)
    ends = _seconds_of(windows.select("begin", end="tick")).select("stretch", tick=c("second") + 1)
    grid = standing.codes.select("code").join(ends, how="cross").sort("code", "tick")
    found = standing.at(grid, ("mid2_e9", "last_us", "hold_us"))
    stands = grid["tick"] * MICROSECONDS_PER_SECOND - found["last_us"] <= found["hold_us"]
    grid = grid.with_columns(mid2_e9=pl.when(stands).then(found["mid2_e9"]))
    if windows.height == 1:
        rows = _of_one(grid).with_columns(tick=windows["tick"][0])
    else:
        rows = _of_many(grid, span_seconds).filter(c("tick").is_in(windows["tick"].implode()))
    return rows.join(standing.codes, on="code").select(empty.columns).cast(empty.schema)


def _of_one(grid: pl.DataFrame) -> pl.DataFrame:
    """The quartiles of all seconds of each `code`."""
    mid = c("mid2_e9").drop_nulls()
    quartiles = {name: mid.quantile(*which) for name, which in _QUARTILES.items()}
    return grid.group_by("code").agg(mid.len().alias("seconds"), **quartiles).filter(c("seconds") >= LEAST_SECONDS)


def _of_many(grid: pl.DataFrame, span_seconds: int) -> pl.DataFrame:
    """The quartiles of each second of each `code` and so many before it in its stretch: the same, much sooner."""
    return grid.with_columns(
        c("mid2_e9")
        .rolling_quantile(*which, window_size=span_seconds, min_samples=LEAST_SECONDS)
        .over("code", "stretch")
        .alias(name)
        for name, which in _QUARTILES.items()
    )


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The dispersion of an issue.

    Example: mids of 100, of 100 and a 64th, and of 100 and a 32nd that stood for 100 seconds each are one 32nd apart
    from quartile to quartile.
    """
    tenors = [years * streams.UNITS_PER_YEAR for years in (7, 10)]
    return (
        Signal(
            name="treasury_dispersion_32nds",
            segment=SEGMENT,
            title="Treasury price dispersion",
            help="How far apart the mids of the last minutes lie, whatever a few bad prints say.",
            formula="interquartile range of the mids standing at each second's end, in 32nds of a point",
            source=f"{ADRIAN}; quartiles after Tukey, Exploratory Data Analysis",
            labels=("instrument",),
            over=(View(MidQuartiles(), {"instrument": c("instrument")}, attributes=ATTRIBUTES),),
            value=divided(c(UPPER) - c(LOWER), 2 * streams.UNITS_PER_PRICE_POINT // 32),
            window_help=f"5 minutes, in session; absent with fewer than {LEAST_SECONDS} seconds that have a mid",
            thresholds=(
                ThresholdRow(
                    "on_the_run_10y", c("on_the_run").fill_null(value=False) & c("tenor_e3").is_in(tenors),
                    "the on-the-run 7-year and 10-year",
                    "Quoted in ticks of half a 32nd, its mids of five calm minutes lie one tick apart; quartiles two "
                    "32nds apart are a market that moves too fast to quote.",
                    calm=0.5, warning=Edge(2.0, 1.0), critical=Edge(6.0, 3.0), overrides={EVENT: (5.0, 10.0)},
                    hold_out=Hold(seconds=10 * SECONDS_PER_MINUTE),
                ),
            ),
        ),
    )  # fmt: skip

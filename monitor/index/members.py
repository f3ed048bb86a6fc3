"""What each label set has to say at each tick: the score that counts, its level, and whether it is blind.

A label set that is absent or blind holds its last score, for neither is calm. A partial value may raise what counts
and never lowers it. What has been blind for more than a session is *lost*: it is kept, and counts no more until there
is fresh data; absence is none.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.index.constants import LOST_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.calendar import MarketCalendar
    from monitor.signals.model import Signal

UNITS: Final = 1_000_000_000_000
"""Scores are added up as whole numbers of this part of one: a sum is then the same in whatever order."""

KEPT: Final[dict[str, pl.DataType]] = {
    "key": pl.String(),
    "signal": pl.String(),
    "row": pl.String(),  # the threshold row; null: it is over, and forgotten
    "value_date": pl.Date(),  # the newest seen
    "units": pl.Int64(),  # the score that counts or is held; null: never any
    "blind": pl.Boolean(),
    "blind_since": pl.Int64(),  # the first tick since the last score at which it was blind
    "level": pl.Int8(),
}
"""What is kept of a label set from one call to the next."""

AS_WRITTEN: Final = pl.QueryOptFlags.none()
"""A live tick is a few rows: to look for a better plan takes longer than to carry it out."""

_NO_LABEL, _SEPARATOR = "\x1e", "\x1f"  # no label has a control character
_OVER_ROW, _OVER_LEVEL, _NO_UNITS, _NEVER, _NO_DATE = "", -1, -1, -1, date.min
"""Stand for what there is none of, so that it is not filled by what was before."""


class Members:
    """The label sets of a catalogue.

    Args:
        signals: the catalogue; its threshold rows say which headline a label set scores for.
        calendar: its session clock says how long a label set has been blind.
    """

    def __init__(self, signals: Sequence[Signal], calendar: MarketCalendar) -> None:
        self._calendar = calendar
        self._labels = list(dict.fromkeys(label for signal in signals for label in signal.labels))
        ruled = [signal for signal in signals if signal.thresholds]
        self._ruled = pl.Series([signal.name for signal in ruled], dtype=pl.String)
        self.headlines = sorted(
            {(signal.segment, row.headline) for signal in ruled for row in signal.thresholds if row.headline}
        )
        self._segments = pl.DataFrame(
            [(signal.name, signal.segment) for signal in ruled],
            {"signal": pl.String(), "segment": pl.String()},
            orient="row",
        )
        self._headline_of_row = pl.DataFrame(
            [
                (signal.name, row.id, self.headlines.index((signal.segment, row.headline)))
                for signal in ruled
                for row in signal.thresholds
                if row.headline
            ],
            {"signal": pl.String(), "row": pl.String(), "headline": pl.Int64()},
            orient="row",
        )
        self.kept = pl.DataFrame(schema=KEPT)

    def points(self, steps: pl.DataFrame) -> pl.DataFrame:
        """The steps of signals with thresholds: `tick`, `is_partial` and `KEPT`, without `blind_since`."""
        labels = [c(label).fill_null(_NO_LABEL) for label in self._labels]
        mine = steps.lazy().filter(c("signal").is_in(self._ruled.implode())).select(
            "tick", "is_partial", "signal", "row", "value_date", "blind", "level",
            key=pl.concat_str("signal", *labels, separator=_SEPARATOR),
            units=(c("score") * float(UNITS)).round().cast(pl.Int64),
        )  # fmt: skip
        return mine.collect(optimizations=AS_WRITTEN)

    def next_loss(self) -> int | None:
        """The first tick at which a label set is lost, if nothing comes of it; None if none is blind."""
        since = self.kept["blind_since"].min()
        return self._lost_at(since) if isinstance(since, int) else None

    def advance(self, points: pl.DataFrame, after: int, until: int) -> pl.DataFrame:
        """Take in what came after one tick and up to another.

        Returns:
            The label sets as they stood at `after` and then a row a label set and tick at which it
            said something or was lost, in the order of ticks within its `set` (a number): `tick`, `segment`,
            `headline` (index in `headlines`; null: none), `held` and `counted` (units; null: none), `blind`, `level`.
        """
        before = self.kept.lazy().with_columns(tick=pl.lit(after, pl.Int64), is_partial=False, is_first=True)
        now = points.lazy().with_columns(is_first=False)
        every = pl.concat([before, now], how="diagonal_relaxed")
        every = every.with_columns(set=c("key").cast(pl.Categorical).to_physical()).sort("set", maintain_order=True)
        folded = _folded(every, has_partial=bool(points["is_partial"].any())).collect(optimizations=AS_WRITTEN)
        folded = self._with_losses(folded, until).filter(_IS_LAST_OF_TICK)
        self.kept = folded.lazy().filter(_IS_LAST).select(*KEPT).sort("key").collect(optimizations=AS_WRITTEN)
        said = (
            folded.lazy()
            .join(self._headline_of_row.lazy(), on=["signal", "row"], how="left", maintain_order="left")
            .join(self._segments.lazy(), on="signal", how="left", maintain_order="left")
            .select(
                "set", "tick", "segment", "headline", "blind", "level",
                held="units", counted=pl.when(~c("is_lost")).then("units"),
            )
        )  # fmt: skip
        return said.collect(optimizations=AS_WRITTEN)

    def blinded(self, points: pl.DataFrame) -> set[str]:
        """Mark what the wall clock found blind; the segments that are scored by any of it."""
        new = points.filter("blind").group_by("key").agg(since=c("tick").min())
        self.kept = (
            self.kept.join(new, on="key", how="left", maintain_order="left")
            .with_columns(
                blind=c("blind") | c("since").is_not_null(), blind_since=pl.coalesce("blind_since", "since")
            )
            .select(*KEPT)
        )  # fmt: skip
        return set(self.standing().filter("blind", c("headline").is_not_null())["segment"])

    def standing(self) -> pl.DataFrame:
        """Every label set as it stands, with its `segment` and `headline`."""
        every = self.kept.join(self._headline_of_row, on=["signal", "row"], how="left")
        return every.join(self._segments, on="signal", how="left")

    def _with_losses(self, every: pl.DataFrame, until: int) -> pl.DataFrame:
        """Adds `is_lost`, and a row at each tick between two others at which a label set is lost."""
        since = every["blind_since"].unique().drop_nulls()
        if since.is_empty():
            return every.with_columns(is_lost=pl.lit(value=False))
        losses = pl.DataFrame({"blind_since": since, "lost_at": [self._lost_at(each) for each in since]})
        every = every.join(losses, on="blind_since", how="left", maintain_order="left").with_columns(
            is_lost=(c("tick") >= c("lost_at")).fill_null(value=False)
        )
        following = pl.when(c("set") == c("set").shift(-1)).then(c("tick").shift(-1)).fill_null(until + 1)
        is_due = (c("lost_at") > c("tick")) & (c("lost_at") < following)
        lost = every.filter(is_due).with_columns(tick="lost_at", is_lost=True, is_first=False)
        if lost.is_empty():
            return every
        return pl.concat([every, lost]).sort("set", "tick", maintain_order=True)

    def _lost_at(self, since: int) -> int:
        clock = self._calendar.session_seconds(since)
        return self._calendar.tick_at_session_seconds(clock + LOST_AFTER_SECONDS + 1)


_IS_LAST: Final = (c("set") != c("set").shift(-1)).fill_null(value=True)
_IS_LAST_OF_TICK: Final = _IS_LAST | (c("tick") != c("tick").shift(-1))


# The steps of `_folded`, made once: a live tick would spend its time on making them.
_BEGINS: Final = (c("set") != c("set").shift(1)).fill_null(value=True).alias("begins")
# Every label set begins with something, so that nothing is filled from one into the next.
_NEWEST: Final = (
    pl.when("begins").then(c("value_date").fill_null(_NO_DATE)).otherwise("value_date").cum_max().over("set")
).alias("newest")
# A revision of a day that is past says nothing of now.
_IS_NEWEST: Final = (c("value_date") >= c("newest")).fill_null(value=True)
_FACTS: Final = [
    c("newest").forward_fill().alias("value_date"),
    (c("row").is_null() & ~c("blind")).alias("is_over"),
    c("units").is_not_null().alias("is_fresh"),
]
_STARTS: Final = (c("is_over") | c("begins")).alias("starts")
_IS_WHOLE: Final = c("is_fresh") & ~c("is_partial").fill_null(value=False)
_GOES_BLIND: Final = c("blind") & ~c("is_fresh") & ~c("is_first")
_SINCE: Final = (
    pl.when("is_first").then(c("blind_since").fill_null(_NEVER)).when(c("is_fresh") | c("starts")).then(_NEVER)
)
_STANDS: Final = [
    pl.when("starts").then(c("row").fill_null(_OVER_ROW)).otherwise("row").forward_fill().alias("row"),
    pl.when("starts").then(c("level").fill_null(_OVER_LEVEL)).otherwise("level").forward_fill().alias("level"),
    pl.when("starts").then(c("units").fill_null(_NO_UNITS)).otherwise("units").alias("units"),
    (c("starts") | _IS_WHOLE).cum_sum().alias("run"),
    _GOES_BLIND.alias("goes_blind"),
    pl.when(_GOES_BLIND).then("tick").otherwise(_SINCE).forward_fill().alias("since"),
]
_RAISED: Final = c("units").cum_max().over("run")
# Since when it is blind: the first tick of its being so after what came before.
_GOES_ON: Final = c("goes_blind") & ~c("begins") & (c("since").shift(1) != _NEVER)
_HELD: Final = [c("units").forward_fill(), pl.when(~_GOES_ON).then("since").forward_fill().alias("blind_since")]
_TOLD: Final = [
    pl.when(c(name) != nothing).then(name).alias(name)
    for name, nothing in {
        "value_date": _NO_DATE, "row": _OVER_ROW, "level": _OVER_LEVEL, "units": _NO_UNITS, "blind_since": _NEVER,
    }.items()
]  # fmt: skip


def _folded(every: pl.LazyFrame, *, has_partial: bool) -> pl.LazyFrame:
    """What stands after each row, label set by label set: `row`, `value_date`, `units`, `blind_since` and `level`."""
    every = every.with_columns(_BEGINS).with_columns(_NEWEST).filter(_IS_NEWEST)
    every = every.with_columns(_FACTS).with_columns(_STARTS).with_columns(_STANDS)
    if has_partial:
        every = every.with_columns(_RAISED)
    return every.with_columns(_HELD).with_columns(_TOLD)

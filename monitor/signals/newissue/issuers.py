"""Who borrows: shares of issuers in a year's supply, which run into the limits of those who buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, quotient
from monitor.signals.newissue.deals import YEAR, priced, within, year_of
from monitor.signals.newissue.periods import (
    NO_ROWS,
    NO_TICKS,
    SEGMENT,
    at_ticks,
    during,
    edges,
    standing,
    with_row_columns,
)
from monitor.signals.thresholds import Edge, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.parameters import NewIssueParameters

ALL, LONG = "all", "10y+"
_LONG_E3: Final = 10_000
LEAST_ISSUES: Final = 20
LEAST_BUSD: Final = 60
_KUSD_PER_BUSD: Final = 1_000_000
"""Of a young history every issuer has a large share."""


@dataclass(frozen=True)
class Issuers(Window):
    """The supply of the last 12 months by bucket of tenors and issuer, at the ticks at which the bucket changes.

    Columns: `bucket`, `issuer`, `kusd`, `place` (from 0, by size, of equal sizes by name; null: no deals any more),
    `total_issues`, `total_kusd`, `total_squares` (of sizes of issuers, Int128).

    Attributes:
        most: so many of the largest have a row, and those that had one at the tick before.
    """

    most: int

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """When a deal begins to count, counts otherwise, or was placed a year ago."""
        if tiers.deals.is_empty():
            return NO_TICKS
        return during(self._touched(tiers, year_of(after + 1)), after, upto)["tick"].unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick, bucket that changes there, and issuer."""
        if at.tiers.deals.is_empty() or at.ticks.is_empty():
            return NO_ROWS
        year = year_of(at.ticks[0])
        every = self._touched(at.tiers, year)
        asked = at_ticks(every, at.ticks)
        if asked.is_empty():
            return NO_ROWS
        moments = pl.concat([asked.select("tick", "bucket"), asked.select(tick="before", bucket="bucket")])
        moments = moments.filter(c("tick").is_not_null()).unique()
        pieces = standing(moments, self._spells(at.tiers, year), ["bucket"])
        found = pl.concat([self._largest(piece) for piece in pieces])
        key = ["tick", "bucket"]
        # Who is none of the largest any more is told once, without a place.
        gone = asked.join(found, left_on=["before", "bucket"], right_on=key).select("tick", "bucket", "issuer")
        rows = pl.concat([found.select(*key, "issuer").join(asked, on=key, how="semi"), gone]).unique()
        rows = rows.join(found, on=[*key, "issuer"], how="left")
        return with_row_columns(rows.sort("tick", "bucket", "issuer"))

    def _largest(self, found: pl.DataFrame) -> pl.DataFrame:
        key = ["tick", "bucket"]
        issuers = found.group_by(*key, "issuer").agg(kusd=c("size_kusd").sum(), squares=c("size_kusd").sum())
        squares = (c("squares").cast(pl.Int128) * c("squares")).sum()
        totals = issuers.group_by(key).agg(total_kusd=c("kusd").sum(), total_squares=squares)
        issues = found.group_by(key).agg(total_issues=c("issue_id").n_unique().cast(pl.Int64))
        ordered = issuers.sort(*key, "kusd", "issuer", descending=[False, False, True, False])
        placed = ordered.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64).over(key))
        largest = placed.filter(c("place") < self.most).drop("squares")
        return largest.join(totals, on=key).join(issues, on=key)

    def _spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        def make() -> pl.DataFrame:
            deals = within(priced(tiers, year).filter(c("issuer").is_not_null()), YEAR)
            long = deals.filter(c("tenor_e3") >= _LONG_E3)
            parts = [rows.with_columns(bucket=pl.lit(name)) for rows, name in ((deals, ALL), (long, LONG))]
            columns = ("since", "until", "bucket", "issuer", "issue_id", "size_kusd")
            return pl.concat([part.select(columns) for part in parts]).sort("since", "until")

        return tiers.once(("newissue issuers", year), make, of=("deals",))

    def _touched(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """`tick`, `bucket` and `before`: the tick before at which the bucket changed."""

        def make() -> pl.DataFrame:
            touched = edges(self._spells(tiers, year), ["bucket"])
            return touched.with_columns(before=c("tick").shift(1).over("bucket"))

        return tiers.once(("newissue issuers touched", year), make, of=("deals",))


@dataclass(frozen=True)
class Concentration(Window):
    """The same, a row a tick and bucket.

    Attributes:
        issuers: all of them.
    """

    issuers: Issuers

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the issuers."""
        return self.issuers.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """What the rows of a bucket have in common; zeros and nulls where nobody is left."""
        rows = at.rows(self.issuers)
        if rows.is_empty():
            return rows
        common = ("total_issues", "total_kusd", "total_squares")
        return rows.group_by("tick", "bucket", maintain_order=True).agg(
            c("value_date", "blind").first(), *(c(name).max() for name in common)
        ).select(*ROW_COLUMNS, "bucket", *common)  # fmt: skip


def _is_known() -> pl.Expr:
    return (c("total_issues") >= LEAST_ISSUES) & (c("total_kusd") >= LEAST_BUSD * _KUSD_PER_BUSD)


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """The shares of issuers, and how concentrated they are.

    Example: of 1,700 busd one issuer has placed 42.5: 0.025. Were there forty such issuers and no other the sum of the
    squares of their shares would be 40 * 0.025^2 = 0.025.
    """
    issuers = Issuers(parameters.most_issuers)
    windows = (
        "12 calendar months with today, by the New York date of pricing, fixed and floating; all tenors, and 10 years "
        f"and longer; absent below {LEAST_ISSUES} issues or {LEAST_BUSD} busd of the bucket"
    )
    source = "Insurers' investment rules cap what one issuer may be of a portfolio; long bonds are mostly theirs"
    total = c("total_kusd").cast(pl.Float64)
    return (
        Signal(
            name="newissue_issuer_share_ratio",
            segment=SEGMENT,
            title="Issuer's share of supply",
            help="How much of a year's supply is of one issuer: buyers may hold only so much of one name.",
            formula="size of the issuer's priced deals / size of all",
            source=source,
            labels=("issuer", "bucket"),
            over=(View(issuers, {"issuer": c("issuer"), "bucket": c("bucket")}),),
            value=pl.when(_is_known() & c("place").is_not_null()).then(quotient(c("kusd"), c("total_kusd"))),
            window_help=f"{windows}; of the {parameters.most_issuers} largest, of equal ones the first by name",
            thresholds=(
                ThresholdRow(
                    ALL, c("bucket") == ALL, "all tenors",
                    "By judgement: limits of large buyers lie at 2 to 5 % of a portfolio; who is 2.5 % of all that "
                    "comes will meet them. Shown only. Long bonds have fewer issuers, and no thresholds.",
                    calm=0.01, warning=Edge(0.025, 0.02), critical=Edge(0.04, 0.03), notify=Notify.NONE,
                ),
            ),
        ),
        Signal(
            name="newissue_issuer_hhi_ratio",
            segment=SEGMENT,
            title="Concentration of issuers",
            help="How few issuers a year's supply is of: 1 is a single one.",
            formula="Herfindahl-Hirschman index: sum of the squares of all issuers' shares",
            source=source,
            labels=("bucket",),
            over=(View(Concentration(issuers), {"bucket": c("bucket")}),),
            value=pl.when(_is_known()).then(quotient(c("total_squares").cast(pl.Float64), total * total)),
            window_help=windows,
        ),
    )  # fmt: skip

"""The concession of `ai` against that of the rest, like with like: who crowds out whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, View, divided, quotient
from monitor.signals.newissue.deals import MONTH, WEEK, priced, within
from monitor.signals.newissue.names import AI
from monitor.signals.newissue.periods import SEGMENT, Touched, enough, is_ai
from monitor.signals.newissue.terms import LEAST_HELP, TWO_DAYS
from monitor.signals.thresholds import Edge, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.newissue.parameters import NewIssueParameters

_LETTERS: Final = {
    **dict.fromkeys(("AAA",), "AAA"), **dict.fromkeys(("AA",), "AA"), **dict.fromkeys(("A",), "A"),
    **dict.fromkeys(("BBB", "BAA"), "BBB"),
    **dict.fromkeys(("BB", "B", "CCC", "CC", "C", "D", "BA", "CAA", "CA"), "HY"),
}  # fmt: skip
"""Ratings of two agencies without their plus, minus or number, and the bucket of each."""
_TENOR_ENDS_E3: Final = (3_000, 7_000, 12_000)
"""Up to and with so many thousandths of a year."""
_UNITS_PER_BP: Final = 1_000_000


def bucket() -> pl.Expr:
    """The bucket of rating and tenor; null where one is not known.

    >>> deals = pl.DataFrame({"rating": ["A+", "Baa2", "NR", "BB-"], "tenor_e3": [3_000, 30_000, 5_000, 10_000]})
    >>> deals.select(bucket())["bucket"].to_list()
    ['A 0', 'BBB 3', None, 'HY 2']
    """
    letters = c("rating").str.to_uppercase().str.replace_all(r"[^A-Z]", "")
    rating = letters.replace_strict(_LETTERS, default=None, return_dtype=pl.String)
    tenor = pl.sum_horizontal((c("tenor_e3") > end).cast(pl.Int64) for end in _TENOR_ENDS_E3)
    tenor = pl.when(c("tenor_e3").is_not_null()).then(tenor)
    return (rating + " " + tenor.cast(pl.String)).alias("bucket")


@dataclass(frozen=True)
class Gap(Touched):
    """Fixed-rate deals with a concession, of `ai` and of the rest.

    Columns: `ai_issues`, `ai_kusd`, `ai_sum` and the same of `rest` (sums in 1e-6 bp times thousands of USD), and of
    the buckets that both have: `both_kusd` (size of `ai`), `both_sum` (of `ai`), `both_rest_sum` (the rest's mean
    in each bucket times the size of `ai` there, rounded down to a unit each).

    Attributes:
        periods: which.
    """

    periods: tuple[str, ...]

    def by(self) -> tuple[str, ...]:
        """One label set a period."""
        return ("period",)

    def make_spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """A row a deal and period."""
        difference = c("spread_e6") - c("fair_value_spread_e6")
        deals = priced(tiers, year).filter("is_fixed", difference.is_not_null())
        deals = pl.concat([within(deals, period) for period in self.periods])
        weighted = difference.cast(pl.Int128) * c("size_kusd")
        return deals.select(
            "since", "until", "period", "issue_id", bucket(), kusd="size_kusd", sum=weighted, is_ai=is_ai()
        )  # fmt: skip

    def look(self, found: pl.DataFrame) -> pl.DataFrame:
        """The sums."""
        key, sides = ["tick", "period"], {"ai": c("is_ai"), "rest": ~c("is_ai")}
        sums: dict[str, pl.Expr] = {}
        for name, of in sides.items():
            sums[f"{name}_issues"] = c("issue_id").filter(of).n_unique().cast(pl.Int64)
            sums[f"{name}_kusd"], sums[f"{name}_sum"] = c("kusd").filter(of).sum(), c("sum").filter(of).sum()
        both = found.filter(c("bucket").is_not_null()).group_by(*key, "bucket").agg(**sums)
        both = both.filter(c("ai_kusd") > 0, c("rest_kusd") > 0)
        matched = both.group_by(key).agg(
            both_kusd=c("ai_kusd").sum(),
            both_sum=c("ai_sum").sum(),
            both_rest_sum=(c("ai_kusd").cast(pl.Int128) * c("rest_sum") // c("rest_kusd")).sum(),
        )
        return found.group_by(key).agg(**sums).join(matched, on=key, how="left", maintain_order="left")


def _bp(weighted: pl.Expr, kusd: str) -> pl.Expr:
    return quotient(divided(weighted.cast(pl.Float64), _UNITS_PER_BP), c(kusd))


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The gap of concessions.

    Example: `ai` places 3 busd of A at 10 years with 12 bp and 1 busd of BBB at 5 years with 20 bp; the rest place A
    at 10 years with 4 bp and nothing like the other. Only the first bucket has both: 12 - 4 = 8 bp. Had the rest no
    like for at least half of `ai`, it would be the plain difference.
    """
    matched = _bp(c("both_sum") - c("both_rest_sum"), "both_kusd")
    plain = _bp(c("ai_sum"), "ai_kusd") - _bp(c("rest_sum"), "rest_kusd")
    # Of a small part that happens to have its like the comparison would say nothing of the flood that has none.
    gap = pl.when(2 * c("both_kusd") >= c("ai_kusd")).then(matched).otherwise(plain)
    value = pl.when(enough("ai_issues", "ai_kusd") & enough("rest_issues", "rest_kusd")).then(gap)
    return (
        Signal(
            name="newissue_concession_gap_bp",
            segment=SEGMENT,
            title="New-issue concession gap",
            help="How much more than the rest issuers of theme `ai` pay for like bonds; both signs are bad.",
            formula=(
                "mean over buckets of rating (AAA, AA, A, BBB, HY) and tenor (to 3, 7, 12 years, and longer) that both "
                "have, by the size of `ai` there, of concession `ai` - concession rest; the plain difference where "
                "less than half of `ai` has its like"
            ),
            source="Crowding out: either the flood pays for itself, or everyone else does",
            labels=("window",),
            over=(View(Gap((WEEK, MONTH)), {"window": c("period")}),),
            value=value,
            graded=value.abs(),
            window_help=f"5 and 20 business days with today; fixed-rate deals; {LEAST_HELP}, of either side",
            thresholds=(
                ThresholdRow(
                    AI, c("window") == WEEK, "5 business days, either sign",
                    "By judgement: a few bp lie within what fair values are known to; 7 bp for like bonds is a "
                    "difference that buyers make on purpose. For the desk: it says who pays, not how much.",
                    calm=3, warning=Edge(7, 5), critical=Edge(15, 10), hold_out=TWO_DAYS, notify=Notify.DESK,
                ),
            ),
        ),
    )  # fmt: skip

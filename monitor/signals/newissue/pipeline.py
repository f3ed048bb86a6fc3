"""What is still to be priced: issuers lock the rate first, and sell Treasuries to do so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, View, divided
from monitor.signals.newissue.deals import PATIENCE, ends_of_periods, states, within
from monitor.signals.newissue.periods import SEGMENT, Touched, enough
from monitor.signals.newissue.terms import LEAST_HELP
from monitor.streams import UNITS_PER_YEAR

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.newissue.parameters import NewIssueParameters

_USD_PER_KUSD, _BP_PER_ONE, _USD_PER_MUSD = 1_000, 10_000, 1_000_000
_E6_PERCENT_PER_ONE = 100_000_000


def dv01_usd(default_yield_e6: int) -> pl.Expr:
    """What a basis point is worth of a par bond, whole USD: size * modified duration / 10,000.

    The modified duration of a par bond that pays twice a year is (1 - (1 + y/2)^(-2 T)) / y.

    >>> deal = pl.DataFrame({"size_kusd": [1_000_000], "tenor_e3": [10_000], "yield_e6": [5_000_000]})
    >>> deal.select(dv01_usd(5_000_000)).item()
    779458
    """
    said = pl.when(c("yield_e6") > 0).then("yield_e6").otherwise(default_yield_e6)
    rate, payments = divided(said, _E6_PERCENT_PER_ONE), divided(2 * c("tenor_e3"), UNITS_PER_YEAR)
    duration = (1 - (1 + rate * 0.5) ** (-payments)) / rate
    return divided(c("size_kusd") * _USD_PER_KUSD * duration, _BP_PER_ONE).round().cast(pl.Int64).alias("dv01_usd")


@dataclass(frozen=True)
class Pipeline(Touched):
    """Deals that wait to be priced, and were heard of lately.

    Columns: `issues`, `kusd`, `dv01_usd`.

    Attributes:
        default_yield_e6: of deals that say none, 1e-6 percent.
    """

    default_yield_e6: int

    def by(self) -> tuple[str, ...]:
        """One label set."""
        return ("period",)

    def make_spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """A row a deal."""
        waiting = states(tiers, year).filter(
            "is_waiting", "is_fixed", c("size_kusd") > 0, c("tenor_e3") > 0
        )  # fmt: skip
        ends = ends_of_periods(tiers.calendar, waiting["heard_date"])
        waiting = within(waiting.join(ends, left_on="heard_date", right_on="date", how="left"), PATIENCE)
        return waiting.select("since", "until", "period", "issue_id", "size_kusd", dv01_usd(self.default_yield_e6))

    def look(self, found: pl.DataFrame) -> pl.DataFrame:
        """The sums."""
        return found.group_by("tick", "period").agg(
            c("dv01_usd").sum(), issues=c("issue_id").n_unique().cast(pl.Int64), kusd=c("size_kusd").sum()
        )


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """The DV01 of the pipeline.

    Example: three issues of 1, 2 and 1 busd at 10 years and 5 % are announced. A par bond of these has a modified
    duration of (1 - 1.025^-20) / 0.05 = 7.79, so that 4 busd are 4,000 * 7.79 / 10,000 = 3.12 musd a basis point.
    """
    default_e6 = round(parameters.default_yield_percent * _E6_PERCENT_PER_ONE / 100)
    return (
        Signal(
            name="newissue_pipeline_dv01_musd",
            segment=SEGMENT,
            title="DV01 of the pipeline",
            help="How much one basis point is worth of the deals to come, which issuers hedge by selling Treasuries.",
            formula=(
                "sum of size * (1 - (1 + y/2)^(-2 T)) / y / 10,000 over announced deals that are neither priced nor "
                f"pulled; T their tenor, y their yield, or {parameters.default_yield_percent:g} % where they say none"
            ),
            source="Rate locks: how corporate debt reaches Treasuries before it is placed",
            labels=(),
            over=(View(Pipeline(default_e6), {}),),
            value=pl.when(enough("issues", "kusd")).then(divided(c("dv01_usd"), _USD_PER_MUSD)),
            window_help=(
                f"now; fixed-rate deals that were heard of within 30 business days with today; {LEAST_HELP} of them"
            ),
        ),
    )

"""Every published series that has no signal of its own, as it stands: the metric `market_reference`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from polars import col as c

from monitor.signals.credit.liquidity import LIQUIDITY
from monitor.signals.credit.series import SEGMENT, Standing, in_own_unit
from monitor.signals.credit.spread import SPREADS
from monitor.signals.model import Signal, View

if TYPE_CHECKING:
    from monitor.signals.credit.parameters import CreditParameters

OWN: Final = (*SPREADS, *LIQUIDITY, "IG_MATURING_12M")
"""Series whose values are signals of their own; so are auctions, by their prefixes."""
MOST_SERIES: Final = 200
"""A feed that makes up names shall not fill the metrics page."""


class StandsForYears(Standing):
    """A policy rate stands until the next decision, and there were years without one."""

    stands_seconds: ClassVar[int] = 10 * 366 * 86_400


class OfAnyUnit(Signal):
    """A signal of many units, which its name can therefore not say."""

    @property
    def unit(self) -> str:
        """What docs and listings say of the unit."""
        return "of each series its own"


def signals(parameters: CreditParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The other series.

    Example: MOVE of 79 is `market_reference` with the series MOVE.
    """
    return (
        OfAnyUnit(
            name="reference",
            segment=SEGMENT,
            title="Published series",
            help="Whatever else is published: policy rates, yields, indices, and series that only you know.",
            formula="the value as published, percent, bp, busd, index points or a ratio, as its series has it",
            source="the stream `reference`",
            labels=("series",),
            over=(View(StandsForYears(None, own=OWN, most=MOST_SERIES), {"series": c("series")}),),
            value=in_own_unit(c("value_e6")),
            window_help=(
                "the newest day in effect, until the next; it is never blind. "
                f"At most {MOST_SERIES} series: those that were known first, of one second by name"
            ),
        ),
    )

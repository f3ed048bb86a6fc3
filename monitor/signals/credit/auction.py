"""Treasury auctions: how the market took the supply of a tenor. Shown, without thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polars import col as c

from monitor.signals.credit.series import SEGMENT, Standing, in_own_unit
from monitor.signals.model import Signal, View

if TYPE_CHECKING:
    from monitor.signals.credit.parameters import CreditParameters

_SOURCE: Final = "TreasuryDirect, auction results; when-issued yields of dealers"


def _signal(name: str, family: str, title: str, help_: str, formula: str) -> Signal:
    prefix = f"AUCTION_{family}_"
    return Signal(
        name=name,
        segment=SEGMENT,
        title=title,
        help=help_,
        formula=formula,
        source=_SOURCE,
        labels=("tenor",),
        over=(View(Standing(prefix), {"tenor": c("series").str.strip_prefix(prefix)}),),
        value=in_own_unit(c("value_e6")),
        window_help="the last auction of the tenor; it stands until the next, as auctions are weeks apart",
    )


def signals(parameters: CreditParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """What is known of a tenor's last auction.

    Example: AUCTION_TAIL_10Y of 2.1 bp is `auction_tail_bp` with the tenor 10Y.
    """
    return (
        _signal(
            "auction_tail_bp", "TAIL", "Auction tail",
            "How much more than expected the Treasury had to pay: a tail is supply that found no home.",
            "highest accepted yield - when-issued yield at the deadline, as published",
        ),
        _signal(
            "auction_cover_ratio", "COVER", "Auction cover",
            "How often over an auction was bid for.",
            "bids / amount offered, as published",
        ),
        _signal(
            "auction_dealer_share_ratio", "DEALER_SHARE", "Auction share of dealers",
            "How much of an auction dealers were left with, who must take what nobody else wants.",
            "awarded to primary dealers / amount offered, as published",
        ),
    )  # fmt: skip

"""The board of CDS and of credit spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.boards import head, manner, of_signals, panels
from monitor.generate.boards.layout import Board, Row
from monitor.generate.boards.queries import Chosen
from monitor.links import BOARD_OF_SEGMENT, VARIABLES

if TYPE_CHECKING:
    from monitor.generate.boards.of_signals import Catalogue
    from monitor.generate.boards.panels import Placed

SEGMENTS: Final = ("cds", "credit")
_BY: Final = VARIABLES[BOARD_OF_SEGMENT[SEGMENTS[0]]]
_CHOSEN: Final = Chosen(_BY)
_MONTH: Final = "20bd"


def board(catalogue: Catalogue) -> Board:
    """Who is afraid of whom."""

    def panel(name: str, width: int, chosen: Chosen = _CHOSEN, **how: object) -> Placed:
        return of_signals.panel(catalogue[name], width, chosen, **how)  # type: ignore[arg-type]

    rows = (
        Row(8, (panel("cds_spread_bp", 8), panel("cds_widening_bp", 8), panel("cds_bid_ask_ratio", 8))),
        Row(7, (
            panel("cds_basket_change_bp", 6, Chosen(_BY, {"window": _MONTH}), title="Baskets in 20 days"),
            panel("cds_basket_excess_bp", 6, title="Baskets against the index"),
            panel("cds_slope_bp", 6),
            panel("cds_volume_surge_ratio", 6, unit=manner.TIMES),
        )),
        Row(7, (_highest(catalogue), _default(catalogue), _off_low(catalogue))),
    )  # fmt: skip
    shown = [placed for row in rows for placed in row.panels]
    uid = BOARD_OF_SEGMENT[SEGMENTS[0]]
    return Board(
        uid,
        "CDS and credit",
        "What it costs to insure against a default, of which names it has jumped, and how far the market as a whole is "
        "off its lows.",
        rows,
        of_signals.more(catalogue.of(*SEGMENTS), shown, {SEGMENTS[0]: _BY}),
        [
            head.variable(uid, "tenor", "Tenor", catalogue["cds_spread_bp"]),
            head.variable(uid, "entity", "Name", catalogue["cds_spread_bp"], ["tenor"]),
            head.variable(uid, "theme", "Basket", catalogue["cds_basket_bp"]),
        ],
        head.marks(SEGMENTS),
        since="now-24h",
    )


def _highest(catalogue: Catalogue) -> Placed:
    days = catalogue["cds_days_since_higher"]
    about = of_signals.about(
        days, title="Highest since",
        tells="For how many days no spread of the name was as high as now's, the longest first. No longer than its "
        "history: how far that goes back is among the further signals. It is judged where the spread has widened.",
    )  # fmt: skip
    return of_signals.ranked(days, about, 8, "entity", chosen=_CHOSEN)


def _default(catalogue: Catalogue) -> Placed:
    probability = catalogue["cds_default_probability_ratio"]
    about = of_signals.about(probability)
    return of_signals.ranked(probability, about, 8, "entity", "tenor", chosen=_CHOSEN, unit=manner.TENTH_PERCENT)


def _off_low(catalogue: Catalogue) -> Placed:
    placed = of_signals.panel(
        catalogue["credit_off_low_bp"], 8, prints=True,
        tells="How far the spreads of whole markets are above their lows. High yield moves several times as much as "
        "investment grade, and is on the right axis, with its thresholds.",
    )  # fmt: skip
    return panels.overridden(placed, "/^HY_|, hy$/", custom_axisPlacement="right")
